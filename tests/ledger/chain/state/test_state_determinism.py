"""The same blocks give the same roots and rows, whatever Python's mood."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]

PROGRAM = """
import sys
from hashlib import sha256
from random import Random
from ledger.chain.state.store import commit, finalize
from ledger.storage import Table
from ledger.storage.memory import MemoryStorage

chance, storage, said = Random(3), MemoryStorage(), sha256()
for height in range(8):
    keys = [b"%d" % chance.randrange(2000) for _ in range(700)]
    changes = {key: None if chance.random() < 0.3 else b"%d" % chance.randrange(99) for key in keys}
    if sys.argv[1] == "set":
        changes = {key: changes[key] for key in set(changes)}
    with storage.read() as transaction:
        update = finalize(transaction, height, changes)
    storage.write(lambda transaction: commit(transaction, update))
    said.update(update.root)
with storage.read() as transaction:
    for table in (Table.META, Table.STATE_LEAVES, Table.STATE_TILES, Table.STATE_HISTORY):
        for key, value in transaction.scan(table):
            said.update(b"%d %d " % (len(key), len(value)) + key + value)
print(said.hexdigest())
"""

KNOWN = "5db26d28c00498ed2df07a583c0641519d577388b6114f85fb5606a431763ad5"
"""Changes only with the layout of the tables, and then on purpose."""


def run(order: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, order],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("order", "environment"),
    [
        ("dict", {"PYTHONHASHSEED": "1"}),
        ("set", {"PYTHONHASHSEED": "2"}),
        ("set", {"PYTHONHASHSEED": "3", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}),
        ("dict", {"PYTHONOPTIMIZE": "2"}),
    ],
)
def test_nothing_but_the_blocks_counts(order: str, environment: dict[str, str]) -> None:
    assert run(order, **environment) == KNOWN
