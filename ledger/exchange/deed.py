"""The deed: what a recording's log entry hides, opened to who bought the recording.

An offer shows a content root, and proven bounds of a reward, a success or a length that its
entry only commits to. The buyer pays for the content; with it go the entry, byte for byte as
the seller's log has it, and the openings of its commitments that the seller has kept. The
buyer believes none of it: the entry must be the leaf that the chain's offer names, and say
this content; each opening must open its commitment there, and what the offer proves of it
must be true.

    leaf            SHA256(0x00 || entry) == leaf of the offer
    content         root and size of the entry == root and size of the grant
    opening         point of (kind, source) == value * g + blinding * h    (zkproofs.pedersen)
    bound           low <= value <= high, and opened at all

On its way it is sealed in the session, with a salt of its own, since what a seller has kept
may differ from one reply to the next::

    deed key = HKDF-Expand(unit key of the session, "quipu/stream-deed/v1" || salt, 32)
    sealed   = AES-256-GCM(deed key, nonce = 0, aad = grant || content root, Deed)
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.chain.leaf import ID_SIZE
from ledger.errors import LedgerError, MalformedError, VerificationError
from ledger.exchange.grant import Grant
from ledger.exchange.session import Session
from ledger.exchange.unit_cipher import TAG_SIZE
from ledger.experience.entry import Experience, parse_entry
from ledger.experience.fields import require_ascending, require_bytes
from ledger.experience.kinds import Commitment, CommitmentKind, RewardSource
from ledger.experience.record_keys import CommitmentOpening
from ledger.merkle.entry_bundle import MAX_ENTRY_SIZE
from ledger.merkle.hashing import leaf_hash
from ledger.schema import exchange_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.schema.chain_sharing_pb2 import OfferRecord
from zkproofs.errors import ProofError
from zkproofs.group import ORDER, group
from zkproofs.pedersen import Opening, verify_opening

DEED_SALT_SIZE: Final = 32
MAX_OPENINGS: Final = len(CommitmentKind) * len(RewardSource)
_OPENING_SIZE: Final = 64  # kind, source, value and blinding take 50 bytes at most
MAX_DEED: Final = MAX_ENTRY_SIZE + MAX_OPENINGS * _OPENING_SIZE + 16
"""Bytes of a deed."""
MAX_SEALED_DEED: Final = MAX_DEED + TAG_SIZE
_DEED_LABEL: Final = b"quipu/stream-deed/v1"
_NONCE: Final = bytes(12)


class BadDeedError(VerificationError):
    """What came as the deed is not that of what was bought."""


class DeedFault(IntEnum):
    """Why a buyer has no deed; numbers of its file."""

    WITHHELD = 2
    """The seller refused it, though all was paid."""
    GONE = 3
    """The seller has it no more: the recording was erased meanwhile."""
    FALSE = 4
    """What came is not the deed of what was offered."""


@dataclass(frozen=True, slots=True)
class MissingDeed:
    """All that was paid for is here, and the deed is not."""

    fault: DeedFault


@dataclass(frozen=True, slots=True)
class Deed:
    """An entry and what opens it. Raises MalformedError for what cannot be one.

    That it is true of anything, `check_deed` says.
    """

    entry: bytes = field(repr=False)
    """The leaf's bytes."""
    openings: tuple[CommitmentOpening, ...] = ()
    """What was kept of what opens its commitments, ascending by kind and source."""

    def __post_init__(self) -> None:
        self._parsed()
        names = [(each.kind.value, each.source.value) for each in self.openings]
        require_ascending(names, "openings of a deed")

    @classmethod
    def of(cls, entry: bytes, openings: Sequence[CommitmentOpening]) -> Deed:
        """With the openings in their order. Raises MalformedError."""
        ordered = sorted(openings, key=lambda each: (each.kind.value, each.source.value))
        return cls(entry, tuple(ordered))

    @property
    def experience(self) -> Experience:
        """What the entry says."""
        return self._parsed()

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """Names and sizes of the content's files, in order, as `Purchase.place` takes them."""
        return tuple((file.name, file.size) for file in self._parsed().files)

    @property
    def leaf(self) -> bytes:
        """The leaf hash of the entry, 32 bytes."""
        return leaf_hash(self.entry)

    def opening(self, kind: CommitmentKind, source: RewardSource) -> CommitmentOpening | None:
        """What opens the commitment of this kind and source, if it was kept."""
        found = [each for each in self.openings if (each.kind, each.source) == (kind, source)]
        return found[0] if found else None

    def encode(self) -> bytes:
        """Return the one encoding, a `Deed` of exchange.proto."""
        message = exchange_pb2.Deed(
            entry=self.entry,
            openings=[
                exchange_pb2.DeedOpening(
                    kind=each.kind.value,
                    source=each.source.value,
                    value=each.value,
                    blinding=each.blinding,
                )
                for each in self.openings
            ],
        )
        return serialize_message(message, "deed")

    @classmethod
    def decode(cls, encoded: bytes) -> Deed:
        """Read a deed. Raises MalformedError."""
        if len(encoded) > MAX_DEED:
            raise MalformedError(f"a deed of {len(encoded)} bytes; {MAX_DEED} at most")
        message = parse_message(exchange_pb2.Deed, encoded, "deed")
        return cls(message.entry, tuple(map(_opening, message.openings)))

    def _parsed(self) -> Experience:
        kind = parse_entry(self.entry).kind
        if not isinstance(kind, Experience):
            raise MalformedError("the entry of a deed is no recording's")
        return kind


