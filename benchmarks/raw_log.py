"""The bare loop: what hashing and storing a Merkle log costs before anybody's code.

The same leaf and inner hashes as a log's, in the fastest way plain Python has, and the
same synced LMDB commits with the entries and one value a level and batch. There is no
check, no proof and no restart in it; it only says what could be had at most.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import lmdb

from benchmarks.workload import Entries

_U64 = struct.Struct(">Q")
_LEVEL_KEY = struct.Struct(">BQ")
_MAP_BYTES = 4 << 30


class BareTree:
    """Every hash of an RFC 6962 tree, batch after batch, each computed once."""

    def __init__(self) -> None:
        self._odd: list[bytes] = []  # at each level the hash that waits for its sibling

    def add(self, entries: Entries) -> list[list[bytes]]:
        """The new hashes of each level, lowest first."""
        row = [sha256(b"\x00" + entry).digest() for entry in entries]
        rows = []
        level = 0
        while row:
            rows.append(row)
            if level == len(self._odd):
                self._odd.append(b"")
            if self._odd[level]:
                row = [self._odd[level], *row]
            self._odd[level] = row[-1] if len(row) & 1 else b""
            pair = iter(row)
            row = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(pair, pair, strict=False)
            ]
            level += 1
        return rows

    def root(self) -> bytes:
        """The root over all entries added."""
        root = b""
        for part in self._odd:
            if part:
                root = sha256(b"\x01" + part + root).digest() if root else part
        return root


class RawLog:
    """Entries and level blocks in LMDB, a durable transaction a batch."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._env = lmdb.open(
            str(folder), map_size=_MAP_BYTES, max_dbs=2, sync=True, metasync=True, writemap=False
        )
        self._entries = self._env.open_db(b"entries")
        self._levels = self._env.open_db(b"levels")
        self._tree = BareTree()
        self._size = 0
        self._batches = 0

    def append_batches(self, batches: Iterable[Entries]) -> None:
        """Hash and store entries, durably after each batch."""
        for entries in batches:
            rows = self._tree.add(entries)
            keys = map(_U64.pack, range(self._size, self._size + len(entries)))
            with self._env.begin(write=True) as txn:
                with txn.cursor(self._entries) as cursor:
                    cursor.putmulti(zip(keys, entries, strict=True), append=True)
                for level, row in enumerate(rows):
                    key = _LEVEL_KEY.pack(level, self._batches)
                    txn.put(key, b"".join(row), db=self._levels)
            self._size += len(entries)
            self._batches += 1

    def put_singly(self, entries: Entries) -> None:
        """Store entries, a durable transaction each, and hash nothing."""
        for entry in entries:
            with self._env.begin(write=True) as txn:
                txn.put(_U64.pack(self._size), entry, db=self._entries, append=True)
            self._size += 1

    def root(self) -> bytes:
        """The root over the entries that were hashed."""
        return self._tree.root()

    def close(self) -> None:
        """Close the environment."""
        self._env.close()
