"""Every tlog-tiles resource of a tree, with its bytes.

What is yielded can be written under any directory or URL prefix and, with a signed
checkpoint beside it, be read by any tlog-tiles client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from ledger.errors import CorruptStoreError
from ledger.merkle.entry_bundle import encode_entry_bundle
from ledger.merkle.hashing import HASH_SIZE
from ledger.merkle.tile_path import required_tiles
from ledger.merkle.tiles import TILE_WIDTH, BlockSource, require_block


def export_tiles(
    size: int,
    get_block: BlockSource,
    get_entries: Callable[[int, int], Iterable[bytes]],
    previous_size: int = 0,
) -> Iterator[tuple[str, bytes]]:
    """Yield (path, bytes) of each resource of the tree of ``size`` leaves.

    Paths are relative, with ``/`` between elements. ``get_entries(start, stop)`` gives
    entries start to stop - 1. Resources that an export at ``previous_size`` already
    held are left out. Publish the checkpoint after the last of them.

    Raises:
        MalformedError: a size is not in 0 .. 2**63 - 1, or the previous one is larger.
        CorruptStoreError: a block or an entry is missing, or a block is too short.
        EntryTooLargeError: an entry has 65,536 bytes or more.
    """
    for tile in required_tiles(size, previous_size):
        block = require_block(get_block(tile.level, tile.index), tile.level, tile.index, tile.width)
        # Height 0 of a block is the tile; a narrower tile is a prefix of a wider one.
        hashes = block[: HASH_SIZE * tile.width]
        if tile.level == 0:
            start = tile.index * TILE_WIDTH
            stop = start + tile.width
            entries = list(islice(get_entries(start, stop), tile.width + 1))
            if len(entries) != tile.width:
                raise CorruptStoreError(f"entries {start} to {stop - 1} are not all there")
            yield tile.entries_path, encode_entry_bundle(entries)
        yield tile.path, hashes
