"""Where content came from, as entries: what was bought, and what a model was trained on.

::

    Acquisition   a record's content was bought: under which grant, from whose log
    Training      a model, the content of a record, was trained on other records

Both are about records of this log whose Experiences came before. What a record was
trained on is the union of its Training entries: one entry holds some thousands of ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.errors import CorruptStoreError, MalformedError, NotFoundError
from ledger.experience.access import ExperienceReader, ExperienceWriter
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Acquisition, Kind, Training
from ledger.experience.records import provenance_rows
from ledger.experience.removal import groups


def record_acquisition(writer: ExperienceWriter, acquisition: Acquisition) -> int:
    """Append an Acquisition of a record that is in the log: its index, durable on return.

    Said again, it is the index of then. Raises `NotFoundError` for no such record,
    BehindError, StorageError. To ingest a record and say so in one step:
    `ledger.experience.ingest.IngestOptions.acquired`.
    """
    writer.record(acquisition.record_id)
    for index, known in acquisitions_of(writer, acquisition.record_id):
        if known == acquisition:
            return index
    return _append(writer, [acquisition]).start


def record_training(
    writer: ExperienceWriter, record_id: bytes, name: str, inputs: Sequence[bytes]
) -> tuple[int, ...]:
    """Append what a model was trained on: the indices of its Training entries, durable.

    ``inputs`` may be in any order; many take more than one entry, all of which are
    appended or none. What was said before keeps the index of then. Raises `NotFoundError` for
    a model or an input that is no record, `MalformedError` for no input, for a model
    that is its own, or a name that is none; BehindError, StorageError.
    """
    trainings = [Training(record_id, name, group) for group in groups(inputs)]
    if not trainings:
        raise MalformedError("a model was trained on something: name its inputs")
    for each in (record_id, *(found for training in trainings for found in training.inputs)):
        writer.record(each)
    known = {training: index for index, training in trainings_of(writer, record_id)}
    new = [training for training in trainings if training not in known]
    if new:
        known.update(zip(new, _append(writer, new), strict=True))
    return tuple(known[training] for training in trainings)


def acquisitions_of(
    reader: ExperienceReader, record_id: bytes
) -> Iterator[tuple[int, Acquisition]]:
    """The purchases of a record's content, with the indices of their entries, in order."""
    for index, kind in _about(reader, record_id):
        if isinstance(kind, Acquisition) and kind.record_id == record_id:
            yield index, kind


def acquisition_under(reader: ExperienceReader, grant: bytes) -> tuple[int, Acquisition] | None:
    """The first purchase under a grant, with its entry's index; None if there is none."""
    for index, kind in _about(reader, grant):
        if isinstance(kind, Acquisition) and kind.grant == grant:
            return index, kind
    return None


def trainings_of(reader: ExperienceReader, record_id: bytes) -> Iterator[tuple[int, Training]]:
    """What a model was trained on, with the indices of the entries, in order."""
    for index, kind in _about(reader, record_id):
        if isinstance(kind, Training) and kind.record_id == record_id:
            yield index, kind


def trainings_on(reader: ExperienceReader, record_id: bytes) -> Iterator[tuple[int, Training]]:
    """The entries by which models were trained on a record, with their indices, in order."""
    for index, kind in _about(reader, record_id):
        if isinstance(kind, Training) and record_id in kind.inputs:
            yield index, kind


def _append(writer: ExperienceWriter, kinds: Sequence[Acquisition | Training]) -> range:
    return writer.append(
        kinds,
        lambda indices: [
            row
            for index, kind in zip(indices, kinds, strict=True)
            for row in provenance_rows(kind, index)
        ],
    )


def _about(reader: ExperienceReader, name: bytes) -> Iterator[tuple[int, Kind]]:
    for index in reader.tables.provenance(name):
        try:
            yield index, parse_entry(reader.log.entry(index)).kind
        except (MalformedError, NotFoundError) as error:
            raise CorruptStoreError(f"entry {index} is damaged", hint="audit the home") from error
