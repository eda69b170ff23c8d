"""Hashing content while it is being written, and saying at any time what there is of it.

After ``length`` bytes, with ``n = floor(length / 262,144)`` whole chunks
(``docs/format.md`` section 4)::

    root      = RFC 6962 root over the first n chunk leaves; n = 0 gives SHA256("")
    tail      = the length - n * 262,144 bytes after them
    tail hash = SHA256(0x00 || salt_n || tail), the chunk leaf that the tail would have;
                empty where there is no tail

Nothing is buffered: a tail lives in the state of its hash, which is copied to be read.
The root of n leaves is proven to be a part of every later root, and the tail's salt
hides it as the leaf's hides the chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from ledger.errors import NotFoundError, VerificationError
from ledger.experience.content_hashing import ContentDigest
from ledger.experience.content_root import CHUNK_SIZE, chunk_salt, split_leaves
from ledger.experience.disclosure import SALT_SIZE
from ledger.experience.fields import HASH_SIZE, require_bytes
from ledger.merkle.compact_range import CompactRange

if TYPE_CHECKING:
    from hashlib import _Hash

_PIECE_BYTES: Final = 1 << 20

ReadAt: TypeAlias = Callable[[int, memoryview], int]
"""Read bytes from an offset into a view: how many were read, 0 at the end."""


@dataclass(frozen=True, slots=True)
class ProgressMark:
    """What is known of the first ``length`` bytes of a growing content."""

    leaf_count: int
    root: bytes
    length: int
    tail_hash: bytes


class GrowingContent:
    """The hashes of a content that grows at its end. For one thread at a time.

    Memory: 32 bytes a chunk. Raises `MalformedError` for a bad salt key.
    """

    __slots__ = ("_leaves", "_range", "_salt_key", "_tail", "length")

    def __init__(self, salt_key: bytes) -> None:
        require_bytes(salt_key, SALT_SIZE, "salt key")
        self._salt_key = salt_key
        self._leaves = bytearray()
        self._range = CompactRange()
        self._tail: _Hash | None = None
        self.length = 0
        """Bytes so far."""

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``, which is neither copied nor kept."""
        view = memoryview(data)
        if view.itemsize != 1 or view.ndim != 1:
            view = view.cast("B")
        while view:
            if self._tail is None:
                # SHA256(0x00 || salt_i || chunk_i)
                salt = chunk_salt(self._salt_key, self._range.size)
                self._tail = sha256(b"\x00" + salt)
            room = CHUNK_SIZE - self.length % CHUNK_SIZE
            piece = view if len(view) < room else view[:room]
            self._tail.update(piece)
            self.length += len(piece)
            if len(piece) < room:
                return
            self._end_chunk(self._tail.digest())
            view = view[room:]

    def leaf(self, index: int) -> bytes:
        """The leaf of a whole chunk. Raises `NotFoundError` for one that is not whole yet."""
        if not 0 <= index < self._range.size:
            raise NotFoundError(f"chunk {index} is not one of {self._range.size} whole ones")
        return bytes(self._leaves[index * HASH_SIZE : (index + 1) * HASH_SIZE])

    def mark(self) -> ProgressMark:
        """What there is now; costs one hash for each bit set in the number of chunks."""
        return ProgressMark(
            leaf_count=self._range.size,
            root=self._range.root(),
            length=self.length,
            tail_hash=self._tail.copy().digest() if self._tail is not None else b"",
        )

    def finish(self) -> ContentDigest:
        """The digest, as `ledger.experience.content_hashing.hash_content` would give it.

        The content may grow on afterwards.
        """
        leaves, parts = split_leaves(bytes(self._leaves)), self._range
        if self._tail is not None:
            last = self._tail.copy().digest()
            leaves.append(last)
            parts = parts.extend([last])
        return ContentDigest(root=parts.root(), size=self.length, leaves=tuple(leaves))

    def _end_chunk(self, leaf: bytes) -> None:
        self._leaves += leaf
        self._range = self._range.extend([leaf])
        self._tail = None

    def __repr__(self) -> str:
        return f"GrowingContent({self.length} bytes)"


def regrow(
    salt_key: bytes, read_at: ReadAt, marks: Sequence[ProgressMark], stop: int | None = None
) -> GrowingContent:
    """Hash content again from its start, and hold it against the marks made of it.

    Reads up to ``stop``, by default up to the last mark. Raises `VerificationError`
    naming the bytes between two marks in which the content is not what it was, or
    where it ends before a mark; and what ``read_at`` raises.
    """
    content = GrowingContent(salt_key)
    buffer = memoryview(bytearray(_PIECE_BYTES))
    sound = 0
    for mark in marks:
        _grow_to(content, read_at, mark.length, buffer)
        if content.length < mark.length:
            raise VerificationError(
                f"the content ends at byte {content.length}; {mark.length} were committed"
            )
        if content.mark() != mark:
            raise VerificationError(
                f"bytes [{min(sound, mark.length)}, {mark.length}) of the content are not"
                " what was committed"
            )
        sound = mark.length
    if stop is not None:
        _grow_to(content, read_at, stop, buffer)
    return content


def _grow_to(content: GrowingContent, read_at: ReadAt, stop: int, buffer: memoryview) -> None:
    while content.length < stop:
        view = buffer[: min(len(buffer), stop - content.length)]
        count = read_at(content.length, view)
        if count == 0:
            return
        content.update(view[:count])
