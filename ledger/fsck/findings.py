"""What an audit says: findings that fail it, notes that do not, and what was looked at.

A `Finding` names one damaged thing as exactly as its bytes allow: the entry by
leaf index, the tile by level and index, the file and the bytes ``[start, end)``
in it. A report is ``ok`` when it has no finding at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Final

MAX_FINDINGS: Final = 1000
"""Findings kept in a report; those beyond are counted only."""


class Depth(Enum):
    """How much is read."""

    LOG = "log"
    """Every entry, hash, signature, table and key file; of content only presence and sizes."""
    DEEP = "deep"
    """`LOG`, every byte of every content, and every page of ``data.mdb``."""


class FindingKind(Enum):
    """What is wrong; the value is the word that ``--json`` prints."""

    STORE_DAMAGED = "store-damaged"
    """LMDB's own structure is broken: pages, key order, or the reader crashed on it."""
    META_WRONG = "meta-wrong"
    """A row of META is missing, malformed, or contradicts the entries."""

    ENTRY_MISSING = "entry-missing"
    ENTRY_EXTRA = "entry-extra"
    """A row of ENTRIES that is no leaf of the tree."""
    ENTRY_CHANGED = "entry-changed"
    """The entry's bytes do not hash to the leaf that the tree holds for it."""
    ENTRY_MALFORMED = "entry-malformed"
    ENTRY_SEQUENCE = "entry-sequence"
    """The entry was signed for another index."""
    ENTRY_KEY = "entry-key"
    """The key that signed was not valid at this index, or a key change is not allowed here."""
    ENTRY_SIGNATURE = "entry-signature"
    RECORD_REPEATED = "record-repeated"
    """Two entries claim one record id."""

    TILE_MISSING = "tile-missing"
    TILE_CHANGED = "tile-changed"
    TILE_EXTRA = "tile-extra"

    CHECKPOINT_MALFORMED = "checkpoint-malformed"
    CHECKPOINT_SIGNATURE = "checkpoint-signature"
    """Not signed by a key of this log that was valid at its size."""
    CHECKPOINT_ROOT = "checkpoint-root"
    """What was signed is not the tree that the entries make."""
    CHECKPOINT_AHEAD = "checkpoint-ahead"
    """A checkpoint was signed for more entries than the log has."""
    CHECKPOINT_MISSING = "checkpoint-missing"
    """The published checkpoint is not among the kept ones."""

    RECORD_ROW = "record-row"
    """RECORDS disagrees with the entries."""
    CONTENT_ROW = "content-row"
    """CONTENT disagrees with the entries."""
    CHUNKS_ROW = "chunks-row"
    """CHUNKS disagrees with the entry's content root."""
    COPY_ROW = "copy-row"
    """COPIES disagrees with the entries."""

    PROGRESS_ROW = "progress-row"
    """PROGRESS disagrees with the entries."""
    PROGRESS_CONTRADICTED = "progress-contradicted"
    """What was committed of a record while it was written is no beginning of what it became."""
    PROGRESS_LATE = "progress-late"
    """Progress of a record that was sealed, or given up, before."""
    PROGRESS_UNSEALED = "progress-unsealed"
    """Progress of a record that never came to be, and is not being recorded."""

    PROVENANCE_ROW = "provenance-row"
    """PROVENANCE disagrees with the entries."""
    PROVENANCE_UNKNOWN = "provenance-unknown"
    """An Acquisition or a Training of a record that the log does not have, or not yet."""

    CONTENT_MISSING = "content-missing"
    CONTENT_SIZE = "content-size"
    CONTENT_CHANGED = "content-changed"
    """A chunk does not hash to its leaf, or its seal does not open."""
    CONTENT_REMAINS = "content-remains"
    """Content of a record whose erasure or pruning is in the log."""

    KEY_FILE = "key-file"
    """A file of record keys is damaged or unreadable."""
    KEY_MISSING = "key-missing"
    KEY_WRONG = "key-wrong"
    """No chunk of the record fits its key."""
    KEY_REMAINS = "key-remains"
    """A key of an erased record."""

    LEAF_WRONG = "leaf-wrong"
    """Of a chain only, as all that follow: no genesis, transaction or header may stand there."""
    HEADER_WRONG = "header-wrong"
    """A field of a header is not what the leaves before it, or the rules, make it."""
    TRANSACTION_SIGNATURE = "transaction-signature"
    """A transaction that its signer did not sign was carried out."""
    RESULT_WRONG = "result-wrong"
    """What is recorded of a transaction is not what the rules make of it."""
    BLOCK_ROW = "block-row"
    """BLOCKS disagrees with the leaves."""
    TRANSACTION_ROW = "transaction-row"
    """TRANSACTIONS disagrees with the leaves."""
    ATTACHMENT_ROW = "attachment-row"
    """ATTACHMENTS holds what no transaction names."""
    STATE_KEY = "state-key"
    """A key of the state has another value than the rules gave it."""
    STATE_TILE = "state-tile"
    """A tile of the state map is not that of its keys."""
    STATE_HISTORY = "state-history"
    """What is kept of an older state is not what a block replaced."""
    ROW_EXTRA = "row-extra"
    """A row in a table that a chain has no use for."""
    MONEY_WRONG = "money-wrong"
    """There is more or less of an asset than was minted."""
    ANCHOR_WRONG = "anchor-wrong"
    """A robot's log is not the one that was anchored."""
    CONTRACT_WRONG = "contract-wrong"
    """The state has another contract than was deployed."""
    OFFER_WRONG = "offer-wrong"
    """What is offered is not what its robot's log has, or what was posted."""
    GRANT_WRONG = "grant-wrong"
    """A grant, or a use, that was not to be given, or not so."""
    EXCHANGE_WRONG = "exchange-wrong"
    """A channel or a sale that holds or pays what nobody agreed to."""
    CONSENT_WRONG = "consent-wrong"
    """The state has another consent than was given or withdrawn."""
    MODEL_WRONG = "model-wrong"
    """A model that no fleet registered so, or that its home says it trained on something else."""
    ACQUISITION_WRONG = "acquisition-wrong"
    """A home says that it bought what the chain does not say was granted to its fleet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One damaged thing.

    ``subject`` names it in a few words, ``message`` says what is wrong in one
    line. ``tile`` is (level, index). ``file`` is a path; ``start`` and ``end``
    bound the bytes in it, end exclusive. ``height`` is a block's, ``key`` one of a
    chain's state.
    """

    kind: FindingKind
    subject: str
    message: str
    entry: int | None = None
    tile: tuple[int, int] | None = None
    file: str | None = None
    start: int | None = None
    end: int | None = None
    height: int | None = None
    key: bytes | None = None

    def to_json(self) -> dict[str, object]:
        """The finding as JSON values; what does not apply is left out."""
        document: dict[str, object] = {
            "kind": self.kind.value,
            "subject": self.subject,
            "message": self.message,
        }
        if self.entry is not None:
            document["entry"] = self.entry
        if self.tile is not None:
            document["tile"] = list(self.tile)
        if self.file is not None:
            document["file"] = self.file
        if self.start is not None and self.end is not None:
            document["bytes"] = [self.start, self.end]
        if self.height is not None:
            document["height"] = self.height
        if self.key is not None:
            document["key"] = self.key.hex()
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Finding:
        """The finding that `to_json` wrote."""
        tile, span = document.get("tile"), document.get("bytes", (None, None))
        return cls(
            FindingKind(document["kind"]),
            document["subject"],
            document["message"],
            document.get("entry"),
            (tile[0], tile[1]) if tile else None,
            document.get("file"),
            span[0],
            span[1],
            document.get("height"),
            bytes.fromhex(document["key"]) if "key" in document else None,
        )


