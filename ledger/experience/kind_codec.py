"""The eight kinds of an entry, to and from their protobuf messages.

Names follow ``ledger/schema/entry.proto``. What the values may be is checked by
`ledger.experience.kinds`, which refuses to hold anything malformed.
"""

from __future__ import annotations

from ledger.errors import MalformedError
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
from ledger.schema import entry_pb2


def kind_into_body(kind: Kind, body: entry_pb2.Body) -> None:
    """Write ``kind`` into the body's oneof."""
    match kind:
        case Experience():
            body.experience.CopyFrom(_experience_message(kind))
        case Erasure():
            body.erasure.record_id.extend(kind.record_ids)
            body.erasure.reason = kind.reason
        case Pruning():
            body.pruning.record_id.extend(kind.record_ids)
            body.pruning.reason = kind.reason
        case KeyRotation():
            body.rotation.new_key = kind.new_key
            body.rotation.new_signature = kind.new_signature
        case KeyRetirement():
            body.retirement.retired_key = kind.retired_key
        case Progress():
            body.progress.record_id = kind.record_id
            body.progress.leaf_count = kind.leaf_count
            body.progress.root = kind.root
            body.progress.length = kind.length
            body.progress.tail_hash = kind.tail_hash
        case Acquisition():
            body.acquisition.CopyFrom(_acquisition_message(kind))
        case Training():
            body.training.record_id = kind.record_id
            body.training.name = kind.name
            body.training.input.extend(kind.inputs)


def kind_from_body(body: entry_pb2.Body) -> Kind:
    """Read the body's oneof. Raises `MalformedError`."""
    match body.WhichOneof("kind"):
        case "experience":
            return _experience(body.experience)
        case "erasure":
            return Erasure(tuple(body.erasure.record_id), body.erasure.reason)
        case "pruning":
            return Pruning(tuple(body.pruning.record_id), body.pruning.reason)
        case "rotation":
            return KeyRotation(body.rotation.new_key, body.rotation.new_signature)
        case "retirement":
            return KeyRetirement(body.retirement.retired_key)
        case "progress":
            said = body.progress
            return Progress(said.record_id, said.leaf_count, said.root, said.length, said.tail_hash)
        case "acquisition":
            return _acquisition(body.acquisition)
        case "training":
            made = body.training
            return Training(made.record_id, made.name, tuple(made.input))
        case _:
            raise MalformedError("the entry says nothing: it has no kind")


def _experience_message(experience: Experience) -> entry_pb2.Experience:
    return entry_pb2.Experience(
        record_id=experience.record_id,
        start_ns=experience.start_ns,
        end_ns=experience.end_ns,
        content_root=experience.content_root,
        content_size=experience.content_size,
        files=[entry_pb2.File(name=f.name, size=f.size) for f in experience.files],
        media_type=experience.media_type,
        topics=[
            entry_pb2.Topic(name=t.name, type=t.type, count=t.count) for t in experience.topics
        ],
        tags=[entry_pb2.Tag(key=tag.key, value=tag.value) for tag in experience.tags],
        commitments=[_commitment_message(c) for c in experience.commitments],
        contract_id=experience.contract_id,
        ranges=[_range_message(r) for r in experience.ranges],
        name=experience.name,
        message_count=experience.message_count,
    )


def _experience(message: entry_pb2.Experience) -> Experience:
    return Experience(
        record_id=message.record_id,
        start_ns=message.start_ns,
        end_ns=message.end_ns,
        content_root=message.content_root,
        content_size=message.content_size,
        files=tuple(File(f.name, f.size) for f in message.files),
        media_type=message.media_type,
        topics=tuple(Topic(t.name, t.type, t.count) for t in message.topics),
        tags=tuple(Tag(tag.key, tag.value) for tag in message.tags),
        commitments=tuple(_commitment(c) for c in message.commitments),
        contract_id=message.contract_id,
        ranges=tuple(_range(r) for r in message.ranges),
        name=message.name,
        message_count=message.message_count,
    )


def _acquisition_message(acquisition: Acquisition) -> entry_pb2.Acquisition:
    return entry_pb2.Acquisition(
        record_id=acquisition.record_id,
        chain=acquisition.chain,
        grant=acquisition.grant,
        offer=acquisition.offer,
        contract=acquisition.contract,
        version=acquisition.version,
        seller=acquisition.seller,
        leaf=acquisition.leaf,
        content_root=acquisition.content_root,
    )


def _acquisition(message: entry_pb2.Acquisition) -> Acquisition:
    return Acquisition(
        record_id=message.record_id,
        chain=message.chain,
        grant=message.grant,
        offer=message.offer,
        contract=message.contract,
        version=message.version,
        seller=message.seller,
        leaf=message.leaf,
        content_root=message.content_root,
    )


def _commitment_message(commitment: Commitment) -> entry_pb2.Commitment:
    return entry_pb2.Commitment(
        kind=entry_pb2.CommitmentKind.Name(commitment.kind.value),
        source=entry_pb2.RewardSource.Name(commitment.source.value),
        point=commitment.point,
        offset=commitment.offset,
        scale=commitment.scale,
    )


def _commitment(message: entry_pb2.Commitment) -> Commitment:
    try:
        kind = CommitmentKind(message.kind)
        source = RewardSource(message.source)
    except ValueError:
        raise MalformedError("a commitment is of a kind or source that is not known") from None
    return Commitment(kind, source, message.point, message.offset, message.scale)


def _range_message(content_range: ContentRange) -> entry_pb2.ContentRange:
    return entry_pb2.ContentRange(
        record_id=content_range.record_id,
        file=content_range.file,
        first_row=content_range.first_row,
        end_row=content_range.end_row,
        video_start_ns=content_range.video_start_ns,
        video_end_ns=content_range.video_end_ns,
    )


def _range(message: entry_pb2.ContentRange) -> ContentRange:
    return ContentRange(
        record_id=message.record_id,
        file=message.file,
        first_row=message.first_row,
        end_row=message.end_row,
        video_start_ns=message.video_start_ns,
        video_end_ns=message.video_end_ns,
    )
