"""Messages over a stream: u32be(length) || message, bounded both ways."""

from __future__ import annotations

from struct import Struct
from typing import Final

from ledger.errors import MalformedError

MAX_REQUEST: Final = 16 << 20
"""Bytes: more than fifty blocks' worth of attachments and some 50,000 transfers."""
MAX_ANSWER: Final = 160 << 20
"""Bytes: the greatest block with its results."""

_LENGTH: Final = Struct(">I")


def encode_frame(message: bytes, limit: int) -> bytes:
    """Return the frame. Raises MalformedError for a message beyond ``limit`` bytes."""
    if len(message) > limit:
        raise MalformedError(f"a message of {len(message)} bytes; the limit is {limit}")
    return _LENGTH.pack(len(message)) + message


class FrameBuffer:
    """Takes bytes as they come, gives messages. Room is made for what came, not announced."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._received = bytearray()

    def __len__(self) -> int:
        return len(self._received)

    def add(self, data: bytes) -> None:
        """Take bytes."""
        self._received += data

    def next(self) -> bytes | None:
        """The next message, or None where it is not whole.

        Raises MalformedError for a length beyond the limit.
        """
        received = self._received
        if len(received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(received)
        if length > self._limit:
            raise MalformedError(f"a frame of {length} bytes; the limit is {self._limit}")
        end = _LENGTH.size + length
        if len(received) < end:
            return None
        message = bytes(memoryview(received)[_LENGTH.size : end])
        del received[:end]
        return message
