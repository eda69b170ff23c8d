"""How much of a growing MCAP file is whole: the end of its last complete record.

    magic || (u8 opcode || u64le length || content)* || Footer || magic    (https://mcap.dev/spec)

Only the nine bytes in front of each top-level record are read. A record is complete
when the file reaches beyond its end. Writers that cannot know a length before they have
written the content (foxglove-sdk's chunks) put 2^64 - 1 there and come back: such a
record is complete when its length is one.
"""

from __future__ import annotations

import struct
import sys
from enum import Enum, auto
from typing import Final

from ledger.experience.growing_content import ReadAt

MAGIC: Final = b"\x89MCAP0\r\n"
_PREFIX: Final = struct.Struct("<BQ")
_FOOTER: Final = 0x02
_FOOTER_LENGTH: Final = 20
_CHUNK: Final = 0x06
_SHORTEST_CHUNK: Final = 40
"""u64 start || u64 end || u64 size || u32 crc || str compression || u64 length"""
_WINDOW_BYTES: Final = 4096
_NO_LENGTH: Final = 1 << 62
"""No record is so long: a length still to be filled in."""


class Form(Enum):
    """What a file has shown to be."""

    UNKNOWN = auto()
    """It is shorter than MCAP's magic."""
    MCAP = auto()
    OTHER = auto()


class McapBoundary:
    """Follows the records of one file from its start. ``end`` never goes back.

    ``finished``: the file ends with a Footer and the magic, at ``end``. ``rewriting``:
    its writer was seen to leave a length open.
    """

    def __init__(self) -> None:
        self.form = Form.UNKNOWN
        self.end = 0
        self.records = 0
        self.finished = False
        self.rewriting = False

    def advance(self, read_at: ReadAt, size: int, enough: int = sys.maxsize) -> None:
        """Take in the records that are complete in the first ``size`` bytes.

        Not those after one that ends at byte ``enough`` or later. Raises what ``read_at``
        raises.
        """
        window = _Window(read_at, size)
        if self.form is Form.UNKNOWN:
            self._see_magic(window)
        if self.form is not Form.MCAP:
            return
        while not self.finished and self.end < enough:
            prefix = window.get(self.end, _PREFIX.size)
            if prefix is None:
                return
            opcode, length = _PREFIX.unpack(prefix)
            if length >= _NO_LENGTH or (opcode == _CHUNK and length < _SHORTEST_CHUNK):
                self.rewriting = True
                return
            end = self.end + _PREFIX.size + length
            # Opcode 0 is none: a file's tail that was set aside and never written.
            if opcode == 0 or end > size:
                return
            if opcode == _FOOTER and length == _FOOTER_LENGTH:
                if window.get(end, len(MAGIC)) != MAGIC:
                    return
                end += len(MAGIC)
                self.finished = True
            self.end = end
            self.records += 1

    def _see_magic(self, window: _Window) -> None:
        magic = window.get(0, len(MAGIC))
        if magic is not None:
            self.form = Form.MCAP if magic == MAGIC else Form.OTHER
            self.end = len(MAGIC) if magic == MAGIC else 0


class _Window:
    """A few bytes of the file at a time; never kept, for the file may change."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self._size = size
        self._start = 0
        self._bytes = b""

    def get(self, offset: int, length: int) -> bytes | None:
        """``length`` bytes; None where the file does not have them yet."""
        if offset + length > self._size:
            return None
        inside = offset - self._start
        if not 0 <= inside <= len(self._bytes) - length:
            view = memoryview(bytearray(min(_WINDOW_BYTES, self._size - offset)))
            self._start = offset
            self._bytes = bytes(view[: self._read_at(offset, view)])
            inside = 0
        found = self._bytes[inside : inside + length]
        return found if len(found) == length else None
