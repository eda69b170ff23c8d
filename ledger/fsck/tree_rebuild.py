"""The tree built again from its entries, and compared block by block with the stored one.

Entries come in order, a tile of 256 at a time; what is kept in memory is one
partial tile a level. A damaged entry is named and then stood in for by the hash
that the tree holds for it, so that one damage is found once and the checkpoints
after it can still be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.errors import MalformedError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.fsck.tile_diagnosis import diagnose, differing_span
from ledger.merkle.hashing import EMPTY_ROOT, HASH_SIZE, leaf_hashes, node_hash
from ledger.merkle.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    BlockSource,
    block_offset,
    block_width,
    encode_block,
)

WhyNotGenuine = Callable[[int, bytes], str | None]
"""What shows, without the tree, that some bytes are not the entry of an index."""

_UNKNOWN_HASH = bytes(HASH_SIZE)
_FULL_BLOCK_TOP = slice(-2 * HASH_SIZE, None)


class TreeRebuild:
    """Builds every block from entries and compares it with ``stored``.

    ``prefix[level - 1]`` are the hashes already in the rightmost tile of each level
    from 1 on: empty from the start of a log, those of a trusted tree otherwise.
    """

    def __init__(
        self,
        stored: BlockSource,
        trail: AuditTrail,
        *,
        why_not_genuine: WhyNotGenuine | None = None,
        first: int = 0,
        prefix: Sequence[Sequence[bytes]] = (),
    ) -> None:
        self._stored = stored
        self._trail = trail
        self._why_not_genuine = why_not_genuine
        self._first = first  # of the tile that `_block` is of
        self._block = b""
        self._width = 0
        self._levels = [list(hashes) for hashes in prefix]
        # (level, hash) of the complete subtrees left of `_first`, largest first.
        self._peaks: list[tuple[int, bytes]] = []
        for level in range(len(prefix), 0, -1):
            self._peaks += _peaks(prefix[level - 1], level)

    def add_tile(self, first: int, entries: Sequence[bytes | None]) -> frozenset[int]:
        """Take the next 256 entries, or fewer at the end of the log; None for a missing one.

        Returns the positions of entries that are damaged.
        """
        if self._width == TILE_WIDTH:
            self._close_tile()
        self._first = first
        index = first // TILE_WIDTH
        stored = self._stored(0, index)
        present = [entry for entry in entries if entry is not None]
        whole = len(present) == len(entries)
        tile = leaf_hashes(present) if whole else _stand_in(entries, stored)
        self._width = len(tile)
        block = encode_block(tile)
        self._trail.counters.tiles += 1
        self._block = block
        if block == stored:
            return frozenset()
        return self._diagnose_entries(index, entries, tuple(tile), stored)

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` leaves; they end in the tile added last."""
        width = size - self._first
        # RFC 6962 section 2.1: k is the largest power of two smaller than n.
        parts = [part for _, part in self._peaks] + [
            self._node(height, (width >> height) - 1)
            for height in range(TILE_HEIGHT, -1, -1)
            if width >> height & 1
        ]
        if not parts:
            return EMPTY_ROOT
        root = parts[-1]
        for part in parts[-2::-1]:
            root = node_hash(part, root)
        return root

    def finish(self) -> None:
        """Compare the partial blocks of the upper levels."""
        if self._width == TILE_WIDTH:
            self._close_tile()
        for level in range(1, len(self._levels) + 1):
            if self._levels[level - 1]:
                leaves = (self._first + self._width) >> TILE_HEIGHT * level
                self._compare_upper(level, leaves // TILE_WIDTH)

    def _node(self, height: int, position: int) -> bytes:
        if height == TILE_HEIGHT:
            top = self._block[_FULL_BLOCK_TOP]
            return node_hash(top[:HASH_SIZE], top[HASH_SIZE:])
        start = block_offset(height, position, self._width)
        return self._block[start : start + HASH_SIZE]

    def _close_tile(self) -> None:
        root = self._node(TILE_HEIGHT, 0)
        self._first += TILE_WIDTH
        self._block, self._width = b"", 0
        tiles = self._first // TILE_WIDTH
        level = 1
        carried = root
        while True:
            if len(self._levels) < level:
                self._levels.append([])
            self._levels[level - 1].append(carried)
            if len(self._levels[level - 1]) < TILE_WIDTH:
                break
            block = self._compare_upper(level, tiles // TILE_WIDTH**level - 1)
            self._levels[level - 1].clear()
            carried = node_hash(block[-2 * HASH_SIZE : -HASH_SIZE], block[-HASH_SIZE:])
            level += 1
        # The new tile is a complete subtree: join it with its equals, as a counter carries.
        height = TILE_HEIGHT
        while self._peaks and self._peaks[-1][0] == height:
            root = node_hash(self._peaks.pop()[1], root)
            height += 1
        self._peaks.append((height, root))

    def _diagnose_entries(
        self,
        index: int,
        entries: Sequence[bytes | None],
        tile: tuple[bytes, ...],
        stored: bytes | None,
    ) -> frozenset[int]:
        """Name the entries, or the part of the block, at fault; go on with what is believed."""
        if stored is None or len(stored) != len(self._block):
            self._report_block(0, index, self._block, stored)
            return frozenset()
        forged = {}
        for position, entry in enumerate(entries):
            held = stored[position * HASH_SIZE : (position + 1) * HASH_SIZE]
            if entry is not None and tile[position] != held and self._why_not_genuine is not None:
                why = self._why_not_genuine(self._first + position, entry)
                if why is not None:
                    forged[position] = why
        # The last hash of an odd tile has nothing over it that could vouch for it.
        odd_last = len(tile) - 1 if len(tile) % 2 else -1
        diagnosis = diagnose(tile, stored, frozenset({odd_last} & forged.keys()))
        damaged = frozenset({*diagnosis.changed_below, *forged})
        for position in sorted(damaged):
            why = forged.get(position)
            self._trail.find(
                FindingKind.ENTRY_CHANGED,
                f"entry {self._first + position}",
                "its bytes do not hash to the leaf that the tree holds for it"
                + (f"; {why}" if why else ""),
                entry=self._first + position,
            )
        if diagnosis.span is not None:
            self._report_block(0, index, diagnosis.block, stored)
        self._block = diagnosis.block
        return damaged

    def _compare_upper(self, level: int, index: int) -> bytes:
        """Compare the block of the hashes gathered at a level; return the one to go on with."""
        tile = tuple(self._levels[level - 1])
        block = encode_block(tile)
        stored = self._stored(level, index)
        self._trail.counters.tiles += 1
        if block == stored:
            return block
        if stored is None or len(stored) != len(block):
            self._report_block(level, index, block, stored)
            return block
        diagnosis = diagnose(tile, stored, frozenset())
        for position in diagnosis.changed_below:
            below = index * TILE_WIDTH + position
            leaves = TILE_WIDTH**level
            self._trail.find(
                FindingKind.TILE_CHANGED,
                _name(level - 1, below),
                f"it fits entries {below * leaves} to {(below + 1) * leaves - 1} as they are now, "
                "and not the tree above: they were replaced together",
                tile=(level - 1, below),
            )
        if diagnosis.span is not None:
            self._report_block(level, index, diagnosis.block, stored)
        self._levels[level - 1] = list(diagnosis.tile)
        return diagnosis.block

    def _report_block(self, level: int, index: int, block: bytes, stored: bytes | None) -> None:
        name = _name(level, index)
        if stored is None:
            self._trail.find(
                FindingKind.TILE_MISSING, name, "the block is not there", tile=(level, index)
            )
            return
        if len(stored) == len(block):
            message = "its hashes are not those of what is below"
        else:
            try:
                message = f"it is {block_width(stored)} hashes wide, not {block_width(block)}"
            except MalformedError:
                message = f"it is {len(stored)} bytes long, not {len(block)}"
        self._trail.find(
            FindingKind.TILE_CHANGED,
            name,
            message,
            tile=(level, index),
            span=differing_span(block, stored),
        )


def _name(level: int, index: int) -> str:
    return f"tile {level}/{index}"


def _stand_in(entries: Sequence[bytes | None], stored: bytes | None) -> list[bytes]:
    """Leaf hashes, with the stored ones in the places of missing entries."""
    held = stored or b""
    tile = []
    for position, entry in enumerate(entries):
        if entry is not None:
            tile += leaf_hashes([entry])
            continue
        leaf = held[position * HASH_SIZE : (position + 1) * HASH_SIZE]
        tile.append(leaf if len(leaf) == HASH_SIZE else _UNKNOWN_HASH)
    return tile


def _peaks(tile: Sequence[bytes], level: int) -> list[tuple[int, bytes]]:
    """The complete subtrees that a partial tile of a level consists of, largest first."""
    width = len(tile)
    if not width:
        return []
    block = encode_block(tile)
    peaks = []
    for height in range(TILE_HEIGHT - 1, -1, -1):
        if width >> height & 1:
            start = block_offset(height, (width >> height) - 1, width)
            peaks.append((TILE_HEIGHT * level + height, block[start : start + HASH_SIZE]))
    return peaks
