"""Each entry by itself: form, sequence, key and signature."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from ledger.errors import LedgerError, MalformedError
from ledger.experience.entry import Entry, parse_entry, verify_entry
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.fsck.key_trail import KeyTrail

_SIGNATURES_A_JOB = 32


def why_not_genuine(log_id: bytes, index: int, encoded: bytes) -> str | None:
    """What shows, without the tree, that these bytes are not entry ``index``; None if nothing."""
    try:
        entry = parse_entry(encoded)
        if entry.sequence != index:
            return f"it says that it is entry {entry.sequence}"
        verify_entry(entry, log_id)
    except MalformedError:
        return "they are not an entry"
    except LedgerError:
        return "the robot's signature does not cover them"
    return None


class EntryCheck:
    """Judges entries tile by tile; signatures are verified on every core.

    (OpenSSL verifies Ed25519 without Python's lock, so threads do.)
    """

    def __init__(self, log_id: bytes, keys: KeyTrail, trail: AuditTrail) -> None:
        self._log_id = log_id
        self._keys = keys
        self._trail = trail
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)

    def __enter__(self) -> EntryCheck:
        """Start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def check_tile(
        self, first: int, entries: Sequence[bytes | None], damaged: Collection[int]
    ) -> list[tuple[int, Entry]]:
        """Judge entries from index ``first`` on; return those that can be believed.

        What is missing, or at a position in ``damaged``, has been reported already.
        """
        parsed = []
        for position, encoded in enumerate(entries):
            if encoded is None or position in damaged:
                continue
            self._trail.counters.entries += 1
            entry = self._parse(first + position, encoded)
            if entry is not None:
                parsed.append((first + position, entry))
        unsigned = self._unsigned([entry for _, entry in parsed])
        return [
            (index, entry)
            for (index, entry), forged in zip(parsed, unsigned, strict=True)
            if self._may_stand(index, entry, forged)
        ]

    def _parse(self, index: int, encoded: bytes) -> Entry | None:
        try:
            return parse_entry(encoded)
        except MalformedError as error:
            self._find(FindingKind.ENTRY_MALFORMED, index, error.message)
            return None

    def _may_stand(self, index: int, entry: Entry, forged: bool) -> bool:
        if entry.sequence != index:
            self._find(
                FindingKind.ENTRY_SEQUENCE, index, f"it says that it is entry {entry.sequence}"
            )
        elif forged:
            self._find(
                FindingKind.ENTRY_SIGNATURE, index, "the robot's signature does not cover it"
            )
        else:
            wrong = self._keys.follow(entry, index)
            if wrong is not None:
                self._find(FindingKind.ENTRY_KEY, index, wrong)
            return wrong is None
        return False

    def _unsigned(self, entries: Sequence[Entry]) -> list[bool]:
        """For each entry whether its signature fails."""
        jobs = [
            entries[start : start + _SIGNATURES_A_JOB]
            for start in range(0, len(entries), _SIGNATURES_A_JOB)
        ]
        results = (
            self._pool.map(self._verify_all, jobs) if len(jobs) > 1 else map(self._verify_all, jobs)
        )
        return [forged for result in results for forged in result]

    def _verify_all(self, entries: Iterable[Entry]) -> list[bool]:
        forged = []
        for entry in entries:
            try:
                verify_entry(entry, self._log_id)
            except LedgerError:
                forged.append(True)
            else:
                forged.append(False)
        return forged

    def _find(self, kind: FindingKind, index: int, message: str) -> None:
        self._trail.find(kind, f"entry {index}", message, entry=index)
