"""A record written as a recorder writes one: bytes, a sync, a mark; for tests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from ledger.experience.access import ExperienceWriter
from ledger.experience.growing import OpenRecord, begin_record, commit_progress
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.experience.growing_seal import seal_record
from ledger.experience.ingest import IngestOptions, IngestReceipt
from ledger.experience.readers.recording import Recording, RecordingFile, RecordingTopic

CONTENT = random.Random(11).randbytes(700_000)
METADATA = b"rosbag2_bagfile_information: {version: 9}\n"
ENDS = (1_000, 262_144, 300_000, 300_001, 600_000)


class GrowingRecord:
    """One record, the hashes of what was written of it, and the marks made."""

    def __init__(self, writer: ExperienceWriter, folder: Path | None = None) -> None:
        """In the home's own folder; or in place, in ``folder``."""
        source = folder / "run_0.mcap" if folder else None
        self.writer = writer
        self.record: OpenRecord = begin_record(writer, in_place=folder is not None, source=source)
        self.folder = folder or self.record.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.content = GrowingContent(self.record.salt_key)
        self.marks: list[ProgressMark] = []
        self.entries: list[int] = []

    @property
    def id(self) -> bytes:
        return self.record.record_id

    def write(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)
        self.content.update(data)

    def commit(self) -> int:
        self.marks.append(self.content.mark())
        self.entries.append(commit_progress(self.writer, self.id, self.marks[-1]))
        return self.entries[-1]

    def grow(self, content: bytes = CONTENT, ends: Sequence[int] = ENDS) -> GrowingRecord:
        """Write ``content``, with a commit at each of ``ends``, and the bag's metadata."""
        for start, end in zip((0, *ends), (*ends, len(content)), strict=True):
            self.write("run_0.mcap", content[start:end])
            if end in ends:
                self.commit()
        self.write("metadata.yaml", METADATA)
        return self

    def recording(self, name: str = "run") -> Recording:
        files = tuple(
            RecordingFile(each, self.folder / each, (self.folder / each).stat().st_size)
            for each in ("run_0.mcap", "metadata.yaml")
        )
        topics = (RecordingTopic("/odom", "nav_msgs/msg/Odometry", 7),)
        return Recording(self.folder, name, "application/x-rosbag2", files, topics, 1_000, 2_000, 7)

    def seal(self, options: IngestOptions | None = None) -> IngestReceipt:
        return seal_record(
            self.writer, self.id, self.recording(), self.content.finish(), options=options
        )
