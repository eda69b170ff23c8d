"""Sealed content: each chunk encrypted by itself, so that one can be read alone.

::

    sealed chunk i = AES-256-GCM(content_key, nonce = u96be(i),
                                 aad = record_id || u64be(i) || u64be(n), chunk_i)
                   = ciphertext || 16-byte tag
    sealed file    = sealed chunk 0 || sealed chunk 1 || ... || sealed chunk n-1

``content_key`` is 32 random bytes used for one record only, so no nonce repeats.
The additional data ties a chunk to its record, its place and the number of
chunks: none can be moved, exchanged or cut off unseen.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import VerificationError
from ledger.experience.content_root import CHUNK_SIZE, chunk_count, chunk_length
from ledger.experience.fields import KEY_SIZE, RECORD_ID_SIZE, require_bytes
from ledger.experience.file_span import ReadSpan

TAG_SIZE: Final = 16
SEALED_CHUNK_SIZE: Final = CHUNK_SIZE + TAG_SIZE
"""Bytes in every sealed chunk but the last."""


def sealed_size(content_size: int) -> int:
    """Bytes that ``content_size`` bytes of content take when sealed."""
    return content_size + TAG_SIZE * chunk_count(content_size)


class ChunkSealer:
    """Seals and opens the chunks of one record. ``repr`` does not show the key."""

    __slots__ = ("_cipher", "_count", "_record_id")

    def __init__(self, record_id: bytes, content_key: bytes, count: int) -> None:
        """``count`` is the number of chunks. Raises `MalformedError` for wrong lengths."""
        require_bytes(record_id, RECORD_ID_SIZE, "record id")
        require_bytes(content_key, KEY_SIZE, "content key")
        self._record_id = record_id
        self._cipher = AESGCM(content_key)
        self._count = count

    def seal(self, index: int, chunk: bytes | memoryview) -> bytes:
        """Ciphertext and tag of chunk ``index``."""
        return self._cipher.encrypt(_nonce(index), chunk, self._bound_data(index))

    def open(self, index: int, sealed: bytes | memoryview) -> bytes:
        """The chunk again. Raises `VerificationError` naming the chunk and its bytes."""
        try:
            return self._cipher.decrypt(_nonce(index), sealed, self._bound_data(index))
        except (InvalidTag, ValueError):
            start = index * SEALED_CHUNK_SIZE
            raise VerificationError(
                f"sealed chunk {index} (bytes {start} to {start + len(sealed) - 1} of the sealed"
                " file) was altered or is sealed with another key",
                hint="bring it back from an offloaded copy",
            ) from None

    def _bound_data(self, index: int) -> bytes:
        # record_id || u64be(i) || u64be(n)
        return self._record_id + index.to_bytes(8, "big") + self._count.to_bytes(8, "big")

    def __repr__(self) -> str:
        return f"ChunkSealer(record {self._record_id.hex()}, {self._count} chunks)"


class SealedSpan:
    """Sealed content read as plain content, chunk by chunk, from any thread."""

    def __init__(self, sealed: ReadSpan, sealer: ChunkSealer, content_size: int) -> None:
        self._sealed = sealed
        self._sealer = sealer
        self._size = content_size

    @property
    def size(self) -> int:
        """Bytes of plain content."""
        return self._size

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill ``view`` with whole chunks, from a chunk's ``offset`` on.

        Raises `VerificationError` for a chunk that does not open.
        """
        index = offset // CHUNK_SIZE
        while view:
            length = chunk_length(index, self._size)
            sealed = bytearray(length + TAG_SIZE)
            self._sealed.read_into(index * SEALED_CHUNK_SIZE, memoryview(sealed))
            view[:length] = self._sealer.open(index, memoryview(sealed))
            view = view[length:]
            index += 1


def _nonce(index: int) -> bytes:
    # nonce = u96be(i)
    return index.to_bytes(12, "big")
