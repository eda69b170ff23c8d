"""Writing at an offset, and syncing beside it: all of it, in time, and no thread left over."""

from __future__ import annotations

import errno
import gc
import os
import threading
from pathlib import Path

import pytest

from ledger.errors import StorageError, StorageFullError
from ledger.storage.paced_sync import SYNC_LIMIT, PacedSync
from ledger.storage.positioned_write import write_at


def pace_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "paced-sync"]


def test_a_write_that_the_kernel_cuts_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "rows", os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, bytes(data)[:3], at))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    write_at(descriptor, path, b"0123456789", 2)
    write_at(descriptor, path, memoryview(b"abcd"), 12)
    write_at(descriptor, path, b"", 99)
    os.close(descriptor)
    assert path.read_bytes() == b"\0\0" + b"0123456789abcd"


def test_a_write_that_fails_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageFullError, match="rows"):
        write_at(0, tmp_path / "rows", b"row", 0)


def test_a_sync_that_is_slow_holds_the_writer_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        begun.set()
        may_end.wait()

    monkeypatch.setattr("ledger.storage.paced_sync.os.fdatasync", slow)
    paced, count = PacedSync(Path("rows"), [0]), 0

    def write() -> None:
        nonlocal count
        for _ in range(4 * SYNC_LIMIT):
            paced.wrote()
            count += 1
        paced.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(60.0)
    writer.join(0.2)
    assert writer.is_alive()
    assert count < SYNC_LIMIT
    may_end.set()
    writer.join(60.0)
    assert count == 4 * SYNC_LIMIT


def test_a_sync_that_fails_is_said_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = True

    def fdatasync(_: int) -> None:
        if failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("ledger.storage.paced_sync.os.fdatasync", fdatasync)
    paced = PacedSync(Path("rows"), [0])
    with pytest.raises(StorageError, match="rows"):
        for _ in range(SYNC_LIMIT):
            paced.wrote()
    failing = False
    for _ in range(3 * SYNC_LIMIT):
        paced.wrote()
    paced.close()


@pytest.mark.parametrize("closes", [True, False])
def test_no_thread_is_left(closes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.storage.paced_sync.os.fdatasync", lambda _: None)
    before = pace_threads()
    paced = PacedSync(Path("rows"), [0])
    for _ in range(2 * SYNC_LIMIT):
        paced.wrote()
    (mine,) = [thread for thread in pace_threads() if thread not in before]
    if closes:
        paced.close()
    del paced
    gc.collect()
    mine.join(60.0)
    assert not mine.is_alive()
