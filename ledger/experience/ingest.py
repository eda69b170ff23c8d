"""From recordings on disk to entries of the log.

Each step is durable before the next:

1. content comes in under ``incoming/`` and is hashed (`ContentStore.stage`);
2. a note says which records are coming (`PendingNotes.begin`);
3. their keys are kept (`RecordKeyStore.add`);
4. their content gets its place (`ContentStore.install`);
5. entries, states, chunk leaves and known copies are written in one transaction;
6. the note is removed.

A crash before step 5 leaves content and keys that no entry names, which the note
leads back to; after step 5 everything is there. Recordings go through steps 2 to
6 in batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

from ledger.errors import MalformedError, NotFoundError, RecordingError
from ledger.experience.access import ExperienceWriter
from ledger.experience.content_hashing import Progress
from ledger.experience.content_store import StagedContent, StoreMode
from ledger.experience.copies import copy_rows
from ledger.experience.fields import RECORD_ID_SIZE
from ledger.experience.kinds import (
    Acquisition,
    Commitment,
    ContentRange,
    Experience,
    File,
    Kind,
    Tag,
    Topic,
)
from ledger.experience.pending import PendingIngest
from ledger.experience.readers.recording import Recording
from ledger.experience.record_keys import CommitmentOpening, RecordKeys
from ledger.experience.records import (
    ContentState,
    Presence,
    Row,
    index_row,
    leaves_row,
    provenance_rows,
    state_row,
)
from ledger.merkle.hashing import EMPTY_ROOT

BATCH_RECORDS: Final = 256
BATCH_BYTES: Final = 256 << 20
"""A batch is closed when it has this many records, or this many bytes of content."""

SOME_ROOT: Final = bytes(32)
"""Stands for a root that is not known yet, where only the entry's length matters."""


@dataclass(frozen=True, slots=True)
class HiddenValue:
    """A commitment that goes into the entry, and the opening that stays in the key store."""

    commitment: Commitment
    opening: CommitmentOpening


Commit: TypeAlias = Callable[[Recording], tuple[HiddenValue, ...]]
"""Commits to what shall be hidden of a recording, with fresh blindings each time."""

Acquired: TypeAlias = Callable[[bytes], Acquisition]
"""Says how a recording was bought, given the id of its record."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest: ``seal`` encrypts; ``tags`` are added to the recording's own.

    With ``acquired`` an Acquisition follows each Experience, both of them or neither.
    """

    mode: StoreMode = StoreMode.REFLINK_OR_COPY
    seal: bool = False
    contract_id: bytes = b""
    tags: tuple[Tag, ...] = ()
    commit: Commit | None = None
    acquired: Acquired | None = None


@dataclass(frozen=True, slots=True)
class IngestReceipt:
    """What became of one recording: entry ``index`` of the log, and it is durable."""

    index: int
    record_id: bytes
    content_root: bytes
    content_size: int
    name: str
    presence: Presence
    sealed: bool


