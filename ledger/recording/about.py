"""What a segment says of itself: in the file, and as tags in its entry.

In the file it is a metadata record named ``quipu`` before the first message, so that a
segment whose recorder died still knows which episode it was::

    name, number, kind          of the segment; number counts from 0 since the recorder started
    session                     which start of the recorder
    task, tags, trigger         where there are any; tags as a JSON array
    repeated                    JSON array: {"topic", "sequence", "received_ns"} of each message
                                that is repeated here from before, because its topic is latched
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from ledger.experience.readers.recording import RecordingTag

METADATA_NAME: Final = "quipu"


class SegmentKind(Enum):
    """Why a segment was recorded."""

    CONTINUOUS = "continuous"
    EPISODE = "episode"
    BLACK_BOX = "black_box"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A message repeated at the start of a segment: ``received_ns`` is when it came in."""

    topic: str
    sequence: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class SegmentAbout:
    """Name and circumstances of a segment."""

    name: str
    number: int
    kind: SegmentKind
    session: str = ""
    task: str = ""
    tags: tuple[str, ...] = ()
    trigger: str = ""

    def metadata(self, repeated: Sequence[Repeated]) -> dict[str, str]:
        """The metadata record's values."""
        values = {
            "name": self.name,
            "number": str(self.number),
            "kind": self.kind.value,
            "session": self.session,
            "task": self.task,
            "tags": json.dumps(self.tags, ensure_ascii=False) if self.tags else "",
            "trigger": self.trigger,
            "repeated": json.dumps(
                [
                    {"topic": one.topic, "sequence": one.sequence, "received_ns": one.received_ns}
                    for one in repeated
                ],
                ensure_ascii=False,
            )
            if repeated
            else "",
        }
        return {key: value for key, value in values.items() if value}

    @classmethod
    def from_metadata(cls, values: Mapping[str, str], name: str) -> tuple[Self, int]:
        """What `metadata` wrote, and how many messages are repeats; ``name`` where it has none."""
        try:
            kind = SegmentKind(values.get("kind", SegmentKind.CONTINUOUS.value))
            about = cls(
                name=values.get("name", name),
                number=int(values.get("number", "0")),
                kind=kind,
                session=values.get("session", ""),
                task=values.get("task", ""),
                tags=tuple(map(str, json.loads(values.get("tags", "[]")))),
                trigger=values.get("trigger", ""),
            )
            return about, len(json.loads(values.get("repeated", "[]")))
        except (ValueError, TypeError):
            return cls(name, 0, SegmentKind.CONTINUOUS), 0

    def entry_tags(
        self, ros_distro: str, *, repeated: int, lost: int, recovered: bool = False
    ) -> tuple[RecordingTag, ...]:
        """The public tags: what a reader of bags would say, and what only we know."""
        pairs = {
            ("format", "rosbag2"),
            ("storage", "mcap"),
            ("profile", "ros2"),
            ("rosbag2_version", "9"),
            ("ros_distro", ros_distro),
            ("recorder", METADATA_NAME),
            ("kind", self.kind.value),
            ("session", self.session),
            ("segment", str(self.number)),
            ("task", self.task),
            ("trigger", self.trigger),
            ("repeated", str(repeated) if repeated else ""),
            ("lost", str(lost) if lost else ""),
            ("recovered", "true" if recovered else ""),
            *(("tag", tag) for tag in self.tags),
        }
        return tuple(RecordingTag(key, value) for key, value in sorted(pairs) if value)
