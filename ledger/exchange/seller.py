"""The selling end of a stream: offered, open, closing; each a type, each from the one before.

::

    OfferedSale --open(opening)--> OpenSale --close(), or a channel that closes--> ClosingSale
                   resume_sale(row)--^------------------------------------------------^

A claim is written before the secret that it pays for leaves, so a seller that is killed
anywhere has earned all that it gave. What is paid is given again whenever it is asked for,
also after the grant's end: money was taken for it.

A grant ends too when consent to what it is about is withdrawn: what is not paid is not given
any more. A buyer that holds a unit, sealed, can still pay for that one, for it may have signed
the claim before; of what costs nothing no key leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from ledger.errors import (
    ErasedError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.exchange.deed import seal_deed
from ledger.exchange.grant import Grant, SaleChain
from ledger.exchange.messages import (
    DeedFetch,
    DeedReply,
    Fetch,
    Opened,
    Opening,
    Reason,
    UnitReply,
)
from ledger.exchange.sale_file import SaleRow, forget_sale, read_sale, write_sale
from ledger.exchange.sale_refusal import (
    SaleRefusedError,
    end_of,
    require_code,
    require_consent,
    require_signed,
)
from ledger.exchange.session import (
    Session,
    agree,
    opened_statement,
    public_agreement_key,
    sale_agreement_key,
)
from ledger.exchange.unit_cipher import UnitCipher, unit_secret
from ledger.exchange.unit_source import UnitSource
from ledger.schema.chain_channel_pb2 import ChannelRecord, CloseChannel
from ledger.wallet.channel_file import Durability
from ledger.wallet.payee import PayeeClosing, PayeeOpen, PayeeState
from ledger.wallet.payer import Claim, claim_worth
from ledger.wallet.wallet import End, Wallet


@dataclass(frozen=True, slots=True)
class Desk:
    """What every sale of one seller needs."""

    wallet: Wallet
    chain: SaleChain
    folder: Path
    """Where sales are kept; it exists."""
    least_challenge: int = 0
    """Blocks that a channel must leave this end to notice a close and answer it."""


class OfferedSale:
    """A grant under which nothing was asked for yet, or a sale from before a restart."""

    def __init__(self, desk: Desk, grant: Grant, content: UnitSource) -> None:
        """Raises SaleRefusedError for a grant of another seller, or other content."""
        if grant.seller != desk.wallet.account:
            raise SaleRefusedError(Reason.NO_GRANT, "the grant is for another seller")
        if (content.root, content.size) != (grant.content_root, grant.content_size):
            raise SaleRefusedError(Reason.GONE, "the content is not what was granted")
        self._desk: Final = desk
        self._grant: Final = grant
        self._content: Final = content

    def open(self, opening: Opening) -> OpenSale:
        """The sale, on disk, for the buyer that signed ``opening``.

        Raises SaleRefusedError, LockedError, StorageError.
        """
        desk, grant = self._desk, self._grant
        require_signed(grant, opening)
        row = read_sale(desk.folder, grant.grant)
        if row is None:
            end = end_of(desk.chain, grant)
            if end is not None:
                raise end
            payee = self._begin_channel(opening.channel)
            row = SaleRow.begin(grant, opening.channel)
            write_sale(desk.folder, row)
        elif row.channel != opening.channel:
            raise SaleRefusedError(Reason.NO_CHANNEL, "the sale is paid through another channel")
        else:
            payee = desk.wallet.payee(row.channel) if row.channel else None
        return OpenSale(desk, row, self._content, payee)

    def _begin_channel(self, channel: bytes) -> PayeeState | None:
        """The paid end of a channel that is the buyer's and can pay this grant."""
        desk, grant = self._desk, self._grant
        if not grant.price:
            if channel:
                raise SaleRefusedError(Reason.NO_CHANNEL, "the content is free")
            return None
        record = desk.chain.channel(channel) if channel else None
        if (
            record is None
            or record.payer != grant.buyer
            or record.payee != grant.seller
            or record.asset != grant.asset
            or record.grant != grant.grant
            or record.closing_height
            or record.challenge < desk.least_challenge
            or (record.HasField("payword") and not _fits(grant, record.payword.unit))
        ):
            raise SaleRefusedError(Reason.NO_CHANNEL, "no open channel that pays this grant")
        if desk.chain.height() + record.challenge >= record.expiry_height:
            raise SaleRefusedError(Reason.CHANNEL_ENDS, "nothing could be paid through it any more")
        # Killed between the channel's file and the sale's: the first is there already.
        if (channel, End.PAYEE) in desk.wallet.channels():
            return desk.wallet.payee(channel)
        return desk.wallet.begin_payee(grant.chain, channel, record)


@dataclass(frozen=True, slots=True)
class _SealedAhead:
    """A unit that was sealed before it was asked for, and has not left."""

    session: bytes
    index: int
    path: tuple[bytes, ...] = field(repr=False)
    sealed: bytes = field(repr=False)