@dataclass(frozen=True, slots=True)
class ProvenBound:
    """What an offer proves of one committed integer: that it is in ``low`` .. ``high``."""

    kind: CommitmentKind
    source: RewardSource
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Promise:
    """What the chain says of an offer that its deed has to keep."""

    leaf: bytes
    """Leaf hash of the entry, 32 bytes."""
    bounds: tuple[ProvenBound, ...] = ()

    def __post_init__(self) -> None:
        require_bytes(self.leaf, ID_SIZE, "leaf of an offer")

    @classmethod
    def of_record(cls, record: OfferRecord) -> Promise:
        """As a chain holds the offer that was granted. Raises MalformedError."""
        try:
            bounds = tuple(
                ProvenBound(
                    CommitmentKind(bound.kind), RewardSource(bound.source), bound.low, bound.high
                )
                for bound in record.qualities
            )
        except ValueError:
            raise MalformedError("an offer proves something of no kind that is known") from None
        return cls(record.leaf, bounds)


def check_deed(deed: Deed, grant: Grant, promise: Promise) -> None:
    """Hold a deed to what was granted and offered. Raises BadDeedError."""
    experience = deed.experience
    if deed.leaf != promise.leaf:
        raise BadDeedError("its entry is not the one that was offered")
    if (experience.content_root, experience.content_size) != (
        grant.content_root,
        grant.content_size,
    ):
        raise BadDeedError("its entry is of other content than was granted")
    committed = {(each.kind, each.source): each for each in experience.commitments}
    for opening in deed.openings:
        commitment = committed.get((opening.kind, opening.source))
        if commitment is None:
            raise BadDeedError(f"its entry does not commit to a {_name(opening.kind)}")
        _require_opens(opening, commitment)
    for bound in promise.bounds:
        opened = deed.opening(bound.kind, bound.source)
        if opened is None:
            raise BadDeedError(f"the {_name(bound.kind)} that was offered is not opened")
        if not bound.low <= opened.value <= bound.high:
            raise BadDeedError(f"the {_name(bound.kind)} is not what was proven of it")


def seal_deed(deed: Deed, grant: Grant, session: Session) -> tuple[bytes, bytes]:
    """A fresh salt, and the sealed deed."""
    salt = os.urandom(DEED_SALT_SIZE)
    return salt, _cipher(session, salt).encrypt(_NONCE, deed.encode(), _bound_to(grant))


def open_deed(sealed: bytes, salt: bytes, grant: Grant, session: Session) -> Deed:
    """The deed. Raises BadDeedError for what does not open, or is none."""
    try:
        encoded = _cipher(session, salt).decrypt(_NONCE, sealed, _bound_to(grant))
    except InvalidTag:
        raise BadDeedError("the sealed deed does not open in this session") from None
    try:
        return Deed.decode(encoded)
    except LedgerError as error:
        raise BadDeedError(f"what came is no deed: {error.message}") from None


def _cipher(session: Session, salt: bytes) -> AESGCM:
    # HKDF-Expand(unit key, "quipu/stream-deed/v1" || salt, 32), one block (RFC 5869, 2.3)
    return AESGCM(hmac.digest(session.unit_key, _DEED_LABEL + salt + b"\x01", "sha256"))


def _bound_to(grant: Grant) -> bytes:
    # grant || content root
    return grant.grant + grant.content_root


def _opening(message: exchange_pb2.DeedOpening) -> CommitmentOpening:
    try:
        kind, source = CommitmentKind(message.kind), RewardSource(message.source)
    except ValueError:
        raise MalformedError("a deed opens something of no kind that is known") from None
    return CommitmentOpening(kind, source, message.value, message.blinding)


def _require_opens(opening: CommitmentOpening, commitment: Commitment) -> None:
    backend = group()
    try:
        blinding = backend.decode_scalar(opening.blinding)
        point = backend.decode_g1(commitment.point)
        verify_opening(point, Opening(opening.value % ORDER, blinding))
    except ProofError as error:
        raise BadDeedError(f"what opens the {_name(opening.kind)} is wrong: {error}") from None


def _name(kind: CommitmentKind) -> str:
    return kind.name.lower()
