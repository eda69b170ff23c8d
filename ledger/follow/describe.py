"""What the entry of a followed file says beside its root: its reader's words, if it has some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ledger.errors import LedgerError
from ledger.experience.readers.opaque import media_type
from ledger.experience.readers.reading import read_recording
from ledger.experience.readers.recording import Recording, RecordingFile, RecordingTag


def describe(path: Path, size: int) -> Recording:
    """A recording of ``path`` alone, ``size`` bytes, as its format's reader tells it.

    A file that the reader refuses (its recorder died, say) is told plainly, with a tag
    that says so.
    """
    try:
        (recording,) = read_recording(path)
    except LedgerError:
        return describe_plainly(path, size, unfinished=True)
    return replace(
        recording,
        name=_name(path),
        tags=_tags(path, recording.tags),
        files=(RecordingFile(path.name, path, size),),
    )


def describe_plainly(path: Path, size: int, *, unfinished: bool) -> Recording:
    """A recording of ``path`` as bytes: no topics, no times."""
    tags = [RecordingTag("format", "opaque")]
    if unfinished:
        tags.append(RecordingTag("unfinished", "true"))
    return Recording(
        root=path.parent,
        name=_name(path),
        media_type=media_type(path.name),
        files=(RecordingFile(path.name, path, size),),
        tags=_tags(path, tags),
    )


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _tags(path: Path, tags: Iterable[RecordingTag]) -> tuple[RecordingTag, ...]:
    return tuple(sorted({*tags, RecordingTag("bag", path.parent.name)}))