class _Sale:
    """What an open sale and a closing one can do."""

    def __init__(
        self, desk: Desk, row: SaleRow, content: UnitSource, payee: PayeeState | None
    ) -> None:
        self._desk: Final = desk
        self._row: Final = row
        self._content: Final = content
        self._payee: PayeeState | None = payee
        self._agreement: Final = sale_agreement_key(row.key)
        self._public: Final = public_agreement_key(self._agreement)
        self._given = 0
        """Units that left, sealed, while the grant was good, or once they were paid."""
        self.deed_given = False
        """Whether the deed left since this was opened: the buyer then has all units."""
        self._ahead: _SealedAhead | None = None
        self._cipher: tuple[Session, UnitCipher] | None = None
        """Of the session that asked last."""
        self._newest = -1, b""
        """The index and secret of the unit that was sealed last."""

    @property
    def grant(self) -> Grant:
        """What is sold to whom."""
        return self._row.grant

    @property
    def channel(self) -> bytes:
        """The id of the channel that pays, or nothing where units are free."""
        return self._row.channel

    @property
    def payee(self) -> PayeeState | None:
        """The paid end of the channel; None where units are free."""
        return self._payee

    @property
    def given(self) -> int:
        """Units that left since this was opened, sealed, as long as they might."""
        return self._given

    @property
    def is_whole(self) -> bool:
        """Whether all is paid."""
        return self.earned >= self.grant.price > 0

    @property
    def earned(self) -> int:
        """What the buyer has paid so far."""
        return self._payee.earned if self._payee is not None else 0

    def agree(self, opening: Opening) -> tuple[Session, Opened]:
        """A session for who signed ``opening``; the same for the same bytes.

        Raises SaleRefusedError.
        """
        require_signed(self.grant, opening)
        if opening.channel != self._row.channel:
            raise SaleRefusedError(Reason.NO_CHANNEL, "the sale is paid through another channel")
        try:
            session = agree(opening.encoded, self._agreement, opening.session_key, self._public)
        except VerificationError as error:
            raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
        signature = self._desk.wallet.sign_exchange(opened_statement(opening.encoded, self._public))
        best = self._payee.best if self._payee is not None else None
        return session, Opened(self._public, signature, best)

    def fetch(self, session: Session, fetch: Fetch) -> UnitReply:
        """Take the claim that comes along; the secret that is paid, and the next unit sealed.

        Raises SaleRefusedError, CorruptStoreError, StorageError.
        """
        grant, index = self.grant, fetch.index
        require_code(fetch, session)
        if index > grant.count:
            raise SaleRefusedError(Reason.NO_UNIT, f"unit {index} of {grant.count}")
        if not grant.price:
            # Its secrets are asked for with no claim, so nothing else would keep them back.
            require_consent(self._desk.chain, grant)
        if fetch.claim is not None:
            self._take(fetch.claim, grant.price_of(index))
        if self.earned < grant.price_of(index):
            raise SaleRefusedError(Reason.UNPAID, f"{index} units are not paid")
        secret = self._secret(index - 1) if index else b""
        try:
            path, sealed = self._sealed(session, index)
        except SaleRefusedError:
            if not index:
                raise
            # What was paid for is given, whatever became of the rest.
            path, sealed = (), b""
        return UnitReply(index, secret, path, sealed)

    def deed(self, session: Session, fetch: DeedFetch) -> DeedReply:
        """Take the claim that comes along; the deed, sealed, once all is paid.

        Raises SaleRefusedError, CorruptStoreError, KeyStoreError, StorageError.
        """
        grant = self.grant
        require_code(fetch, session)
        if fetch.claim is not None:
            self._take(fetch.claim, grant.price)
        if self.earned < grant.price:
            raise SaleRefusedError(Reason.UNPAID, f"{grant.count} units are not all paid")
        if not grant.price and (end := self._end()) is not None:
            raise end
        reply = sealed_deed(self._content, grant, session)
        self.deed_given = True
        return reply

    def flush(self) -> None:
        """Have every payment on disk that was only written. Raises StorageError."""
        if isinstance(self._payee, PayeeOpen):
            self._payee.flush()

    def seal_ahead(self, session: Session, index: int) -> None:
        """Seal the unit that will be asked for next, while the buyer checks the one before.

        Nothing is given by that: when it is asked for, all is looked at as ever.
        """
        if index >= self.grant.count:
            return
        try:
            path, sealed = self._seal(session, index)
        except LedgerError:
            return  # whoever asks is told
        self._ahead = _SealedAhead(session.session, index, path, sealed)

    def release(self) -> None:
        """Have everything on disk, and let others open the sale. Raises StorageError."""
        if self._payee is not None:
            self._payee.release()

    def _sealed(self, session: Session, index: int) -> tuple[tuple[bytes, ...], bytes]:
        grant = self.grant
        if index == grant.count:
            return (), b""
        is_paid = self.earned >= max(1, grant.price_of(index + 1))
        if not is_paid and (end := self._end()) is not None:
            raise end
        self._given = max(self._given, index + 1)
        ahead, self._ahead = self._ahead, None
        try:
            if ahead is not None and (ahead.session, ahead.index) == (session.session, index):
                self._content.require_here()
                return ahead.path, ahead.sealed
            return self._seal(session, index)
        except ErasedError as error:
            raise SaleRefusedError(Reason.GONE, error.message) from error

    def _seal(self, session: Session, index: int) -> tuple[tuple[bytes, ...], bytes]:
        if self._cipher is None or self._cipher[0] is not session:
            self._cipher = session, UnitCipher(self.grant, session)
        unit = self._content.unit(index)
        sealed = self._cipher[1].seal(index, self._secret(index), unit)
        return self._content.path(index), sealed

    def _secret(self, index: int) -> bytes:
        # A unit's is asked for when it is sealed, and again once it is paid.
        if self._newest[0] != index:
            self._newest = index, unit_secret(self._row.key, index)
        return self._newest[1]

    def _end(self) -> SaleRefusedError | None:
        return end_of(self._desk.chain, self.grant)

    def _take(self, claim: Claim, needed: int) -> None:
        payee = self._payee
        if payee is None:
            raise SaleRefusedError(Reason.BAD_CLAIM, "the content is free")
        worth = claim_worth(claim, payee.terms)
        if worth <= payee.earned and needed <= payee.earned:
            return  # asked again
        if not isinstance(payee, PayeeOpen):
            raise SaleRefusedError(Reason.CHANNEL_ENDS, "the channel is closing")
        # Once the grant is over, only units that are with the buyer already can be paid.
        end = self._end()
        if end is not None and worth > self.grant.price_of(self._given):
            raise end
        try:
            payee.accept(claim, self._desk.chain.height(), Durability.WRITTEN)
        except RefusedError as error:
            raise SaleRefusedError(Reason.CHANNEL_ENDS, error.message) from error
        except (MalformedError, VerificationError) as error:
            raise SaleRefusedError(Reason.BAD_CLAIM, error.message) from error


