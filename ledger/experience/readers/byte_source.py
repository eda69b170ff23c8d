"""Streams that libraries may read bytes from which can be damaged or hostile.

The format libraries believe what a file says about itself. So what they are handed
is strict: a length beyond the end of the input or beyond what is held in memory is
refused, and a read gives all it was asked for or raises. Compressed parts are
decompressed as a stream, so that what they declare about their size costs nothing.
"""

from __future__ import annotations

import bz2
import io
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import reason

PIECE = 1 << 20
# How often a whole stream may be read over: an index can name one part a million times.
SEEK_LIMIT = 4
# Small, because looking up a record fills it.
BUFFER = 8 << 10
# The largest single field that is held in memory.
READ_LIMIT = 512 << 20
# A Zstandard frame may ask for a window; 128 MiB is the library's own limit.
ZSTD_WINDOW_LIMIT = 1 << 27
# What parsers raise at bytes that they did not expect; ValueError is also broken UTF-8.
PARSER_ERRORS = (
    AssertionError,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    StopIteration,
    ValueError,
    struct.error,
)


class DamageError(Exception):
    """The bytes break their format. Readers turn it into a `RecordingError` with the path."""


class StrictStream(io.BufferedReader):
    """A stream whose reads are complete and stay within ``size`` bytes, else `DamageError`.

    Without ``size`` it ends where the source does. ``offset`` is where it stands, and
    ``furthest`` the last byte where it stood before a `seek` or after one.
    """

    def __init__(self, source: object, size: int = sys.maxsize) -> None:
        super().__init__(cast(io.RawIOBase, source), BUFFER)
        self.size = size
        self.offset = self.furthest = 0
        self._start = self._taken = 0
        self._previous = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Exactly ``size`` bytes. Libraries call it for every field: it does little."""
        offset = self.offset
        if size is None or not 0 <= size <= READ_LIMIT or offset + size > self.size:
            raise DamageError(f"a field at byte {offset} claims to be {size} bytes long")
        if size == 8 and self._previous == b"\0":
            # MCAP records start with an opcode of one byte, never 0, and a length of eight.
            # Without this a file's tail of zeros is walked through as empty records.
            raise DamageError(f"byte {offset - 1} starts no record")
        self._previous = data = super().read(size)
        self.offset = offset + len(data)
        if len(data) != size:
            raise DamageError(f"it ends inside a record, after byte {self.offset}")
        return data

    def at_end(self) -> bool:
        """Whether nothing follows. Only for use after the last record: it may take a byte."""
        return not super().read(1)

    def readline(self, size: int | None = -1, /) -> bytes:
        """The next line, which must be a short one."""
        line = super().readline(BUFFER)
        self.offset += len(line)
        return line

    def seek(self, target: int, whence: int = os.SEEK_SET, /) -> int:
        """Stand at another byte, which the stream must have."""
        self._taken += self.offset - self._start
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.offset, os.SEEK_END: self.size}[whence]
        if not 0 <= base + target <= self.size:
            raise DamageError(f"it points at byte {base + target}, and it has {self.size}")
        if self._taken > SEEK_LIMIT * self.size:
            raise DamageError("it points at the same bytes again and again")
        self.furthest = max(self.furthest, self.offset, base + target)
        self.offset = self._start = super().seek(base + target)
        return self.offset


@contextmanager
def reading(path: Path, hint: str, *library_errors: type[Exception]) -> Iterator[None]:
    """Turn every error that damaged bytes cause in a format library into a `RecordingError`."""
    errors: tuple[type[Exception], ...] = (*PARSER_ERRORS, *library_errors)
    try:
        yield
    except DamageError as error:
        raise damaged(path, error, hint) from error
    except errors as error:
        found = DamageError(f"its bytes break the format ({reason(error)})")
        raise damaged(path, found, hint) from error


class _Guarded(io.RawIOBase):
    """A decompressor's stream whose own exceptions become `DamageError`."""

    def __init__(self, stream: BinaryIO, errors: tuple[type[Exception], ...]) -> None:
        super().__init__()
        self._stream = stream
        self._errors = errors

    def readable(self) -> bool:
        """Yes: it is for reading."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Decompress into the buffer."""
        try:
            data = self._stream.read(len(buffer))
        except self._errors as error:
            raise DamageError(f"its compressed data is damaged: {reason(error)}") from error
        buffer[: len(data)] = data
        return len(data)


def decompressed(stream: BinaryIO, compression: str) -> io.BufferedReader:
    """What ``stream`` decompresses to: zstd, lz4 (frame format), bz2, or as it is for "".

    Raises `DamageError` for another name, and on reading what is no such stream.
    """
    errors: tuple[type[Exception], ...] = ()
    opened: object = stream
    if compression in ("", "none"):
        pass
    elif compression == "zstd":
        import zstandard

        decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_LIMIT)
        opened = decompressor.stream_reader(stream, read_across_frames=True)
        errors = (zstandard.ZstdError, MemoryError)
    elif compression == "lz4":
        import lz4.frame  # type: ignore[import-untyped]

        opened = lz4.frame.LZ4FrameFile(stream)
        errors = (RuntimeError, EOFError, ValueError, MemoryError)
    elif compression == "bz2":
        opened = bz2.BZ2File(stream)
        errors = (OSError, EOFError, ValueError)
    else:
        raise DamageError(f"its compression {compression!r} is not supported")
    return io.BufferedReader(_Guarded(cast(BinaryIO, opened), errors), PIECE)


def damaged(path: object, error: DamageError, hint: str) -> RecordingError:
    """The error that leaves a reader for damage found in ``path``."""
    return RecordingError(f"{path} is damaged: {error}", hint=hint)
