"""Where proofs get their hashes from.

A tree is read only through its complete subtrees. A *node address* ``(level,
index)`` names the subtree of ``2**level`` leaves that starts at leaf ``index *
2**level``; its hash never changes once those leaves are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

NodeAddress: TypeAlias = tuple[int, int]
"""``(level, index)``: the complete subtree over leaves [index * 2**level, (index+1) * 2**level)."""


class HashReader(Protocol):
    """Reads hashes of complete subtrees."""

    def read_hashes(self, addresses: Sequence[NodeAddress]) -> list[bytes]:
        """Return the hash at each address, in the order asked.

        Raises:
            NotFoundError: an address reaches beyond the tree.
            CorruptStoreError: a hash that must be there is missing or damaged.
        """
        ...


def range_addresses(start: int, stop: int) -> list[NodeAddress]:
    """Return the complete subtrees that make up leaves [start, stop), left to right.

    ``start`` is a multiple of the largest power of two not above ``stop - start``,
    as it is for every subtree on the right edge of a tree (RFC 6962 section 2.1:
    "k is the largest power of two smaller than n").
    """
    addresses = []
    rest = stop - start
    while rest:
        level = rest.bit_length() - 1
        addresses.append((level, start >> level))
        start += 1 << level
        rest ^= 1 << level
    return addresses
