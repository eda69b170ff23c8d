"""The buying end of a stream, one type for each point where it can stop.

::

    OpeningStream --opened--> FetchingUnit --unit i--> HeldUnit --pay()--> PaidUnit
          |                        ^                      ^                   |
          |                        |                      +----- secret i ----+
          +---- all is here -------+----> (FetchingDeed ->) BoughtContent <---+

Each makes its request, as often as it takes, and receives a reply; a reply that is not what
was asked for leaves the state as it was. What a state needs is in the purchase's folder and
the channel's file, so after a crash `OpeningStream` finds the way to where it was: a unit
that was paid and not opened is asked for again, and not paid again.

Who knows what the offer promises asks for the deed (`ledger.exchange.deed`) once all units
are on disk. A seller that withholds it, or gives a false one, keeps what it earned, and the
buyer what it bought: the purchase says that its deed is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from ledger.ed25519 import PublicKey
from ledger.errors import LedgerError, MalformedError, RefusedError, VerificationError
from ledger.exchange.deed import (
    Deed,
    DeedFault,
    MissingDeed,
    Promise,
    check_deed,
    open_deed,
)
from ledger.exchange.messages import (
    DeedReply,
    Opened,
    Opening,
    Reason,
    Refused,
    Reply,
    UnitReply,
    encode_deed_fetch,
    encode_fetch,
    encode_opening,
    parse_reply,
)
from ledger.exchange.purchase import Purchase
from ledger.exchange.session import (
    EXCHANGE_TAG,
    Session,
    agree,
    open_statement,
    opened_statement,
    public_agreement_key,
)
from ledger.exchange.unit_cipher import SECRET_SIZE, UnitCipher, sealed_size
from ledger.experience.content_root import chunk_leaf
from ledger.experience.disclosure import SALT_SIZE
from ledger.merkle.inclusion import verify_inclusion
from ledger.wallet.channel_file import Durability
from ledger.wallet.payer import Claim, PayerOpen
from ledger.wallet.wallet import Wallet


class BadUnitError(VerificationError):
    """A unit is not what was granted. Its price is lost; the next one is not paid."""


class SellerRefusedError(LedgerError):
    """The seller said no, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the seller refuses: {reason.name.lower().replace('_', ' ')}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Stream:
    """What every state after the opening needs."""

    purchase: Purchase
    payer: PayerOpen | None
    session: Session = field(repr=False)
    cipher: UnitCipher = field(repr=False)
    promise: Promise | None

    @property
    def claim(self) -> Claim | None:
        """The newest, which stands for all before it."""
        return self.payer.newest() if self.payer is not None else None

    def is_paid(self, index: int) -> bool:
        """Whether unit ``index`` was paid for."""
        price = self.purchase.grant.price_of(index + 1)
        return self.payer is None or self.payer.paid >= price

    def unit_of(self, reply: Reply, index: int) -> UnitReply:
        """The reply to a fetch of unit ``index``. Raises as the states' `receive`."""
        answer = _answer(reply)
        if not isinstance(answer, UnitReply) or answer.index != index:
            raise MalformedError("the reply is not to what was asked for")
        if answer.sealed and (
            index >= self.purchase.grant.count
            or len(answer.sealed) != sealed_size(self.purchase.grant, index)
        ):
            raise MalformedError(f"a sealed unit {index} of {len(answer.sealed)} bytes")
        return answer

    def next_state(self) -> FetchingUnit | FetchingDeed | BoughtContent:
        """Where the purchase goes on."""
        if not self.purchase.is_whole:
            return FetchingUnit(self)
        return finish(self.purchase, self.promise) or FetchingDeed(self)

    def hold(self, unit: UnitReply) -> HeldUnit | PaidUnit:
        """A sealed unit, to be paid unless it is."""
        if self.is_paid(unit.index):
            return PaidUnit(self, unit, self.claim)
        return HeldUnit(self, unit)


