"""A chain's home: where its store and its operator's keys are, opened to read.

::

    HOME/log/            LMDB, a store of kind CHAIN (`ledger.storage.store_kind`)
    HOME/keys/signing/   the keys that sign the chain's checkpoints

What was published is remembered outside it, as for robots (`ledger.published`). Whoever only
reads needs none of the rules; `ledger.chain.machine.writer` makes a home and opens it to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors import StorageError
from ledger.log_home import LogHome, LogPaths
from ledger.log_reader import LogReader
from ledger.storage import Storage
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind


@dataclass(frozen=True, slots=True)
class ChainPaths(LogPaths):
    """The folders of a chain's home."""

    @property
    def socket(self) -> Path:
        """Where an engine that serves listens."""
        return self.root / "chain.sock"


class ChainReader(LogHome):
    """A chain's home opened to read."""

    def __init__(self, paths: ChainPaths, storage: Storage, log: LogReader) -> None:
        super().__init__(storage, log)
        self.paths: Final = paths


@contextmanager
def open_chain(root: Path) -> Iterator[ChainReader]:
    """Open a chain's home to read. Raises `StorageError` where there is none."""
    paths = existing_chain(root)
    storage = LmdbStorage.open_reader(paths.log, StoreKind.CHAIN)
    try:
        yield ChainReader(paths, storage, LogReader(storage))
    finally:
        storage.close()


def existing_chain(root: Path) -> ChainPaths:
    """The folders of the chain's home at ``root``. Raises `StorageError` where there is none."""
    paths = ChainPaths(root)
    if not paths.exists:
        raise StorageError(f"{root} holds no chain", hint="make one with `quipu chain init`")
    return paths
