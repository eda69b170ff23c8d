"""After a crash: undo what never reached the log, carry through what must not stay half done."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import BehindError, KeyStoreError, LedgerError
from ledger.experience.access import ExperienceWriter
from ledger.experience.growing import settle_recording
from ledger.experience.ingest import settle_ingest
from ledger.experience.kinds import Erasure
from ledger.experience.pending import PendingIngest, PendingRecording
from ledger.experience.removal import carry_out


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """Record ids of ingests undone, and of erasures and prunings carried through.

    ``waiting`` says why some work could not be settled yet; it is tried again next time.
    """

    undone: tuple[bytes, ...]
    erased: tuple[bytes, ...]
    pruned: tuple[bytes, ...]
    waiting: tuple[LedgerError, ...]


def recover(writer: ExperienceWriter) -> RecoveryReport:
    """Set a home right that was left in the middle of something.

    To be called by the writer after opening, before it does anything else; costs
    nothing when there is nothing to do. A record that is being written stays open, as its
    writer left it (`ledger.experience.growing`). Work that a damaged key file or a log
    behind its published past stands in the way of is reported and waits. Raises
    StorageError.
    """
    undone: list[bytes] = []
    erased: list[bytes] = []
    pruned: list[bytes] = []
    waiting: list[LedgerError] = []
    for note, work in writer.pending.left():
        try:
            if isinstance(work, PendingRecording):
                settle_recording(writer, note, work)
                continue
            if isinstance(work, PendingIngest):
                if settle_ingest(writer, work):
                    undone += work.record_ids
            else:
                writer.require_room_for(work.entry)
                carry_out(writer, work)
                erases = isinstance(work.entry, Erasure)
                (erased if erases else pruned).extend(work.entry.record_ids)
        except (KeyStoreError, BehindError) as error:
            waiting.append(error)
            continue
        writer.pending.finish(note)
    writer.content.clear_incoming()
    writer.keys.sweep()
    return RecoveryReport(tuple(undone), tuple(erased), tuple(pruned), tuple(waiting))