class OpeningStream:
    """A purchase, begun or taken up, that has no session yet."""

    def __init__(
        self,
        purchase: Purchase,
        wallet: Wallet,
        payer: PayerOpen | None,
        promise: Promise | None = None,
    ) -> None:
        """``wallet`` has the grant's key, ``payer`` the channel of the purchase.

        With the ``promise`` of the offer the deed is asked for at the end.
        Raises RefusedError where these do not belong together.
        """
        grant, terms = purchase.grant, payer.terms if payer is not None else None
        if wallet.account != grant.buyer:
            raise RefusedError("the grant is another key's")
        if (terms is None) is bool(grant.price):
            raise RefusedError("units that cost are paid through a channel, others not")
        if terms is not None and (terms.channel, terms.payee, terms.asset, terms.grant) != (
            purchase.channel,
            grant.seller,
            grant.asset,
            grant.grant,
        ):
            raise RefusedError("the channel is not the one that pays this purchase")
        self._purchase: Final = purchase
        self._wallet: Final = wallet
        self._payer: Final = payer
        self._promise: Final = promise

    def request(self) -> bytes:
        """The opening; the same bytes every time."""
        return self._opening()[0]

    def receive(self, reply: Reply) -> FetchingUnit | FetchingDeed | BoughtContent:
        """The seller's agreement.

        Raises SellerRefusedError, MalformedError, VerificationError where it is not the
        seller's, CorruptStoreError, StorageError.
        """
        answer = _answer(reply)
        if not isinstance(answer, Opened):
            raise MalformedError("the reply is not to what was asked for")
        purchase, (_, opening) = self._purchase, self._opening()
        PublicKey(purchase.grant.seller).verify(
            answer.signature, EXCHANGE_TAG + opened_statement(opening, answer.session_key)
        )
        if answer.claim is not None and self._payer is not None:
            self._payer.recover(answer.claim)
        session = agree(opening, purchase.agreement, answer.session_key, answer.session_key)
        cipher = UnitCipher(purchase.grant, session)
        return _Stream(purchase, self._payer, session, cipher, self._promise).next_state()

    def _opening(self) -> tuple[bytes, bytes]:
        purchase = self._purchase
        grant, channel = purchase.grant, purchase.channel
        public = public_agreement_key(purchase.agreement)
        signature = self._wallet.sign_exchange(
            open_statement(grant.chain, grant.grant, channel, public)
        )
        return encode_opening(Opening(grant.grant, channel, public, signature))


@dataclass(frozen=True, slots=True)
class FetchingUnit:
    """The next unit is to be fetched; everything before it is here."""

    _stream: _Stream

    def request(self) -> bytes:
        """For the unit, with the claim to what was paid, should the seller have lost it."""
        stream = self._stream
        return encode_fetch(stream.session, stream.purchase.kept, stream.claim)

    def receive(self, reply: Reply) -> HeldUnit | PaidUnit:
        """The unit, sealed. Raises SellerRefusedError, MalformedError."""
        unit = self._stream.unit_of(reply, self._stream.purchase.kept)
        if not unit.sealed:
            raise SellerRefusedError(Reason.GONE)
        return self._stream.hold(unit)


@dataclass(frozen=True, slots=True)
class HeldUnit:
    """A sealed unit is here, and is to be paid; all before it was checked."""

    _stream: _Stream
    _unit: UnitReply

    def pay(self) -> PaidUnit:
        """Pay its price. Raises RefusedError where the channel has too little, StorageError."""
        payer, claim = self._stream.payer, None
        if payer is not None:
            grant, index = self._stream.purchase.grant, self._unit.index
            price = grant.price_of(index + 1) - grant.price_of(index)
            claim = payer.pay(price, Durability.WRITTEN) if price else payer.newest()
        return PaidUnit(self._stream, self._unit, claim)


