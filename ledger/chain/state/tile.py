"""The blocks that the trie is stored in: tiles of six levels, and buckets below them.

The tile at level l with prefix p (6 l bits) has 64 *slots*, one for every way six more
bits can go on. A slot holds the hash of the subtree of all paths that begin so, zero
bytes if there are none, and says what is below: nothing, a *bucket* of 1 to 14 leaves
that are found in the table of leaves, or a tile of its own for 15 or more::

    32 bytes       what is below: slot 2i in the high half of byte i, slot 2i + 1 in the
                   low half; 0 to 14 the number of leaves, 15 a tile
    64 bytes       height 1: the hashes of the two halves of the tile
    128 bytes      height 2: of its four quarters
    ...
    2,048 bytes    height 6: the slots

A half, quarter, ... without leaves is zero bytes; one that has leaves only on one
side has the hash of that side, as in any Patricia trie. A tile stands exactly where
there are 15 leaves or more (the one at level 0 always), so that a state has one set of
tiles, however it came about. 4,064 bytes fit one page of LMDB; hashes that could
be computed from the slots cost no further page, and save a proof the hashing.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct
from typing import Final

from ledger.chain.state.hashing import EMPTY_ROOT, INNER_PREFIX, PATH_BITS, inner_hash

HEIGHT: Final = 6
"""Levels of the trie in a tile."""
WIDTH: Final = 1 << HEIGHT
MASK: Final = WIDTH - 1
MAX_BUCKET: Final = 14
"""The most leaves below a slot that has no tile of its own."""
TILE_BELOW: Final = 15

KINDS_BYTES: Final = WIDTH // 2
TILE_BYTES: Final = KINDS_BYTES + 32 * (2 * WIDTH - 2)
EMPTY_TILE: Final = bytes(TILE_BYTES)
MAX_LEVEL: Final = PATH_BITS // HEIGHT - 1
"""The deepest level at which a tile can stand."""

_HASHES: Final = Struct("32s" * (2 * WIDTH - 2))


def tile_key(level: int, prefix: int) -> bytes:
    """Return a tile's key in the store: u8(level) || prefix, padded with zero bits behind."""
    bits = HEIGHT * level
    size = bits + 7 >> 3
    return bytes([level]) + (prefix << 8 * size - bits).to_bytes(size, "big")


def tile_place(key: bytes) -> tuple[int, int]:
    """Return level and prefix of a tile from its key."""
    level, size = key[0], len(key) - 1
    return level, int.from_bytes(key[1:], "big") >> 8 * size - HEIGHT * level


def first_path(level: int, prefix: int) -> bytes:
    """Return the least path that begins with the prefix of a slot or tile."""
    return (prefix << PATH_BITS - HEIGHT * level).to_bytes(32, "big")


def last_path(level: int, first: bytes) -> bytes:
    """Return the greatest path that begins with the prefix that ``first`` is the least of."""
    whole, more = divmod(HEIGHT * level, 8)
    if not more:
        return first[:whole] + b"\xff" * (32 - whole)
    return first[:whole] + bytes((first[whole] | 0xFF >> more,)) + b"\xff" * (31 - whole)


def node_offset(node: int) -> int:
    """Return where the hash of a node starts in a tile's bytes.

    Nodes are numbered from the top: the tile's own is 1 (and not in its bytes), the two
    sides of n are 2n and 2n + 1, slot s is 64 + s.
    """
    return KINDS_BYTES + 32 * (node - 2)


class Tile:
    """A tile that can be changed; ``hashes[n]`` is that of node n (`node_offset`)."""

    __slots__ = ("hashes", "kinds")

    def __init__(self, data: bytes) -> None:
        self.kinds = bytearray(data[:KINDS_BYTES])
        self.hashes = [b"", b"", *_HASHES.unpack_from(data, KINDS_BYTES)]

    def to_bytes(self) -> bytes:
        """Return the tile's bytes."""
        self.hashes[:2] = self.kinds, b""
        return b"".join(self.hashes)

    def below(self, slot: int) -> int:
        """Return what is below a slot: a number of leaves, or `TILE_BELOW`."""
        return self.kinds[slot >> 1] & 15 if slot & 1 else self.kinds[slot >> 1] >> 4

    def set_below(self, slot: int, kind: int) -> None:
        """Say what is below a slot."""
        pair = self.kinds[slot >> 1]
        self.kinds[slot >> 1] = pair & 0xF0 | kind if slot & 1 else pair & 0x0F | kind << 4

    def leaf_count(self) -> int | None:
        """Return the number of leaves below the tile; None if there are tiles below it."""
        kinds = [kind for pair in self.kinds for kind in (pair >> 4, pair & 15)]
        return None if TILE_BELOW in kinds else sum(kinds)

    def root(self, level: int) -> bytes:
        """Return the hash over all slots, which stands in the slot above."""
        left: bytes = self.hashes[2]
        right: bytes = self.hashes[3]
        if EMPTY_ROOT in (left, right):
            return right if left == EMPTY_ROOT else left
        return inner_hash(HEIGHT * level, left, right)

    def rehash(self, level: int, slots: Iterable[int]) -> bytes:
        """Compute the hashes above the given slots, which ascend; return the tile's root."""
        hashes, empty = self.hashes, EMPTY_ROOT
        touched = [WIDTH + slot for slot in slots]
        for prefix in INNER_PREFIX[HEIGHT * (level + 1) - 1 : HEIGHT * level : -1]:
            last, above = 0, []
            for child in touched:
                node = child >> 1
                if node != last:
                    last = node
                    above.append(node)
                    left, right = hashes[2 * node], hashes[2 * node + 1]
                    if left == empty:
                        hashes[node] = right
                    elif right == empty:
                        hashes[node] = left
                    else:
                        # inner = SHA256(0x03 || bit || left || right)
                        hashes[node] = sha256(prefix + left + right).digest()
            touched = above
        return self.root(level)
