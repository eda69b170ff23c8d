"""RFC 6962 section 2.1 written down as it stands: recursive, slow, and beyond doubt.

Shares no code with the library; ``leaves`` are leaf hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ledger.merkle.compact_range import CompactRange
from ledger.merkle.tiles import extend_blocks


def leaf(index: int) -> bytes:
    return hashlib.sha256(b"\x00" + index.to_bytes(4, "big")).digest()


def leaves(size: int) -> list[bytes]:
    return [leaf(index) for index in range(size)]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


class NaiveTree:
    """MTH, PATH and PROOF of RFC 6962 over ranges of one list, remembered."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self.leaves = list(leaf_hashes)
        self._remembered: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, stop: int) -> bytes:
        if start == stop:
            return hashlib.sha256(b"").digest()
        if stop - start == 1:
            return self.leaves[start]
        if (start, stop) not in self._remembered:
            middle = start + split(stop - start)
            joined = self.mth(start, middle) + self.mth(middle, stop)
            self._remembered[start, stop] = hashlib.sha256(b"\x01" + joined).digest()
        return self._remembered[start, stop]

    def path(self, m: int, start: int, stop: int) -> list[bytes]:
        """PATH(m, D[start:stop]), m counted from start."""
        if stop - start == 1:
            return []
        k = split(stop - start)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, stop)]
        return [*self.path(m - k, start + k, stop), self.mth(start, start + k)]

    def proof(self, m: int, stop: int) -> list[bytes]:
        return self._subproof(m, 0, stop, True)

    def _subproof(self, m: int, start: int, stop: int, known: bool) -> list[bytes]:
        if m == stop - start:
            return [] if known else [self.mth(start, stop)]
        k = split(stop - start)
        if m <= k:
            return [*self._subproof(m, start, start + k, known), self.mth(start + k, stop)]
        return [*self._subproof(m - k, start + k, stop, False), self.mth(start, start + k)]

    def subtree_proof(
        self, first: int, last: int, start: int, stop: int, known: bool = True
    ) -> list[bytes]:
        """SUBTREE_SUBPROOF of draft-ietf-plants-merkle-tree-certs, absolute positions."""
        if (first, last) == (start, stop):
            return [] if known else [self.mth(start, stop)]
        middle = start + split(stop - start)
        if last <= middle:
            rest = self.subtree_proof(first, last, start, middle, known)
            return [*rest, self.mth(middle, stop)]
        if middle <= first:
            rest = self.subtree_proof(first, last, middle, stop, known)
            return [*rest, self.mth(start, middle)]
        rest = self.subtree_proof(middle, last, middle, stop, False)
        return [*rest, self.mth(start, middle)]

    def read_hashes(self, addresses: Sequence[tuple[int, int]]) -> list[bytes]:
        """A HashReader over the list itself, without any block."""
        for level, index in addresses:
            if (index + 1) << level > len(self.leaves):
                raise IndexError(f"no subtree {index} at level {level}")
        return [self.mth(index << level, (index + 1) << level) for level, index in addresses]

    def block(self, level: int, index: int, size: int) -> bytes:
        """The block of a tile, hash by hash from the leaves."""
        unit = 256**level
        width = min(256, size // unit - index * 256)
        return b"".join(
            self.mth(
                (index * 256 + place * 2**height) * unit,
                (index * 256 + (place + 1) * 2**height) * unit,
            )
            for height in range(8)
            for place in range(width >> height)
        )


class StoredTree:
    """A tree grown through the library, with its blocks in a dictionary."""

    def __init__(self) -> None:
        self.right_edge = CompactRange()
        self.blocks: dict[tuple[int, int], bytes] = {}

    def get_block(self, level: int, index: int) -> bytes | None:
        return self.blocks.get((level, index))

    def append(self, leaf_hashes: Sequence[bytes]) -> set[tuple[int, int]]:
        """Append leaves; return which blocks were written."""
        growth = self.right_edge.grow(leaf_hashes)
        written = extend_blocks(growth, self.get_block)
        self.blocks.update({(block.level, block.index): block.data for block in written})
        self.right_edge = growth.after
        places = {(block.level, block.index) for block in written}
        assert len(places) == len(written)
        return places
