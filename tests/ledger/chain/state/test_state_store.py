"""Heights in a store: what is refused, what is kept, what pruning leaves, what it costs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ledger.chain.state.check import check_height, check_state
from ledger.chain.state.store import commit, finalize, heights, open_state
from ledger.chain.state.tile import MAX_BUCKET, tile_key
from ledger.chain.state.trie import update_trie
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError, RefusedError
from ledger.storage import ReadTransaction, Storage, Table
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.state.chain_store import (
    add_height,
    applied,
    content,
    forget_before,
    new_store,
)
from tests.ledger.chain.state.crowded_keys import crowd
from tests.ledger.chain.state.naive_state import root_of

STATE_TABLES = (Table.STATE_LEAVES, Table.STATE_TILES, Table.STATE_HISTORY)


@pytest.fixture(params=["memory", "lmdb"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    store: Storage = MemoryStorage() if request.param == "memory" else new_store(tmp_path)
    yield store
    store.close()


def rows(storage: Storage) -> dict[Table, list[tuple[bytes, bytes]]]:
    with storage.read() as transaction:
        return {table: list(transaction.scan(table)) for table in STATE_TABLES}


# Heights


def test_a_new_store_has_no_state(storage: Storage) -> None:
    with storage.read() as transaction:
        assert heights(transaction) is None
        with pytest.raises(NotFoundError, match="no state yet"):
            open_state(transaction)
        check_state(transaction)


def test_heights_follow_one_another(storage: Storage) -> None:
    add_height(storage, 5, {b"a": b"1"})
    with storage.read() as transaction:
        for height in (-1, 4, 5, 7, 2**63):
            with pytest.raises(RefusedError, match="not the next one, after 5"):
                finalize(transaction, height, {})
    assert add_height(storage, 6, {}).root == root_of({b"a": b"1"})


@pytest.mark.parametrize("height", [-1, 2**63])
def test_a_first_height_is_a_number_that_fits(storage: Storage, height: int) -> None:
    with storage.read() as transaction, pytest.raises(RefusedError, match="a first height"):
        finalize(transaction, height, {})


def test_finalizing_writes_nothing_and_says_the_same_again(storage: Storage) -> None:
    add_height(storage, 0, {b"a": b"1"})
    before = rows(storage)
    with storage.read() as transaction:
        one, two = (finalize(transaction, 1, {b"a": b"2", b"b": b"3"}) for _ in range(2))
    assert one == two
    assert one.root == root_of({b"a": b"2", b"b": b"3"})
    assert rows(storage) == before


def test_an_update_of_another_state_is_refused(storage: Storage) -> None:
    add_height(storage, 0, {b"a": b"1"})
    with storage.read() as transaction:
        late = finalize(transaction, 1, {b"a": b"2"})
    add_height(storage, 1, {b"a": b"3"})
    before = rows(storage)
    with pytest.raises(RefusedError, match="has changed"):
        storage.write(lambda transaction: commit(transaction, late))
    assert rows(storage) == before


def test_a_commit_is_part_of_its_transaction(storage: Storage) -> None:
    add_height(storage, 0, {b"a": b"1"})
    before = rows(storage)
    with storage.read() as transaction:
        update = finalize(transaction, 1, {b"a": b"2"})

    def fail(transaction: object) -> None:
        commit(transaction, update)  # type: ignore[arg-type]
        raise RuntimeError("the block failed")

    with pytest.raises(RuntimeError):
        storage.write(fail)
    assert rows(storage) == before


@pytest.mark.parametrize("key", [b"", b"k" * 1025])
def test_keys_that_are_none(storage: Storage, key: bytes) -> None:
    with storage.read() as transaction, pytest.raises(MalformedError, match="keys are"):
        finalize(transaction, 0, {key: b"1"})


def test_the_first_height_may_be_empty_and_stay_readable(storage: Storage) -> None:
    add_height(storage, 0, {})
    add_height(storage, 1, {b"a": b"1", b"b": b"2"})
    add_height(storage, 2, {b"a": None, b"b": None})
    assert [content(storage, h) for h in range(3)] == [{}, {b"a": b"1", b"b": b"2"}, {}]
    with storage.read() as transaction:
        assert [open_state(transaction, h).root for h in (0, 2)] == [bytes(32)] * 2
        for height in range(3):
            state = open_state(transaction, height)
            assert (state.prove(b"c").leaf is None) == (height != 1)


# One set of tiles


def test_tiles_come_and_go_with_the_number_of_leaves(storage: Storage) -> None:
    keys = crowd(12, 40)
    for height, count in enumerate([MAX_BUCKET, MAX_BUCKET + 1, 40, MAX_BUCKET + 1, MAX_BUCKET, 0]):
        add_height(storage, height, {k: b"1" if k in keys[:count] else None for k in keys})
        with storage.read() as transaction:
            # All share 12 bits: a tile of level 1 that leads to one of level 2, or none.
            wanted = 1 if count <= MAX_BUCKET else 3
            assert transaction.count(Table.STATE_TILES) == wanted
            check_state(transaction)
    assert [len(content(storage, h)) for h in range(6)] == [14, 15, 40, 15, 14, 0]


def test_the_way_to_a_state_leaves_no_trace(storage: Storage, tmp_path: Path) -> None:
    chance = Random(5)
    keys = [*crowd(12, 30), *(b"%d" % number for number in range(900))]
    state: dict[bytes, bytes] = {}
    for height in range(12):
        changes = {
            key: None if chance.random() < 0.4 else b"%d" % chance.randrange(9)
            for key in chance.sample(keys, chance.choice([3, 300, 900]))
        }
        add_height(storage, height, changes)
        state = applied(state, changes)
    forget_before(storage, 11)
    other = MemoryStorage()
    shuffled = list(state.items())
    chance.shuffle(shuffled)
    assert len(shuffled) > 200
    add_height(other, 0, dict(shuffled))
    assert rows(storage) == rows(other)
    with other.read() as transaction:
        assert open_state(transaction).root == root_of(state)


class Paths:
    """A state held in a list of paths, for paths that no key has."""

    def __init__(self) -> None:
        self.tiles: dict[bytes, bytes] = {}
        self.leaves: dict[bytes, bytes] = {}

    def read_tile(self, level: int, prefix: int) -> bytes | None:
        return self.tiles.get(tile_key(level, prefix))

    def read_bucket(self, level: int, prefix: int, count: int) -> list[tuple[bytes, bytes]]:
        shift = 256 - 6 * level
        found = [
            leaf
            for leaf in sorted(self.leaves.items())
            if int.from_bytes(leaf[0], "big") >> shift == prefix
        ]
        assert len(found) == count
        return found

    def apply(self, changes: dict[bytes, bytes | None]) -> bytes:
        update = update_trie(self, sorted(changes.items()))
        for change in update.tiles:
            assert self.tiles.pop(change.key, bytes(4064)) == (change.old or bytes(4064))
            if change.new is not None:
                self.tiles[change.key] = change.new
        for path, old, new in update.leaves:
            assert self.leaves.pop(path, None) == old
            if new is not None:
                self.leaves[path] = new
        return update.root


def test_tiles_reach_as_deep_as_paths_go() -> None:
    """15 paths that part at bit 248 need 42 levels of tiles; they leave none behind."""
    deep = [bytes(31) + bytes([number]) for number in range(0, 256, 16)]
    state = Paths()
    state.apply(dict.fromkeys(deep, b"r" * 32))
    assert len(state.tiles) == 42
    assert state.apply(dict.fromkeys(deep[2:])) != bytes(32)
    assert [key[0] for key in state.tiles] == [0]
    assert state.apply(dict.fromkeys(deep)) == bytes(32)


def test_paths_that_nobody_can_find_are_refused() -> None:
    state = Paths()
    with pytest.raises(RefusedError, match="share 252 bits"):
        state.apply({bytes(31) + bytes([number]): b"r" * 32 for number in range(15)})


# Keeping and pruning


def test_kept_heights_stay_provable_and_the_rest_is_gone(storage: Storage) -> None:
    chance = Random(11)
    keys = [*crowd(12, 30), *(b"%d" % number for number in range(120))]
    past: list[dict[bytes, bytes]] = []
    state: dict[bytes, bytes] = {}
    for height in range(30):
        changes = {
            key: None if chance.random() < 0.5 else bytes([height])
            for key in chance.sample(keys, chance.randrange(len(keys)))
        }
        add_height(storage, height, changes)
        state = applied(state, changes)
        past.append(state)
    for oldest in (0, 1, 7, 8, 20, 29):
        forget_before(storage, oldest)
        assert forget_before(storage, oldest) == 0
        with storage.read() as transaction:
            check_state(transaction)
            for height in range(oldest):
                with pytest.raises(NotFoundError, match=f"heights {oldest} to 29"):
                    open_state(transaction, height)
            for height in range(oldest, 30):
                check_height(transaction, height)
                assert dict(open_state(transaction, height).items()) == past[height]
            left = {int.from_bytes(key[:8], "big") for key, _ in rows(storage)[Table.STATE_HISTORY]}
            assert left == set(range(oldest + 1, 30))
    assert rows(storage)[Table.STATE_HISTORY] == []


def test_a_height_that_is_not_there_is_not_pruned(storage: Storage) -> None:
    with pytest.raises(NotFoundError):
        forget_before(storage, 0)
    add_height(storage, 3, {b"a": b"1"})
    with pytest.raises(NotFoundError, match="no height 4 yet"):
        forget_before(storage, 4)
    assert forget_before(storage, 0) == 0
    with storage.read() as transaction:
        assert open_state(transaction, 3).get(b"a") == b"1"


def test_a_snapshot_outlives_heights_after_it(tmp_path: Path) -> None:
    storage = new_store(tmp_path)
    add_height(storage, 0, {b"a": b"1"})
    add_height(storage, 1, {b"a": b"2"})

    def move_on() -> None:
        add_height(storage, 2, {b"a": b"3"})
        forget_before(storage, 2)

    with storage.read() as transaction:
        state = open_state(transaction, 0)
        thread = threading.Thread(target=move_on)
        thread.start()
        thread.join()
        assert state.get(b"a") == b"1"
    assert content(storage) == {b"a": b"3"}
    storage.close()


# Damage


def damaged(storage: Storage, table: Table, key: bytes, value: bytes | None) -> None:
    storage.write(
        lambda transaction: (
            transaction.delete(table, key) and None
            if value is None
            else transaction.put(table, key, value)
        )
    )


def whole(storage: Storage) -> None:
    with storage.read() as transaction:
        check_state(transaction)
        for height in range(4):
            check_height(transaction, height)


@pytest.mark.parametrize("table", STATE_TABLES)
def test_every_flipped_or_missing_row_is_found(table: Table) -> None:
    keys = crowd(12, 18)
    storage = MemoryStorage()
    add_height(storage, 0, dict.fromkeys(keys, b"1"))
    add_height(storage, 1, {keys[0]: b"2", keys[1]: None})
    add_height(storage, 2, dict.fromkeys(keys[4:]))
    add_height(storage, 3, {keys[2]: b"3", b"more": b"4"})
    whole(storage)
    for key, value in rows(storage)[table]:
        places = range(0, len(value), max(1, len(value) // 25))
        changed = [value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :] for at in places]
        for bad in [*changed, value[:-1], None]:
            if bad == b"":
                continue
            damaged(storage, table, key, bad)
            with pytest.raises((CorruptStoreError, NotFoundError)):
                whole(storage)
            damaged(storage, table, key, value)
    whole(storage)


def test_reads_of_a_damaged_state_say_so() -> None:
    keys = crowd(12, 18)
    storage = MemoryStorage()
    add_height(storage, 0, dict.fromkeys(keys, b"1"))
    tiles = rows(storage)[Table.STATE_TILES]
    assert len(tiles) == 3

    def prove(transaction: ReadTransaction) -> None:
        for key in itertools.islice(keys, 5):
            open_state(transaction).prove(key)

    for key, value in tiles[1:]:
        for bad in (None, bytes(len(value)), value[:-1]):
            damaged(storage, Table.STATE_TILES, key, bad)
            with storage.read() as transaction, pytest.raises(CorruptStoreError):
                prove(transaction)
            if bad != bytes(len(value)):
                with storage.read() as transaction, pytest.raises(CorruptStoreError):
                    finalize(transaction, 1, dict.fromkeys(keys, b"2"))
            damaged(storage, Table.STATE_TILES, key, value)
    for key, value in rows(storage)[Table.STATE_LEAVES][:3]:
        damaged(storage, Table.STATE_LEAVES, key, None)
        with storage.read() as transaction, pytest.raises(CorruptStoreError):
            finalize(transaction, 1, dict.fromkeys(keys, b"2"))
        damaged(storage, Table.STATE_LEAVES, key, value[:33])
        with storage.read() as transaction, pytest.raises(CorruptStoreError, match="damaged"):
            for some in keys:
                open_state(transaction).get(some)
        damaged(storage, Table.STATE_LEAVES, key, value)
    damaged(storage, Table.META, b"state", b"short")
    with storage.read() as transaction, pytest.raises(CorruptStoreError, match="heights"):
        heights(transaction)
