"""The tails of progress hashed again, out of the content that came of it.

A tail is a part of a chunk; so a changed byte is found in a narrower stretch than its
chunk, between two marks, and a mark that never was true is found although every chunk is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from ledger.errors import VerificationError
from ledger.experience.content_hashing import ChunkSource
from ledger.experience.content_root import (
    CHUNK_SIZE,
    chunk_leaf,
    chunk_length,
    chunk_salt,
)
from ledger.experience.growing_content import ProgressMark


@dataclass(frozen=True, slots=True)
class BadTail:
    """Bytes [start, end) of the content are not what entry ``index`` committed."""

    index: int
    start: int
    end: int


def bad_tails(
    source: ChunkSource,
    salt_key: bytes,
    marks: Sequence[tuple[int, ProgressMark]],
    leaves: Sequence[bytes],
) -> Iterator[BadTail]:
    """Every tail that the content does not have; ``marks`` with their entries, in order.

    Where a chunk is not the logged one, only the first: it names where the change begins.
    Marks beyond the content, and chunks that cannot be unsealed, are named elsewhere.
    Raises what the source raises besides.
    """
    in_reach = [(i, m) for i, m in marks if m.tail_hash and m.length <= source.size]
    ordered = sorted(in_reach, key=lambda pair: pair[1].length)
    for chunk, group in groupby(ordered, key=lambda pair: pair[1].leaf_count):
        data = bytearray(chunk_length(chunk, source.size))
        try:
            source.read_into(chunk * CHUNK_SIZE, memoryview(data))
        except VerificationError:
            continue
        salt = chunk_salt(salt_key, chunk)
        sound = chunk < len(leaves) and chunk_leaf(salt, data) == leaves[chunk]
        bad = list(_bad_tails_of(memoryview(data), salt, list(group)))
        yield from bad if sound else bad[:1]


def _bad_tails_of(
    chunk: memoryview, salt: bytes, marks: Sequence[tuple[int, ProgressMark]]
) -> Iterator[BadTail]:
    digest = sha256(b"\x00" + salt)
    hashed = good = 0
    for index, mark in marks:
        base = mark.leaf_count * CHUNK_SIZE
        tail = mark.length - base
        digest.update(chunk[hashed:tail])
        hashed = tail
        # tail hash = SHA256(0x00 || salt_n || tail)
        if digest.copy().digest() == mark.tail_hash:
            good = tail
        else:
            yield BadTail(index, base + good, base + tail)
