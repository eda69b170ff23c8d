"""The values that go over the control socket, to and from ``ledger/schema/control.proto``.

What the values may be is checked by their own classes; `MalformedError` for what
cannot be one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ledger import errors
from ledger.errors import ConflictError, LedgerError, MalformedError, StorageError
from ledger.experience.content_hashing import ContentDigest
from ledger.experience.content_root import split_leaves
from ledger.experience.content_store import StoreMode
from ledger.experience.growing import InterruptedRecord, OpenRecord
from ledger.experience.growing_content import ProgressMark
from ledger.experience.ingest import HiddenValue, IngestOptions, IngestReceipt
from ledger.experience.kinds import Commitment, CommitmentKind, RewardSource, Tag
from ledger.experience.readers.recording import (
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)
from ledger.experience.record_keys import CommitmentOpening
from ledger.experience.records import Presence
from ledger.memory.anchor_status import AnchorState, AnchorStatus
from ledger.memory.status import MemoryStatus, OwnerState
from ledger.schema import control_pb2, entry_pb2, store_pb2

_MODES: Final = {
    StoreMode.REFLINK_OR_COPY: control_pb2.STORE_MODE_REFLINK_OR_COPY,
    StoreMode.LINK: control_pb2.STORE_MODE_LINK,
    StoreMode.IN_PLACE: control_pb2.STORE_MODE_IN_PLACE,
}
_MODE_OF: Final = {number: mode for mode, number in _MODES.items()}

_ERRORS: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, LedgerError) and kind is not ConflictError
}


def failure_message(error: LedgerError) -> control_pb2.Failure:
    """An error, to be raised at the other end."""
    kinds = (kind.__name__ for kind in type(error).__mro__)
    name = next(name for name in kinds if name in _ERRORS)
    return control_pb2.Failure(kind=name, message=error.message, hint=error.hint or "")


def error_of(message: control_pb2.Failure) -> LedgerError:
    """The error that was raised at the other end."""
    kind = _ERRORS.get(message.kind, StorageError)
    return kind(message.message, hint=message.hint or None)


def status_message(status: MemoryStatus) -> control_pb2.Status:
    """What an owner says of itself."""
    return control_pb2.Status(
        origin=status.origin,
        pid=status.pid,
        state=control_pb2.OwnerState.Name(status.state.value),
        lent_to=status.lent_to,
        entries=status.entries,
        checkpoint_size=status.checkpoint_size,
        checkpoint_time_ns=status.checkpoint_time_ns,
        cosignatures=status.cosignatures,
        open_records=status.open_records,
        waiting=status.waiting,
        last_commit_us=round(status.last_commit_ms * 1e3),
        disk_free_bytes=status.disk_free_bytes,
        fault=status.fault,
        anchor=control_pb2.Anchor(
            state=status.anchor.state.value,
            size=status.anchor.size,
            height=status.anchor.height,
            time_ns=status.anchor.time_ns,
            detail=status.anchor.detail,
        ),
    )


def status_of(message: control_pb2.Status) -> MemoryStatus:
    """The status in a message."""
    try:
        state = OwnerState(message.state)
        anchor_state = AnchorState(message.anchor.state)
    except ValueError:
        raise MalformedError(f"no owner is in state {message.state}") from None
    anchor = AnchorStatus(
        anchor_state,
        message.anchor.size,
        message.anchor.height,
        message.anchor.time_ns,
        message.anchor.detail,
    )
    return MemoryStatus(
        origin=message.origin,
        pid=message.pid,
        state=state,
        lent_to=message.lent_to,
        entries=message.entries,
        checkpoint_size=message.checkpoint_size,
        checkpoint_time_ns=message.checkpoint_time_ns,
        cosignatures=message.cosignatures,
        open_records=message.open_records,
        waiting=message.waiting,
        last_commit_ms=message.last_commit_us / 1e3,
        disk_free_bytes=message.disk_free_bytes,
        fault=message.fault,
        anchor=anchor,
    )


def record_message(record: OpenRecord) -> control_pb2.OpenRecord:
    """A record that is being written, with its salt key."""
    return control_pb2.OpenRecord(
        record_id=record.record_id,
        salt_key=record.salt_key,
        folder=os.fsencode(record.folder.absolute()),
        in_place=record.in_place,
        source=os.fsencode(record.source) if record.source else b"",
    )


def record_of(message: control_pb2.OpenRecord) -> OpenRecord:
    """The record in a message."""
    source = path_of(message.source) if message.source else None
    return OpenRecord(
        message.record_id, message.salt_key, path_of(message.folder), message.in_place, source
    )


def mark_message(record_id: bytes, mark: ProgressMark) -> entry_pb2.Progress:
    """How far a record is written."""
    return entry_pb2.Progress(
        record_id=record_id,
        leaf_count=mark.leaf_count,
        root=mark.root,
        length=mark.length,
        tail_hash=mark.tail_hash,
    )


def mark_of(message: entry_pb2.Progress) -> ProgressMark:
    """The mark in a message."""
    return ProgressMark(message.leaf_count, message.root, message.length, message.tail_hash)


def interrupted_message(found: tuple[InterruptedRecord, ...]) -> control_pb2.Interrupted:
    """Records whose recorder died, with their marks."""
    return control_pb2.Interrupted(
        records=[
            control_pb2.InterruptedRecord(
                record=record_message(each.record),
                marks=[mark_message(b"", mark) for mark in each.marks],
            )
            for each in found
        ]
    )


def interrupted_of(message: control_pb2.Interrupted) -> tuple[InterruptedRecord, ...]:
    """The records in a message."""
    return tuple(
        InterruptedRecord(record_of(each.record), tuple(map(mark_of, each.marks)))
        for each in message.records
    )


def recording_message(recording: Recording) -> control_pb2.Recording:
    """What a recorder says of a finished record."""
    if recording.ranges:
        raise MalformedError("a record that was written here points into no other")
    return control_pb2.Recording(
        root=os.fsencode(recording.root.absolute()),
        name=recording.name,
        media_type=recording.media_type,
        files=[
            control_pb2.RecordingFile(name=f.name, path=os.fsencode(f.path.absolute()), size=f.size)
            for f in recording.files
        ],
        topics=[entry_pb2.Topic(name=t.name, type=t.type, count=t.count) for t in recording.topics],
        start_ns=recording.start_ns,
        end_ns=recording.end_ns,
        message_count=recording.message_count,
        tags=[entry_pb2.Tag(key=t.key, value=t.value) for t in recording.tags],
    )


def recording_of(message: control_pb2.Recording) -> Recording:
    """The recording in a message."""
    return Recording(
        root=path_of(message.root),
        name=message.name,
        media_type=message.media_type,
        files=tuple(RecordingFile(f.name, path_of(f.path), f.size) for f in message.files),
        topics=tuple(RecordingTopic(t.name, t.type, t.count) for t in message.topics),
        start_ns=message.start_ns,
        end_ns=message.end_ns,
        message_count=message.message_count,
        tags=tuple(RecordingTag(t.key, t.value) for t in message.tags),
    )


def digest_message(digest: ContentDigest) -> control_pb2.Digest:
    """The hashes of a finished content."""
    return control_pb2.Digest(root=digest.root, size=digest.size, leaves=b"".join(digest.leaves))


def digest_of(message: control_pb2.Digest) -> ContentDigest:
    """The digest in a message."""
    return ContentDigest(message.root, message.size, tuple(split_leaves(message.leaves)))


def hidden_message(hidden: HiddenValue) -> control_pb2.HiddenValue:
    """A commitment with its opening, which is a secret."""
    commitment, opening = hidden.commitment, hidden.opening
    return control_pb2.HiddenValue(
        commitment=entry_pb2.Commitment(
            kind=entry_pb2.CommitmentKind.Name(commitment.kind.value),
            source=entry_pb2.RewardSource.Name(commitment.source.value),
            point=commitment.point,
            offset=commitment.offset,
            scale=commitment.scale,
        ),
        opening=store_pb2.CommitmentOpening(
            kind=opening.kind.value,
            source=opening.source.value,
            value=opening.value,
            blinding=opening.blinding,
        ),
    )


def hidden_of(message: control_pb2.HiddenValue) -> HiddenValue:
    """The hidden value in a message."""
    commitment, opening = message.commitment, message.opening
    try:
        return HiddenValue(
            Commitment(
                CommitmentKind(commitment.kind),
                RewardSource(commitment.source),
                commitment.point,
                commitment.offset,
                commitment.scale,
            ),
            CommitmentOpening(
                CommitmentKind(opening.kind),
                RewardSource(opening.source),
                opening.value,
                opening.blinding,
            ),
        )
    except ValueError:
        raise MalformedError("a hidden value is of no known kind") from None


def options_message(options: IngestOptions) -> control_pb2.Options:
    """How a record is to be kept."""
    if options.commit is not None:
        raise MalformedError("commitments are made before a record is sealed, not by its owner")
    return control_pb2.Options(
        mode=control_pb2.StoreMode.Name(_MODES[options.mode]),
        seal=options.seal,
        contract_id=options.contract_id,
        tags=[entry_pb2.Tag(key=tag.key, value=tag.value) for tag in options.tags],
    )


def options_of(message: control_pb2.Options) -> IngestOptions:
    """The options in a message."""
    mode = _MODE_OF.get(message.mode)
    if mode is None:
        raise MalformedError(f"there is no way {message.mode} to keep content")
    tags = tuple(Tag(tag.key, tag.value) for tag in message.tags)
    return IngestOptions(mode, message.seal, message.contract_id, tags)


def receipt_message(receipt: IngestReceipt) -> control_pb2.Receipt:
    """What became of a sealed record."""
    return control_pb2.Receipt(
        index=receipt.index,
        record_id=receipt.record_id,
        content_root=receipt.content_root,
        content_size=receipt.content_size,
        name=receipt.name,
        presence=store_pb2.Presence.Name(receipt.presence.value),
        sealed=receipt.sealed,
    )


def receipt_of(message: control_pb2.Receipt) -> IngestReceipt:
    """The receipt in a message."""
    try:
        presence = Presence(message.presence)
    except ValueError:
        raise MalformedError(f"content is not kept in way {message.presence}") from None
    return IngestReceipt(
        message.index,
        message.record_id,
        message.content_root,
        message.content_size,
        message.name,
        presence,
        message.sealed,
    )


def path_of(encoded: bytes) -> Path:
    """The absolute path in a message."""
    path = os.fsdecode(encoded)
    if "\0" in path or not path.startswith("/"):
        raise MalformedError("a path that is not absolute")
    return Path(path)
