"""Reading forward through bytes that may be damaged, in bounded memory.

A length found in the input is never believed: it is compared with what may be
taken, and bytes that only have to be passed over are passed over piece by piece.
Compressed parts are decompressed as a stream, so that what they declare about
their size costs nothing.
"""

from __future__ import annotations

import bz2
import io
import struct
import zlib
from typing import BinaryIO, Protocol, cast

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import reason

PIECE = 1 << 20
# The largest single field or record that is held in memory.
TAKE_LIMIT = 64 << 20
# A Zstandard frame may ask for a window; 128 MiB is the library's own limit.
ZSTD_WINDOW_LIMIT = 1 << 27


class DamageError(Exception):
    """The bytes break their format. Readers turn it into a `RecordingError` with the path."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class ByteSource:
    """A forward-only reader that counts bytes and, when asked, their CRC-32."""

    def __init__(self, stream: _Readable, *, offset: int = 0, with_crc: bool = False) -> None:
        self._stream = stream
        self._with_crc = with_crc
        self.offset = offset
        self.crc = 0

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes, else `DamageError`."""
        if size > TAKE_LIMIT:
            raise DamageError(f"a field at byte {self.offset} claims to be {size} bytes long")
        data = self._stream.read(size)
        if len(data) != size:
            raise DamageError(f"it ends inside a record, after byte {self.offset + len(data)}")
        self.offset += size
        if self._with_crc:
            self.crc = zlib.crc32(data, self.crc)
        return data

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes, else `DamageError`."""
        while size > 0:
            step = min(size, PIECE)
            self.take(step)
            size -= step

    def at_end(self) -> bool:
        """Whether nothing follows. Only for use after the last record: it may take a byte."""
        return not self._stream.read(1)


class Window(io.RawIOBase):
    """The next ``size`` bytes of a source, as a stream for a decompressor."""

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__()
        self._source = source
        self.remaining = size

    def readable(self) -> bool:
        """Yes: it is for reading."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill the buffer as far as the window reaches."""
        step = min(len(buffer), self.remaining, PIECE)
        buffer[:step] = self._source.take(step)
        self.remaining -= step
        return step


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


def decompressed(stream: Window | BinaryIO, compression: str) -> io.BufferedReader:
    """What ``stream`` decompresses to: zstd, lz4 (frame format), bz2, or as it is for "".

    Raises `DamageError` for another name, and on reading what is no such stream.
    """
    source = cast(BinaryIO, stream)
    errors: tuple[type[Exception], ...] = ()
    opened: object = source
    if compression in ("", "none"):
        pass
    elif compression == "zstd":
        import zstandard

        decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_LIMIT)
        opened = decompressor.stream_reader(source, read_across_frames=True)
        errors = (zstandard.ZstdError, MemoryError)
    elif compression == "lz4":
        import lz4.frame  # type: ignore[import-untyped]

        opened = lz4.frame.LZ4FrameFile(source)
        errors = (RuntimeError, EOFError, ValueError, MemoryError)
    elif compression == "bz2":
        opened = bz2.BZ2File(source)
        errors = (OSError, EOFError, ValueError)
    else:
        raise DamageError(f"its compression {compression!r} is not supported")
    return io.BufferedReader(_Guarded(cast(BinaryIO, opened), errors), PIECE)


class Fields:
    """The little-endian fields of one record's body. Every read is checked against its end."""

    def __init__(self, body: bytes, where: str) -> None:
        self._body = body
        self._where = where
        self._position = 0

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, else `DamageError`."""
        end = self._position + size
        if end > len(self._body):
            raise DamageError(f"the {self._where} record is too short for its fields")
        data = self._body[self._position : end]
        self._position = end
        return data

    def u16(self) -> int:
        """An unsigned 16-bit integer."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """An unsigned 32-bit integer."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """An unsigned 64-bit integer."""
        return int.from_bytes(self.take(8), "little")

    def text(self) -> str:
        """A string: u32 length, then UTF-8."""
        try:
            return self.take(self.u32()).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamageError(f"the {self._where} record holds text that is not UTF-8") from error

    def pairs(self, format_: str) -> list[tuple[int, int]]:
        """An array of pairs: u32 length in bytes, then pairs packed as ``format_`` says."""
        data = self.take(self.u32())
        if len(data) % struct.calcsize(format_):
            raise DamageError(f"the {self._where} record holds a broken array")
        return [(first, second) for first, second in struct.iter_unpack(format_, data)]

    def text_map(self) -> dict[str, str]:
        """A map of strings: u32 length in bytes, then keys and values in turn."""
        inner = Fields(self.take(self.u32()), self._where)
        result: dict[str, str] = {}
        while inner._position < len(inner._body):
            key = inner.text()
            result[key] = inner.text()
        return result


def damaged(path: object, error: DamageError, hint: str) -> RecordingError:
    """The error that leaves a reader for damage found in ``path``."""
    return RecordingError(f"{path} is damaged: {error}", hint=hint)
