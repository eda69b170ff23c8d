"""What was bought becomes an experience of the buyer: with where it came from, and proven so.

The recording is ingested as the seller's entry describes it, under a record id and salts of the
home's own, and an Acquisition entry follows: both or neither (`ledger.experience.ingest`). What
the deed opened is committed to again, with fresh blindings: the home knows it, its log hides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.exchange.deed import Deed
from ledger.experience.access import ExperienceReader
from ledger.experience.content_store import StoreMode
from ledger.experience.entry import parse_entry
from ledger.experience.ingest import HiddenValue, IngestOptions, ingest
from ledger.experience.kinds import Acquisition, Commitment, Experience
from ledger.experience.readers.recording import (
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)
from ledger.experience.record_keys import CommitmentOpening
from ledger.home import HomeWriter
from ledger.market.acquisition_states import Granted
from zkproofs.group import group
from zkproofs.pedersen import Opening

MODE: Final = StoreMode.REFLINK_OR_COPY


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """Where a home has what was bought."""

    record_id: bytes
    index: int
    """Of the Experience's entry."""


def keep(
    home: HomeWriter, bought: Granted, deed: Deed, files: Path, *, seal: bool = False
) -> KeptRecord:
    """Ingest what lies in ``files``, unless the home has it under this grant already.

    Raises RecordingError, CorruptStoreError, StorageError.
    """
    known = find_kept(home.experiences, bought.grant.chain, bought.grant.grant)
    if known is not None:
        return known
    options = IngestOptions(
        mode=MODE,
        seal=seal,
        contract_id=bought.record.contract,
        commit=lambda recording: _hidden_again(deed),
        acquired=lambda record_id: acquisition_of(bought, record_id),
    )
    receipt = ingest(home.experiences, recording_of(deed.experience, files), options)
    return KeptRecord(receipt.record_id, receipt.index)


def find_kept(home: ExperienceReader, chain: bytes, grant: bytes) -> KeptRecord | None:
    """What a home has bought under a grant; None for nothing. Raises CorruptStoreError."""
    for index in home.tables.provenance(grant):
        kind = parse_entry(home.log.entry(index)).kind
        if isinstance(kind, Acquisition) and (kind.chain, kind.grant) == (chain, grant):
            return KeptRecord(kind.record_id, home.record(kind.record_id).index)
    return None


def acquisition_of(bought: Granted, record_id: bytes) -> Acquisition:
    """What the log says of how a record was bought."""
    offer, record, grant = bought.offer, bought.record, bought.grant
    return Acquisition(
        record_id=record_id,
        chain=grant.chain,
        grant=grant.grant,
        offer=record.offer,
        contract=record.contract,
        version=record.version,
        seller=offer.origin,
        leaf=offer.leaf,
        content_root=record.content_root,
    )


def recording_of(entry: Experience, files: Path) -> Recording:
    """The recording that the seller's entry describes, with its files where they lie now."""
    return Recording(
        root=files,
        name=entry.name,
        media_type=entry.media_type,
        files=tuple(RecordingFile(each.name, files / each.name, each.size) for each in entry.files),
        topics=tuple(
            sorted(RecordingTopic(each.name, each.type, each.count) for each in entry.topics)
        ),
        start_ns=entry.start_ns,
        end_ns=entry.end_ns,
        message_count=entry.message_count,
        tags=tuple(sorted(RecordingTag(tag.key, tag.value) for tag in entry.tags)),
    )


def _hidden_again(deed: Deed) -> tuple[HiddenValue, ...]:
    opened = {(each.kind, each.source): each.value for each in deed.openings}
    return tuple(
        _commit(each, opened[each.kind, each.source])
        for each in deed.experience.commitments
        if (each.kind, each.source) in opened
    )


def _commit(commitment: Commitment, value: int) -> HiddenValue:
    opening, backend = Opening.of(value), group()
    kind, source = commitment.kind, commitment.source
    return HiddenValue(
        Commitment(
            kind,
            source,
            backend.encode_g1(opening.commitment()),
            commitment.offset,
            commitment.scale,
        ),
        CommitmentOpening(kind, source, value, backend.encode_scalar(opening.blinding)),
    )