@dataclass(frozen=True, slots=True)
class _Arrival:
    experience: Experience
    keys: RecordKeys
    staged: StagedContent
    acquisition: Acquisition | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is appended of it: its Experience, and how it was bought."""
        return (self.experience, self.acquisition) if self.acquisition else (self.experience,)

    @property
    def has_secrets(self) -> bool:
        return self.staged.digest.size > 0 or bool(self.keys.openings)


def ingest(
    writer: ExperienceWriter,
    recording: Recording,
    options: IngestOptions | None = None,
    progress: Progress | None = None,
) -> IngestReceipt:
    """Ingest one recording; see `ingest_all`."""
    (receipt,) = ingest_all(writer, [recording], options, progress)
    return receipt


def ingest_all(
    writer: ExperienceWriter,
    recordings: Iterable[Recording],
    options: IngestOptions | None = None,
    progress: Progress | None = None,
) -> Iterator[IngestReceipt]:
    """Ingest recordings as the iterator is used up; a receipt says that one is durable.

    A recording may point at those before it by name. ``progress`` is told the bytes
    of content done. When something is raised, the recordings that have a receipt
    stay, and nothing is left of the others. Raises `RecordingError` for a recording
    that changes, shrinks or grows; `EntryTooLargeError`, `BehindError` and
    `KeyStoreError` before any content is read; `RefusedError`; StorageError.
    """
    options = options or IngestOptions()
    known: dict[str, bytes] = {}
    batch: list[_Arrival] = []
    try:
        for recording in recordings:
            arrival = _stage(writer, recording, options, known, progress)
            batch.append(arrival)
            known[recording.name] = arrival.experience.record_id
            size = sum(each.staged.digest.size for each in batch)
            if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
                full, batch = batch, []
                yield from _commit(writer, full)
        last, batch = batch, []
        yield from _commit(writer, last)
    except BaseException:
        for arrival in batch:
            writer.content.discard(arrival.staged)
        raise


def settle_ingest(writer: ExperienceWriter, work: PendingIngest) -> bool:
    """Undo an ingest that is not in the log; whether there was something to undo."""
    try:
        for record_id in work.record_ids[:1]:
            writer.log.record_index(record_id)
    except NotFoundError:
        for root in work.roots:
            if root and root != EMPTY_ROOT:
                writer.content.remove(root)
        writer.keys.destroy(work.record_ids)
        return True
    return False


def _stage(
    writer: ExperienceWriter,
    recording: Recording,
    options: IngestOptions,
    known: dict[str, bytes],
    progress: Progress | None,
) -> _Arrival:
    record_id = os.urandom(RECORD_ID_SIZE)
    hidden = options.commit(recording) if options.commit else ()
    openings = tuple(value.opening for value in hidden)
    keys = RecordKeys.generate(record_id, sealed=options.seal, openings=openings)
    acquisition = options.acquired(record_id) if options.acquired else None
    if acquisition is not None and acquisition.record_id != record_id:
        raise MalformedError("an acquisition is of another record than was ingested")
    draft = draft_experience(recording, record_id, options, hidden, known)
    writer.require_room_for(draft(SOME_ROOT))
    writer.keys.require_readable(record_id)
    staged = writer.content.stage(recording.files, keys, options.mode, progress=progress)
    return _Arrival(draft(staged.digest.root), keys, staged, acquisition)


def _commit(writer: ExperienceWriter, batch: list[_Arrival]) -> list[IngestReceipt]:
    if not batch:
        return []
    work = PendingIngest(
        record_ids=tuple(arrival.experience.record_id for arrival in batch),
        roots=tuple(arrival.experience.content_root for arrival in batch),
    )
    try:
        note = writer.pending.begin(work)
    except BaseException:
        for arrival in batch:
            writer.content.discard(arrival.staged)
        raise
    try:
        writer.keys.add(arrival.keys for arrival in batch if arrival.has_secrets)
        for arrival in batch:
            writer.content.install(arrival.staged)
        indices = writer.append(
            [kind for arrival in batch for kind in arrival.kinds],
            lambda indices: [
                row
                for index, arrival in zip(_places(indices, batch), batch, strict=True)
                for row in _arrival_rows(index, arrival)
            ],
        )
    except BaseException:
        # The write may have been kept or not: what the log has decides.
        if settle_ingest(writer, work):
            for arrival in batch:
                writer.content.discard(arrival.staged)
        writer.pending.finish(note)
        raise
    writer.pending.finish(note)
    return [
        receipt_of(index, arrival.experience, arrival.staged.state)
        for index, arrival in zip(_places(indices, batch), batch, strict=True)
    ]


def _places(indices: range, batch: list[_Arrival]) -> list[int]:
    """The indices of the Experiences among those of all that is appended."""
    return list(accumulate((len(each.kinds) for each in batch[:-1]), initial=indices.start))


def _arrival_rows(index: int, arrival: _Arrival) -> list[Row]:
    rows = record_rows(index, arrival.staged)
    if arrival.acquisition:
        rows += provenance_rows(arrival.acquisition, index + 1)
    return rows


def record_rows(index: int, staged: StagedContent) -> list[Row]:
    """The rows of a record whose Experience is entry ``index``."""
    record_id = staged.record_id
    rows = [index_row(record_id, index), state_row(record_id, staged.state)]
    if staged.digest.leaves:
        rows.append(leaves_row(record_id, staged.digest.leaves))
    return rows + copy_rows(record_id, staged.copies)


def receipt_of(index: int, experience: Experience, state: ContentState) -> IngestReceipt:
    """What is told of a record that is in the log."""
    return IngestReceipt(
        index=index,
        record_id=experience.record_id,
        content_root=experience.content_root,
        content_size=experience.content_size,
        name=experience.name,
        presence=state.presence,
        sealed=state.sealed,
    )


def draft_experience(
    recording: Recording,
    record_id: bytes,
    options: IngestOptions,
    hidden: tuple[HiddenValue, ...],
    known: dict[str, bytes],
) -> Callable[[bytes], Experience]:
    """What the entry will say, but for the root.

    What comes back raises `RecordingError` for what no entry can say.
    """
    size = recording.size
    ranges = _resolve(recording, known)

    def draft(root: bytes) -> Experience:
        content_root = (root if size else EMPTY_ROOT) if recording.files else b""
        try:
            return Experience(
                record_id=record_id,
                start_ns=recording.start_ns,
                end_ns=recording.end_ns,
                content_root=content_root,
                content_size=size,
                files=tuple(File(file.name, file.size) for file in recording.files),
                media_type=recording.media_type,
                name=recording.name,
                topics=_topics(recording),
                tags=_tags(recording, options.tags),
                commitments=_commitments(hidden),
                contract_id=options.contract_id,
                ranges=ranges,
                message_count=recording.message_count,
            )
        except MalformedError as error:
            raise RecordingError(
                f"{recording.name!r} cannot be written as an entry: {error.message}",
                hint="ingest it as opaque to keep the bytes as they are",
            ) from error

    return draft


def _commitments(hidden: tuple[HiddenValue, ...]) -> tuple[Commitment, ...]:
    def order(commitment: Commitment) -> tuple[int, int]:
        return commitment.kind.value, commitment.source.value

    return tuple(sorted((value.commitment for value in hidden), key=order))


def _topics(recording: Recording) -> tuple[Topic, ...]:
    counts: dict[tuple[str, str], int] = {}
    for topic in recording.topics:
        key = (topic.name, topic.type)
        counts[key] = counts.get(key, 0) + topic.count
    return tuple(Topic(name, kind, counts[name, kind]) for name, kind in sorted(counts))


def _tags(recording: Recording, added: tuple[Tag, ...]) -> tuple[Tag, ...]:
    pairs = {(tag.key, tag.value) for tag in recording.tags}
    pairs |= {(tag.key, tag.value) for tag in added}
    return tuple(Tag(key, value) for key, value in sorted(pairs))


def _resolve(recording: Recording, known: dict[str, bytes]) -> tuple[ContentRange, ...]:
    ranges = []
    for ref in recording.ranges:
        if ref.recording_name not in known:
            raise RecordingError(
                f"{recording.name!r} points into {ref.recording_name!r},"
                " which was not ingested before it",
                hint="ingest the whole dataset at once",
            )
        ranges.append(
            ContentRange(
                record_id=known[ref.recording_name],
                file=ref.file,
                first_row=ref.first_row,
                end_row=ref.end_row,
                video_start_ns=ref.video_start_ns,
                video_end_ns=ref.video_end_ns,
            )
        )
    return tuple(ranges)
