"""A home with an owner, and what a test records into it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mcap.reader import make_reader

from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience, Progress
from ledger.fsck import AuditRequest, Depth, audit_home
from ledger.memory.owner import MemoryOwner
from ledger.recording.channel import LATCHED, ChannelSpec, QosProfile
from ledger.recording.recorder import Recorder
from ledger.recording.settings import RecorderSettings

START_NS = 1_700_000_000_000_000_000

STRING = ChannelSpec(
    "/chatter",
    "std_msgs/msg/String",
    "string data\n",
    type_hash="RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
    offers=(QosProfile(),),
)
LATCHED_STRING = ChannelSpec(
    "/map",
    STRING.type,
    STRING.definition,
    type_hash=STRING.type_hash,
    offers=(QosProfile(durability=LATCHED),),
)
SHORT = RecorderSettings(name="r1", ros_distro="jazzy", progress_period_s=0.05)

Found = tuple[str, int, int, int, bytes]
"""Topic, sequence, log time, publish time, bytes."""


def string(text: str) -> bytes:
    """A std_msgs/msg/String in CDR."""
    data = text.encode() + b"\0"
    return b"\0\1\0\0" + len(data).to_bytes(4, "little") + data


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("it did not come to pass")
        time.sleep(0.005)


def drained(recorder: Recorder) -> bool:
    """Whether everything received is in a segment, lost, or in the black box."""
    return recorder.status().queued_bytes == 0


def messages(file: Path) -> list[Found]:
    """The messages of an MCAP file in the order of the file, read by the mcap library."""
    with file.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        return [
            (channel.topic, message.sequence, message.log_time, message.publish_time, message.data)
            for _, channel, message in reader.iter_messages(log_time_order=False)
        ]


def entries(owner: MemoryOwner) -> list[Experience | Progress]:
    """What the log of a home says of recordings, in order."""
    with owner.reader() as home:
        kinds = [parse_entry(home.log.entry(index)).kind for index in range(home.log.size)]
    return [kind for kind in kinds if isinstance(kind, Experience | Progress)]


def segments(owner: MemoryOwner) -> list[Experience]:
    """The sealed segments, in order."""
    return [kind for kind in entries(owner) if isinstance(kind, Experience)]


def files_of(root: Path, experience: Experience) -> list[Path]:
    """Where the files of a sealed segment are."""
    content = root / "content" / experience.content_root[:1].hex() / experience.content_root.hex()
    return [content / file.name for file in experience.files]


def bag_of(root: Path, experience: Experience) -> Path:
    """The MCAP file of a sealed segment."""
    return files_of(root, experience)[0]


def require_sound(root: Path) -> None:
    """Audit a home and read all its content."""
    report = audit_home(AuditRequest(root, root.parent / "published", Depth.DEEP))
    if not report.ok:
        raise AssertionError([finding.message for finding in report.findings])
