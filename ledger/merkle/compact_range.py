"""The right edge of a tree: enough to append to it and to know its root.

A compact range over leaves [0, size) is the list of hashes of the complete
subtrees the tree consists of, one for every bit set in ``size``, largest first.
For 13 = 0b1101 leaves::

    leaves   [0, 8)   [8, 12)   [12, 13)
    hashes     h0        h1         h2          root = H(h0, H(h1, h2))

The root that gets signed comes from here: from hashes of real entries, without
reading back any inner hash from a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import MalformedError
from ledger.merkle.claim import require_count
from ledger.merkle.hashing import EMPTY_ROOT, HASH_SIZE, MAX_SIZE, node_hash, parent_hashes
from ledger.merkle.reader import HashReader, range_addresses


@dataclass(frozen=True, slots=True)
class CompactRange:
    """The complete subtrees of a tree of ``size`` leaves, largest (leftmost) first.

    Raises:
        MalformedError: ``hashes`` are not one 32-byte hash for each bit set in ``size``.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        require_count(self.size, "tree size")
        if len(self.hashes) != self.size.bit_count():
            raise MalformedError(f"a tree of {self.size} leaves has not {len(self.hashes)} parts")
        if not set(map(len, self.hashes)) <= {HASH_SIZE}:
            raise MalformedError(f"a hash of a compact range is not {HASH_SIZE} bytes")

    @classmethod
    def from_reader(cls, size: int, reader: HashReader) -> CompactRange:
        """Read the right edge of the tree of the first ``size`` leaves.

        What is read is as good as the store; compare `root` with a signed one.

        Raises:
            MalformedError: size is not an integer in 0 .. 2**63 - 1.
            NotFoundError, CorruptStoreError: as the reader does.
        """
        require_count(size, "tree size")
        return cls(size, tuple(reader.read_hashes(range_addresses(0, size))))

    def root(self) -> bytes:
        """Return the root hash of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        # RFC 6962 section 2.1: MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])),
        # k the largest power of two smaller than n: the first part of what is left.
        root = self.hashes[-1]
        for part in self.hashes[-2::-1]:
            root = node_hash(part, root)
        return root

    def grow(self, leaf_hashes: Sequence[bytes]) -> Growth:
        """Append leaves, and keep every subtree they complete.

        Raises:
            MalformedError: a leaf hash is not 32 bytes, or the tree outgrows 2**63 - 1.
        """
        if not set(map(len, leaf_hashes)) <= {HASH_SIZE}:
            raise MalformedError(f"a leaf hash is not {HASH_SIZE} bytes")
        old_size = self.size
        size = old_size + len(leaf_hashes)
        if size > MAX_SIZE:
            raise MalformedError("the tree outgrows 2^63 - 1 leaves")

        parts = list(self.hashes)  # smallest last: popped level by level
        if len(leaf_hashes) == 1:
            # One leaf, the commonest case, is a carry: it joins equals as long as there are any.
            node = leaf_hashes[0]
            nodes = [[node]]
            while old_size >> len(nodes) - 1 & 1:
                node = node_hash(parts.pop(), node)
                nodes.append([node])
            return Growth(old_size, CompactRange(size, (*parts, node)), tuple(nodes))
        edge: list[bytes] = []  # the parts of the grown tree, smallest first
        rows: list[list[bytes]] = []
        row = list(leaf_hashes)
        level = 0
        while row:
            rows.append(row)
            # A part of the old tree at this level is the missing left sibling of the row.
            siblings = [parts.pop(), *row] if old_size >> level & 1 else row
            # An odd row leaves its last hash over: a part of the grown tree.
            if len(siblings) & 1:
                edge.append(siblings[-1])
            row = parent_hashes(siblings) if len(siblings) > 1 else []
            level += 1
        return Growth(old_size, CompactRange(size, (*parts, *reversed(edge))), tuple(rows))

    def extend(self, leaf_hashes: Sequence[bytes]) -> CompactRange:
        """Return the range after appending leaves.

        Raises:
            MalformedError: as `grow` does.
        """
        return self.grow(leaf_hashes).after


@dataclass(frozen=True, slots=True)
class Growth:
    """What appending leaves to a tree of ``old_size`` made.

    ``rows[level]`` are the hashes of the subtrees of ``2**level`` leaves completed by
    the new leaves, in order; the first is at index ``old_size >> level``.
    """

    old_size: int
    after: CompactRange
    rows: tuple[list[bytes], ...]
