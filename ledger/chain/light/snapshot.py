"""Snapshots checked from bytes and keys: the manifest first, then each chunk by itself.

A snapshot is a chain as it is after one block, in pieces. Its **manifest** holds the
block's header, which is the last leaf under its checkpoint, the right edge of the log, and
what each **chunk** must come to. Chunk i of 2^k has every leaf of the state whose path
begins with the k bits of i::

    chunk = varint(len key) || key || varint(len value) || value, for each, paths ascending

Its root is that of a state map which has these keys alone. Because an inner node of the
trie stands where paths part, the roots of the chunks give the root of the state::

    root of both halves at bit b = inner(b, left, right), or the other one where one is empty

So a chunk is good or not by its own bytes, whichever others are there.

`verify_manifest`, given bytes and a `Trust`:

1. The message is in its one encoding; genesis and header are in theirs and of this chain.
2. The checkpoint passes `Trust.open`; the header's ``log_size`` is its size less one.
3. ``edge`` has, for each level of tiles, the last tile that is not empty, of the width that
   the size gives it; the root of one that is full is the last hash of the tile above.
4. The tiles lead to the checkpoint's root, and, without their last leaf, to the header's
   ``log_root``; the last leaf is the header.
5. The chunks are 2^k, and their roots give the header's ``state_root``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.light.signed_header import require_size
from ledger.chain.light.trust import Trust
from ledger.chain.state.bucket import Leaf, bucket_root
from ledger.chain.state.hashing import EMPTY_ROOT, PATH_BITS, inner_hash, path_of
from ledger.chain.state.leaf import encode_leaf
from ledger.chain.state.varint import decode_varint
from ledger.checkpoint import VerifiedCheckpoint
from ledger.errors import MalformedError, VerificationError
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import HASH_SIZE, node_hash
from ledger.merkle.tiles import TILE_HEIGHT, TILE_WIDTH, TileReader, encode_block
from ledger.schema.canonical import parse_message
from ledger.schema.chain_snapshot_pb2 import SnapshotManifest

VERSION: Final = 1
MAX_PREFIX_BITS: Final = 16
MAX_CHUNK_BYTES: Final = 16 << 20
MAX_MANIFEST_BYTES: Final = 4 << 20


class ChunkError(VerificationError):
    """A chunk is not the one that the manifest names, by its ``number``."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"chunk {number} of the snapshot {message}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a chunk must be: the root over its leaves, and its length in bytes."""

    root: bytes
    size: int


@dataclass(frozen=True, slots=True)
class VerifiedManifest:
    """A manifest that says what a trusted header says. Made by `verify_manifest`."""

    encoded: bytes = field(repr=False)
    genesis: Genesis
    header: Header
    checkpoint: VerifiedCheckpoint
    blocks: dict[tuple[int, int], bytes] = field(repr=False)
    """(tile level, tile index) -> block (`ledger.merkle.tiles`): the right edge of the log."""
    prefix_bits: int
    chunks: tuple[Chunk, ...] = field(repr=False)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the manifest: the snapshot's name among engines."""
        return sha256(self.encoded).digest()


def verify_manifest(data: bytes, trust: Trust) -> VerifiedManifest:
    """Check a manifest, as the module says. Raises MalformedError, VerificationError."""
    require_size(data, MAX_MANIFEST_BYTES, "manifest")
    # 1. Form, and which chain it is.
    message = parse_message(SnapshotManifest, data, "manifest")
    if message.version != VERSION:
        raise MalformedError(f"a snapshot of version {message.version}; this reads {VERSION}")
    genesis, header = Genesis.parse(message.genesis), Header.parse(message.header)
    if genesis.chain != trust.chain or header.chain != trust.chain:
        raise VerificationError("the snapshot is of another chain")
    # 2. Checkpoint.
    signed = trust.open(message.checkpoint)
    size = signed.checkpoint.size
    if header.log_size != size - 1:
        raise VerificationError("the snapshot's header is not the last leaf of its checkpoint")
    # 3. and 4. The log's right edge.
    blocks = _edge_blocks(message.edge, size)
    tiles = TileReader(lambda level, index: blocks.get((level, index)), size)
    if CompactRange.from_reader(size, tiles).root() != signed.checkpoint.root:
        raise VerificationError("the snapshot's edge does not lead to the checkpoint's root")
    if CompactRange.from_reader(size - 1, tiles).root() != header.log_root:
        raise VerificationError("the snapshot's header names another log than it stands in")
    if message.edge[0][-HASH_SIZE:] != leaf_id(LeafKind.HEADER, message.header):
        raise VerificationError("the snapshot's header is not the last leaf of the log")
    # 5. The state.
    chunks = tuple(Chunk(each.root, each.size) for each in message.chunks)
    _check_chunks(message.prefix_bits, chunks)
    if combine_roots([chunk.root for chunk in chunks]) != header.state_root:
        raise VerificationError("the snapshot's chunks are not those of its header's state")
    return VerifiedManifest(
        bytes(data), genesis, header, signed, blocks, message.prefix_bits, chunks
    )


