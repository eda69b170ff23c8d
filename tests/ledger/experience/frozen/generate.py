"""Write the frozen entries again: ``python -m tests.ledger.experience.frozen.generate``.

They were signed once and must verify for ever. Running this must change nothing;
a new version of the format gets a file of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.experience.content_root import (
    CHUNK_SIZE,
    content_root_of_leaves,
    disclose_chunk,
    leaves_of_chunks,
    rechunk,
)
from ledger.experience.disclosure import Disclosure, encode_disclosure
from ledger.experience.entry import (
    Commitment,
    CommitmentKind,
    ContentRange,
    Erasure,
    Experience,
    File,
    KeyRetirement,
    Kind,
    Pruning,
    RewardSource,
    Tag,
    Topic,
    encode_entry,
)
from ledger.experience.key_history import rotate_to
from ledger.merkle.hashing import leaf_hash

FROZEN = Path(__file__).with_name("entries_v1.json")

ORIGIN = "robot.example/frozen"
SALT_KEY = bytes(range(100, 132))
OLD = PrivateKey.from_seed(bytes(range(32)))
NEW = PrivateKey.from_seed(bytes(range(32, 64)))

RECORD = bytes.fromhex("000102030405060708090a0b0c0d0e0f")


def content() -> bytes:
    """Three chunks, the last one short."""
    return bytes(n * n % 251 for n in range(2 * CHUNK_SIZE + 1000))


def kinds(content_root: bytes, content_size: int) -> list[Kind]:
    """One entry of every kind, with every field in use."""
    identity = log_id(ORIGIN)
    experience = Experience(
        record_id=RECORD,
        start_ns=1_700_000_000_000_000_000,
        end_ns=1_700_000_060_000_000_000,
        content_root=content_root,
        content_size=content_size,
        files=(File("metadata.yaml", 1_000), File("camera/front.mp4", content_size - 1_000)),
        media_type="application/x-rosbag2",
        name="walk in the yard ☀",
        topics=(
            Topic("/imu", "sensor_msgs/msg/Imu", 6_000),
            Topic("/odom", "nav_msgs/msg/Odometry", 3_000),
        ),
        tags=(Tag("ros_distro", "jazzy"), Tag("site", "Zürich")),
        commitments=(
            Commitment(CommitmentKind.REWARD, RewardSource.TASK, bytes(range(48)), -1000, 1000),
            Commitment(CommitmentKind.LENGTH, RewardSource.UNSPECIFIED, bytes(48), 0, 1),
        ),
        contract_id=bytes(range(200, 232)),
        message_count=9_000,
    )
    pointing = Experience(
        record_id=bytes(reversed(RECORD)),
        start_ns=0,
        end_ns=0,
        content_root=b"",
        content_size=0,
        files=(),
        media_type="application/x-lerobot-episode",
        name="episode 0",
        ranges=(ContentRange(RECORD, "camera/front.mp4", 0, 300, -1, 10_000_000_000),),
    )
    return [
        experience,
        pointing,
        Pruning((RECORD,), "older than 30 days"),
        rotate_to(NEW, identity, 3, OLD.public_key),
        Erasure((RECORD, bytes(reversed(RECORD))), "asked for by the owner"),
        KeyRetirement(bytes(OLD.public_key)),
    ]


def build() -> dict[str, object]:
    """What the file holds."""
    identity = log_id(ORIGIN)
    leaves = leaves_of_chunks(SALT_KEY, rechunk([content()]))
    entries = [
        encode_entry(identity, index, kind, OLD)
        for index, kind in enumerate(kinds(content_root_of_leaves(leaves), len(content())))
    ]
    disclosure = Disclosure(entries[0], SALT_KEY, (disclose_chunk(leaves, SALT_KEY, 1),))
    return {
        "origin": ORIGIN,
        "log_id": identity.hex(),
        "first_key": bytes(OLD.public_key).hex(),
        "salt_key": SALT_KEY.hex(),
        "chunk_leaves": [leaf.hex() for leaf in leaves],
        "entries": [entry.hex() for entry in entries],
        "leaf_hashes": [leaf_hash(entry).hex() for entry in entries],
        "disclosure": encode_disclosure(disclosure).hex(),
    }


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(build(), indent=1) + "\n")
