"""Every signed checkpoint kept, and the published one, against the rebuilt tree.

A checkpoint is due when the rebuilt tree reaches its size: its root must be the
root of the entries so far, and a key that was valid there must have signed it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import LedgerError, MalformedError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.note import SignedNote, VerifierKey
from ledger.storage import ReadTransaction, Table

_U64 = struct.Struct(">Q")

RootAt = Callable[[int], bytes]
KeysAt = Callable[[int], Sequence[VerifierKey]]


@dataclass(frozen=True, slots=True, order=True)
class _Kept:
    size: int
    subject: str
    note: bytes
    checkpoint: Checkpoint


class CheckpointCheck:
    """The checkpoints of a log in order of size, from ``after`` (exclusive) on.

    ``origin`` is None where nothing is known about the log's name.
    """

    def __init__(
        self,
        txn: ReadTransaction,
        trail: AuditTrail,
        *,
        origin: str | None = None,
        published: bytes | None = None,
        after: int = -1,
    ) -> None:
        self._trail = trail
        self._origin = origin
        self._due = merge(self._kept(txn, after), self._published(txn, published, after))
        self._next: _Kept | None = next(self._due, None)

    def reach(self, size: int, root_at: RootAt, keys_at: KeysAt | None) -> None:
        """Check what was signed up to ``size``; signatures too where keys are given."""
        while self._next is not None and self._next.size <= size:
            kept, self._next = self._next, next(self._due, None)
            self._trail.counters.checkpoints += 1
            if root_at(kept.size) != kept.checkpoint.root:
                self._find(
                    FindingKind.CHECKPOINT_ROOT,
                    kept,
                    f"the root that was signed is not that of the first {kept.size} entries",
                )
            if keys_at is not None:
                self._check_signature(kept, keys_at(kept.size))

    def finish(self, size: int) -> None:
        """Name the checkpoints that the log does not reach."""
        while self._next is not None:
            kept, self._next = self._next, next(self._due, None)
            self._trail.counters.checkpoints += 1
            self._find(
                FindingKind.CHECKPOINT_AHEAD,
                kept,
                f"{kept.size} entries were signed; the log has {size}",
            )

    def _check_signature(self, kept: _Kept, keys: Sequence[VerifierKey]) -> None:
        if self._origin is not None and kept.checkpoint.origin != self._origin:
            self._find(
                FindingKind.CHECKPOINT_SIGNATURE,
                kept,
                f"it is of another log, {kept.checkpoint.origin}",
            )
            return
        try:
            open_checkpoint(kept.note, keys)
        except LedgerError as error:
            self._find(FindingKind.CHECKPOINT_SIGNATURE, kept, error.message)

    def _kept(self, txn: ReadTransaction, after: int) -> Iterator[_Kept]:
        start = _U64.pack(after + 1) if after >= 0 else b""
        reached = after
        for key, note in txn.scan(Table.CHECKPOINTS, start):
            if len(key) != _U64.size:
                self._malformed(f"checkpoint row {key.hex()}", "its key is not a size")
                continue
            (size,) = _U64.unpack(key)
            subject = f"checkpoint of {size} entries"
            kept = self._parse(subject, note)
            if kept is None:
                continue
            if kept.size != size:
                self._malformed(subject, f"the note kept there is of {kept.size} entries")
                continue
            if size <= reached:
                self._malformed(subject, "its row is out of order")
                continue
            reached = size
            yield kept

    def _published(
        self, txn: ReadTransaction, published: bytes | None, after: int
    ) -> Iterator[_Kept]:
        if published is None:
            return
        kept = self._parse("published checkpoint", published)
        if kept is None or kept.size <= after:
            return
        if txn.get(Table.CHECKPOINTS, _U64.pack(kept.size)) is None:
            self._find(
                FindingKind.CHECKPOINT_MISSING,
                kept,
                f"it is of {kept.size} entries and not among the checkpoints kept",
            )
        yield kept

    def _parse(self, subject: str, note: bytes) -> _Kept | None:
        try:
            checkpoint = Checkpoint.parse(SignedNote.parse(note).text)
        except MalformedError as error:
            self._malformed(subject, error.message)
            return None
        return _Kept(checkpoint.size, subject, note, checkpoint)

    def _malformed(self, subject: str, message: str) -> None:
        self._trail.find(FindingKind.CHECKPOINT_MALFORMED, subject, message)

    def _find(self, kind: FindingKind, kept: _Kept, message: str) -> None:
        self._trail.find(kind, kept.subject, message)
