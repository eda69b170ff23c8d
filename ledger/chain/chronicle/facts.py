"""What there is to know of each thing that transactions did. Heights of 0 mean: not so far.

A chronicle writes these; everybody else only reads them. Ids and keys are bytes of 32, money
is units of an asset, times are those of the blocks, in nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from ledger.experience.kinds import Experience
from ledger.schema.chain_sharing_pb2 import QualityBound, Terms

WHOLE: Final = 10_000
"""The parts of a royalty that are all of a payment."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was carried out."""

    height: int
    time_ns: int


@dataclass(slots=True)
class FleetFact:
    """A fleet."""

    id: bytes
    name: str
    authority: bytes
    at: Moment
    issuer_keys: dict[int, bytes] = field(default_factory=dict)
    """By epoch."""


@dataclass(slots=True)
class RobotFact:
    """A robot that was registered, by the origin of its log."""

    origin: str
    fleet: bytes
    role: str
    at: Moment
    keys: set[bytes] = field(default_factory=set)
    """Those that it has, had, or was to have."""
    frozen_height: int = 0
    retired_height: int = 0


@dataclass(frozen=True, slots=True)
class AnchorFact:
    """A checkpoint of a robot's log that was anchored."""

    origin: str
    size: int
    root: bytes
    at: Moment


@dataclass(frozen=True, slots=True)
class VersionFact:
    """A version of a contract, which never changes."""

    number: int
    policy: str
    terms: Terms
    height: int


@dataclass(slots=True)
class ContractFact:
    """A contract with all its versions, the oldest first."""

    id: bytes
    fleet: bytes
    name: str
    at: Moment
    versions: list[VersionFact] = field(default_factory=list)
    withdrawn_height: int = 0

    def version(self, number: int) -> VersionFact | None:
        """The version of this number."""
        return next((each for each in self.versions if each.number == number), None)

    def at_height(self, height: int) -> VersionFact | None:
        """What was the newest version when block ``height`` was made."""
        return next((each for each in reversed(self.versions) if each.height <= height), None)


@dataclass(slots=True)
class OfferFact:
    """An offer, as it was posted last. ``experience`` is what the robot's entry says."""

    id: bytes
    contract: bytes
    version: int
    seller: bytes
    origin: str
    leaf: bytes
    index: int
    record: bytes
    """The id of the record in the robot's log."""
    content_root: bytes
    content_size: int
    qualities: tuple[QualityBound, ...]
    at: Moment
    tags: tuple[str, ...] = ()
    experience: Experience | None = None
    """None where the offer is of before the snapshot that the chain begins with."""
    withdrawn_height: int = 0
    postings: int = 1


@dataclass(slots=True)
class GrantFact:
    """A use that was granted. Who holds ``key`` nobody knows but its fleet's member."""

    id: bytes
    offer: bytes
    contract: bytes
    version: int
    terms: Terms
    key: bytes
    fleet: bytes
    purpose: str
    nullifier: bytes
    seller: bytes
    content_root: bytes
    content_size: int
    expiry_height: int
    at: Moment
    use: int = 0
    body: bytes = b""
    """The transaction's body, which the presentation is tied to; none from a snapshot."""
    pruned_height: int = 0
    erased_height: int = 0
    """When its key said that what was bought is erased."""


@dataclass(slots=True)
class ChannelFact:
    """A channel. ``claimed`` is what its payee is known to have earned of ``deposit``."""

    id: bytes
    payer: bytes
    payee: bytes
    asset: int
    deposit: int
    expiry_height: int
    at: Moment
    unit: int = 0
    """Money a link; 0 for a channel of vouchers."""
    claimed: int = 0
    grant: bytes = b""
    """The grant that it pays for, where its payer is a grant's one-time key."""
    parts: tuple[tuple[bytes, int], ...] = ()
    """Accounts of royalties and their parts of 10,000; where the channel names its grant."""
    closed: Moment | None = None

    @property
    def returned(self) -> int:
        """What a closed channel gave back."""
        return self.deposit - self.claimed

    @property
    def royalties(self) -> int:
        """Of what was claimed, the part that is others' than the payee's."""
        return sum(self.claimed * parts // WHOLE for _, parts in self.parts)


class SaleStage(Enum):
    """How far an atomic sale is; the value is its word in reports."""

    PROPOSED = "proposed"
    LOCKED = "price locked"
    REVEALED = "key revealed"
    SETTLED = "paid"
    COMPLAINED = "complaint upheld"
    LAPSED = "never locked"
    UNREVEALED = "key never came"

    @property
    def is_open(self) -> bool:
        """Whether money is still set aside."""
        return self in (SaleStage.PROPOSED, SaleStage.LOCKED, SaleStage.REVEALED)


@dataclass(slots=True)
class SaleFact:
    """An atomic sale."""

    id: bytes
    grant: bytes
    seller: bytes
    buyer: bytes
    asset: int
    price: int
    deposit: int
    royalties: tuple[tuple[bytes, int], ...]
    """Accounts and their parts of 10,000."""
    complaint_blocks: int
    at: Moment
    stage: SaleStage = SaleStage.PROPOSED
    revealed_height: int = 0
    ended: Moment | None = None

    @property
    def held(self) -> int:
        """What is set aside for it now."""
        if not self.stage.is_open:
            return 0
        return self.deposit + (0 if self.stage is SaleStage.PROPOSED else self.price)


@dataclass(slots=True)
class ConsentFact:
    """A consent, and what has been shown of the erasure of its records."""

    id: bytes
    grantor: bytes
    subject: bytes
    """A salted commitment."""
    origin: str
    records: tuple[bytes, ...]
    purpose: str
    expiry_height: int
    at: Moment
    acknowledged: Moment | None = None
    """When the robot or its fleet said that the grantor may speak for these records."""
    withdrawn: Moment | None = None
    erased: set[bytes] = field(default_factory=set)
    shown: list[tuple[Moment, int]] = field(default_factory=list)
    """When erasures were reported, and of how many records."""

    @property
    def missing(self) -> tuple[bytes, ...]:
        """The records whose erasure is due and has not been shown."""
        if self.withdrawn is None:
            return ()
        return tuple(each for each in self.records if each not in self.erased)


@dataclass(slots=True)
class ModelFact:
    """A model that a fleet registered. ``inputs`` are leaf hashes of its own entries."""

    id: bytes
    fleet: bytes
    name: str
    content_root: bytes
    content_size: int
    inputs: tuple[bytes, ...]
    grants: tuple[bytes, ...]
    at: Moment
    withdrawn_height: int = 0
