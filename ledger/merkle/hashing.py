"""SHA-256 hashes of the Merkle tree of RFC 6962 (unchanged in RFC 9162).

::

    leaf hash   SHA-256(0x00 || entry)
    node hash   SHA-256(0x01 || left || right)
    empty tree  SHA-256()

The prefixes keep an inner node from ever being taken for an entry. They and the
hash function are fixed here; no proof chooses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH_SIZE: Final = 32
"""Bytes in a hash."""

MAX_SIZE: Final = 2**63 - 1
"""Leaves a tree can have: the largest size a tlog-checkpoint reader (int64) accepts."""

# RFC 6962 section 2.1: "The hash of an empty list is the hash of an empty string:
# MTH({}) = SHA-256()."
EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry (RFC 6962 section 2.1)."""
    # RFC 6962 section 2.1: MTH({d(0)}) = SHA-256(0x00 || d(0))
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the hash of every entry, in order; faster than `leaf_hash` one by one."""
    # RFC 6962 section 2.1: MTH({d(0)}) = SHA-256(0x00 || d(0))
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node over two subtrees (RFC 6962 section 2.1)."""
    # RFC 6962 section 2.1: MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))
    return sha256(b"\x01" + left + right).digest()


def parent_hashes(row: Iterable[bytes]) -> list[bytes]:
    """Return the node hashes over consecutive pairs of a row.

    The last hash of an odd row has no sibling yet and is left out.
    """
    pair = iter(row)
    # RFC 6962 section 2.1: SHA-256(0x01 || left || right)
    return [
        sha256(b"\x01" + left + right).digest() for left, right in zip(pair, pair, strict=False)
    ]


def tree_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; the empty sequence gives `EMPTY_ROOT`."""
    if not leaf_hashes:
        return EMPTY_ROOT
    # RFC 6962 section 2.1 splits at the largest power of two below n. Row by row from
    # the leaves, that is: pair the row, and carry an odd last hash up as it is.
    row = leaf_hashes
    while len(row) > 1:
        above = parent_hashes(row)
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]
