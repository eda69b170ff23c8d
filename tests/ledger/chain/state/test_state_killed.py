"""Kill a writer of heights anywhere: what it acknowledged is there, whole and provable."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from ledger.chain.state.check import check_height, check_state
from ledger.chain.state.store import heights
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.ledger.chain.state.chain_store import applied, content
from tests.ledger.chain.state.naive_state import root_of
from tests.ledger.chain.state.state_writer import KEPT, changes_at, write_heights

# Python 3.12 warns of forks beside threads; other tests may have left some waiting.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

SEED = 7


def expected(height: int) -> dict[bytes, bytes]:
    state: dict[bytes, bytes] = {}
    for at in range(height + 1):
        state = applied(state, changes_at(SEED, at))
    return state


def examine(folder: Path, acknowledged: dict[int, str]) -> int:
    """Check everything that is stored; the newest height, -1 for none."""
    if not (folder / "chain").exists():
        assert not acknowledged
        return -1
    storage = LmdbStorage.open_writer(folder / "chain", StoreKind.CHAIN)
    try:
        with storage.read() as transaction:
            check_state(transaction)
            kept = heights(transaction)
            if kept is None:
                assert not acknowledged
                return -1
            assert kept.newest >= max(acknowledged, default=-1), "an acknowledged height is lost"
            assert kept.oldest == max(0, kept.newest - KEPT)
            for height in range(kept.oldest, kept.newest + 1):
                check_height(transaction, height)
        for height in range(kept.oldest, kept.newest + 1):
            assert content(storage, height) == expected(height)
        assert root_of(expected(kept.newest)) == kept.root
        for height, root in acknowledged.items():
            if height == kept.newest:
                assert kept.root.hex() == root
        return kept.newest
    finally:
        storage.close()


def take(said: int, acknowledged: dict[int, str]) -> None:
    """Read what a dead writer said; what follows the last newline was never said."""
    data = b""
    while part := os.read(said, 1 << 16):
        data += part
    for line in data.split(b"\n")[:-1]:
        height, root = line.decode().split(" ")
        acknowledged[int(height)] = root


def test_sigkill_at_any_time(tmp_path: Path) -> None:
    chance = random.Random(1)
    acknowledged: dict[int, str] = {}
    newest = -1
    deaths = 0
    for life in range(60):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reader)
            try:
                write_heights(tmp_path, SEED, 10_000, writer)
            finally:
                os._exit(0)
        os.close(writer)
        time.sleep(chance.uniform(0.02, 0.25))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        deaths += os.WIFSIGNALED(status)
        take(reader, acknowledged)
        os.close(reader)
        newest = examine(tmp_path, acknowledged)
        # On a slow disk twelve lives may be too short for two heights.
        if newest > 150 or (life >= 11 and newest > 0):
            break
    assert deaths > 1
    assert newest > 0


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
def test_sigkill_at_every_changing_call(tmp_path: Path) -> None:
    """From the making of the store over four heights: every write, sync and rename in turn."""
    for kth in range(1, 200):
        folder = tmp_path / str(kth)
        folder.mkdir()
        reader, writer = os.pipe()
        acknowledged: dict[int, str] = {}
        try:
            status, seen = kill_at_call(
                lambda folder=folder, writer=writer: write_heights(folder, SEED, 4, writer), kth
            )
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        finally:
            os.close(writer)
        take(reader, acknowledged)
        os.close(reader)
        newest = examine(folder, acknowledged)
        if os.WIFEXITED(status):
            assert (os.WEXITSTATUS(status), newest, len(acknowledged)) == (0, 3, 4)
            assert kth > 20
            return
        # It goes on from there.
        reader, writer = os.pipe()
        write_heights(folder, SEED, 2, writer)
        os.close(writer)
        take(reader, acknowledged)
        os.close(reader)
        assert examine(folder, acknowledged) == newest + 2
    pytest.fail(f"a writer of four heights made {seen} calls")