def verify_chunk(manifest: VerifiedManifest, number: int, data: bytes) -> list[Leaf]:
    """Check a chunk by itself; its leaves as rows of the state, by path, ascending.

    Raises ChunkError, which names it.
    """
    if not 0 <= number < len(manifest.chunks):
        raise ChunkError(number, f"does not exist; there are {len(manifest.chunks)}")
    chunk = manifest.chunks[number]
    if len(data) != chunk.size:
        raise ChunkError(number, f"is {len(data)} bytes, not {chunk.size}")
    try:
        leaves = _read_leaves(bytes(data))
    except MalformedError as error:
        raise ChunkError(number, f"is malformed: {error.message}") from error
    before = b""
    for path, _ in leaves:
        if path <= before:
            raise ChunkError(number, "has its leaves out of order")
        before = path
        if int.from_bytes(path, "big") >> PATH_BITS - manifest.prefix_bits != number:
            raise ChunkError(number, "has a leaf of another chunk")
    if bucket_root(leaves) != chunk.root:
        raise ChunkError(number, "has not the root that the manifest names")
    return leaves


def combine_roots(roots: Sequence[bytes]) -> bytes:
    """The root of the state whose paths, by their first bits, have these roots: 2^k of them."""
    row, bit = list(roots), len(roots).bit_length() - 2
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=True)
        row = [_join(bit, left, right) for left, right in pairs]
        bit -= 1
    return row[0]


def edge_places(size: int) -> list[tuple[int, int, int]]:
    """Level, index and width of the last tile of each level that is not empty."""
    places, level = [], 0
    while filled := size >> TILE_HEIGHT * level:
        index = (filled - 1) // TILE_WIDTH
        places.append((level, index, filled - index * TILE_WIDTH))
        level += 1
    return places


def _join(bit: int, left: bytes, right: bytes) -> bytes:
    if EMPTY_ROOT in (left, right):
        return right if left == EMPTY_ROOT else left
    return inner_hash(bit, left, right)


def _edge_blocks(edge: Sequence[bytes], size: int) -> dict[tuple[int, int], bytes]:
    places = edge_places(size)
    if [len(tile) for tile in edge] != [HASH_SIZE * width for _, _, width in places]:
        raise VerificationError("the snapshot's edge is not that of a log of its size")
    blocks = {}
    for (level, index, width), tile in zip(places, edge, strict=True):
        hashes = [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]
        block = blocks[level, index] = encode_block(hashes)
        if width == TILE_WIDTH:
            # The two hashes of height 7, the last of the block, are its halves.
            root = node_hash(block[-2 * HASH_SIZE : -HASH_SIZE], block[-HASH_SIZE:])
            if edge[level + 1][-HASH_SIZE:] != root:
                raise VerificationError(f"tile {index} of level {level} is not the log's")
    return blocks


def _check_chunks(prefix_bits: int, chunks: Sequence[Chunk]) -> None:
    if prefix_bits > MAX_PREFIX_BITS or len(chunks) != 1 << prefix_bits:
        raise MalformedError(f"a snapshot has 2^k chunks, k at most {MAX_PREFIX_BITS}")
    for number, chunk in enumerate(chunks):
        if len(chunk.root) != HASH_SIZE:
            raise MalformedError(f"the root of chunk {number} is not {HASH_SIZE} bytes")
        if chunk.size > MAX_CHUNK_BYTES or (chunk.size == 0) != (chunk.root == EMPTY_ROOT):
            raise MalformedError(f"chunk {number} cannot be {chunk.size} bytes long")


def _read_leaves(data: bytes) -> list[Leaf]:
    leaves, at = [], 0
    while at < len(data):
        size, start = decode_varint(data, at)
        key = data[start : start + size]
        length, value_at = decode_varint(data, start + size)
        at = value_at + length
        value = data[value_at:at]
        if len(key) != size or len(value) != length:
            raise MalformedError("it is cut short")
        leaves.append((path_of(key), encode_leaf(key, value)))
    return leaves
