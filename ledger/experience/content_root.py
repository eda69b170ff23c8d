"""The content root: a Merkle root over salted chunks of a recording's content.

The content is the recording's files joined in the order its entry lists them,
cut into chunks of 262,144 bytes, the last one shorter; n = ceil(size / 262,144)::

    salt_i       = HMAC-SHA256(salt_key, "quipu/chunk-salt/v1" || u64be(i))
    chunk leaf i = SHA256(0x00 || salt_i || chunk_i)
    content root = RFC 6962 root over the n chunk leaves; n = 0 gives SHA256("")

The salt key is 32 random bytes, one a record. Without it the root says nothing
about the content, not even to somebody who guesses it. Disclosing salt_i opens
chunk i and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from ledger.errors import MalformedError, NotFoundError
from ledger.experience.disclosure import SALT_SIZE, ChunkDisclosure
from ledger.experience.fields import CHUNK_SIZE as CHUNK_SIZE
from ledger.experience.fields import HASH_SIZE, require_bytes
from ledger.experience.keyed_hash import keyed_hash
from ledger.merkle.hashing import tree_root
from ledger.merkle.inclusion import prove_inclusion
from ledger.merkle.reader import NodeAddress

_SALT_DOMAIN: Final = b"quipu/chunk-salt/v1"


def chunk_count(content_size: int) -> int:
    """How many chunks ``content_size`` bytes make."""
    return -(-content_size // CHUNK_SIZE)


def chunk_length(index: int, content_size: int) -> int:
    """Bytes in chunk ``index``. Raises `NotFoundError` when there is none of that index."""
    if not 0 <= index < chunk_count(content_size):
        raise NotFoundError(
            f"there is no chunk {index} in {content_size} bytes of content",
            hint=f"chunks are numbered from 0 to {chunk_count(content_size) - 1}",
        )
    return min(CHUNK_SIZE, content_size - index * CHUNK_SIZE)


def chunk_salt(salt_key: bytes, index: int) -> bytes:
    """The salt of chunk ``index``: 32 bytes."""
    # salt_i = HMAC-SHA256(salt_key, "quipu/chunk-salt/v1" || u64be(i))
    return keyed_hash(salt_key, _SALT_DOMAIN + index.to_bytes(8, "big"))


def chunk_leaf(salt: bytes, chunk: bytes | bytearray | memoryview) -> bytes:
    """The leaf hash of one chunk. Hashing lets other threads run."""
    # SHA256(0x00 || salt_i || chunk_i), RFC 6962 section 2.1 over the unit salt_i || chunk_i
    digest = sha256(b"\x00" + salt)
    digest.update(chunk)
    return digest.digest()


def content_root_of_leaves(leaves: Sequence[bytes]) -> bytes:
    """The content root over chunk leaves, in order."""
    return tree_root(leaves)


def split_leaves(joined: bytes) -> list[bytes]:
    """Chunk leaves from their concatenation. Raises `MalformedError` for a rest."""
    if len(joined) % HASH_SIZE:
        raise MalformedError(f"{len(joined)} bytes are no list of {HASH_SIZE}-byte hashes")
    return [joined[i : i + HASH_SIZE] for i in range(0, len(joined), HASH_SIZE)]


def rechunk(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes that come in pieces of any length into chunks."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        while len(rest) >= CHUNK_SIZE:
            yield bytes(rest[:CHUNK_SIZE])
            del rest[:CHUNK_SIZE]
    if rest:
        yield bytes(rest)


def leaves_of_chunks(salt_key: bytes, chunks: Iterable[bytes]) -> list[bytes]:
    """The leaves of a content's chunks, in order. Raises `MalformedError` for a bad salt key.

    For files on disk, `ledger.experience.content_hashing.hash_content` is faster.
    """
    require_bytes(salt_key, SALT_SIZE, "salt key")
    return [chunk_leaf(chunk_salt(salt_key, i), chunk) for i, chunk in enumerate(chunks)]


def disclose_chunk(leaves: Sequence[bytes], salt_key: bytes, index: int) -> ChunkDisclosure:
    """What opens chunk ``index`` and nothing else: its salt and its inclusion path.

    Raises `NotFoundError` when there is no such chunk.
    """
    require_bytes(salt_key, SALT_SIZE, "salt key")
    path = prove_inclusion(index, len(leaves), _LeafReader(leaves))
    return ChunkDisclosure(index=index, salt=chunk_salt(salt_key, index), path=path)


class _LeafReader:
    """Hashes of complete subtrees, computed from a list of leaves."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves

    def read_hashes(self, addresses: Sequence[NodeAddress]) -> list[bytes]:
        """Return the hash at each address. Raises `NotFoundError` beyond the leaves."""
        hashes = []
        for level, index in addresses:
            if (index + 1) << level > len(self._leaves):
                raise NotFoundError(f"subtree {level}/{index} reaches beyond the content")
            hashes.append(tree_root(self._leaves[index << level : (index + 1) << level]))
        return hashes
