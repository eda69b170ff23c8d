"""Entries: the leaves of a robot's log, signed by the robot.

::

    Entry = { 1: body, 2: signature }                       (protobuf, < 65,536 bytes)
    signature = Ed25519(robot key, "quipu/entry/v1\\0" || log id || body)
    log id    = SHA-256("quipu/log/v1\\0" || origin)

Body and kinds are in ``ledger/schema/entry.proto`` and ``docs/format.md``
section 3. The exact bytes that were signed and hashed are kept in `Entry.body`
and by the log; nothing is ever serialised again to be checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.ed25519 import PrivateKey, PublicKey
from ledger.errors import EntryTooLargeError, MalformedError, VerificationError
from ledger.experience.fields import (
    HASH_SIZE,
    KEY_SIZE,
    SIGNATURE_SIZE,
    require_bytes,
    require_uint64,
)
from ledger.experience.kind_codec import kind_from_body, kind_into_body
from ledger.experience.kinds import (
    Acquisition,
    Commitment,
    CommitmentKind,
    ContentRange,
    Erasure,
    Experience,
    File,
    KeyRetirement,
    KeyRotation,
    Kind,
    Progress,
    Pruning,
    RewardSource,
    Tag,
    Topic,
    Training,
)
from ledger.merkle.entry_bundle import MAX_ENTRY_SIZE
from ledger.schema import entry_pb2
from ledger.schema.canonical import parse_message, serialize_message

__all__ = [
    "MAX_ENTRY_SIZE",
    "Acquisition",
    "Commitment",
    "CommitmentKind",
    "ContentRange",
    "Entry",
    "Erasure",
    "Experience",
    "File",
    "KeyRetirement",
    "KeyRotation",
    "Kind",
    "Progress",
    "Pruning",
    "RewardSource",
    "Tag",
    "Topic",
    "Training",
    "encode_entry",
    "entry_message",
    "parse_entry",
    "verify_entry",
]

VERSION: Final = 1

_SIGNATURE_DOMAIN: Final = b"quipu/entry/v1\0"


@dataclass(frozen=True, slots=True)
class Entry:
    """A parsed entry. Its signature has not been checked: see `verify_entry`."""

    robot_key: bytes
    sequence: int
    kind: Kind
    body: bytes
    signature: bytes


def entry_message(log_id: bytes, body: bytes) -> bytes:
    """The bytes that an entry's signature covers. Raises `MalformedError`."""
    require_bytes(log_id, HASH_SIZE, "log id")
    # "quipu/<kind>/v1\0" || log id || body
    return _SIGNATURE_DOMAIN + log_id + body


def encode_entry(log_id: bytes, sequence: int, kind: Kind, key: PrivateKey) -> bytes:
    """Sign what ``kind`` says as entry number ``sequence`` of a log: the leaf's bytes.

    Raises:
        MalformedError: log id or sequence is none.
        EntryTooLargeError: it would take 65,536 bytes or more.
    """
    require_uint64(sequence, "sequence")
    message = entry_pb2.Body(version=VERSION, robot_key=bytes(key.public_key), sequence=sequence)
    kind_into_body(kind, message)
    body = serialize_message(message, "entry body")
    signature = key.sign(entry_message(log_id, body))
    encoded = serialize_message(entry_pb2.Entry(body=body, signature=signature), "entry")
    if len(encoded) > MAX_ENTRY_SIZE:
        raise EntryTooLargeError(
            f"the entry takes {len(encoded)} bytes, {MAX_ENTRY_SIZE} are the most",
            hint=_too_large_hint(kind),
        )
    return encoded


def parse_entry(encoded: bytes) -> Entry:
    """Parse the bytes of a leaf, strictly. The signature is not checked here.

    Raises `MalformedError` for anything that `encode_entry` would not write.
    """
    if len(encoded) > MAX_ENTRY_SIZE:
        raise MalformedError(f"entry of {len(encoded)} bytes, {MAX_ENTRY_SIZE} are the most")
    outer = parse_message(entry_pb2.Entry, encoded, "entry")
    require_bytes(outer.signature, SIGNATURE_SIZE, "entry signature")
    body = parse_message(entry_pb2.Body, outer.body, "entry body")
    if body.version != VERSION:
        raise MalformedError(
            f"entry of version {body.version}, only {VERSION} is known",
            hint="a newer quipu-ledger may know it",
        )
    require_bytes(body.robot_key, KEY_SIZE, "robot key")
    return Entry(
        robot_key=body.robot_key,
        sequence=body.sequence,
        kind=kind_from_body(body),
        body=outer.body,
        signature=outer.signature,
    )


def verify_entry(entry: Entry, log_id: bytes) -> None:
    """Check that the robot key the entry names signed it for the log ``log_id``.

    Whether that key may sign for this log at this index is `KeyHistory`'s to say.

    Raises:
        MalformedError: the robot key is not an acceptable Ed25519 key.
        VerificationError: it did not sign this.
    """
    message = entry_message(log_id, entry.body)
    try:
        PublicKey(entry.robot_key).verify(entry.signature, message)
    except VerificationError:
        raise VerificationError(
            f"entry {entry.sequence} is not signed by its robot key for this log",
            hint="the entry was altered, or belongs to a log of another origin",
        ) from None


def _too_large_hint(kind: Kind) -> str:
    if isinstance(kind, Experience):
        return (
            f"it lists {len(kind.files)} files, {len(kind.topics)} topics and "
            f"{len(kind.ranges)} ranges; split the recording, or ingest its parts one by one"
        )
    if isinstance(kind, Erasure | Pruning):
        return f"it lists {len(kind.record_ids)} records; name fewer, or shorten the reason"
    if isinstance(kind, Training):
        return f"it lists {len(kind.inputs)} inputs; train in steps, each from the model before"
    return "shorten it"
