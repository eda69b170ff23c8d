"""Which side is wrong when a stored block differs from the one rebuilt from below.

A block holds a tile's hashes and the inner hashes over them, so it can vouch for
its own hashes: a stored hash that leads, with its stored siblings, to the stored
hashes above it has not been touched, and then what is below it has.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.merkle.hashing import HASH_SIZE, node_hash
from ledger.merkle.tiles import TILE_HEIGHT, block_offset, encode_block


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``changed_below``: hashes of the tile that the stored block vouches for, against what
    was rebuilt. ``unvouched``: hashes that differ and that the block cannot vouch for.
    ``tile`` is the tile with the vouched hashes taken from the store, ``block`` its block,
    and ``span`` the bytes [start, end) in which the stored block differs from it.
    """

    changed_below: tuple[int, ...]
    unvouched: tuple[int, ...]
    tile: tuple[bytes, ...]
    block: bytes
    span: tuple[int, int] | None


def diagnose(rebuilt: tuple[bytes, ...], stored: bytes, believed: frozenset[int]) -> Diagnosis:
    """Compare a rebuilt tile with a stored block of the same width.

    ``believed`` are positions at which the store is taken for right without its
    vouching: the caller knows that what is below is damaged.
    """
    width = len(rebuilt)
    tile = list(rebuilt)
    changed, unvouched = [], []
    for position in range(width):
        held = _hash(stored, 0, position, width)
        if held == rebuilt[position]:
            continue
        if position in believed or _vouches(stored, position, rebuilt):
            changed.append(position)
            tile[position] = held
        else:
            unvouched.append(position)
    block = encode_block(tile)
    return Diagnosis(
        tuple(changed), tuple(unvouched), tuple(tile), block, differing_span(block, stored)
    )


def differing_span(expected: bytes, stored: bytes) -> tuple[int, int] | None:
    """Return the bytes [start, end) that hold every difference, or None where there is none."""
    if expected == stored:
        return None
    differing = [
        at
        for at, (ours, theirs) in enumerate(zip(expected, stored, strict=False))
        if ours != theirs
    ]
    if len(expected) != len(stored):
        start = differing[0] if differing else min(len(expected), len(stored))
        return start, max(len(expected), len(stored))
    return differing[0], differing[-1] + 1


def _hash(block: bytes, height: int, position: int, width: int) -> bytes:
    start = block_offset(height, position, width)
    return block[start : start + HASH_SIZE]


def _vouches(stored: bytes, position: int, rebuilt: tuple[bytes, ...]) -> bool:
    """Whether the stored hash at ``position`` leads to every stored hash above it.

    Its sibling may be damaged itself: the rebuilt one will do as well.
    """
    width = len(rebuilt)
    if position ^ 1 >= width:
        return False  # the last of an odd row has nothing above it
    held = _hash(stored, 0, position, width)
    siblings = {_hash(stored, 0, position ^ 1, width), rebuilt[position ^ 1]}
    above = _hash(stored, 1, position >> 1, width)
    if not any(_parent(position, held, sibling) == above for sibling in siblings):
        return False
    for height in range(1, TILE_HEIGHT - 1):
        position >>= 1
        if position >> 1 >= width >> height + 1:
            break
        here = _hash(stored, height, position, width)
        sibling = _hash(stored, height, position ^ 1, width)
        if _parent(position, here, sibling) != _hash(stored, height + 1, position >> 1, width):
            return False
    return True


def _parent(position: int, own: bytes, sibling: bytes) -> bytes:
    # RFC 6962 section 2.1: SHA-256(0x01 || left || right); an odd position is the right one.
    return node_hash(sibling, own) if position & 1 else node_hash(own, sibling)
