"""The way from the root of the trie down to a key, as a proof."""

from __future__ import annotations

from ledger.chain.state.bucket import walk_bucket
from ledger.chain.state.hashing import EMPTY_ROOT, path_of
from ledger.chain.state.leaf import decode_leaf
from ledger.chain.state.node_reader import NodeReader
from ledger.chain.state.proof import StateProof
from ledger.chain.state.tile import HEIGHT, MASK, TILE_BELOW, node_offset
from ledger.errors import CorruptStoreError


def prove_key(reader: NodeReader, key: bytes) -> StateProof:
    """Prove that a key is in the state that ``reader`` reads, with its value, or is not.

    Raises CorruptStoreError as the reader does.
    """
    path = path_of(key)
    bits = int.from_bytes(path, "big")
    steps: list[tuple[int, bytes]] = []
    level = prefix = 0
    while True:
        tile = reader.read_tile(level, prefix)
        if tile is None:
            if level:
                raise CorruptStoreError(f"tile {prefix:#x} of level {level} is missing")
            return StateProof((), None)
        node = 1
        for bit in range(HEIGHT * level, HEIGHT * level + HEIGHT):
            at = node_offset(2 * node)
            left, right = tile[at : at + 32], tile[at + 32 : at + 64]
            if left == EMPTY_ROOT:
                if right == EMPTY_ROOT:
                    return _of_nothing(level, prefix)
                side = 1
            elif right == EMPTY_ROOT:
                side = 0
            else:
                side = bits >> 255 - bit & 1
                steps.append((bit, left if side else right))
            node = 2 * node + side
        slot = node & MASK
        prefix, level = prefix << HEIGHT | slot, level + 1
        kind = tile[slot >> 1] & 15 if slot & 1 else tile[slot >> 1] >> 4
        if kind != TILE_BELOW:
            break
    if not kind:
        raise CorruptStoreError(f"a slot of level {level} has a hash and no leaves")
    more, row = walk_bucket(reader.read_bucket(level, prefix, kind), path)
    return StateProof((*steps, *more), decode_leaf(row))


def _of_nothing(level: int, prefix: int) -> StateProof:
    if level:
        raise CorruptStoreError(f"tile {prefix:#x} of level {level} is empty")
    return StateProof((), None)
