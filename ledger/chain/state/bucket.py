"""The subtree over a few leaves, computed whenever it is needed.

A bucket is a list of ``(path, row)`` with ascending paths (`leaf`). Between two
neighbours stands the one inner node where their paths part; the smaller its bit, the
higher it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeAlias

from ledger.chain.state.hashing import EMPTY_ROOT, INNER_PREFIX, PATH_BITS, bit_of

Leaf: TypeAlias = tuple[bytes, bytes]
"""``(path, row)``."""


def bucket_root(leaves: Sequence[Leaf]) -> bytes:
    """Return the root of the trie of these leaves alone."""
    if not leaves:
        return EMPTY_ROOT
    path, row = leaves[0]
    node = row[:32]
    if len(leaves) == 1:
        return node
    before = int.from_bytes(path, "big")
    # Nodes still open to the right, from the top down: their bits, their left sides.
    last, bits = -1, [-1]
    lefts: list[bytes] = []
    for path, row in leaves[1:]:
        here = int.from_bytes(path, "big")
        bit = PATH_BITS - (before ^ here).bit_length()
        while last > bit:
            # inner = SHA256(0x03 || bit || left || right)
            node = sha256(INNER_PREFIX[last] + lefts.pop() + node).digest()
            bits.pop()
            last = bits[-1]
        bits.append(bit)
        lefts.append(node)
        last, node, before = bit, row[:32], here
    while lefts:
        node = sha256(INNER_PREFIX[bits.pop()] + lefts.pop() + node).digest()
    return node


def walk_bucket(leaves: Sequence[Leaf], path: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Go down from the root of a bucket, at every node to the side of ``path``.

    Returns (bit, sibling) at every node passed, and the row of the leaf at the end.
    """
    steps = []
    while len(leaves) > 1:
        first, last = (int.from_bytes(leaf[0], "big") for leaf in (leaves[0], leaves[-1]))
        bit = PATH_BITS - (first ^ last).bit_length()
        right = next(i for i, leaf in enumerate(leaves) if bit_of(leaf[0], bit))
        sides = leaves[:right], leaves[right:]
        side = bit_of(path, bit)
        steps.append((bit, bucket_root(sides[1 - side])))
        leaves = sides[side]
    return steps, leaves[0][1]
