"""What LMDB adds to the contract: files, processes, a map that grows, damage."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import lmdb
import pytest

from ledger.errors import (
    CorruptStoreError,
    FormatVersionError,
    LockedError,
    ReadOnlyError,
    RefusedError,
    StorageError,
)
from ledger.storage import Table, WriteTransaction
from ledger.storage.lmdb import FIRST_MAP_BYTES, LmdbStorage
from ledger.storage.store_kind import StoreKind

OpenStore = Callable[[Path], LmdbStorage]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "log"


@pytest.fixture
def store(path: Path) -> Iterator[LmdbStorage]:
    storage = LmdbStorage.create(path)
    yield storage
    storage.close()


def put(store: LmdbStorage, key: bytes, value: bytes) -> None:
    store.write(lambda txn: txn.put(Table.RECORDS, key, value))


def get(store: LmdbStorage, key: bytes) -> bytes | None:
    with store.read() as txn:
        return txn.get(Table.RECORDS, key)


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_written_is_there_when_opened_again(path: Path, store: LmdbStorage) -> None:
    put(store, b"a", b"1")
    store.close()
    again = LmdbStorage.open_writer(path)
    assert get(again, b"a") == b"1"
    again.close()
    reader = LmdbStorage.open_reader(path)
    assert get(reader, b"a") == b"1"
    with pytest.raises(ReadOnlyError, match="reading only"):
        put(reader, b"b", b"2")
    reader.close()


def test_durability_is_not_traded_for_speed(store: LmdbStorage) -> None:
    flags = store._env.flags()
    assert flags["sync"] and flags["metasync"] and flags["lock"]
    assert not flags["writemap"] and not flags["map_async"]


# Creating


def test_creating_takes_an_empty_directory(path: Path) -> None:
    path.mkdir(parents=True)
    LmdbStorage.create(path).close()
    assert not path.with_name("log.new").exists()


def test_creating_over_something_is_refused(path: Path, store: LmdbStorage) -> None:
    put(store, b"a", b"1")
    with pytest.raises(RefusedError, match="not empty"):
        LmdbStorage.create(path)
    assert get(store, b"a") == b"1"


def test_what_a_death_in_creation_left_behind_is_cleared(path: Path) -> None:
    leftover = path.with_name("log.new")
    leftover.mkdir(parents=True)
    (leftover / "data.mdb").write_bytes(b"half")
    store = LmdbStorage.create(path)
    put(store, b"a", b"1")
    store.close()
    assert not leftover.exists()


# Kinds of stores


def test_a_chain_is_not_opened_as_a_log_nor_a_log_as_a_chain(path: Path) -> None:
    LmdbStorage.create(path, StoreKind.CHAIN).close()
    for open_store in (LmdbStorage.open_writer, LmdbStorage.open_reader):
        with pytest.raises(CorruptStoreError, match="not a log"):
            open_store(path)
        open_store(path, StoreKind.CHAIN).close()
    LmdbStorage.create(path.with_name("robot")).close()
    for open_store in (LmdbStorage.open_writer, LmdbStorage.open_reader):
        with pytest.raises(CorruptStoreError, match="not a chain"):
            open_store(path.with_name("robot"), StoreKind.CHAIN)
        open_store(path.with_name("robot")).close()


def test_a_log_has_no_tables_of_a_chain(store: LmdbStorage, path: Path) -> None:
    store.close()
    with lmdb.open(str(path), max_dbs=20) as env, env.begin() as txn:
        names = [bytes(name) for name, _ in txn.cursor()]
    assert sorted(names) == sorted(table.value for table in StoreKind.LOG.tables)
    assert not [name for name in names if name.startswith(b"state")]


# Damage, foreign and newer stores


@pytest.mark.parametrize("open_store", [LmdbStorage.open_writer, LmdbStorage.open_reader])
class TestOpening:
    def test_nothing_there(self, path: Path, open_store: OpenStore) -> None:
        with pytest.raises(StorageError, match="does not exist") as caught:
            open_store(path)
        assert caught.value.hint
        assert not path.exists()

    def test_an_empty_data_file(self, path: Path, open_store: OpenStore) -> None:
        path.mkdir(parents=True)
        (path / "data.mdb").touch()
        with pytest.raises(CorruptStoreError, match="empty"):
            open_store(path)
        assert (path / "data.mdb").stat().st_size == 0

    @pytest.mark.parametrize("content", [b"x", b"x" * 4096, b"SQLite format 3\0" * 4096])
    def test_a_file_of_something_else(
        self, path: Path, open_store: OpenStore, content: bytes
    ) -> None:
        path.mkdir(parents=True)
        (path / "data.mdb").write_bytes(content)
        with pytest.raises(CorruptStoreError, match="damaged or no LMDB"):
            open_store(path)
        assert (path / "data.mdb").read_bytes() == content

    @pytest.mark.parametrize("name", [None, b"meta", b"other"])
    def test_an_lmdb_file_of_another_program(
        self, path: Path, open_store: OpenStore, name: bytes | None
    ) -> None:
        path.mkdir(parents=True)
        with lmdb.open(str(path), max_dbs=2) as env, env.begin(write=True) as txn:
            table = env.open_db(name, txn=txn)
            txn.put(b"format", b"1", db=table)
            txn.put(b"meta" if name is None else b"x", b"1", db=table)
        before = (path / "data.mdb").read_bytes()
        with pytest.raises(CorruptStoreError, match="not a log"):
            open_store(path)
        assert (path / "data.mdb").read_bytes() == before

    @pytest.mark.parametrize("version", [b"quipu/2", b"quipu/10"])
    def test_a_newer_format(
        self, path: Path, store: LmdbStorage, open_store: OpenStore, version: bytes
    ) -> None:
        store.write(lambda txn: txn.put(Table.META, b"format", version))
        store.close()
        with pytest.raises(FormatVersionError, match=version[6:].decode()) as caught:
            open_store(path)
        assert "newer version" in (caught.value.hint or "")

    @pytest.mark.parametrize("table", [Table.PROGRESS, Table.PROVENANCE])
    def test_one_made_before_a_table_was_added(
        self, path: Path, store: LmdbStorage, open_store: OpenStore, table: Table
    ) -> None:
        put(store, b"key", b"kept")
        store.close()
        with lmdb.open(str(path), max_dbs=len(Table)) as env, env.begin(write=True) as txn:
            txn.drop(env.open_db(table.value, txn=txn, create=False))
        if open_store == LmdbStorage.open_reader:
            with pytest.raises(FormatVersionError, match="older version") as caught:
                open_store(path)
            assert "quipu doctor" in (caught.value.hint or "")
        opened = LmdbStorage.open_writer(path)
        opened.write(lambda txn: txn.put(table, b"new", b""))
        assert get(opened, b"key") == b"kept"
        opened.close()
        open_store(path).close()

    @pytest.mark.parametrize("version", [b"", b"quipu/", b"quipu/x", b"quipu/-1", b"quip/1"])
    def test_a_format_that_is_none(
        self, path: Path, store: LmdbStorage, open_store: OpenStore, version: bytes
    ) -> None:
        store.write(lambda txn: txn.put(Table.META, b"format", version))
        store.close()
        with pytest.raises(CorruptStoreError, match="not a log"):
            open_store(path)

    def test_a_file_cut_short_anywhere(
        self, path: Path, store: LmdbStorage, open_store: OpenStore
    ) -> None:
        for index in range(50):
            put(store, b"%d" % index, b"v" * 5000)
        store.close()
        size = (path / "data.mdb").stat().st_size
        # Reading a page beyond the end of the file would be a SIGBUS, not an error.
        whole = 0
        for kept in range(size - 1, 4096, -(size // 40)):
            os.truncate(path / "data.mdb", kept)
            try:
                opened = open_store(path)
            except CorruptStoreError as error:
                assert "backup" in (error.hint or "")
                continue
            with closing(opened), opened.read() as txn:  # only free pages were at the end
                assert list(txn.scan(Table.RECORDS)) == sorted(
                    (b"%d" % index, b"v" * 5000) for index in range(50)
                )
            whole += 1
        assert whole <= 1

    def test_many_deletions_do_not_look_like_a_cut(
        self, path: Path, store: LmdbStorage, open_store: OpenStore
    ) -> None:
        def fill_and_empty(txn: WriteTransaction) -> None:
            for index in range(500):
                txn.put(Table.CHUNKS, b"%d" % index, b"v" * (index * 31 % 9000))
            for index in range(500):
                txn.delete(Table.CHUNKS, b"%d" % index)

        for _ in range(3):
            store.write(fill_and_empty)
        store.close()
        open_store(path).close()

    def test_free_pages_that_a_killed_writer_left_missing_are_not_missed(
        self,
        path: Path,
        store: LmdbStorage,
        open_store: OpenStore,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fill_and_empty(txn: WriteTransaction) -> None:
            for index in range(200):
                txn.put(Table.CHUNKS, b"%d" % index, b"v" * 9000)
            for index in range(200):
                txn.delete(Table.CHUNKS, b"%d" % index)
            txn.put(Table.META, b"kept", b"v" * 9000)

        with monkeypatch.context() as killed:
            killed.setattr(LmdbStorage, "_cover_tree", lambda _: None)
            store.write(fill_and_empty)
            needed = store._tree_bytes()
            store.close()
        data = path / "data.mdb"
        assert data.stat().st_size < needed
        with closing(open_store(path)) as opened, opened.read() as txn:
            assert txn.get(Table.META, b"kept") == b"v" * 9000
        with closing(LmdbStorage.open_writer(path)):
            assert data.stat().st_size == needed
        os.truncate(data, 3 * 4096)
        with pytest.raises(CorruptStoreError, match="cut short"):
            open_store(path)


# One writer


def test_a_second_writer_is_told_who_holds_the_log(path: Path, store: LmdbStorage) -> None:
    with pytest.raises(LockedError, match=f"process {os.getpid()} is writing"):
        LmdbStorage.open_writer(path)


def test_a_writer_of_another_process_is_kept_out(path: Path, store: LmdbStorage) -> None:
    code = """
        import sys, pathlib
        from ledger.errors import LockedError
        from ledger.storage.lmdb import LmdbStorage
        try:
            LmdbStorage.open_writer(pathlib.Path(sys.argv[1]))
        except LockedError as error:
            print(error)
    """
    first = run_python(code, path)
    assert f"process {os.getpid()} is writing to {path}" in first.stdout
    assert "stop that one" in first.stdout
    store.close()
    second = run_python(code, path)
    assert (second.returncode, second.stdout) == (0, ""), second.stderr


def test_the_lock_of_a_killed_writer_is_free(path: Path, store: LmdbStorage) -> None:
    put(store, b"a", b"1")
    store.close()
    killed = run_python(
        """
        import os, pathlib, signal, sys
        from ledger.storage import Table
        from ledger.storage.lmdb import LmdbStorage
        store = LmdbStorage.open_writer(pathlib.Path(sys.argv[1]))
        def work(txn):
            txn.put(Table.RECORDS, b"a", b"2")
            os.kill(os.getpid(), signal.SIGKILL)
        store.write(work)
        """,
        path,
    )
    assert killed.returncode == -9, killed.stderr
    again = LmdbStorage.open_writer(path)
    assert get(again, b"a") == b"1"
    put(again, b"a", b"3")
    again.close()


# Readers


def _read_while_it_grows(path: str, ready: object, queue: object) -> None:
    store = LmdbStorage.open_reader(Path(path))
    seen: list[int] = []
    while not seen or seen[-1] < 60:
        with store.read() as txn:
            count = txn.count(Table.ENTRIES)
            last = txn.last(Table.ENTRIES)
            # Every snapshot is whole: as many rows as the last one's number says.
            if last is not None and int(last[0]) != count - 1:
                queue.put(f"{count} rows, the last is {last[0]!r}")  # type: ignore[attr-defined]
                return
        if not seen or count != seen[-1]:
            seen.append(count)
        if len(seen) == 1:
            ready.set()  # type: ignore[attr-defined]
    queue.put(seen)  # type: ignore[attr-defined]


def test_reader_processes_follow_a_writer_whose_map_grows(path: Path, store: LmdbStorage) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    readers, ready = [], []
    for _ in range(3):
        event = context.Event()
        reader = context.Process(target=_read_while_it_grows, args=(str(path), event, queue))
        reader.start()
        readers.append(reader)
        ready.append(event)
    assert all(event.wait(60) for event in ready)
    for index in range(60):
        row = (b"%08d" % index, bytes(1 << 20))
        store.write(lambda txn, row=row: txn.append_many(Table.ENTRIES, [row]))  # type: ignore[misc]
    seen = [queue.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join(60)
        assert reader.exitcode == 0
    assert store.map_bytes() > FIRST_MAP_BYTES
    for counts in seen:
        # A reader that is held up while LMDB begins its transaction is given the commit
        # after the next, and may see the next after it.
        assert all(later >= earlier - 1 for earlier, later in pairwise(counts)), counts
        assert counts[-1] == 60


def test_threads_read_while_the_map_grows(store: LmdbStorage) -> None:
    done = threading.Event()
    problems: list[object] = []

    def read() -> None:
        try:
            while not done.is_set():
                with store.read() as txn:
                    count, last = txn.count(Table.ENTRIES), txn.last(Table.ENTRIES)
                    if last is not None and int(last[0]) != count - 1:
                        problems.append((count, last[0]))
                time.sleep(0.001)
        except BaseException as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for index in range(40):
        row = (b"%08d" % index, bytes(1 << 20))
        store.write(lambda txn, row=row: txn.append_many(Table.ENTRIES, [row]))  # type: ignore[misc]
    done.set()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert store.map_bytes() > 2 * FIRST_MAP_BYTES


def test_the_map_grows_and_work_runs_again(store: LmdbStorage) -> None:
    runs = []

    def work(txn: WriteTransaction) -> int:
        runs.append(store.map_bytes())
        txn.append_many(Table.ENTRIES, ((b"%04d" % index, bytes(1 << 20)) for index in range(40)))
        return txn.count(Table.ENTRIES)

    assert store.write(work) == 40
    assert runs == [16 << 20, 32 << 20, 64 << 20]
    with store.read() as txn:
        assert txn.count(Table.ENTRIES) == 40


def test_a_large_map_grows_by_a_step(store: LmdbStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.storage.lmdb.MAP_STEP_BYTES", 4 << 20)
    store.write(lambda txn: txn.put(Table.CHUNKS, b"k", bytes(18 << 20)))
    assert store.map_bytes() == 20 << 20


def test_a_store_outgrown_while_closed_is_read(path: Path, store: LmdbStorage) -> None:
    store.write(lambda txn: txn.put(Table.CHUNKS, b"k", bytes(40 << 20)))
    store.close()
    again = LmdbStorage.open_writer(path)
    again.write(lambda txn: txn.put(Table.CHUNKS, b"l", bytes(40 << 20)))
    with again.read() as txn:
        assert txn.get(Table.CHUNKS, b"k") == txn.get(Table.CHUNKS, b"l") == bytes(40 << 20)
    again.close()


def test_readers_that_died_do_not_pin_pages(path: Path, store: LmdbStorage) -> None:
    put(store, b"a", b"1")
    dead = run_python(
        """
        import os, pathlib, signal, sys
        from ledger.storage.lmdb import LmdbStorage
        with LmdbStorage.open_reader(pathlib.Path(sys.argv[1])).read() as txn:
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
    )
    assert dead.returncode == -9, dead.stderr
    assert "no active readers" not in store._env.readers()
    store.close()
    again = LmdbStorage.open_writer(path)
    put(again, b"a", b"2")
    assert len(again._env.readers().splitlines()) <= 2  # a heading, and this process
    again.close()


def test_a_copied_store_is_a_store(path: Path, store: LmdbStorage, tmp_path: Path) -> None:
    put(store, b"a", b"1")
    store.close()
    shutil.copytree(path, tmp_path / "copy")
    copy = LmdbStorage.open_writer(tmp_path / "copy")
    assert get(copy, b"a") == b"1"
    copy.close()
