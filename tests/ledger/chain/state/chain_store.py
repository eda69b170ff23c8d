"""A store with a state, and what it should hold at every height."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ledger.chain.state.store import StateUpdate, commit, finalize, open_state, prune
from ledger.storage import Storage
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind

Changes = Mapping[bytes, bytes | None]


def new_store(folder: Path) -> LmdbStorage:
    return LmdbStorage.create(folder / "chain", StoreKind.CHAIN)


def add_height(storage: Storage, height: int, changes: Changes) -> StateUpdate:
    with storage.read() as transaction:
        update = finalize(transaction, height, changes)
    storage.write(lambda transaction: commit(transaction, update))
    return update


def forget_before(storage: Storage, oldest: int) -> int:
    return storage.write(lambda transaction: prune(transaction, oldest))


def applied(state: Mapping[bytes, bytes], changes: Changes) -> dict[bytes, bytes]:
    after = dict(state)
    for key, value in changes.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = value
    return after


def content(storage: Storage, height: int | None = None) -> dict[bytes, bytes]:
    with storage.read() as transaction:
        return dict(open_state(transaction, height).items())
