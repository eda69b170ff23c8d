"""Pruning: content leaves the robot, what proves it stays.

Removed: the content under ``HOME/content``. Kept: the entry, the chunk leaves and
all keys, so that a copy that comes back can be checked, opened and restored. A
Pruning entry says so in the log. What was never offloaded is refused, unless
forced: then it is gone for good, and the log says that too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import RefusedError
from ledger.experience.access import ExperienceReader, ExperienceWriter, Record
from ledger.experience.copies import CopyKind
from ledger.experience.kinds import Experience, Pruning
from ledger.experience.offload import offload_of
from ledger.experience.pending import PendingRemoval
from ledger.experience.records import Presence
from ledger.experience.removal import groups, remove
from ledger.experience.restore import is_there


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Which content may go; a record goes when any one of the limits says so.

    ``ended_before_ns``: recorded before this time, where that is known.
    ``larger_than``: more bytes than this. ``keep_at_most``: bytes of content to keep
    in all; what was logged first goes first.
    """

    ended_before_ns: int | None = None
    larger_than: int | None = None
    keep_at_most: int | None = None


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What went, and what was refused because no verified offloaded copy is in reach."""

    pruned: tuple[bytes, ...]
    refused: tuple[bytes, ...]
    freed_bytes: int
    entries: tuple[int, ...]


def select(reader: ExperienceReader, policy: RetentionPolicy) -> tuple[Record, ...]:
    """The stored records that a policy wants gone, in the order of the log."""
    stored = [
        reader.record(record_id)
        for record_id, state in reader.tables.states()
        if state.presence is Presence.STORED
    ]
    stored.sort(key=lambda record: record.index)
    going = {r.record_id: r for r in stored if _is_past_limits(policy, r.experience)}
    if policy.keep_at_most is not None:
        staying = [record for record in stored if record.record_id not in going]
        kept = sum(record.experience.content_size for record in staying)
        for record in staying:
            if kept <= policy.keep_at_most:
                break
            going[record.record_id] = record
            kept -= record.experience.content_size
    return tuple(sorted(going.values(), key=lambda record: record.index))


def _is_past_limits(policy: RetentionPolicy, experience: Experience) -> bool:
    if policy.larger_than is not None and experience.content_size > policy.larger_than:
        return True
    # 0 is an unknown time, not 1970.
    before = policy.ended_before_ns
    return before is not None and 0 < experience.end_ns < before


def prune(
    writer: ExperienceWriter,
    record_ids: Sequence[bytes],
    reason: str = "",
    *,
    force: bool = False,
) -> PruneReport:
    """Remove the content of records from the home, durably, and log that.

    Records whose content is not stored here are passed over. Those without a
    verified offloaded copy in reach are refused unless ``force``. Raises
    `RefusedError` when every one was, before anything is done; `NotFoundError`;
    StorageError. A crash in between is carried through by
    `ledger.experience.recovery.recover`.
    """
    records = [writer.record(record_id) for record_id in dict.fromkeys(record_ids)]
    stored = [record for record in records if record.state.presence is Presence.STORED]
    going = {r.record_id: r for r in stored if force or offload_of(writer, r) is not None}
    refused = [record.record_id for record in stored if record.record_id not in going]
    if refused and not going:
        raise RefusedError(
            f"none of {len(refused)} records has a verified offloaded copy in reach",
            hint="offload them first, or force it and lose their content for good",
        )
    entries = [
        remove(
            writer,
            PendingRemoval(
                Pruning(group, reason),
                tuple(going[record_id].state.stray_links for record_id in group),
            ),
        )
        for group in groups(list(going))
    ]
    return PruneReport(
        pruned=tuple(going),
        refused=tuple(refused),
        freed_bytes=sum(record.experience.content_size for record in going.values()),
        entries=tuple(entries),
    )


def prune_missing(writer: ExperienceWriter, record_id: bytes, reason: str = "") -> int:
    """Say in the log that content which was left in place is not there any more.

    A recorder may delete its oldest file, or replace one by its compressed form; the
    Pruning entry keeps that from looking like a loss. The index of the entry, which is
    the one there is if it was said before. Raises `NotFoundError`; `RefusedError` for
    content that was not left in place, or is where it was; StorageError.
    """
    record = writer.record(record_id)
    state = record.state
    if state.presence in (Presence.PRUNED, Presence.ERASED):
        return state.removed_by
    if state.presence is not Presence.IN_PLACE:
        raise RefusedError(f"record {record_id.hex()} was not left in place")
    originals = [c for c in writer.copies.of(record_id) if c.kind is CopyKind.ORIGINAL]
    if any(is_there(record, copy) for copy in originals):
        raise RefusedError(
            f"record {record_id.hex()} is where it was recorded", hint="nothing is missing"
        )
    return remove(writer, PendingRemoval(Pruning((record_id,), reason), (state.stray_links,)))