@dataclass(frozen=True, slots=True)
class PaidUnit:
    """A sealed unit is here and paid; what opens it is to come."""

    _stream: _Stream
    _unit: UnitReply
    _claim: Claim | None

    def request(self) -> bytes:
        """For its secret, with the claim that pays it, and for the unit after it."""
        return encode_fetch(self._stream.session, self._unit.index + 1, self._claim)

    def receive(
        self, reply: Reply
    ) -> HeldUnit | PaidUnit | FetchingUnit | FetchingDeed | BoughtContent:
        """Open, check and keep the unit.

        Raises BadUnitError where it is not what was granted; SellerRefusedError,
        MalformedError, CorruptStoreError, StorageError.
        """
        stream, held = self._stream, self._unit
        purchase, grant = stream.purchase, stream.purchase.grant
        following = stream.unit_of(reply, held.index + 1)
        if len(following.secret) != SECRET_SIZE:
            raise MalformedError("a reply without the secret that was paid")
        try:
            unit = stream.cipher.open(held.index, following.secret, held.sealed)
            leaf = leaf_hash_of(unit)
            verify_inclusion(leaf, held.index, grant.count, held.path, grant.content_root)
        except (MalformedError, VerificationError) as error:
            raise BadUnitError(
                f"unit {held.index} is not what was granted: {error.message}",
                hint="ask for it once more; then buy elsewhere, and pay this seller no more",
            ) from error
        purchase.keep(leaf, unit)
        if following.sealed:
            return stream.hold(following)
        return stream.next_state()


@dataclass(frozen=True, slots=True)
class FetchingDeed:
    """Every unit is here and on disk; the deed is to be fetched, for nothing more."""

    _stream: _Stream

    def request(self) -> bytes:
        """For the deed, with the claim to all of it, should the seller have lost that."""
        return encode_deed_fetch(self._stream.session, self._stream.claim)

    def receive(self, reply: Reply) -> BoughtContent:
        """Open, check and keep the deed.

        Raises BadDeedError where it is not that of what was offered; SellerRefusedError,
        MalformedError, StorageError.
        """
        stream, answer = self._stream, _answer(reply)
        if not isinstance(answer, DeedReply) or stream.promise is None:
            raise MalformedError("the reply is not to what was asked for")
        purchase = stream.purchase
        deed = open_deed(answer.sealed, answer.salt, purchase.grant, stream.session)
        check_deed(deed, purchase.grant, stream.promise)
        purchase.keep_deed(deed)
        return BoughtContent(purchase)


@dataclass(frozen=True, slots=True)
class BoughtContent:
    """All of it is here, checked and on disk."""

    purchase: Purchase

    @property
    def deed(self) -> Deed | MissingDeed | None:
        """The deed, that it is missing and why, or None where nobody asked for it."""
        return self.purchase.deed

    def place(self, target: Path, files: Sequence[tuple[str, int]]) -> tuple[Path, ...]:
        """See `Purchase.place`."""
        return self.purchase.place(target, files)


Asking: TypeAlias = OpeningStream | FetchingUnit | PaidUnit | FetchingDeed
"""States that wait for a reply."""
BuyerState: TypeAlias = Asking | HeldUnit | BoughtContent


def finish(purchase: Purchase, promise: Promise | None) -> BoughtContent | None:
    """What was bought, if all of it is here, and the deed too where one was promised.

    Raises CorruptStoreError, StorageError.
    """
    if not purchase.is_whole:
        return None
    purchase.finish()
    has_deed = promise is None or isinstance(purchase.deed, Deed)
    return BoughtContent(purchase) if has_deed else None


def go_without_deed(purchase: Purchase, why: LedgerError) -> BoughtContent:
    """Note that the deed of a whole purchase is missing, and why. Raises StorageError."""
    purchase.keep_deed(MissingDeed(deed_fault(why)))
    return BoughtContent(purchase)


def deed_fault(why: LedgerError) -> DeedFault:
    """What an error says of a deed that did not come."""
    if isinstance(why, SellerRefusedError):
        return DeedFault.GONE if why.reason is Reason.GONE else DeedFault.WITHHELD
    return DeedFault.FALSE


def leaf_hash_of(unit: memoryview) -> bytes:
    """SHA256(0x00 || salt_i || chunk_i), without a copy of the unit."""
    return chunk_leaf(bytes(unit[:SALT_SIZE]), unit[SALT_SIZE:])


def _answer(reply: Reply) -> Opened | UnitReply | DeedReply:
    answer = parse_reply(reply)
    if isinstance(answer, Refused):
        raise SellerRefusedError(answer.reason)
    return answer
