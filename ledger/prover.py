"""Making proof files: one entry under the newest checkpoint, and what is disclosed with it.

The counterpart of `ledger.verifier`; the file is described in ``docs/format.md``,
section 5.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.checkpoint import Checkpoint
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.access import ExperienceReader
from ledger.experience.content_root import chunk_count, disclose_chunk
from ledger.experience.disclosure import Disclosure, encode_disclosure
from ledger.experience.entry import Experience, parse_entry
from ledger.tlog_proof import TlogProof


def prove_entry(
    experiences: ExperienceReader,
    index: int,
    *,
    size: int | None = None,
    disclose_recording: bool = False,
    chunks: Iterable[int] = (),
) -> TlogProof:
    """The proof that leaf ``index`` is in the log, under the newest checkpoint.

    Or under the checkpoint of ``size`` leaves, for whoever holds that one.
    ``disclose_recording`` puts the salt key into it, with which its holder can check the
    whole recording; ``chunks`` the salts and paths of single chunks of 262,144 bytes.

    Raises `NotFoundError` for an entry, a chunk or a checkpoint that is not there,
    `RefusedError` for an entry that is under no checkpoint or has no content,
    `KeyStoreError` for erased keys.
    """
    log = experiences.log
    encoded = log.entry(index)
    note = log.latest_checkpoint() if size is None else log.checkpoint_at(size)
    if note is None and size is not None:
        raise NotFoundError(
            f"no checkpoint of {size} leaves is stored", hint="ask for the newest one"
        )
    size = Checkpoint.of_note(note).size if note else 0
    if note is None or index >= size:
        raise RefusedError(
            f"entry {index} is under no checkpoint yet", hint="run `quipu checkpoint` first"
        )
    wanted = sorted(set(chunks))
    if disclose_recording or wanted:
        disclosure = _disclose(experiences, encoded, index, disclose_recording, wanted)
    else:
        disclosure = Disclosure(encoded)
    return TlogProof(index, log.prove_inclusion(index, size), note, encode_disclosure(disclosure))


def _disclose(
    experiences: ExperienceReader, encoded: bytes, index: int, whole: bool, chunks: list[int]
) -> Disclosure:
    kind = parse_entry(encoded).kind
    if not isinstance(kind, Experience) or not kind.content_size:
        raise RefusedError(
            f"entry {index} has no content of its own to disclose", hint="prove it without"
        )
    count = chunk_count(kind.content_size)
    if chunks and chunks[-1] >= count:
        raise NotFoundError(
            f"there is no chunk {chunks[-1]} in the {kind.content_size} bytes of entry {index}",
            hint=f"chunks are numbered from 0 to {count - 1}",
        )
    salt_key = experiences.keys.get(kind.record_id).salt_key
    leaves = experiences.tables.leaves(kind.record_id)
    return Disclosure(
        encoded,
        salt_key=salt_key if whole else None,
        chunks=tuple(disclose_chunk(leaves, salt_key, chunk) for chunk in chunks),
    )
