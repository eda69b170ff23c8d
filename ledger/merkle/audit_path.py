"""The siblings between a complete subtree and the root (RFC 6962 section 2.1.1).

Both kinds of proof are such a path: an inclusion proof starts at a leaf, a
consistency proof at the last complete subtree of the older tree. Every sibling
is itself a complete subtree, except at most one: the ragged right edge of the
tree, whose hash is made from the complete subtrees it consists of.
"""

from __future__ import annotations

from ledger.merkle.hashing import node_hash
from ledger.merkle.reader import HashReader, NodeAddress, range_addresses


def read_audit_path(
    level: int, index: int, size: int, reader: HashReader, *, with_start: bool = False
) -> tuple[bytes, ...]:
    """Return the sibling hashes from node (level, index) up to the root, lowest first.

    The node is a complete subtree of the tree of ``size`` leaves. ``with_start``
    puts the node's own hash first. One call of the reader.

    Raises:
        NotFoundError, CorruptStoreError: as the reader does.
    """
    addresses: list[NodeAddress] = [(level, index)] if with_start else []
    last = (size - 1) >> level

    # Below the node where the ways from here and from the last leaf meet, every
    # sibling lies left of the last leaf's way and is complete.
    meeting = (index ^ last).bit_length()
    node = index
    for height in range(level, level + meeting - 1):
        addresses.append((height, node ^ 1))
        node >>= 1

    # Just below the meeting point the sibling is everything up to the right edge.
    ragged = len(addresses)
    ragged_stop = ragged
    if meeting:
        height = level + meeting - 1
        addresses += range_addresses((node ^ 1) << height, size)
        ragged_stop = len(addresses)
        node >>= 1

    # Above it the way is the right edge itself; it has siblings on its left only.
    height = level + meeting
    while node:
        if node & 1:
            addresses.append((height, node ^ 1))
        node >>= 1
        height += 1

    hashes = reader.read_hashes(addresses)
    if ragged_stop - ragged > 1:
        # RFC 6962 section 2.1: MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))
        edge = hashes[ragged_stop - 1]
        for position in range(ragged_stop - 2, ragged - 1, -1):
            edge = node_hash(hashes[position], edge)
        hashes[ragged:ragged_stop] = [edge]
    return tuple(hashes)
