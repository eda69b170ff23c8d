"""Taking content out of the home: the part that erasing and pruning share.

A note of what will be done is durable first. Then, for an erasure, the keys go;
then the content; then the entry is appended together with the records' new
state. Each step may be done again, so a crash anywhere is carried through from
the note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ledger.experience.access import ExperienceWriter
from ledger.experience.kinds import Erasure
from ledger.experience.pending import PendingRemoval
from ledger.experience.records import ContentState, Presence, state_row
from ledger.merkle.hashing import EMPTY_ROOT

MAX_RECORDS: Final = 2_000
"""Records in one Erasure or Pruning entry; their ids take 36,000 bytes."""


def groups(record_ids: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Record ids, sorted and each once, in groups that fit one entry."""
    ordered = sorted(set(record_ids))
    for start in range(0, len(ordered), MAX_RECORDS):
        yield tuple(ordered[start : start + MAX_RECORDS])


def remove(writer: ExperienceWriter, work: PendingRemoval) -> int:
    """Note the work, carry it out, and append its entry: the entry's index.

    Raises BehindError or EntryTooLargeError before anything is done.
    """
    writer.require_room_for(work.entry)
    note = writer.pending.begin(work)
    index = carry_out(writer, work)
    writer.pending.finish(note)
    return index


def carry_out(writer: ExperienceWriter, work: PendingRemoval) -> int:
    """Do what is left to do of noted work; the index of its entry."""
    entry = work.entry
    erases = isinstance(entry, Erasure)
    goal = Presence.ERASED if erases else Presence.PRUNED
    records = [writer.record(record_id) for record_id in entry.record_ids]
    if erases:
        writer.keys.destroy(entry.record_ids)
    for record in records:
        root = record.experience.content_root
        if root and root != EMPTY_ROOT:
            writer.content.remove(root)
    # Entry and states are one transaction: if one state is there, all are.
    if all(record.state.presence is goal for record in records):
        return records[0].state.removed_by
    strays = dict(zip(entry.record_ids, work.stray_links, strict=True))
    indices = writer.append(
        [entry],
        lambda indices: [
            state_row(
                record.record_id,
                ContentState(goal, record.state.sealed, indices.start, strays[record.record_id]),
            )
            for record in records
        ],
    )
    return indices.start
