"""The restart rule: what of a stored tree may be built upon, and signed again.

LMDB does not notice a flipped bit, and a log that signs a root over one has
destroyed itself (as the CT log Yeti 2022 did). So after opening,

1. the newest stored checkpoint must be signed by a known key of the log;
2. the partial tiles at its size, every inner hash computed afresh, must give its root;
3. the entries after it are hashed again and must give the stored blocks, byte for byte.

What results is the right edge of the tree out of signed hashes and real entries.
The work is that of the entries since the checkpoint, plus log n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import VerifiedCheckpoint, open_checkpoint
from ledger.errors import CorruptStoreError, LedgerError, MalformedError, VerificationError
from ledger.log_reader import U64, read_first_entry, read_size, tile_source
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import HASH_SIZE, leaf_hashes
from ledger.merkle.tiles import (
    FULL_BLOCK_BYTES,
    TILE_WIDTH,
    Block,
    TileReader,
    encode_block,
    extend_blocks,
    require_block,
)
from ledger.note import VerifierKey
from ledger.storage import ReadTransaction, Table

_LEAVES_A_STEP: Final = 8192
_HINT: Final = "run a full audit; restore the log from a backup or from a peer, then catch up"

PartialBlocks = dict[tuple[int, int], bytes]
"""(tile level, tile index) -> block, for the tiles that are not full."""


@dataclass(frozen=True, slots=True)
class RightEdge:
    """The tree as far as it was checked: its right edge, and the blocks that still grow."""

    range: CompactRange
    partial_blocks: PartialBlocks
    checkpoint: VerifiedCheckpoint | None
    """The newest one stored."""


def check_right_edge(
    transaction: ReadTransaction, origin: str, keys: Sequence[VerifierKey]
) -> RightEdge:
    """Apply the restart rule to a stored log.

    Raises CorruptStoreError, saying where, if the store is not what was signed.
    """
    size = read_size(transaction)
    last = transaction.last(Table.ENTRIES)
    first = read_first_entry(transaction)
    if transaction.count(Table.ENTRIES) != max(0, size - first) or (
        last and last[0] != U64.pack(size - 1)
    ):
        raise _corrupt(f"the log has {size} leaves but not as many entries")
    checkpoint = _newest_checkpoint(transaction, origin, size, keys)
    signed_size = checkpoint.checkpoint.size if checkpoint else 0
    blocks = _recompute_partial(transaction, signed_size)
    edge = CompactRange.from_reader(
        signed_size, TileReader(lambda level, index: blocks.get((level, index)), signed_size)
    )
    if checkpoint and edge.root() != checkpoint.checkpoint.root:
        raise _corrupt(f"the tiles at {signed_size} leaves do not have the root that was signed")
    for start in range(signed_size, size, _LEAVES_A_STEP):
        edge, blocks = _rehash(transaction, edge, blocks, min(start + _LEAVES_A_STEP, size))
    for (level, index), block in blocks.items():
        _compare(transaction, level, index, block)
    return RightEdge(edge, blocks, checkpoint)


def still_partial(before: PartialBlocks, changed: Sequence[Block]) -> PartialBlocks:
    """The blocks that are not full, once those in ``changed`` have replaced their like."""
    partial = dict(before)
    for block in changed:
        place = (block.level, block.index)
        if len(block.data) < FULL_BLOCK_BYTES:
            partial[place] = block.data
        else:
            partial.pop(place, None)
    return partial


def _newest_checkpoint(
    transaction: ReadTransaction, origin: str, size: int, keys: Sequence[VerifierKey]
) -> VerifiedCheckpoint | None:
    row = transaction.last(Table.CHECKPOINTS)
    if row is None:
        return None
    try:
        checkpoint = open_checkpoint(row[1], keys)
    except (MalformedError, VerificationError) as error:
        raise _corrupt(f"the newest stored checkpoint is not good: {error.message}") from error
    found = checkpoint.checkpoint
    if found.origin != origin or U64.pack(found.size) != row[0] or found.size > size:
        raise _corrupt(f"the newest stored checkpoint, of size {found.size}, is not this log's")
    return checkpoint


def _recompute_partial(transaction: ReadTransaction, size: int) -> PartialBlocks:
    get_block = tile_source(transaction)
    blocks: PartialBlocks = {}
    level = 0
    while filled := size >> 8 * level:
        index, width = divmod(filled, TILE_WIDTH)
        if width:
            try:
                stored = require_block(get_block(level, index), level, index, width)
            except LedgerError as error:
                raise _corrupt(error.message) from error
            tile = [stored[at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE)]
            blocks[level, index] = encode_block(tile)
        level += 1
    return blocks


def _rehash(
    transaction: ReadTransaction, edge: CompactRange, blocks: PartialBlocks, stop: int
) -> tuple[CompactRange, PartialBlocks]:
    start = edge.size
    rows = list(transaction.scan(Table.ENTRIES, U64.pack(start), U64.pack(stop)))
    if len(rows) != stop - start:
        raise _corrupt(f"entries are missing between {start} and {stop - 1}")
    growth = edge.grow(leaf_hashes(entry for _, entry in rows))
    changed = extend_blocks(growth, lambda level, index: blocks.get((level, index)))
    for block in changed:
        if len(block.data) == FULL_BLOCK_BYTES:
            _compare(transaction, block.level, block.index, block.data)
    return growth.after, still_partial(blocks, changed)


def _compare(transaction: ReadTransaction, level: int, index: int, block: bytes) -> None:
    if tile_source(transaction)(level, index) != block:
        first = index * TILE_WIDTH << 8 * level
        raise _corrupt(
            f"tile block {index} of level {level} (entries from {first} on) and what it is made"
            " of differ: one of them changed since it was written"
        )


def _corrupt(message: str) -> CorruptStoreError:
    return CorruptStoreError(message, hint=_HINT)
