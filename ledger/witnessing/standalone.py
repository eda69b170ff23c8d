"""A witness of its own, for logs of other sites: its folder, and who holds it.

::

    DIR/witness.key   the key, `ledger.witnessing.witness_key`
    DIR/store/        LMDB: what was recorded of each log, and the forks found

Key and store belong together: a key whose store is lost or older than its last
cosignature may sign what contradicts it. So neither is ever restored from a backup;
such a witness is given a new key, and a new folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import RefusedError, StorageError
from ledger.note import CosignatureSigner
from ledger.storage import Storage
from ledger.storage.lmdb import LmdbStorage
from ledger.witness import WitnessState
from ledger.witnessing.follower import Follower
from ledger.witnessing.policy import Policy
from ledger.witnessing.witness_key import WitnessKey


@dataclass(frozen=True, slots=True)
class WitnessFolder:
    """The folder of a stand-alone witness."""

    folder: Path

    @property
    def key(self) -> WitnessKey:
        """Its key."""
        return WitnessKey(self.folder)

    @property
    def store(self) -> Path:
        """Its LMDB environment."""
        return self.folder / "store"

    def create(self, name: str) -> CosignatureSigner:
        """Make the folder, an empty store and a key. Raises as `WitnessKey.create` does."""
        if self.key.exists:
            raise RefusedError(
                f"{self.folder} is a witness already", hint="a new witness needs a new folder"
            )
        if not (self.store / "data.mdb").exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            LmdbStorage.create(self.store).close()
        # The key last: there is no moment in which it has no store.
        return self.key.create(name)

    @contextmanager
    def open(self, policy: Policy) -> Iterator[Follower]:
        """Hold the witness, alone, for as long as the block.

        Raises `KeyStoreError` where there is none, `LockedError` while another process
        holds it, `StorageError` and its kin.
        """
        signer = self.key.load()
        storage = LmdbStorage.open_writer(self.store)
        try:
            yield Follower(policy, WitnessState(storage), signer)
        finally:
            storage.close()

    @contextmanager
    def read(self) -> Iterator[Storage]:
        """Look at the store beside whoever holds it. Raises `StorageError`."""
        if not (self.store / "data.mdb").exists():
            raise StorageError(
                f"{self.folder} is no witness", hint="make one with `quipu witness key --create`"
            )
        storage = LmdbStorage.open_reader(self.store)
        try:
            yield storage
        finally:
            storage.close()
