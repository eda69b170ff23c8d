"""What the store keeps of older states, against what each block replaced in the replay.

For every height from the oldest kept one on there is one set of rows
(`ledger.chain.state.history`), so they are compared byte for byte.
"""

from __future__ import annotations

from itertools import islice

from ledger.chain.state.history import height_key, history_rows
from ledger.chain.state.store import Heights
from ledger.chain.state.trie import TrieUpdate
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail, FindingKind
from ledger.storage import ReadTransaction, Table


class HistoryCheck:
    """Takes every replayed block in order. ``kept`` is None where META does not say."""

    def __init__(self, txn: ReadTransaction, trail: AuditTrail, kept: Heights | None) -> None:
        self._txn = txn
        self._trail = trail
        self._kept = kept
        self._rows = 0

    def block(self, height: int, root_before: bytes, update: TrieUpdate) -> None:
        """Compare what is kept of a block, if anything should be."""
        if self._kept is None or not self._kept.oldest < height <= self._kept.newest:
            return
        expected = dict(history_rows(height, (height - 1, root_before), update))
        start, stop = height_key(height), height_key(height + 1)
        stored = dict(self._txn.scan(Table.STATE_HISTORY, start, stop))
        self._rows += len(stored)
        for key in sorted(expected.keys() | stored.keys()):
            if expected.get(key) != stored.get(key):
                self._find(key, height, _difference(expected.get(key), stored.get(key)))

    def finish(self, replayed: bool) -> None:
        """Name rows of heights that are not kept; all of them were seen if ``replayed``."""
        kept = self._kept
        if kept is None or (replayed and self._txn.count(Table.STATE_HISTORY) == self._rows):
            return
        first, last = height_key(kept.oldest + 1), height_key(kept.newest + 1)
        strays = (key for key, _ in self._txn.scan(Table.STATE_HISTORY) if not first <= key < last)
        for key in islice(strays, MAX_FINDINGS):
            self._find(key, None, "it is of a height that is not kept")

    def _find(self, key: bytes, height: int | None, message: str) -> None:
        subject = f"row {key.hex()} of STATE_HISTORY"
        self._trail.find(FindingKind.STATE_HISTORY, subject, message, height=height)


def _difference(expected: bytes | None, stored: bytes | None) -> str:
    if stored is None:
        return "it is not there"
    if expected is None:
        return "the block replaced nothing there"
    return "it is not what the block replaced"
