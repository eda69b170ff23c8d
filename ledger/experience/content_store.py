"""The content of records on disk, each under its content root.

::

    HOME/incoming/<record id hex>/         where content arrives; 0700
    HOME/recording/<record id hex>/        where content is being written; 0700
    HOME/content/<hh>/<root hex>/<name>    plain content, the files by their names
    HOME/content/<hh>/<root hex>/sealed    sealed content, see `ledger.experience.sealing`

``hh`` is the first byte of the root. Roots are salted afresh for each record, so
two records never share a folder, nor does a folder's name tell what is in it.
Content without bytes has no folder; its file names are in the entry.

Content arrives by reflink where the file system can (the clone is then hashed,
which is all the store will ever read), else it is copied and hashed in the same
pass. What `stage` returns is on disk; `install` gives it its place.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, sync_folder
from ledger.errors import CorruptStoreError, RecordingError, RefusedError, StorageError
from ledger.experience.content_hashing import ChunkSource, ContentDigest, Progress, hash_content
from ledger.experience.content_root import CHUNK_SIZE, chunk_count
from ledger.experience.copies import Copy, CopyKind
from ledger.experience.fields import require_file_name, require_file_tree
from ledger.experience.file_span import ReadSpan, SpanFile, WriteSpan
from ledger.experience.kinds import Experience
from ledger.experience.private_folder import make_private_folder, remove_folder
from ledger.experience.readers.recording import RecordingFile
from ledger.experience.record_keys import RecordKeys
from ledger.experience.records import ContentState, Presence
from ledger.experience.sealing import SEALED_CHUNK_SIZE, ChunkSealer, SealedSpan, sealed_size
from ledger.storage.os_errors import storage_errors

SEALED_NAME: Final = "sealed"

_FICLONE: Final = 0x40049409
"""ioctl_ficlone(2): share the source's blocks."""

_NO_REFLINK: Final = {
    errno.EOPNOTSUPP,
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOTTY,
    errno.ENOSYS,
    errno.EPERM,
    errno.ETXTBSY,
}
_NO_LINK: Final = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP}

STORED_HINT: Final = "bring it back from an offloaded copy"


class StoreMode(Enum):
    """How content comes into the home."""

    REFLINK_OR_COPY = auto()
    LINK = auto()
    """A hard link: no space, but whoever writes to the original changes the record."""
    IN_PLACE = auto()
    """Nothing is stored, only where the recording lies."""


@dataclass(frozen=True, slots=True)
class StagedContent:
    """Content on disk that has no place yet, with all that is known of it."""

    record_id: bytes
    digest: ContentDigest
    state: ContentState
    copies: tuple[Copy, ...]
    folder: Path | None


class ContentStore:
    """The content folders of one home. Raises StorageError besides what is said."""

    def __init__(self, home: Path) -> None:
        self._content = home / "content"
        self._incoming = home / "incoming"
        self._recording = home / "recording"

    def stage(
        self,
        files: Sequence[RecordingFile],
        keys: RecordKeys,
        mode: StoreMode,
        *,
        progress: Progress | None = None,
    ) -> StagedContent:
        """Bring a recording's files in and hash them; durable, but without a place.

        Sealed if ``keys`` has a content key. Raises `RecordingError` when a file is
        not what it was said to be or changes meanwhile, `RefusedError` for a mode
        that cannot be; nothing is left then.
        """
        names = [file.name for file in files]
        for name in names:
            require_file_name(name, "file name")
        require_file_tree(names)
        sealed = keys.content_key is not None
        if sealed and mode is not StoreMode.REFLINK_OR_COPY:
            raise RefusedError(
                "content that stays where it is cannot be sealed",
                hint="choose one: encrypt, or link, or in place",
            )
        folder = self._incoming / keys.record_id.hex()
        try:
            with ReadSpan([SpanFile(file.path, file.size) for file in files]) as source:
                if source.size == 0:
                    digest = hash_content(source, keys.salt_key)
                    state, folder_used = ContentState(Presence.EMPTY), None
                elif mode is StoreMode.IN_PLACE:
                    digest = hash_content(source, keys.salt_key, progress=progress)
                    source.sync()
                    state, folder_used = ContentState(Presence.IN_PLACE), None
                else:
                    make_private_folder(folder)
                    digest = _bring_in(folder, files, source, keys, mode, progress)
                    _sync_folders(folder)
                    state, folder_used = ContentState(Presence.STORED, sealed=sealed), folder
                source.check_unchanged()
        except BaseException:
            remove_folder(folder)
            raise
        kind = CopyKind.HARD_LINK if mode is StoreMode.LINK else CopyKind.ORIGINAL
        copies = (Copy(kind, tuple(file.path.absolute() for file in files)),)
        return StagedContent(
            keys.record_id, digest, state, copies if source.size else (), folder_used
        )

    def install(self, staged: StagedContent) -> None:
        """Give staged content its place, durably."""
        if staged.folder is None:
            return
        target = self.folder_of(staged.digest.root)
        make_private_folder(target.parent)
        if target.exists():
            raise StorageError(f"{target} is there already", hint="audit the home")
        self._move(staged.folder, target)

    def recording_folder(self, record_id: bytes) -> Path:
        """Where the content of a record is written that is not kept elsewhere."""
        return self._recording / record_id.hex()

    def adopt(self, record_id: bytes, root: bytes) -> None:
        """Give what was written in a record's own folder its place, durably."""
        folder, target = self.recording_folder(record_id), self.folder_of(root)
        make_private_folder(target.parent)
        if target.exists():
            raise StorageError(f"{target} is there already", hint="audit the home")
        _sync_tree(folder)
        self._move(folder, target)

    def give_back(self, record_id: bytes, root: bytes) -> None:
        """Undo `adopt`, durably; what never left its folder is fine."""
        folder, target = self.recording_folder(record_id), self.folder_of(root)
        if target.is_dir() and not folder.exists():
            self._move(target, folder)

    def _move(self, source: Path, target: Path) -> None:
        with storage_errors(target):
            source.rename(target)
            sync_folder(target.parent)
            sync_folder(source.parent)

    def discard(self, staged: StagedContent) -> None:
        """Remove staged content, wherever it is by now."""
        if staged.folder is not None:
            remove_folder(staged.folder)
            self.remove(staged.digest.root)

    def folder_of(self, root: bytes) -> Path:
        """Where content of this root has its place."""
        return self._content / root[:1].hex() / root.hex()

    def paths(self, experience: Experience, *, sealed: bool) -> tuple[Path, ...]:
        """The files in which the content of a record is stored."""
        folder = self.folder_of(experience.content_root)
        if sealed:
            return (folder / SEALED_NAME,)
        return tuple(folder / file.name for file in experience.files)

    def remove(self, root: bytes) -> None:
        """Remove content by its root, durably; none there is fine."""
        remove_folder(self.folder_of(root))

    def clear_incoming(self) -> None:
        """Remove content that never got its place. Only while nothing is staged."""
        with storage_errors(self._incoming):
            left = list(self._incoming.iterdir()) if self._incoming.is_dir() else []
        for path in left:
            if path.suffix != ".pending":
                remove_folder(path)


