"""The paid end of a channel: it accepts claims while open, and closes with the best one.

::

    PayeeOpen --close(), or a record that is closing--> PayeeClosing

A payment that `PayeeOpen.accept` returned is on disk, with the claim that earns it. The
channel is closed in time if the close is in a block before the expiry, and within
``challenge`` blocks of a payer's close: this end accepts nothing later than a challenge
before the expiry, and nothing once it knows of a close.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from ledger.chain.channel.payword import Link, PayWordReceiver
from ledger.chain.channel.voucher import Voucher, VoucherVerifier
from ledger.ed25519 import PublicKey
from ledger.errors import CorruptStoreError, RefusedError, VerificationError
from ledger.schema.chain_channel_pb2 import ChallengeClose, ChannelRecord, CloseChannel
from ledger.wallet.channel_file import ChannelFile, Durability, PayeeRow, Stage
from ledger.wallet.payer import Claim, close_message
from ledger.wallet.terms import ChannelTerms


@dataclass(frozen=True, slots=True)
class Payment:
    """What a claim brought."""

    amount: int
    """More than was earned before; 0 for a claim that came again."""
    total: int


class _PayeeState:
    """One state of the paid end; it holds the channel's file until it hands it on."""

    def __init__(self, file: ChannelFile[PayeeRow]) -> None:
        self._held: ChannelFile[PayeeRow] | None = file
        self.channel: Final = file.row.terms.channel
        """Its id, 32 bytes."""

    @property
    def terms(self) -> ChannelTerms:
        """Of the channel."""
        return self._file.row.terms

    @property
    def earned(self) -> int:
        """What the best claim shows."""
        return self._file.row.earned

    @property
    def best(self) -> Claim | None:
        """The claim that is worth most; None before the first."""
        row = self._file.row
        if not row.earned:
            return None
        if row.terms.payword is None:
            return Voucher(row.earned, row.proof)
        return Link(row.earned // row.terms.payword.unit, row.proof)

    def challenge(self) -> ChallengeClose:
        """What anybody can ask for to answer a payer's close: this end, or a watchtower.

        Raises RefusedError while nothing is earned.
        """
        if self.best is None:
            raise RefusedError("nothing was earned through this channel")
        close = close_message(self.channel, self.best)
        if close.HasField("voucher"):
            return ChallengeClose(channel=self.channel, voucher=close.voucher)
        return ChallengeClose(channel=self.channel, payword=close.payword)

    def release(self) -> None:
        """Let others open the channel; this object is of no more use."""
        if self._held is not None:
            self._held.release()
            self._held = None

    @property
    def _file(self) -> ChannelFile[PayeeRow]:
        if self._held is None:
            raise RefusedError("the channel has gone on, or was released: use what came of it")
        return self._held


class PayeeOpen(_PayeeState):
    """A channel to be paid through."""

    def __init__(self, file: ChannelFile[PayeeRow]) -> None:
        super().__init__(file)
        terms = file.row.terms
        self._vouchers: Final = VoucherVerifier(terms.chain, terms.channel, terms.payer)
        self._links: PayWordReceiver | None = None

    def accept(
        self, claim: Claim, height: int, durability: Durability = Durability.SYNCED
    ) -> Payment:
        """Take a claim, at a chain that has reached ``height``. It is on disk, or written.

        Of several claims the newest alone is enough: it stands for those before it. The
        newest again earns 0.

        Raises VerificationError for a claim that is not this channel's, is lower than what
        is earned, or beyond the deposit; RefusedError too near the expiry; StorageError,
        and then nothing was taken.
        """
        file = self._file
        row = file.row
        earned, proof = self._check(claim, row)
        if earned == row.earned:
            return Payment(0, earned)
        terms = row.terms
        if height + terms.challenge >= terms.expiry_height:
            raise RefusedError(
                f"the channel expires at block {terms.expiry_height}: too soon to accept more",
                hint="close it, and ask the payer for another",
            )
        file.note(PayeeRow(terms, row.stage, earned, proof), durability)
        return Payment(earned - row.earned, earned)

    def flush(self) -> None:
        """Have every payment on disk that was only written. Raises StorageError."""
        self._file.flush()

    def observe(self, record: ChannelRecord) -> PayeeOpen | PayeeClosing:
        """Take over what the chain says: a deposit that rose, or that the payer closes.

        Raises VerificationError for another channel's record, StorageError.
        """
        row = self._file.row
        terms = row.terms.with_deposit_of(record)
        if terms != row.terms:
            self._file.write(replace(row, terms=terms))
        return self.close() if record.closing_height else self

    def close(self) -> PayeeClosing:
        """Accept no more, and prepare the close."""
        file = self._file
        file.write(replace(file.row, stage=Stage.CLOSING))
        self._held = None
        return PayeeClosing(file)

    def _check(self, claim: Claim, row: PayeeRow) -> tuple[int, bytes]:
        """What a claim that is this channel's shows, and by what."""
        mode = row.terms.payword
        if isinstance(claim, Voucher):
            if mode is not None:
                raise VerificationError("a voucher for a channel of links")
            _require_more(claim.cumulative, row)
            self._vouchers.verify(claim)
            return claim.cumulative, claim.signature
        if mode is None:
            raise VerificationError("a link for a channel of vouchers")
        _require_more(claim.index * mode.unit, row)
        known = row.earned // mode.unit
        if claim.index == known:
            if claim.link != row.proof:
                raise VerificationError(f"link {known} is not of this channel")
        else:
            links = self._links
            # It is ahead of what is kept where that could not be written.
            if links is None or links.index != known:
                newest = row.proof or mode.w0
                links = self._links = PayWordReceiver(self.channel, mode.count, newest, known)
            links.accept(claim)
        return claim.index * mode.unit, claim.link


def _require_more(amount: int, row: PayeeRow) -> None:
    if amount < max(row.earned, 1):
        raise VerificationError(f"a claim to {amount} pays nothing: {row.earned} is earned")
    if amount > row.terms.deposit:
        raise VerificationError(
            f"a claim to {amount} is beyond the deposit of {row.terms.deposit}",
            hint="a top-up counts once the chain has it: observe its record",
        )


class PayeeClosing(_PayeeState):
    """A channel through which nothing is accepted any more."""

    def message(self, known: int = 0) -> CloseChannel:
        """What the closing transaction asks for, final once it is in a block.

        ``known`` is `ChannelRecord.claimed`: what the chain knows need not be claimed.
        """
        return close_message(self.channel, self.best if self.earned > known else None)

    def forget(self) -> None:
        """Forget the channel, once the chain has none of this id any more."""
        self._file.remove()
        self._held = None


PayeeState: TypeAlias = PayeeOpen | PayeeClosing


def resume_payee(file: ChannelFile[PayeeRow], key: PublicKey) -> PayeeState:
    """The state in which the channel was left. Raises CorruptStoreError for another's file."""
    row = file.row
    if row.terms.payee != bytes(key):
        file.release()
        raise CorruptStoreError(f"{file.path} is a channel of another wallet's key")
    return PayeeOpen(file) if row.stage is Stage.OPEN else PayeeClosing(file)
