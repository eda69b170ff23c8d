"""The peer: pymerkle's SqliteTree, as fast as its own interface goes.

It stores entries and leaf hashes and no inner hash, and computes proofs from the
leaves, keeping subtree roots in memory once it has computed them. SQLite is left at
its default durability, which syncs every transaction.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from pymerkle import SqliteTree

from benchmarks.workload import Entries

PYMERKLE_VERSION = version("pymerkle")


class PymerkleLog:
    """A tree in a SQLite file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._tree = SqliteTree(str(path))

    def append_bulk(self, entries: Entries) -> None:
        """Append entries by its bulk call: one transaction, durable afterwards."""
        self._tree.append_entries(entries)

    def append_singly(self, entries: Entries) -> None:
        """Append entries, a durable transaction each."""
        for entry in entries:
            self._tree.append_entry(entry)

    def prove(self, indices: list[int]) -> None:
        """Prove the inclusion of leaves (counted from 0) in the whole tree."""
        for index in indices:
            self._tree.prove_inclusion(index + 1)

    def root(self) -> bytes:
        """The root of the tree."""
        root: bytes = self._tree.get_root()
        return root

    def close(self) -> None:
        """Close the file; what was kept in memory is forgotten."""
        self._tree.close()
