"""A recorder's part, in few lines: a file that grows, is marked, and is sealed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger.experience.growing import OpenRecord
from ledger.experience.growing_content import GrowingContent
from ledger.experience.ingest import HiddenValue, IngestOptions, IngestReceipt
from ledger.experience.readers.recording import (
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)
from ledger.memory.sink import RecordSink

NAME = "drive_0.mcap"


@dataclass
class GrowingFile:
    """A record that a test writes."""

    sink: RecordSink
    record: OpenRecord
    content: GrowingContent

    @classmethod
    def begin(cls, sink: RecordSink) -> GrowingFile:
        record = sink.begin()
        return cls(sink, record, GrowingContent(record.salt_key))

    @property
    def path(self) -> Path:
        return self.record.folder / NAME

    def write(self, data: bytes) -> int:
        """Append, and commit how far it is; the entry's index."""
        with self.path.open("ab") as file:
            file.write(data)
        self.content.update(data)
        return self.sink.progress(self.record.record_id, self.content.mark())

    @property
    def recording(self) -> Recording:
        return Recording(
            root=self.record.folder,
            name="drive",
            media_type="application/x-mcap",
            files=(RecordingFile(NAME, self.path, self.content.length),),
            topics=(RecordingTopic("/imu", "sensor_msgs/msg/Imu", 7),),
            start_ns=1,
            end_ns=2,
            message_count=7,
            tags=(RecordingTag("site", "yard"),),
        )

    def seal(
        self, hidden: tuple[HiddenValue, ...] = (), options: IngestOptions | None = None
    ) -> IngestReceipt:
        digest = self.content.finish()
        return self.sink.seal(self.record.record_id, self.recording, digest, hidden, options)
