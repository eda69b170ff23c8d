"""The state in a store, height by height.

`finalize` computes what a block does to the state and writes nothing; `commit` writes
that inside the caller's transaction, so that a block is one transaction with all else
it brings. `prune` forgets old heights; `open_state` reads the newest or any kept one.

META's ``state`` is ``u64be(newest height) || u64be(oldest kept height) || root``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.state.hashing import HASH_SIZE, path_of
from ledger.chain.state.history import (
    NewestNodes,
    PastNodes,
    height_key,
    history_rows,
    read_root,
)
from ledger.chain.state.leaf import decode_leaf, encode_leaf
from ledger.chain.state.proof import StateProof
from ledger.chain.state.prover import prove_key
from ledger.chain.state.trie import TrieUpdate, update_trie
from ledger.errors import CorruptStoreError, NotFoundError, RefusedError
from ledger.storage import ReadTransaction, Table, WriteTransaction

_STATE_KEY: Final = b"state"
_PRUNE_ROWS: Final = 1_000
MAX_HEIGHT: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Heights:
    """Which heights a store has, and the root of the newest."""

    newest: int
    oldest: int
    root: bytes


@dataclass(frozen=True, slots=True)
class StateUpdate:
    """What a block does to the state: made by `finalize`, written by `commit`."""

    height: int
    root: bytes
    base: Heights | None
    """What the store had when this was computed."""
    trie: TrieUpdate = field(repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """The state at one height, as long as its transaction lasts."""

    height: int
    root: bytes
    nodes: NewestNodes | PastNodes = field(repr=False)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        row = self.nodes.read_leaf(path_of(key))
        if row is None:
            return None
        found, value = decode_leaf(row)
        if found != key:
            raise CorruptStoreError("a leaf of the state is of another key than its path")
        return value

    def prove(self, key: bytes) -> StateProof:
        """Prove that a key is there with its value, or that it is not."""
        return prove_key(self.nodes, key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key with its value, in the order of their paths."""
        return (decode_leaf(row) for _, row in self.nodes.leaves())


def heights(transaction: ReadTransaction) -> Heights | None:
    """The heights that the store has; None before the first commit."""
    row = transaction.get(Table.META, _STATE_KEY)
    if row is None:
        return None
    if len(row) != 16 + HASH_SIZE:
        raise CorruptStoreError("the row of the state's heights is damaged")
    return Heights(int.from_bytes(row[:8], "big"), int.from_bytes(row[8:16], "big"), row[16:])


def open_state(transaction: ReadTransaction, height: int | None = None) -> State:
    """The state at ``height``; without one, the newest.

    Raises NotFoundError for a height that is not there yet or no longer.
    """
    kept = heights(transaction)
    if kept is None:
        raise NotFoundError("the store has no state yet")
    if height is None or height == kept.newest:
        return State(kept.newest, kept.root, NewestNodes(transaction))
    if not kept.oldest <= height < kept.newest:
        raise NotFoundError(
            f"the state at height {height} is not kept",
            hint=f"there are heights {kept.oldest} to {kept.newest}",
        )
    root = read_root(transaction, height)
    return State(height, root, PastNodes(transaction, height, kept.newest))


def finalize(
    transaction: ReadTransaction, height: int, changes: Mapping[bytes, bytes | None]
) -> StateUpdate:
    """Compute the state at ``height`` from the newest one, the height before.

    ``changes`` gives the new value of every key written, None for one deleted. The
    first height of a store may be any. Nothing is written.

    Raises:
        MalformedError: a key or a value is too long, or a key empty.
        RefusedError: ``height`` is not the next one.
        CorruptStoreError: the stored state contradicts itself.
    """
    base = heights(transaction)
    if not 0 <= height <= MAX_HEIGHT or (base and height != base.newest + 1):
        after = f"after {base.newest}" if base else "a first height"
        raise RefusedError(f"height {height} is not the next one, {after}")
    ordered = sorted(
        (path_of(key), None if value is None else encode_leaf(key, value))
        for key, value in changes.items()
    )
    update = update_trie(NewestNodes(transaction), ordered)
    return StateUpdate(height, update.root, base, update)


def commit(transaction: WriteTransaction, update: StateUpdate) -> None:
    """Write an update. Raises RefusedError if the store moved since it was computed."""
    base, trie = update.base, update.trie
    if heights(transaction) != base:
        raise RefusedError("the state has changed since this update was computed")
    if base is not None:
        rows = history_rows(update.height, (base.newest, base.root), trie)
        transaction.append_many(Table.STATE_HISTORY, rows)
    write_nodes(transaction, trie)
    _put_heights(
        transaction, Heights(update.height, base.oldest if base else update.height, update.root)
    )


def write_nodes(transaction: WriteTransaction, trie: TrieUpdate) -> None:
    """Write the leaves and tiles of an update, and nothing about heights."""
    transaction.put_many(
        Table.STATE_LEAVES, [(path, new) for path, _, new in trie.leaves if new is not None]
    )
    for path, _, new in trie.leaves:
        if new is None:
            transaction.delete(Table.STATE_LEAVES, path)
    changed = sorted((tile.key, tile.new) for tile in trie.tiles)
    transaction.put_many(Table.STATE_TILES, [(key, new) for key, new in changed if new is not None])
    for key, tile in changed:
        if tile is None:
            transaction.delete(Table.STATE_TILES, key)


def put_first_height(transaction: WriteTransaction, height: int, root: bytes) -> None:
    """Say that the nodes that are there are the state of ``height``, the first one."""
    _put_heights(transaction, Heights(height, height, root))


def prune(transaction: WriteTransaction, oldest: int) -> int:
    """Forget the heights before ``oldest``; the number of rows that were deleted.

    Raises NotFoundError for a height that is not there yet.
    """
    kept = heights(transaction)
    if kept is None or oldest > kept.newest:
        raise NotFoundError(f"the state has no height {oldest} yet")
    if oldest <= kept.oldest:
        return 0
    deleted, stop = 0, height_key(oldest + 1)
    while True:
        rows = transaction.take(Table.STATE_HISTORY, b"\x00", _PRUNE_ROWS)
        keys = [key for key, _ in rows if key < stop]
        for key in keys:
            transaction.delete(Table.STATE_HISTORY, key)
        deleted += len(keys)
        if len(keys) < _PRUNE_ROWS:
            break
    _put_heights(transaction, Heights(kept.newest, oldest, kept.root))
    return deleted


def _put_heights(transaction: WriteTransaction, kept: Heights) -> None:
    row = height_key(kept.newest) + height_key(kept.oldest) + kept.root
    transaction.put(Table.META, _STATE_KEY, row)
