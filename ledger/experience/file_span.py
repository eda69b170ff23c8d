"""Several files as one run of bytes: how content lies on disk.

Chunks cross the borders of files, and threads read and write different chunks
at once; so everything here goes by offset (``preadv``, ``pwrite``), never by a
file's position, and never through a memory map (a file cut short under a map
kills the process).

A file is looked at when it is opened and again at the end: size, modification
time and inode. A recording that is still being written is thus refused and not
half recorded.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Final

from ledger.errors import LedgerError, RecordingError
from ledger.storage.os_errors import storage_error

MAX_OPEN_FILES: Final = 64
"""Above this many files, each is opened again for every piece."""

RECORDING_HINT: Final = "check that the file is there, and that nothing writes to it any more"

_READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class SpanFile:
    """One file of a span and the bytes it has."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class _Identity:
    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, descriptor: int) -> _Identity:
        status = os.fstat(descriptor)
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class _Span:
    """Files end to end. ``fault`` and ``hint`` make the error for files that are not right."""

    _flags: int

    def __init__(self, files: Sequence[SpanFile], fault: type[LedgerError], hint: str) -> None:
        self._files = tuple(files)
        self._hint = hint
        self._ends = list(accumulate(file.size for file in self._files))
        self._fault = fault
        self._descriptors: list[int] = []

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self._ends[-1] if self._ends else 0

    def close(self) -> None:
        """Close what is open; a second call does nothing."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _keeps_open(self) -> bool:
        return len(self._files) <= MAX_OPEN_FILES

    @contextmanager
    def _descriptor(self, position: int) -> Iterator[int]:
        if self._descriptors:
            yield self._descriptors[position]
            return
        descriptor = self._open(position)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, position: int) -> int:
        path = self._files[position].path
        try:
            return os.open(path, self._flags)
        except OSError as error:
            raise self._cannot("open", path, error) from error

    def _cannot(self, verb: str, path: Path, error: OSError) -> LedgerError:
        reason = os.strerror(error.errno or 0).lower()
        return self._fault(f"cannot {verb} {path}: {reason}", hint=self._hint)

    def _pieces(self, offset: int, length: int) -> Iterator[tuple[int, int, int]]:
        """(file, offset in it, bytes of it) for each file that a stretch touches."""
        position = bisect_right(self._ends, offset)
        while length:
            start = self._ends[position] - self._files[position].size
            taken = min(length, self._ends[position] - offset)
            if taken:
                yield position, offset - start, taken
            offset += taken
            length -= taken
            position += 1


class ReadSpan(_Span):
    """Files read end to end, from any thread. A context manager.

    Raises ``fault`` when a file is missing, a link, not a regular file, or not of
    the size that was said.
    """

    _flags = _READ_FLAGS

    def __init__(
        self,
        files: Sequence[SpanFile],
        fault: type[LedgerError] = RecordingError,
        hint: str = RECORDING_HINT,
    ) -> None:
        super().__init__(files, fault, hint)
        self._identities: list[_Identity] = []

    def __enter__(self) -> ReadSpan:
        """Open, and look at, every file."""
        descriptors: list[int] = []
        try:
            for position in range(len(self._files)):
                descriptor = self._open(position)
                descriptors.append(descriptor)
                self._identities.append(self._identify(position, descriptor))
                if not self._keeps_open():
                    os.close(descriptors.pop())
        except BaseException:
            for descriptor in descriptors:
                os.close(descriptor)
            raise
        self._descriptors = descriptors
        return self

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill ``view`` with the bytes from ``offset`` on. Raises ``fault``."""
        filled = 0
        for position, start, length in self._pieces(offset, len(view)):
            with self._descriptor(position) as descriptor:
                self._read_piece(position, descriptor, start, view[filled : filled + length])
            filled += length

    def check_unchanged(self) -> None:
        """Raise ``fault`` if a file is not the one, or not as, it was when it was opened."""
        for position, before in enumerate(self._identities):
            with self._descriptor(position) as descriptor:
                if _Identity.of(descriptor) != before:
                    raise self._changed(position)

    def sync(self) -> None:
        """Have the files' bytes on disk before they are relied on. Raises StorageError."""
        for position, file in enumerate(self._files):
            with self._descriptor(position) as descriptor:
                try:
                    os.fsync(descriptor)
                except OSError as error:
                    raise storage_error(error.errno or 0, file.path) from error

    def forget_cached(self) -> None:
        """Ask the system to read from disk next time; a hint that may go unheard."""
        for position in range(len(self._files)):
            with self._descriptor(position) as descriptor, suppress(OSError):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def _identify(self, position: int, descriptor: int) -> _Identity:
        file = self._files[position]
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise self._fault(f"{file.path} is not a regular file", hint=self._hint)
        identity = _Identity.of(descriptor)
        if identity.size != file.size:
            raise self._changed(position)
        return identity

    def _read_piece(self, position: int, descriptor: int, start: int, view: memoryview) -> None:
        while view:
            try:
                count = os.preadv(descriptor, [view], start)
            except OSError as error:
                raise self._cannot("read", self._files[position].path, error) from error
            if count == 0:
                raise self._changed(position)
            view = view[count:]
            start += count

    def _changed(self, position: int) -> LedgerError:
        path, size = self._files[position].path, self._files[position].size
        with suppress(OSError):
            now = path.stat().st_size
            if now != size:
                verb = "grew" if now > size else "shrank"
                return self._fault(f"{path} {verb} from {size} to {now} bytes", hint=self._hint)
        return self._fault(f"{path} changed while it was read", hint=self._hint)


