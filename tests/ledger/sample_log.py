"""A small log to test on, in memory or in a directory, with its key and its published note."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger.checkpoint import Checkpoint, log_id, open_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.log import Log
from ledger.merkle.hashing import leaf_hashes, tree_root
from ledger.note import NoteSigner
from ledger.published import PublishedCheckpoint
from ledger.storage import Storage, Table
from ledger.storage.memory import MemoryStorage

ORIGIN = "robots.example/anna"
SIGNER = NoteSigner(ORIGIN, PrivateKey.from_seed(bytes(range(32))))
NEW_SIGNER = NoteSigner(ORIGIN, PrivateKey.from_seed(bytes(range(1, 33))))
STRANGER = NoteSigner("robots.example/bob", PrivateKey.from_seed(bytes(range(2, 34))))


def entries(start: int, stop: int, salt: bytes = b"") -> list[bytes]:
    """Entries of assorted lengths, the first of them empty."""
    return [b"%d" % index * (index % 40) + salt for index in range(start, stop)]


def root_of(some_entries: list[bytes]) -> bytes:
    return tree_root(leaf_hashes(some_entries))


def published_in(directory: Path) -> PublishedCheckpoint:
    return PublishedCheckpoint(directory / "published", log_id(ORIGIN))


@dataclass
class SampleLog:
    """A log, its store, and the place of its published checkpoint."""

    log: Log
    storage: Storage
    published: PublishedCheckpoint

    @classmethod
    def create(cls, directory: Path, storage: Storage | None = None) -> SampleLog:
        storage = storage or MemoryStorage()
        published = published_in(directory)
        return cls(Log.create(storage, ORIGIN, SIGNER.verifier_key, published), storage, published)

    def reopened(self) -> Log:
        self.log = Log.open(self.storage, self.published)
        return self.log

    def signed(self) -> Checkpoint:
        note = self.log.checkpoint([SIGNER])
        return open_checkpoint(note, [SIGNER.verifier_key]).checkpoint

    def change(self, table: Table, key: bytes, value: bytes | None) -> None:
        """Change a row behind the log's back."""
        if value is None:
            deleted = self.storage.write(lambda txn: txn.delete(table, key))
            assert deleted
        else:
            self.storage.write(lambda txn: txn.put(table, key, value))

    def row(self, table: Table, key: bytes) -> bytes:
        with self.storage.read() as txn:
            value = txn.get(table, key)
        assert value is not None
        return value

    def flip(self, table: Table, key: bytes, bit: int) -> None:
        """Flip one bit of a stored value."""
        value = bytearray(self.row(table, key))
        value[bit // 8] ^= 1 << bit % 8
        self.change(table, key, bytes(value))