class OpenSale(_Sale):
    """A sale that takes payments."""

    def observe(self, record: ChannelRecord) -> OpenSale | ClosingSale:
        """Take over what the chain says of the channel: a top-up, or a close by the payer.

        Raises VerificationError for another channel's record, StorageError.
        """
        if isinstance(self._payee, PayeeOpen):
            self._payee = self._payee.observe(record)
            if isinstance(self._payee, PayeeClosing):
                return self._closing()
        return self

    def close(self) -> ClosingSale:
        """Take no more payments, and prepare the channel's close. Raises StorageError."""
        if isinstance(self._payee, PayeeOpen):
            self._payee = self._payee.close()
        return self._closing()

    def _closing(self) -> ClosingSale:
        closing = ClosingSale(self._desk, self._row, self._content, self._payee)
        closing.deed_given, closing._given = self.deed_given, self._given
        return closing


class ClosingSale(_Sale):
    """A sale that takes no payments any more; what is paid is still given."""

    def message(self, known: int = 0) -> CloseChannel | None:
        """What the closing transaction asks for; None where units are free.

        ``known`` is `ChannelRecord.claimed`.
        """
        payee = self._payee
        return payee.message(known) if isinstance(payee, PayeeClosing) else None

    def forget(self) -> None:
        """Forget sale and channel, once the chain has the channel no more. StorageError."""
        if isinstance(self._payee, PayeeClosing):
            self._payee.forget()
        forget_sale(self._desk.folder, self.grant.grant)


SaleState: TypeAlias = OpenSale | ClosingSale


def resume_sale(desk: Desk, row: SaleRow, content: UnitSource) -> SaleState | None:
    """A sale that was kept, as it was left, nobody having asked.

    None for one that was being forgotten. Raises LockedError, CorruptStoreError,
    StorageError, and what the chain raises.
    """
    if not row.channel:
        return OpenSale(desk, row, content, None)
    try:
        payee = desk.wallet.payee(row.channel)
    except NotFoundError:
        # Killed while forgetting; or the wallet came back from before the sale, and then
        # the buyer's next request shows what it paid.
        record = desk.chain.channel(row.channel)
        if record is None or record.closing_height:
            forget_sale(desk.folder, row.grant.grant)
            return None
        payee = desk.wallet.begin_payee(row.grant.chain, row.channel, record)
    if isinstance(payee, PayeeOpen):
        return OpenSale(desk, row, content, payee)
    return ClosingSale(desk, row, content, payee)


def _fits(grant: Grant, unit: int) -> bool:
    """Whether every payment is of whole links."""
    return not grant.price_step % unit


def sealed_deed(content: UnitSource, grant: Grant, session: Session) -> DeedReply:
    """The deed of a content, sealed. Raises SaleRefusedError, and what the content raises."""
    try:
        deed = content.deed()
    except (ErasedError, NotFoundError) as error:
        raise SaleRefusedError(Reason.GONE, error.message) from error
    return DeedReply(*seal_deed(deed, grant, session))