class WriteSpan(_Span):
    """New files written end to end, from any thread. A context manager.

    No file is ever replaced: each must be new, else ``fault`` is raised. When the
    block ends in an error, the files it made are removed. Raises StorageError.
    """

    _flags = _WRITE_FLAGS

    def __init__(
        self, files: Sequence[SpanFile], fault: type[LedgerError], *, mode: int | None = None
    ) -> None:
        """``mode`` is set whatever the umask; without it the umask decides."""
        super().__init__(files, fault, "nothing is overwritten; choose another place")
        self._mode = mode
        self._made: list[Path] = []

    def __enter__(self) -> WriteSpan:
        """Create every file."""
        try:
            for file in self._files:
                descriptor = self._create(file)
                if self._keeps_open():
                    self._descriptors.append(descriptor)
                else:
                    os.close(descriptor)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files; remove them after an error."""
        if error is None:
            self.close()
        else:
            self._remove()

    def _remove(self) -> None:
        self.close()
        while self._made:
            with suppress(OSError):
                self._made.pop().unlink()

    def write_from(self, offset: int, view: bytes | memoryview) -> None:
        """Write ``view`` at ``offset``. Raises StorageError."""
        rest = memoryview(view)
        for position, start, length in self._pieces(offset, len(rest)):
            piece, rest = rest[:length], rest[length:]
            with self._descriptor(position) as descriptor:
                while piece:
                    try:
                        count = os.pwrite(descriptor, piece, start)
                    except OSError as error:
                        path = self._files[position].path
                        raise storage_error(error.errno or 0, path) from error
                    piece = piece[count:]
                    start += count

    def sync(self) -> None:
        """Make the files' bytes durable; their names are the folder's to sync."""
        for position, file in enumerate(self._files):
            with self._descriptor(position) as descriptor:
                try:
                    os.fsync(descriptor)
                except OSError as error:
                    raise storage_error(error.errno or 0, file.path) from error

    def _create(self, file: SpanFile) -> int:
        try:
            descriptor = os.open(
                file.path,
                self._flags | os.O_CREAT | os.O_EXCL,
                0o666 if self._mode is None else self._mode,
            )
        except FileExistsError as error:
            raise self._fault(f"{file.path} is there already", hint=self._hint) from error
        except OSError as error:
            raise storage_error(error.errno or 0, file.path) from error
        self._made.append(file.path)
        try:
            if self._mode is not None:
                os.fchmod(descriptor, self._mode)
            os.ftruncate(descriptor, file.size)
        except OSError as error:
            os.close(descriptor)
            raise storage_error(error.errno or 0, file.path) from error
        return descriptor
