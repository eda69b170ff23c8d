"""The records of a bag that was followed, found together again.

`quipu follow` commits each file of a bag as a record of its own, tagged with the bag's
name, ``metadata.yaml`` last. Which files are the bag is what ``metadata.yaml`` says, and
each is the newest record of its name before it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import LedgerError, NotFoundError
from ledger.experience.access import ExperienceReader
from ledger.experience.content_check import require_root
from ledger.experience.content_hashing import hash_content
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience
from ledger.experience.readers.bag_metadata import FILE_NAME, read_bag_metadata
from ledger.experience.restore import open_record


def followed_parts(
    reader: ExperienceReader, index: int, experience: Experience
) -> list[Experience] | None:
    """All records of the followed bag that entry ``index`` is a part of, metadata last.

    None if it is no part of one, or the bag's ``metadata.yaml`` was never committed or
    cannot be read any more. Raises `NotFoundError` for a file of the bag that is not in
    the log.
    """
    bag = _bag_of(experience)
    if bag is None:
        return None
    found = next(_records(reader, bag, range(index, reader.log.size), FILE_NAME), None)
    names = _listed(reader, found[1]) if found else None
    if found is None or names is None:
        return None
    last, metadata = found
    parts = []
    for name in names:
        part = next(_records(reader, bag, range(last, -1, -1), name), None)
        if part is None:
            raise NotFoundError(
                f"{bag}/{name} is a part of the bag, and not in the log",
                hint="--segment takes this entry alone",
            )
        parts.append(part[1])
    return [*parts, metadata]


def _bag_of(experience: Experience) -> str | None:
    tags = {tag.key: tag.value for tag in experience.tags}
    bag = tags.get("bag")
    alone = len(experience.files) == 1 and "segments" not in tags
    if bag and alone and experience.name == f"{bag}/{experience.files[0].name}":
        return bag
    return None


def _records(
    reader: ExperienceReader, bag: str, indices: range, name: str
) -> Iterator[tuple[int, Experience]]:
    for index in indices:
        try:
            kind = parse_entry(reader.log.entry(index)).kind
        except LedgerError:
            continue
        if isinstance(kind, Experience) and _bag_of(kind) == bag and kind.files[0].name == name:
            yield index, kind


def _listed(reader: ExperienceReader, metadata: Experience) -> tuple[str, ...] | None:
    """The files that a ``metadata.yaml`` lists; None if it cannot be read."""
    try:
        salt_key = reader.keys.get(metadata.record_id).salt_key
        with open_record(reader, reader.record(metadata.record_id)) as source:
            data = bytearray(source.size)
            source.read_into(0, memoryview(data))
            require_root(hash_content(source, salt_key).root, metadata)
        with tempfile.TemporaryDirectory(prefix="quipu-") as folder:
            Path(folder, FILE_NAME).write_bytes(data)
            return read_bag_metadata(Path(folder)).files
    except LedgerError:
        return None
