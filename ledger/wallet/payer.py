"""The paying end of a channel: opening, open, closing; each a type, each from the one before.

::

    PayerOpening --opened(record)--> PayerOpen --close()--> PayerClosing

What a claim is worth is on disk before the claim leaves, so a crash at any point never makes
the payer sign less than it did, nor more than the deposit: what it resumes with is what it
paid, or one payment more, which `PayerOpen.newest` shows again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from ledger.chain.channel.payword import LINK_SIZE, Link, PayWordChain
from ledger.chain.channel.voucher import Voucher, VoucherVerifier, sign_voucher
from ledger.ed25519 import PrivateKey
from ledger.errors import CorruptStoreError, RefusedError, VerificationError
from ledger.schema import chain_channel_pb2
from ledger.schema.chain_channel_pb2 import (
    ChannelRecord,
    CloseChannel,
    OpenChannel,
    SettleChannel,
    TopUpChannel,
)
from ledger.wallet.channel_file import ChannelFile, Durability, PayerRow, Stage
from ledger.wallet.terms import ChannelTerms

Claim: TypeAlias = Voucher | Link
"""What leaves the payer: one of the two, as the channel's terms say."""


@dataclass(frozen=True, slots=True)
class PayWordOffer:
    """A channel that is to be paid by ``count`` links of ``unit`` each."""

    unit: int
    count: int


def new_seed() -> bytes:
    """w_n of a new chain of links: from the operating system's randomness."""
    return os.urandom(LINK_SIZE)


class _PayerState:
    """One state of the paying end; it holds the channel's file until it hands it on."""

    def __init__(self, file: ChannelFile[PayerRow], key: PrivateKey) -> None:
        self._held: ChannelFile[PayerRow] | None = file
        self.channel: Final = file.row.terms.channel
        """Its id, 32 bytes."""
        self._key: Final = key

    @property
    def terms(self) -> ChannelTerms:
        """Of the channel."""
        return self._file.row.terms

    def release(self) -> None:
        """Let others open the channel; this object is of no more use."""
        if self._held is not None:
            self._held.release()
            self._held = None

    @property
    def _file(self) -> ChannelFile[PayerRow]:
        if self._held is None:
            raise RefusedError("the channel has gone on, or was released: use what came of it")
        return self._held

    def _hand_on(self, row: PayerRow) -> ChannelFile[PayerRow]:
        file = self._file
        file.write(row)
        self._held = None
        return file

    def _forget(self) -> None:
        self._file.remove()
        self._held = None


class PayerOpening(_PayerState):
    """A channel whose opening may be on its way to the chain."""

    @property
    def message(self) -> OpenChannel:
        """What the opening transaction asks for; its sequence is that of the channel's id."""
        return self.terms.opening()

    def opened(self, record: ChannelRecord) -> PayerOpen:
        """The channel, once the chain has this record of it.

        Raises VerificationError where the record is of other terms.
        """
        terms = self.terms.with_deposit_of(record)
        row = replace(self._file.row, terms=terms, stage=Stage.OPEN)
        return PayerOpen(self._hand_on(row), self._key)

    def abandon(self) -> None:
        """Forget a channel whose opening was refused, or has expired."""
        self._forget()


