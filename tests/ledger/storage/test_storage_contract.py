"""One suite for every `Storage`: memory and LMDB cannot drift apart."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import StorageError
from ledger.storage import Storage, Table, WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.memory import MemoryStorage
from ledger.storage.store_kind import StoreKind

KINDS: dict[str, Callable[[Path], Storage]] = {
    "memory": lambda path: MemoryStorage(),
    "lmdb": partial(LmdbStorage.create, kind=StoreKind.CHAIN),  # it has every table
}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    storage = KINDS[request.param](tmp_path / "log")
    yield storage
    storage.close()


def put(store: Storage, table: Table, **rows: bytes) -> None:
    store.write(
        lambda txn: txn.put_many(table, [(key.encode(), value) for key, value in rows.items()])
    )


def rows(store: Storage, table: Table) -> list[tuple[bytes, bytes]]:
    with store.read() as txn:
        return list(txn.scan(table))


def test_rows_come_back_in_key_order(store: Storage) -> None:
    put(store, Table.RECORDS, c=b"3", a=b"1", b=b"2", aa=b"")
    assert rows(store, Table.RECORDS) == [(b"a", b"1"), (b"aa", b""), (b"b", b"2"), (b"c", b"3")]


def test_tables_are_apart(store: Storage) -> None:
    for table in Table:
        put(store, table, k=table.value)
    for table in Table:
        with store.read() as txn:
            assert txn.get(table, b"k") == table.value
            assert txn.get(table, b"other") is None


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [
        (b"", None, b"abcd"),
        (b"b", None, b"bcd"),
        (b"b", b"d", b"bc"),
        (b"bb", b"d", b"c"),
        (b"", b"a", b""),
        (b"d", b"b", b""),
        (b"e", None, b""),
        (b"d\x00", None, b""),
        (b"", b"z", b"abcd"),
    ],
)
def test_scan_takes_start_and_leaves_stop(
    store: Storage, start: bytes, stop: bytes | None, found: bytes
) -> None:
    put(store, Table.COPIES, a=b"", b=b"", c=b"", d=b"")
    with store.read() as txn:
        assert b"".join(key for key, _ in txn.scan(Table.COPIES, start, stop)) == found


@pytest.mark.parametrize(
    ("start", "count", "found"),
    [(b"a", 9, b"abd"), (b"b", 1, b"b"), (b"c", 1, b"d"), (b"c", 0, b""), (b"e", 2, b"")],
)
def test_take_gives_so_many_rows_from_a_key_on(
    store: Storage, start: bytes, count: int, found: bytes
) -> None:
    put(store, Table.COPIES, a=b"", b=b"", d=b"")
    put(store, Table.CHUNKS, z=b"")
    with store.read() as txn:
        for _ in range(2):
            assert b"".join(key for key, _ in txn.take(Table.COPIES, start, count)) == found


def test_take_sees_its_own_transaction(store: Storage) -> None:
    def work(txn: WriteTransaction) -> list[list[tuple[bytes, bytes]]]:
        seen = [txn.take(Table.COPIES, b"a", 2)]
        txn.put(Table.COPIES, b"b", b"1")
        seen.append(txn.take(Table.COPIES, b"a", 2))
        txn.put(Table.COPIES, b"a", b"2")
        seen.append(txn.take(Table.COPIES, b"a", 2))
        txn.delete(Table.COPIES, b"b")
        return [*seen, txn.take(Table.COPIES, b"a", 2)]

    both = [(b"a", b"2"), (b"b", b"1")]
    assert store.write(work) == [[], both[1:], both, both[:1]]


def test_an_empty_table_has_no_last_row(store: Storage) -> None:
    with store.read() as txn:
        assert txn.last(Table.ENTRIES) is None
        assert txn.count(Table.ENTRIES) == 0
        assert list(txn.scan(Table.ENTRIES)) == []


def test_last_and_count(store: Storage) -> None:
    put(store, Table.ENTRIES, b=b"2", a=b"1")
    put(store, Table.ENTRIES, b=b"3")
    with store.read() as txn:
        assert txn.last(Table.ENTRIES) == (b"b", b"3")
        assert txn.count(Table.ENTRIES) == 2


def test_a_write_sees_its_own_changes_and_returns_the_result(store: Storage) -> None:
    put(store, Table.RECORDS, a=b"1", b=b"2")

    def work(txn: WriteTransaction) -> list[tuple[bytes, bytes]]:
        txn.put(Table.RECORDS, b"c", b"3")
        txn.put(Table.RECORDS, b"a", b"one")
        assert txn.delete(Table.RECORDS, b"b")
        assert txn.get(Table.RECORDS, b"b") is None
        assert txn.count(Table.RECORDS) == 2
        assert txn.last(Table.RECORDS) == (b"c", b"3")
        return list(txn.scan(Table.RECORDS))

    expected = [(b"a", b"one"), (b"c", b"3")]
    assert store.write(work) == expected
    assert rows(store, Table.RECORDS) == expected


def test_deleting_what_is_not_there(store: Storage) -> None:
    assert store.write(lambda txn: txn.delete(Table.RECORDS, b"a")) is False


def test_nothing_is_kept_of_a_write_that_raises(store: Storage) -> None:
    put(store, Table.RECORDS, a=b"1", b=b"2")

    def work(txn: WriteTransaction) -> None:
        txn.put(Table.RECORDS, b"a", b"changed")
        txn.delete(Table.RECORDS, b"b")
        txn.append_many(Table.ENTRIES, [(b"x", b"y")])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.write(work)
    assert rows(store, Table.RECORDS) == [(b"a", b"1"), (b"b", b"2")]
    assert rows(store, Table.ENTRIES) == []
    put(store, Table.RECORDS, c=b"the store still works")


@pytest.mark.parametrize("order", list(itertools.permutations([b"b", b"c", b"d"]))[1:])
def test_appended_rows_must_ascend(store: Storage, order: tuple[bytes, ...]) -> None:
    with pytest.raises(StorageError, match="order"):
        store.write(lambda txn: txn.append_many(Table.ENTRIES, [(key, b"") for key in order]))
    assert rows(store, Table.ENTRIES) == []


@pytest.mark.parametrize("key", [b"a", b"b"])
def test_appended_rows_must_follow_the_table(store: Storage, key: bytes) -> None:
    store.write(lambda txn: txn.append_many(Table.ENTRIES, [(b"b", b"old")]))
    with pytest.raises(StorageError, match="order"):
        store.write(lambda txn: txn.append_many(Table.ENTRIES, [(key, b"new")]))
    assert rows(store, Table.ENTRIES) == [(b"b", b"old")]


def test_appending_takes_any_iterable(store: Storage) -> None:
    store.write(lambda txn: txn.append_many(Table.ENTRIES, zip([b"a", b"b"], [b"1", b"2"])))  # noqa: B905
    store.write(lambda txn: txn.append_many(Table.ENTRIES, iter(())))
    assert rows(store, Table.ENTRIES) == [(b"a", b"1"), (b"b", b"2")]


@pytest.mark.parametrize("key", [b"", b"k" * 512])
def test_keys_of_a_wrong_length_are_refused(store: Storage, key: bytes) -> None:
    with pytest.raises(StorageError, match="key"):
        store.write(lambda txn: txn.put(Table.RECORDS, key, b""))
    with pytest.raises(StorageError, match="key"):
        store.write(lambda txn: txn.put_many(Table.RECORDS, [(b"good", b""), (key, b"")]))
    assert rows(store, Table.RECORDS) == []


def test_the_longest_key_and_a_long_value(store: Storage) -> None:
    store.write(lambda txn: txn.put(Table.CHUNKS, b"k" * 511, b"v" * 3_000_000))
    with store.read() as txn:
        assert txn.get(Table.CHUNKS, b"k" * 511) == b"v" * 3_000_000


def test_a_snapshot_does_not_see_later_writes(store: Storage) -> None:
    put(store, Table.RECORDS, a=b"1")
    opened, written = threading.Event(), threading.Event()
    seen: list[object] = []

    def read() -> None:
        with store.read() as txn:
            opened.set()
            written.wait(60)
            seen.append(list(txn.scan(Table.RECORDS)))

    reader = threading.Thread(target=read)
    reader.start()
    assert opened.wait(60)
    put(store, Table.RECORDS, a=b"2", b=b"3")
    written.set()
    reader.join(60)
    assert seen == [[(b"a", b"1")]]
    assert rows(store, Table.RECORDS) == [(b"a", b"2"), (b"b", b"3")]


def test_snapshots_nest(store: Storage) -> None:
    put(store, Table.RECORDS, a=b"1")
    with store.read() as outer, store.read() as inner:
        assert outer.get(Table.RECORDS, b"a") == inner.get(Table.RECORDS, b"a") == b"1"


def test_a_thread_does_not_write_inside_its_transaction(store: Storage) -> None:
    with store.read(), pytest.raises(StorageError, match="inside"):
        put(store, Table.RECORDS, a=b"1")
    with pytest.raises(StorageError, match="inside"):
        store.write(lambda txn: put(store, Table.RECORDS, a=b"1"))
    put(store, Table.RECORDS, b=b"2")
    assert rows(store, Table.RECORDS) == [(b"b", b"2")]


def test_writes_of_threads_do_not_mix(store: Storage) -> None:
    def count(txn: WriteTransaction) -> None:
        value = int(txn.get(Table.META, b"n") or b"0")
        txn.put(Table.META, b"n", b"%d" % (value + 1))

    def run() -> None:
        for _ in range(10):
            store.write(count)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with store.read() as txn:
        assert txn.get(Table.META, b"n") == b"40"


def test_a_transaction_that_is_over_reads_nothing(store: Storage) -> None:
    put(store, Table.RECORDS, a=b"1")
    with store.read() as txn:
        scan = txn.scan(Table.RECORDS)
    for use in (
        lambda: txn.get(Table.RECORDS, b"a"),
        lambda: txn.last(Table.RECORDS),
        lambda: txn.count(Table.RECORDS),
        lambda: next(scan),
    ):
        with pytest.raises(StorageError):
            use()


def test_a_closed_store_does_nothing(store: Storage) -> None:
    store.close()
    store.close()
    with pytest.raises(StorageError), store.read():
        pass
    with pytest.raises(StorageError):
        store.write(lambda txn: None)


KEYS = st.binary(min_size=1, max_size=3)
CHANGES = st.lists(
    st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=4)), max_size=6), max_size=8
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(batches=CHANGES)
def test_a_store_is_a_sorted_dictionary(
    kind: str,
    batches: list[list[tuple[bytes, bytes | None]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = KINDS[kind](tmp_path_factory.mktemp("model") / "log")
    model: dict[bytes, bytes] = {}

    def work(txn: WriteTransaction) -> None:
        for key, value in batch:
            if value is None:
                txn.delete(Table.RECORDS, key)
            else:
                txn.put(Table.RECORDS, key, value)

    try:
        for batch in batches:
            store.write(work)
            for key, value in batch:
                if value is None:
                    model.pop(key, None)
                else:
                    model[key] = value
            assert rows(store, Table.RECORDS) == sorted(model.items())
    finally:
        store.close()
