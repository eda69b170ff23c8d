"""What a report tells: plain values, ready to be written down anywhere.

Texts are as strangers wrote them: who renders a story escapes it. Ids are hex. Money is
units of an asset, times are nanoseconds since 1970. Nothing here is a secret, and nothing
names a member of a fleet: what a grant's one-time key is, and which use it was, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class MarkKind(Enum):
    """What a mark on the time axis stands for."""

    ANCHOR = "anchored"
    CHECKPOINT = "cosigned"
    RECORDING = "recorded"
    OFFER = "offered"
    GRANT = "granted"
    SALE = "sold"
    ERASURE = "erasure shown"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened to a robot. ``count`` is more than 1 where many were close."""

    lane: str
    """The origin of the robot's log."""
    kind: MarkKind
    time_ns: int
    count: int
    words: str


@dataclass(frozen=True, slots=True)
class Flow:
    """What one robot's recordings brought from one fleet, in one asset."""

    seller: str
    """The origin of the robot's log."""
    seller_fleet: str
    buyer_fleet: str
    asset: int
    paid: int
    """That has been paid out, royalties included."""
    held: int
    """That lies in channels and sales that are open."""
    grants: int
    granted_bytes: int


class LogStatus(Enum):
    """What the chain says of a robot; the value is the word for it."""

    ACTIVE = "active"
    FROZEN = "frozen"
    RETIRED = "retired"
    STRANGER = "not on this chain"


@dataclass(frozen=True, slots=True)
class LogHealth:
    """A robot's log. Counts of a home that was not named are 0, and ``read`` is False."""

    origin: str
    fleet: str
    role: str
    status: LogStatus
    read: bool
    home: str = ""
    """Where it was read, by which findings are found; no page shows it."""
    size: int = 0
    root: str = ""
    anchored: int = 0
    """Entries that are anchored."""
    anchored_ns: int = 0
    checkpoints: int = 0
    signed: int = 0
    """Entries under the newest checkpoint."""
    cosigned: int = 0
    """Lines of witnesses on it."""
    recordings: int = 0
    content_bytes: int = 0
    stored: int = 0
    elsewhere: int = 0
    """Recordings whose content is kept where it was found."""
    pruned: int = 0
    erased: int = 0
    acquisitions: int = 0
    trainings: int = 0


@dataclass(frozen=True, slots=True)
class VersionStory:
    """A version of a contract, in words."""

    number: int
    height: int
    policy: tuple[str, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContractStory:
    """A contract. ``versions`` are the oldest first."""

    id: str
    name: str
    fleet: str
    versions: tuple[VersionStory, ...]
    withdrawn_height: int
    offers: int
    grants: int


@dataclass(frozen=True, slots=True)
class OfferStory:
    """A recording that is, or was, offered."""

    id: str
    origin: str
    index: int
    contract: str
    """Its name."""
    tags: tuple[str, ...]
    bounds: tuple[str, ...]
    content_bytes: int
    grants: int
    withdrawn_height: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class ConsentStory:
    """A consent. Whom it is about nobody can tell from it."""

    id: str
    origin: str
    purpose: str
    records: int
    erased: int
    given_ns: int
    withdrawn_ns: int
    """0: it is not."""
    acknowledged: bool
    """Whether the robot or its fleet said that the grantor may speak for it."""
    notices: tuple[str, ...] = ()
    """What buyers were told to erase, and what they confirmed, one line each."""


@dataclass(frozen=True, slots=True)
class SaleStory:
    """How atomic sales and channels ended, or stand: one line of a table."""

    what: str
    count: int
    amount: int
    asset: int


@dataclass(frozen=True, slots=True)
class BookLine:
    """Accounts of one kind, and what they hold together of an asset."""

    kind: str
    accounts: int
    amount: int


@dataclass(frozen=True, slots=True)
class Book:
    """An asset: what was minted, and where it is."""

    asset: int
    symbol: str
    decimals: int
    minted: int
    lines: tuple[BookLine, ...]
    royalties: int
    """Of what was sold, the part that went to others than the sellers."""


@dataclass(frozen=True, slots=True)
class LineageInput:
    """Something a model was trained on. Bought content says from whom and under what."""

    record: str
    name: str
    bought: bool
    seller: str = ""
    contract: str = ""
    version: int = 0
    grant: str = ""
    known: bool = True
    """Whether the home has the record, and the chain the grant."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """A model, and what it was trained on, as a home or a fleet says."""

    origin: str
    """Of the home's log; the fleet's name where it registered the model."""
    registered: bool
    """Whether it is a fleet that says so, on the chain."""
    model: str
    record: str
    inputs: tuple[LineageInput, ...]


@dataclass(frozen=True, slots=True)
class ChainPart:
    """What only a chain tells."""

    id: str
    fleets: int
    robots: int
    first_ns: int
    height: int
    replayed_height: int
    newest_ns: int
    state_root: str
    whole: bool
    """Whether its blocks are here from the genesis on."""
    books: tuple[Book, ...]
    flows: tuple[Flow, ...]
    sales: tuple[SaleStory, ...]
    contracts: tuple[ContractStory, ...]
    offers: tuple[OfferStory, ...]
    consents: tuple[ConsentStory, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """What an audit has read, in the words of a report. ``chain`` is None of a single home."""

    origin: str
    """Of the chain's log, or the robot's."""
    logs: tuple[LogHealth, ...]
    marks: tuple[Mark, ...]
    purchases: tuple[LineageInput, ...]
    lineages: tuple[Lineage, ...]
    chain: ChainPart | None
