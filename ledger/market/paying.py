"""An acquisition's money: into the channel, and what is left back to where it came from.

Every transaction of the one-time key is in the acquisition's folder before it leaves::

    open.tx       opens the channel
    close.tx      closes it, with what was paid
    settle.tx     ends it once nobody can challenge that
    back-N.tx     pays what is left of asset N back to where it came from

The channel's deposit is the price of all, so of a whole purchase nothing is left in it: the
seller closes that, and the buyer need not.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.body import Message
from ledger.chain.channel.payword import MAX_LINKS
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.proven.chain import EXPIRY_BLOCKS, ProvenChain
from ledger.chain.proven.kept import carry_out_once, follow, require_carried_out, signing
from ledger.chain.state_keys import channel_key
from ledger.chain.transaction import parse_transaction
from ledger.errors import KeyStoreError, RefusedError
from ledger.exchange.grant import Grant
from ledger.market.challenge import challenge_on
from ledger.market.funding import Funding, need_of
from ledger.schema.chain_channel_pb2 import ChannelRecord, CloseChannel
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.storage.os_errors import storage_errors
from ledger.wallet.payer import (
    PayerClosing,
    PayerOpen,
    PayerOpening,
    PayerState,
    PayWordOffer,
)
from ledger.wallet.wallet import End, Wallet

_AFTER_GRANT: Final = 100
"""Blocks by which a channel outlives its grant, beside the challenge: time to close it."""


def one_time_wallet(folder: Path) -> Wallet:
    """The wallet of an acquisition, made where there is none. KeyStoreError, StorageError."""
    root = folder / "wallet"
    try:
        return Wallet.open(root)
    except KeyStoreError:
        if (root / "key").exists():
            raise
        return Wallet.create(root)


def fund(chain: ProvenChain, funding: Funding, grant: Grant) -> int:
    """Have the one-time key funded; what it has then of the grant's asset, proven.

    Raises as `Funding.fund` does; RefusedError where the money is not there afterwards.
    """
    for asset, amount in sorted(need_of(grant, chain.parameters.min_fee).items()):
        if chain.balance(grant.buyer, asset) >= amount:
            continue
        funding.fund(grant.grant, grant.buyer, asset, amount)
        if chain.balance(grant.buyer, asset) < amount:
            raise RefusedError(
                "the fleet says that it paid the one-time key, and the chain does not",
                hint="see whether fleet and buyer are on one chain",
            )
    return chain.balance(grant.buyer, grant.asset)


def open_channel(
    chain: ProvenChain, folder: Path, wallet: Wallet, grant: Grant, challenge: int | None = None
) -> bytes:
    """The id of the channel that pays a grant, open on the chain; nothing for free content.

    ``challenge`` is in blocks, of a channel that is not prepared yet (`challenge_on`). Raises
    `RefusalError`, `EngineError`, RefusedError, StorageError and their kin.
    """
    if not grant.price:
        return b""
    state = _paying_end(wallet) or _prepare(
        chain, wallet, grant, challenge_on(chain.parameters, challenge)
    )
    try:
        if isinstance(state, PayerOpening):
            require_carried_out(chain, folder / "open.tx", wallet, state.message)
            record = chain.read(ChannelRecord, channel_key(state.channel))
            if record is None:
                raise RefusedError(
                    "the seller has closed the channel already", hint="give it up, buy elsewhere"
                )
            state = state.opened(record)
        return state.channel
    finally:
        state.release()


def close_channel(chain: ProvenChain, folder: Path, wallet: Wallet, wait_s: float) -> int:
    """End the channel of a wallet that has one, and pay no more through it.

    0 once it is ended; else the height up to which the seller can challenge that. Waits for
    that so long. Raises `RefusalError`, `EngineError`, StorageError and their kin.
    """
    state = _paying_end(wallet)
    if state is None:
        return 0
    closing: PayerState = state
    try:
        if isinstance(closing, PayerOpening):
            opened = _opened(chain, folder, closing)
            if opened is None:
                closing.abandon()
                return 0
            closing = opened
        if isinstance(closing, PayerOpen):
            closing = closing.close()
        until = _end(chain, folder, wallet, closing, wait_s)
        if not until:
            closing.forget()
        return until
    finally:
        closing.release()


def give_back(
    chain: ProvenChain, folder: Path, wallet: Wallet, recipient: bytes, asset: int
) -> int:
    """Pay what a one-time key has left back to where it came from; how much of ``asset``.

    Raises `RefusalError`, `EngineError`, StorageError and their kin.
    """
    given = {
        each: _give_back(chain, folder, wallet, recipient, each)
        for each in sorted({asset, FEE_ASSET}, reverse=True)  # that of fees last: it pays them
    }
    return given[asset]


def give_back_late(chain: ProvenChain, folder: Path, recipient: bytes) -> None:
    """Pay back what came to a one-time key after `give_back`; nothing where there is none.

    Fees come off it. Raises `RefusalError`, `EngineError`, KeyStoreError, StorageError.
    """
    if not (folder / "wallet" / "key").exists():
        return
    wallet, fee = one_time_wallet(folder), chain.parameters.min_fee
    account = chain.account(wallet.account)
    held = {} if account is None else dict(account.holdings)
    for asset, amount in sorted(held.items(), reverse=True):  # that of fees last: it pays them
        if amount <= (fee if asset == FEE_ASSET else 0):
            continue
        before = chain.balance(wallet.account, asset)
        _give_back(chain, folder, wallet, recipient, asset)
        if chain.balance(wallet.account, asset) == before:
            # What was kept was carried out long ago, before this came: another is signed.
            path = folder / f"back-{asset}.tx"
            with storage_errors(path):
                path.unlink(missing_ok=True)
            _give_back(chain, folder, wallet, recipient, asset)


def _give_back(
    chain: ProvenChain, folder: Path, wallet: Wallet, recipient: bytes, asset: int
) -> int:
    path = folder / f"back-{asset}.tx"
    fee = chain.parameters.min_fee

    def left() -> int:
        held = chain.balance(wallet.account, asset)
        return held - fee if asset == FEE_ASSET else held

    def sign() -> bytes:
        transfer = Transfer(asset=asset, recipient=recipient, amount=left())
        return signing(chain, wallet, transfer)()

    with storage_errors(path):
        kept = path.read_bytes() if path.exists() else b""
    if not kept and left() < 1:
        return 0
    carry_out_once(chain, path, sign).require()
    with storage_errors(path):
        transfer = parse_transaction(chain.chain, path.read_bytes()).message
    return transfer.amount if isinstance(transfer, Transfer) else 0


def _paying_end(wallet: Wallet) -> PayerState | None:
    for channel, end in wallet.channels():
        if end is End.PAYER:
            return wallet.payer(channel)
    return None


def _prepare(chain: ProvenChain, wallet: Wallet, grant: Grant, challenge: int) -> PayerOpening:
    return wallet.open_channel(
        chain.chain,
        chain.sequence(wallet.account),
        payee=grant.seller,
        asset=grant.asset,
        deposit=grant.price,
        # A seller takes nothing in the last challenge before the expiry.
        expiry_height=grant.expiry_height + 2 * challenge + _AFTER_GRANT + EXPIRY_BLOCKS,
        challenge=challenge,
        payword=links_for(grant),
        grant=grant.grant,
    )


def links_for(grant: Grant) -> PayWordOffer | None:
    """Links that pay every unit of a grant in whole numbers; None where that takes too many."""
    unit = grant.price_step
    if not unit or grant.price // unit > MAX_LINKS:
        return None
    return PayWordOffer(unit, grant.price // unit)


def _opened(chain: ProvenChain, folder: Path, opening: PayerOpening) -> PayerOpen | None:
    """The channel whose opening may be under way; None if it never will be open."""
    path = folder / "open.tx"
    with storage_errors(path):
        kept = path.read_bytes() if path.exists() else b""
    submitted = follow(chain, kept) if kept else None
    if submitted is None or not submitted.ok:
        return None
    record = chain.read(ChannelRecord, channel_key(opening.channel))
    return None if record is None else opening.opened(record)


def _end(
    chain: ProvenChain, folder: Path, wallet: Wallet, closing: PayerClosing, wait_s: float
) -> int:
    """End a channel; 0 once the chain has it no more, else the last height of the challenge."""
    record = _record(chain, closing)
    if record is not None and not record.closing_height:
        # What the chain knows already needs no claim.
        bare = record.claimed >= closing.paid
        message = CloseChannel(channel=closing.channel) if bare else closing.message
        _carry_out(chain, folder / "close.tx", wallet, message)
        record = _record(chain, closing)
    if record is None:
        return 0
    until = record.closing_height
    if not _wait_beyond(chain, closing, until, wait_s):
        return until
    if _record(chain, closing) is None:  # the seller has closed it
        return 0
    _carry_out(chain, folder / "settle.tx", wallet, closing.settle())
    return until if _record(chain, closing) is not None else 0


def _record(chain: ProvenChain, closing: PayerClosing) -> ChannelRecord | None:
    return chain.read(ChannelRecord, channel_key(closing.channel))


def _carry_out(chain: ProvenChain, path: Path, wallet: Wallet, message: Message) -> None:
    """Carry out what ends a channel; that the other side did so meanwhile is fine."""
    try:
        require_carried_out(chain, path, wallet, message)
    except RefusalError as refusal:
        if refusal.code not in (ResultCode.UNKNOWN_CHANNEL, ResultCode.CHANNEL_STATE):
            raise


def _wait_beyond(chain: ProvenChain, closing: PayerClosing, height: int, wait_s: float) -> bool:
    """Whether the *next* block is later than ``height``, having waited so long for that.

    Or the channel has ended before: a seller that is there closes it for good at once.
    """
    deadline = time.monotonic() + wait_s
    while (now := chain.height()) < height:
        left = deadline - time.monotonic()
        if _record(chain, closing) is None:
            return True
        if left <= 0:
            return False
        chain.service.events(now + 1, left)
    return True
