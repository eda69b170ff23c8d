"""What a reader finds at an input path: the values that will become one log entry each.

A `Recording` is a claim about bytes that lie on disk now. It copies nothing and
hashes nothing. Its content is the concatenation of ``files`` in the order
listed; their ``name`` is where ``get`` will put them back, relative to the
folder it restores into.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ledger.errors import RecordingError

# Times and counts travel as protobuf uint64, video times as sint64.
UINT64_MAX = (1 << 64) - 1
INT64_MAX = (1 << 63) - 1
OPAQUE_HINT = "the file may be damaged; ingest with --opaque to keep its bytes as they are"


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """One file of a recording: ``name`` is relative and POSIX, ``size`` in bytes."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True, order=True)
class RecordingTopic:
    """A topic, its message type and how many messages of it the recording holds."""

    name: str
    type: str
    count: int


@dataclass(frozen=True, slots=True, order=True)
class RecordingTag:
    """A public fact about the recording, such as ``ros_distro`` = ``jazzy``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RangeRef:
    """A part of another recording of the same input, which is named, not copied.

    ``file`` is a file name inside the recording called ``recording_name``. Rows
    are ``first_row <= row < end_row`` of that file (0, 0 for a video); video
    times are ns from the start of that file (0, 0 for a table).
    """

    recording_name: str
    file: str
    first_row: int
    end_row: int
    video_start_ns: int
    video_end_ns: int


@dataclass(frozen=True, slots=True)
class Recording:
    """One future log entry.

    ``root`` is the folder that the file names are relative to, ``name`` is unique
    among the recordings of one input. Topics are sorted by name and type, tags by
    key. ``start_ns`` and ``end_ns`` are the first and the last message's time in
    ns since the epoch, both inclusive, and both 0 where the reader cannot know.
    The topics' counts add up to ``message_count``.
    A recording with ``ranges`` and no files only points into others, which the
    reader yields before it.

    Raises `RecordingError` when a value cannot be written into an entry.
    """

    root: Path
    name: str
    media_type: str
    files: tuple[RecordingFile, ...]
    topics: tuple[RecordingTopic, ...] = ()
    start_ns: int = 0
    end_ns: int = 0
    message_count: int = 0
    tags: tuple[RecordingTag, ...] = ()
    ranges: tuple[RangeRef, ...] = ()

    def __post_init__(self) -> None:
        for file in self.files:
            check_file_name(file.name)
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise RecordingError(f"{self.name!r} lists a file twice", hint=OPAQUE_HINT)
        for text in self._texts():
            check_text(text, self.name)
        if not 0 <= self.start_ns <= self.end_ns <= UINT64_MAX:
            raise RecordingError(
                f"{self.name!r} has an impossible time range, {self.start_ns} to {self.end_ns} ns",
                hint=OPAQUE_HINT,
            )
        counts = [topic.count for topic in self.topics]
        if (
            min(counts, default=0) < 0
            or self.message_count > UINT64_MAX
            or sum(counts) != self.message_count
        ):
            raise RecordingError(f"{self.name!r} has an impossible message count", hint=OPAQUE_HINT)
        if list(self.topics) != sorted(self.topics) or list(self.tags) != sorted(self.tags):
            raise RecordingError(
                f"{self.name!r} lists topics or tags out of order", hint=OPAQUE_HINT
            )

    def _texts(self) -> list[str]:
        texts = [self.name, self.media_type]
        texts += [text for topic in self.topics for text in (topic.name, topic.type)]
        texts += [text for tag in self.tags for text in (tag.key, tag.value)]
        texts += [text for ref in self.ranges for text in (ref.recording_name, ref.file)]
        return texts

    @property
    def size(self) -> int:
        """Bytes of content: the sum of the files' sizes."""
        return sum(file.size for file in self.files)


def check_file_name(name: str) -> None:
    """Raise `RecordingError` unless ``name`` is relative, POSIX, without ``.`` or ``..``."""
    check_text(name, name)
    parts = PurePosixPath(name).parts
    if not name or name.startswith("/") or "/".join(parts) != name or ".." in parts:
        raise RecordingError(
            f"{name!r} is not a file name inside the recording",
            hint="a recording's files must lie inside its own folder",
        )


def check_text(text: str, where: str) -> None:
    """Raise `RecordingError` unless ``text`` is Unicode without NUL."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RecordingError(
            f"{where!r} holds a name that is not UTF-8", hint="rename the file and try again"
        ) from error
    if "\0" in text:
        raise RecordingError(f"{where!r} holds a name with a NUL character in it", hint=OPAQUE_HINT)
