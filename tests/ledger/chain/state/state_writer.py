"""Commits heights one after another and says what is durable; to be killed at any point.

``main(folder, seed, heights, said)``: after every commit one line, ``height root``, on the
file descriptor ``said``. Old heights are pruned in the same transaction.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from ledger.chain.state.store import commit, finalize, heights, prune
from ledger.storage import Storage, WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.state.crowded_keys import crowd

KEPT = 3
KEYS = (*crowd(12, 30), *(b"key %d" % number for number in range(400)))


def changes_at(seed: int, height: int) -> dict[bytes, bytes | None]:
    chance = Random(seed * 1_000_003 + height)
    some = chance.sample(KEYS, chance.choice([1, 20, 300]))
    return {key: None if chance.random() < 0.4 else b"%d" % height for key in some}


def next_height(storage: Storage) -> int:
    with storage.read() as transaction:
        kept = heights(transaction)
    return kept.newest + 1 if kept else 0


def write_heights(folder: Path, seed: int, count: int, said: int) -> None:
    if not (folder / "chain").exists():
        LmdbStorage.create(folder / "chain", StoreKind.CHAIN).close()
    storage = LmdbStorage.open_writer(folder / "chain", StoreKind.CHAIN)
    start = next_height(storage)
    for height in range(start, start + count):
        with storage.read() as transaction:
            update = finalize(transaction, height, changes_at(seed, height))

        def work(transaction: WriteTransaction, height: int = height) -> None:
            commit(transaction, update)  # noqa: B023
            prune(transaction, max(0, height - KEPT))

        storage.write(work)
        os.write(said, b"%d %s\n" % (height, update.root.hex().encode()))
    storage.close()