@dataclass(slots=True)
class Counters:
    """How much was looked at."""

    entries: int = 0
    tiles: int = 0
    checkpoints: int = 0
    records: int = 0
    records_pruned: int = 0
    records_erased: int = 0
    chunks: int = 0
    """Chunks rehashed."""
    content_bytes: int = 0
    """Bytes of content rehashed."""

    def to_json(self) -> dict[str, int]:
        """The counters by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The verdict. ``findings`` holds at most `MAX_FINDINGS` of ``findings_total``."""

    findings: tuple[Finding, ...]
    findings_total: int
    notes: tuple[str, ...]
    counters: Counters

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong."""
        return self.findings_total == 0

    def to_json(self) -> dict[str, object]:
        """The report as JSON values."""
        return {
            "ok": self.ok,
            "findings": [finding.to_json() for finding in self.findings],
            "findings_total": self.findings_total,
            "notes": list(self.notes),
            **self.counters.to_json(),
        }


class Phase(Enum):
    """What an audit is at; the value is what a progress bar says."""

    STRUCTURE = "pages"
    LOG = "entries"
    RECORDS = "records"
    CONTENT = "content"
    STATE = "state"
    """Of a chain: what its blocks led to."""


Progress = Callable[[Phase, int, int], None]
"""Called with the phase, how much of it is done, and its total (0 where not known)."""


@dataclass(slots=True)
class AuditTrail:
    """Where the checks write down what they find."""

    counters: Counters = field(default_factory=Counters)
    findings: list[Finding] = field(default_factory=list)
    findings_total: int = 0
    notes: list[str] = field(default_factory=list)
    progress: Progress | None = None
    phase: Phase | None = None
    on_finding: Callable[[Finding], None] | None = None

    def find(
        self,
        kind: FindingKind,
        subject: str,
        message: str,
        *,
        entry: int | None = None,
        tile: tuple[int, int] | None = None,
        file: str | None = None,
        span: tuple[int, int] | None = None,
        height: int | None = None,
        key: bytes | None = None,
    ) -> None:
        """Write a finding down."""
        start, end = span if span is not None else (None, None)
        self.add(Finding(kind, subject, message, entry, tile, file, start, end, height, key))

    def add(self, finding: Finding) -> None:
        """Write a finding down that is made already."""
        self.findings_total += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
            if self.on_finding is not None:
                self.on_finding(finding)

    def merge(self, other: AuditTrail) -> None:
        """Take over what another trail found; counters are shared, not added."""
        for finding in other.findings:
            self.add(finding)
        self.findings_total += other.findings_total - len(other.findings)
        for message in other.notes:
            self.note(message)

    def note(self, message: str) -> None:
        """Write down what is worth knowing and is no failure."""
        if len(self.notes) < MAX_FINDINGS:
            self.notes.append(message)

    def named_entries(self) -> set[int | None]:
        """The entries that findings are about."""
        return {finding.entry for finding in self.findings}

    def at(self, phase: Phase, done: int, total: int) -> None:
        """Tell the caller how far the audit is."""
        self.phase = phase
        if self.progress is not None:
            self.progress(phase, done, total)

    def report(self) -> AuditReport:
        """Close the book."""
        return AuditReport(
            tuple(self.findings), self.findings_total, tuple(self.notes), self.counters
        )