class PayerOpen(_PayerState):
    """A channel to pay through."""

    def __init__(self, file: ChannelFile[PayerRow], key: PrivateKey) -> None:
        super().__init__(file, key)
        self._links: Final = _links(file.row)

    @property
    def paid(self) -> int:
        """What the newest claim is worth."""
        return self._file.row.paid

    @property
    def left(self) -> int:
        """What can still be paid."""
        row = self._file.row
        mode = row.terms.payword
        return (mode.unit * mode.count if mode else row.terms.deposit) - row.paid

    def pay(self, amount: int, durability: Durability = Durability.SYNCED) -> Claim:
        """Pay ``amount`` more. The claim may leave: that it was made is on disk, or written.

        Raises RefusedError for nothing, for more than is left, or for a part of a link's
        price; StorageError, and then nothing was paid.
        """
        file, left = self._file, self.left
        row, mode = file.row, file.row.terms.payword
        if amount < 1:
            raise RefusedError("a payment is at least 1 unit")
        if amount > left:
            raise RefusedError(
                f"{left} is left in the channel, too little to pay {amount}",
                hint="pay it out of another channel, or top this one up"
                if mode is None
                else "open another channel",
            )
        if mode and amount % mode.unit:
            raise RefusedError(f"this channel pays by links of {mode.unit} each, whole ones only")
        paid = PayerRow(row.terms, row.stage, row.paid + amount, row.seed)
        file.note(paid, durability)
        return _claim(paid, self._key, self._links)

    def newest(self) -> Claim | None:
        """The claim to all that was paid, to be sent again; None before the first."""
        row = self._file.row
        return _claim(row, self._key, self._links) if row.paid else None

    def recover(self, claim: Claim) -> None:
        """Take over a claim to more than this end remembers, after a power cut or a restore.

        The payee shows it; that this end made it, its signature or hash says. One to no
        more changes nothing. Raises VerificationError for what this end never made.
        """
        row = self._file.row
        worth = claim_worth(claim, row.terms)
        if worth <= row.paid:
            return
        if worth > row.paid + self.left:
            raise VerificationError(f"a claim to {worth}, which this channel cannot pay")
        if isinstance(claim, Voucher):
            terms = row.terms
            VoucherVerifier(terms.chain, terms.channel, terms.payer).verify(claim)
        elif self._links is None or self._links.link(claim.index) != claim:
            raise VerificationError(f"link {claim.index} is not of this channel")
        self._file.write(replace(row, paid=worth))

    def flush(self) -> None:
        """Have every payment on disk that was only written. Raises StorageError."""
        self._file.flush()

    def top_up(self, amount: int) -> TopUpChannel:
        """What a transaction asks for that adds to the deposit; `observe` then counts it.

        Raises RefusedError in a channel of links.
        """
        if self.terms.payword:
            raise RefusedError("a channel of links cannot be topped up", hint="open another")
        return TopUpChannel(channel=self.channel, amount=amount)

    def observe(self, record: ChannelRecord) -> None:
        """Take over a deposit that the chain holds. Raises VerificationError, StorageError."""
        row = self._file.row
        terms = row.terms.with_deposit_of(record)
        if terms != row.terms:
            self._file.write(replace(row, terms=terms))

    def settle(self) -> SettleChannel:
        """What a transaction asks for that takes the rest back after the expiry."""
        return SettleChannel(channel=self.channel)

    def close(self) -> PayerClosing:
        """Pay no more, and prepare the close."""
        return PayerClosing(self._hand_on(replace(self._file.row, stage=Stage.CLOSING)), self._key)

    def forget(self) -> None:
        """Forget the channel, once the chain has none of this id any more."""
        self._forget()


class PayerClosing(_PayerState):
    """A channel through which nothing is paid any more."""

    @property
    def paid(self) -> int:
        """What the payee can claim at most."""
        return self._file.row.paid

    @property
    def message(self) -> CloseChannel:
        """What the closing transaction asks for: it says what was paid, so nobody need."""
        row = self._file.row
        if not row.paid:
            return CloseChannel(channel=row.terms.channel)
        return close_message(row.terms.channel, _claim(row, self._key, _links(row)))

    def settle(self) -> SettleChannel:
        """What a transaction asks for once the close cannot be challenged any more."""
        return SettleChannel(channel=self.channel)

    def forget(self) -> None:
        """Forget the channel, once the chain has none of this id any more."""
        self._forget()


PayerState: TypeAlias = PayerOpening | PayerOpen | PayerClosing


def resume_payer(file: ChannelFile[PayerRow], key: PrivateKey) -> PayerState:
    """The state in which the channel was left. Raises CorruptStoreError for another's file."""
    row = file.row
    if row.terms.payer != bytes(key.public_key):
        file.release()
        raise CorruptStoreError(f"{file.path} is a channel of another wallet's key")
    if row.stage is Stage.OPENING:
        return PayerOpening(file, key)
    return (PayerOpen if row.stage is Stage.OPEN else PayerClosing)(file, key)


def close_message(channel: bytes, claim: Claim | None) -> CloseChannel:
    """A close that makes a claim, or none."""
    if claim is None:
        return CloseChannel(channel=channel)
    if isinstance(claim, Voucher):
        return CloseChannel(channel=channel, voucher=chain_channel_pb2.Voucher(**claim._asdict()))
    return CloseChannel(
        channel=channel, payword=chain_channel_pb2.PayWord(index=claim.index, link=claim.link)
    )


def claim_worth(claim: Claim, terms: ChannelTerms) -> int:
    """What a claim is to, taken for one of the channel's kind; 0 for one of the other."""
    if isinstance(claim, Voucher):
        return 0 if terms.payword else claim.cumulative
    return claim.index * terms.payword.unit if terms.payword else 0


def _links(row: PayerRow) -> PayWordChain | None:
    mode = row.terms.payword
    if mode is None:
        return None
    chain = PayWordChain(row.terms.channel, row.seed, mode.count)
    if chain.w0 != mode.w0:
        raise CorruptStoreError("the wallet's seed of a channel is not that of its w_0")
    return chain


def _claim(row: PayerRow, key: PrivateKey, links: PayWordChain | None) -> Claim:
    terms = row.terms
    if links is None or terms.payword is None:
        return sign_voucher(terms.chain, terms.channel, key, row.paid)
    return links.link(row.paid // terms.payword.unit)