@contextmanager
def open_content(
    experience: Experience, paths: Sequence[Path], keys: RecordKeys, *, sealed: bool
) -> Iterator[ChunkSource]:
    """The content of a record, plain or sealed, from the files that hold it.

    Raises `CorruptStoreError` for a file that is missing or of another size.
    """
    if not sealed:
        sizes = [file.size for file in experience.files]
        files = [SpanFile(path, size) for path, size in zip(paths, sizes, strict=True)]
        with ReadSpan(files, CorruptStoreError, STORED_HINT) as plain:
            yield plain
        return
    if keys.content_key is None:
        raise CorruptStoreError(f"sealed record {experience.record_id.hex()} has no content key")
    size = experience.content_size
    sealer = ChunkSealer(experience.record_id, keys.content_key, chunk_count(size))
    (path,) = paths
    with ReadSpan([SpanFile(path, sealed_size(size))], CorruptStoreError, STORED_HINT) as span:
        yield SealedSpan(span, sealer, size)


def _bring_in(
    folder: Path,
    files: Sequence[RecordingFile],
    source: ReadSpan,
    keys: RecordKeys,
    mode: StoreMode,
    progress: Progress | None,
) -> ContentDigest:
    if keys.content_key is not None:
        return _seal(folder / SEALED_NAME, source, keys, keys.content_key, progress)
    for parent in {(folder / file.name).parent for file in files}:
        make_private_folder(parent)
    if mode is StoreMode.LINK:
        _link(folder, files)
        source.sync()
        return hash_content(source, keys.salt_key, progress=progress)
    targets = [SpanFile(folder / file.name, file.size) for file in files]
    if _reflink(files, targets):
        with ReadSpan(targets, RecordingError) as clones:
            clones.sync()
            return hash_content(clones, keys.salt_key, progress=progress)
    with WriteSpan(targets, StorageError, mode=PRIVATE) as copy:
        digest = hash_content(
            source,
            keys.salt_key,
            progress=progress,
            sink=lambda index, chunk, _: copy.write_from(index * CHUNK_SIZE, chunk),
        )
        copy.sync()
    return digest


def _seal(
    path: Path, source: ReadSpan, keys: RecordKeys, content_key: bytes, progress: Progress | None
) -> ContentDigest:
    sealer = ChunkSealer(keys.record_id, content_key, chunk_count(source.size))
    target = SpanFile(path, sealed_size(source.size))
    with WriteSpan([target], StorageError, mode=PRIVATE) as sealed:
        digest = hash_content(
            source,
            keys.salt_key,
            progress=progress,
            sink=lambda index, chunk, _: sealed.write_from(
                index * SEALED_CHUNK_SIZE, sealer.seal(index, chunk)
            ),
        )
        sealed.sync()
    return digest


def _link(folder: Path, files: Sequence[RecordingFile]) -> None:
    for file in files:
        try:
            os.link(file.path, folder / file.name, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_LINK:
                raise RefusedError(
                    f"{file.path} cannot be hard-linked into the home: "
                    f"{os.strerror(error.errno).lower()}",
                    hint="ingest it without linking, or keep the home on the same file system",
                ) from error
            with storage_errors(file.path):
                raise


def _reflink(files: Sequence[RecordingFile], targets: Sequence[SpanFile]) -> bool:
    """Clone every file, or none: whether the file system could."""
    made: list[Path] = []
    for file, target in zip(files, targets, strict=True):
        if not _clone(file.path, target.path):
            with storage_errors(target.path):
                for path in (*made, target.path):
                    path.unlink(missing_ok=True)
            return False
        made.append(target.path)
    return True


def _clone(source: Path, target: Path) -> bool:
    with storage_errors(target):
        reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            writing = os.open(target, flags, PRIVATE)
            try:
                os.fchmod(writing, PRIVATE)
                fcntl.ioctl(writing, _FICLONE, reading)
            except OSError as error:
                if error.errno in _NO_REFLINK:
                    return False
                raise
            finally:
                os.close(writing)
        finally:
            os.close(reading)
    return True


def _sync_folders(folder: Path) -> None:
    _sync_tree(folder)
    with storage_errors(folder):
        sync_folder(folder.parent)


def _sync_tree(folder: Path) -> None:
    with storage_errors(folder):
        for root, _, _ in os.walk(folder, topdown=False):
            sync_folder(Path(root))
