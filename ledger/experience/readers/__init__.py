"""Readers: look at an input path and say which recordings it holds."""

from ledger.experience.readers.reading import read_recording
from ledger.experience.readers.recording import (
    RangeRef,
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)

__all__ = [
    "RangeRef",
    "Recording",
    "RecordingFile",
    "RecordingTag",
    "RecordingTopic",
    "read_recording",
]
