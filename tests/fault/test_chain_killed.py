"""Kill a chain's engine anywhere: what it acknowledged is there, and every block is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.chain.machine.block_rows import read_block
from ledger.chain.machine.home import ChainPaths
from ledger.errors import CorruptStoreError, LedgerError
from ledger.log_reader import U64
from ledger.storage import Table, WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.fault.chain_crash import ChainCrashTest, Home, live, transfer
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError

# Python 3.12 warns of forks beside threads; other tests may have left some waiting.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

ROUNDS = int(os.environ.get("QUIPU_CHAIN_CRASH_ROUNDS", "300"))
"""Lives that are ended, by both tests together; ``python -m tests.fault.chain_crash`` runs
as many as one likes."""
_SWEPT = 100
"""About what one sweep takes."""


@pytest.fixture
def crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChainCrashTest:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    return ChainCrashTest(tmp_path, seed=11)


def test_sigkill_at_every_persisted_step(crashes: ChainCrashTest) -> None:
    if CHANGING_CALLS is None:
        pytest.skip("SKIPPED: system call numbers of this machine are not known")
    try:
        while not crashes.sweeps:
            crashes.run_round("call")
    except TraceError as error:
        pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
    # Making the chain, the first block, a block, and their checkpoints.
    assert 60 < crashes.deaths["call"] < 400


def test_sigkill_at_any_time(crashes: ChainCrashTest) -> None:
    for _ in range(max(1, ROUNDS - _SWEPT)):
        crashes.run_round("random")
    assert crashes.deaths["random"] == max(1, ROUNDS - _SWEPT)
    assert crashes.acknowledged > ROUNDS


# The examination would notice.


@pytest.fixture
def lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path)
    monkeypatch.setenv("QUIPU_PUBLISHED", str(home.folder / "published"))
    reader, writer = os.pipe()
    live(home.root, False, 3, 4, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        home.take(said.read())
    home.examine()
    assert home.made
    assert home.included
    return home


def test_the_examination_notices_a_lost_transaction(lived: Home) -> None:
    lived.included[0, 250] = 2
    with pytest.raises((AssertionError, LedgerError)):
        lived.examine()
    assert transfer(0, 250)


def test_the_examination_notices_a_lost_checkpoint(lived: Home) -> None:
    lived.checkpoints[3] = bytes(32)
    with pytest.raises(AssertionError, match="checkpoint"):
        lived.examine()


def _spoil(home: Home, work: object) -> None:
    storage = LmdbStorage.open_writer(ChainPaths(home.root).log, StoreKind.CHAIN)
    try:
        storage.write(work)  # type: ignore[arg-type]
    finally:
        storage.close()


def test_the_examination_notices_half_a_block(lived: Home) -> None:
    def lose_the_newest_row(transaction: WriteTransaction) -> None:
        transaction.delete(Table.BLOCKS, U64.pack(lived.height))

    _spoil(lived, lose_the_newest_row)
    with pytest.raises(CorruptStoreError):
        lived.examine()


def test_the_examination_notices_another_result(lived: Home) -> None:
    def change(transaction: WriteTransaction) -> None:
        block = read_block(transaction, lived.height)
        row = bytearray(transaction.get(Table.BLOCKS, U64.pack(lived.height)) or b"")
        assert block.results
        row[-1] ^= 1
        transaction.put(Table.BLOCKS, U64.pack(lived.height), bytes(row))

    _spoil(lived, change)
    with pytest.raises(AssertionError, match="results"):
        lived.examine()


def test_the_examination_notices_another_balance(lived: Home) -> None:
    def change(transaction: WriteTransaction) -> None:
        path, row = next(iter(transaction.scan(Table.STATE_LEAVES)))
        transaction.put(Table.STATE_LEAVES, path, row[:-1] + bytes([row[-1] ^ 1]))

    _spoil(lived, change)
    with pytest.raises(CorruptStoreError):
        lived.examine()
