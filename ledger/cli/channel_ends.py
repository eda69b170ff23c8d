"""The ends of a channel in a wallet, brought up to what the chain says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.chain.state_keys import channel_key
from ledger.cli.chain_access import ChainAccess
from ledger.errors import NotFoundError, RefusedError
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.wallet.payee import PayeeClosing, PayeeOpen
from ledger.wallet.payer import PayerClosing, PayerOpen, PayerOpening
from ledger.wallet.wallet import End, Wallet

_LIST = "`quipu channel status` lists the wallet's channels"


def record_of(access: ChainAccess, channel: bytes) -> ChannelRecord | None:
    """What the chain has of a channel, its proof checked."""
    return access.read(ChannelRecord, channel_key(channel))


def end_of(wallet: Wallet, channel: bytes) -> End:
    """Which end of a channel the wallet is. Raises NotFoundError."""
    ends = [end for name, end in wallet.channels() if name == channel]
    if not ends:
        raise NotFoundError(f"the wallet has no channel {channel.hex()}", hint=_LIST)
    return ends[0]


@contextmanager
def paying_end(
    access: ChainAccess, wallet: Wallet, channel: bytes
) -> Iterator[PayerOpen | PayerClosing]:
    """The paying end, once the chain has the channel; released afterwards.

    Raises RefusedError for a channel that the chain does not have, or no longer.
    """
    if end_of(wallet, channel) is not End.PAYER:
        raise RefusedError(
            "the wallet is the paid end of this channel", hint="only its payer can do that"
        )
    record = record_of(access, channel)
    state = wallet.payer(channel)
    try:
        if record is None:
            raise _gone(channel)
        if isinstance(state, PayerOpening):
            state = state.opened(record)
        elif isinstance(state, PayerOpen):
            state.observe(record)
        yield state
    finally:
        state.release()


@contextmanager
def paid_end(
    access: ChainAccess, wallet: Wallet, channel: bytes, *, begin: bool = False
) -> Iterator[PayeeOpen | PayeeClosing]:
    """The paid end; with ``begin`` also of a channel that is new to the wallet.

    Raises RefusedError for a channel that the chain does not have, or no longer.
    """
    record = record_of(access, channel)
    known = (channel, End.PAYEE) in wallet.channels()
    if record is None:
        raise _gone(channel)
    if known:
        state: PayeeOpen | PayeeClosing = wallet.payee(channel)
        if isinstance(state, PayeeOpen):
            state = state.observe(record)
    elif begin:
        state = wallet.begin_payee(access.chain, channel, record)
    else:
        raise NotFoundError(f"the wallet has no channel {channel.hex()}", hint=_LIST)
    try:
        yield state
    finally:
        state.release()


def _gone(channel: bytes) -> RefusedError:
    return RefusedError(
        f"the chain has no channel {channel.hex()[:16]}...",
        hint="it was closed, or its opening never came: quipu channel status --forget",
    )
