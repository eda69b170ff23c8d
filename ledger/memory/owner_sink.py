"""The sink of a recorder that shares the owner's process."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import RefusedError
from ledger.experience.content_hashing import ContentDigest
from ledger.experience.growing import (
    InterruptedRecord,
    OpenRecord,
    abandon_record,
    begin_record,
    commit_progress,
    interrupted_records,
    is_sealed,
)
from ledger.experience.growing_content import ProgressMark
from ledger.experience.growing_seal import seal_record
from ledger.experience.ingest import HiddenValue, IngestOptions, IngestReceipt, receipt_of
from ledger.experience.readers.recording import Recording
from ledger.experience.retention import prune_missing
from ledger.home import HomeWriter
from ledger.memory.owner import MemoryOwner
from ledger.merkle.hashing import leaf_hash


class OwnerSink:
    """A `ledger.memory.sink.RecordSink` straight into the home's owner.

    Records are in the hands of the sink that began them, or was told of them as
    interrupted, until it seals or abandons them, or is closed.
    """

    def __init__(self, owner: MemoryOwner) -> None:
        self._owner = owner

    def begin(self, *, in_place: bool = False, source: Path | None = None) -> OpenRecord:
        """See `RecordSink.begin`."""

        def work(home: HomeWriter) -> OpenRecord:
            record = begin_record(home.experiences, in_place=in_place, source=source)
            self._owner.live_records.claim(record.record_id, self)
            return record

        return self._owner.commit(work)

    def progress(self, record_id: bytes, mark: ProgressMark) -> int:
        """See `RecordSink.progress`."""

        def work(home: HomeWriter) -> int:
            self._claim(home, record_id)
            return commit_progress(home.experiences, record_id, mark)

        return self._owner.commit(work)

    def seal(
        self,
        record_id: bytes,
        recording: Recording,
        digest: ContentDigest,
        hidden: tuple[HiddenValue, ...] = (),
        options: IngestOptions | None = None,
    ) -> IngestReceipt:
        """See `RecordSink.seal`."""
        with self._owner.writer() as home:
            if is_sealed(home.experiences, record_id):
                receipt = _receipt_again(home, record_id, digest)
            else:
                self._claim(home, record_id)
                receipt = seal_record(
                    home.experiences, record_id, recording, digest, hidden, options
                )
        self._owner.live_records.release(record_id)
        return receipt

    def interrupted(self, *, in_place: bool = False) -> tuple[InterruptedRecord, ...]:
        """See `RecordSink.interrupted`."""
        with self._owner.writer() as home:
            live = self._owner.live_records
            found = tuple(
                each
                for each in interrupted_records(home.experiences)
                if each.record.in_place == in_place and live.is_free(each.record.record_id)
            )
            for each in found:
                live.claim(each.record.record_id, self)
        return found

    def abandon(self, record_id: bytes, reason: str) -> None:
        """See `RecordSink.abandon`."""
        with self._owner.writer() as home:
            self._claim(home, record_id)
            abandon_record(home.experiences, record_id, reason)
        self._owner.live_records.release(record_id)

    def missing(self, record_id: bytes, reason: str) -> int:
        """See `RecordSink.missing`."""
        return self._owner.commit(lambda home: prune_missing(home.experiences, record_id, reason))

    def leaf_hash(self, index: int) -> bytes:
        """See `RecordSink.leaf_hash`."""
        with self._owner.reader() as home:
            return leaf_hash(home.log.entry(index))

    def close(self) -> None:
        """See `RecordSink.close`."""
        self._owner.live_records.release_all(self)

    def _claim(self, home: HomeWriter, record_id: bytes) -> None:
        live = self._owner.live_records
        if not live.is_held_by(record_id, self):
            home.experiences.pending.recording(record_id)  # NotFoundError if it is not open
            live.claim(record_id, self)


def _receipt_again(home: HomeWriter, record_id: bytes, digest: ContentDigest) -> IngestReceipt:
    record = home.experiences.record(record_id)
    if record.experience.content_root != digest.root:
        raise RefusedError(
            f"record {record_id.hex()} is sealed, with other content",
            hint="begin another record for it",
        )
    return receipt_of(record.index, record.experience, record.state)
