"""What a storage file says it holds, whichever format it is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.experience.readers.input_files import recording_file
from ledger.experience.readers.recording import Recording, RecordingTag, RecordingTopic


@dataclass(frozen=True, slots=True)
class StorageContents:
    """Topics (sorted, unique by name and type), time range in ns, and reader-made tags.

    ``start_ns`` and ``end_ns`` are the first and last message's time, inclusive,
    and both 0 when there is no message.
    """

    topics: tuple[RecordingTopic, ...]
    start_ns: int
    end_ns: int
    tags: Mapping[str, str]

    @property
    def message_count(self) -> int:
        """Messages over all topics."""
        return sum(topic.count for topic in self.topics)


def count_topics(counts: Iterable[tuple[str, str, int]]) -> tuple[RecordingTopic, ...]:
    """Topics in order, from (name, type, count) of channels, several of which may share a topic."""
    totals: Counter[tuple[str, str]] = Counter()
    for name, message_type, count in counts:
        totals[name, message_type] += count
    return tuple(
        RecordingTopic(name, kind, count) for (name, kind), count in sorted(totals.items())
    )


def sorted_tags(tags: Mapping[str, str]) -> tuple[RecordingTag, ...]:
    """Tags in order of their key, without the empty ones."""
    return tuple(RecordingTag(key, value) for key, value in sorted(tags.items()) if value)


def file_recording(
    path: Path, media_type: str, format_name: str, contents: StorageContents
) -> Recording:
    """The recording that one storage file is by itself.

    Raises `RecordingError` when its values cannot be written into an entry.
    """
    return Recording(
        root=path.parent,
        name=path.name,
        media_type=media_type,
        files=(recording_file(path.parent, path.name),),
        topics=contents.topics,
        start_ns=contents.start_ns,
        end_ns=contents.end_ns,
        message_count=contents.message_count,
        tags=sorted_tags({**contents.tags, "format": format_name}),
    )
