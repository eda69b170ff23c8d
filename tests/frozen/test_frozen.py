"""What was once written in format version 1 verifies for ever.

The files of ``v1/`` are never regenerated, only added to: a change of the code under which
one of these tests fails is a change of the format, and gets a version and a folder of its
own. `DIGEST` is there so that nobody regenerates them by accident together with the code;
whoever adds a file changes it in the same commit, and adds a line to ``generate.py``.

Each file is read by today's parsers and verifiers; the proof files and the recording also
by the stand-alone program, which shares no code with them. Single entries, a content root
and a disclosure are frozen beside `tests.ledger.experience.test_frozen_entries`.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, log_id, open_checkpoint
from ledger.errors import VerificationError
from ledger.experience.content_root import CHUNK_SIZE, content_root_of_leaves, leaves_of_chunks
from ledger.experience.entry import (
    Experience,
    KeyRetirement,
    KeyRotation,
    parse_entry,
    verify_entry,
)
from ledger.experience.key_history import KeyHistory
from ledger.experience.record_keys import RecordKeyStore
from ledger.experience.sealing import ChunkSealer
from ledger.merkle.entry_bundle import decode_entry_bundle
from ledger.merkle.hashing import leaf_hashes, tree_root
from ledger.merkle.inclusion import verify_inclusion
from ledger.merkle.tile_path import required_tiles
from ledger.note import VerifierKey
from ledger.tlog_proof import TlogProof
from ledger.verifier import (
    VerifiedEntry,
    verify_chunk,
    verify_growth,
    verify_proof_file,
    verify_recording,
)
from ledger.witness import AddCheckpointRequest
from tests.frozen import generate
from tests.frozen.generate import BEFORE, DURING, LARGE_CONTENT, ORIGIN, RETIREMENT, ROTATION, SIZE
from tests.independent import verify_claim

V1 = Path(__file__).with_name("v1")
DIGEST = "e0284bde40bc2330c834b9cd98ca72c6cacf83de18e9a189dae19988a14b0603"


def read(name: str) -> bytes:
    return (V1 / name).read_bytes()


def text(name: str) -> str:
    return read(name).decode().removesuffix("\n")


def files_of(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


FIRST, SECOND, WITNESS = (
    VerifierKey.parse(text(f"{name}.vkey")) for name in ("first", "second", "witness")
)
RECORDING = V1 / "recording"
SMALL_CONTENT = read("recording/metadata.yaml") + read("recording/data/0.mcap")

# --- the files themselves ----------------------------------------------------------------------


def test_nobody_changed_a_file() -> None:
    digest = hashlib.sha256()
    for name, data in files_of(V1).items():
        digest.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    assert digest.hexdigest() == DIGEST


def test_we_still_write_the_same_bytes(tmp_path: Path) -> None:
    generate.write(tmp_path / "again")
    again, frozen = files_of(tmp_path / "again"), files_of(V1)
    assert again.keys() == frozen.keys()
    assert [name for name in frozen if again[name] != frozen[name]] == []


# --- entries -----------------------------------------------------------------------------------


def test_entries_at_the_limits_of_their_fields() -> None:
    origin_id = log_id(f"{ORIGIN}/limits")
    entries = decode_entry_bundle(read("entries.bin"), 7)
    history = KeyHistory(origin_id, bytes(FIRST.public_key))
    for index, encoded in enumerate(entries):
        entry = parse_entry(encoded)
        verify_entry(entry, origin_id)
        history.accept(entry, index)
    assert [parse_entry(encoded).kind for encoded in entries] == generate.limits(origin_id)
    assert len({type(parse_entry(encoded).kind) for encoded in entries}) == 5
    assert len(entries[-1]) == 65_535


# --- the log -----------------------------------------------------------------------------------


def log_entries() -> list[bytes]:
    bundles = read("log/tile/entries/000"), read("log/tile/entries/001.p/44")
    return decode_entry_bundle(bundles[0], 256) + decode_entry_bundle(bundles[1], 44)


def test_the_tiles_are_those_of_the_checkpoint() -> None:
    checkpoint = open_checkpoint(read("log/checkpoint"), [SECOND]).checkpoint
    hashes = leaf_hashes(log_entries())
    assert checkpoint == Checkpoint(ORIGIN, SIZE, tree_root(hashes))
    assert read("log/tile/0/000") == b"".join(hashes[:256])
    assert read("log/tile/0/001.p/44") == b"".join(hashes[256:])
    assert read("log/tile/1/000.p/1") == tree_root(hashes[:256])
    tiles = list(required_tiles(SIZE))
    paths = {tile.path for tile in tiles} | {tile.entries_path for tile in tiles if not tile.level}
    assert files_of(V1 / "log").keys() == {"checkpoint", *paths}


def test_every_entry_of_the_log_is_signed_by_a_key_of_its_time() -> None:
    history = KeyHistory(log_id(ORIGIN), bytes(FIRST.public_key))
    first, second = bytes(FIRST.public_key), bytes(SECOND.public_key)
    for index, encoded in enumerate(log_entries()):
        entry = parse_entry(encoded)
        verify_entry(entry, log_id(ORIGIN))
        history.accept(entry, index)
        if index in (ROTATION, RETIREMENT):
            kind = KeyRotation if index == ROTATION else KeyRetirement
            assert isinstance(entry.kind, kind)
        valid = {first} if index < ROTATION else {first, second}
        assert history.keys == ({second} if index >= RETIREMENT else valid)


# --- checkpoints -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "signers"),
    [
        ("before", BEFORE, {FIRST}),
        ("during", DURING, {FIRST, SECOND}),
        ("after", SIZE, {SECOND}),
        ("cosigned", SIZE, {SECOND}),
    ],
)
def test_checkpoints_through_a_rotation(name: str, size: int, signers: set[VerifierKey]) -> None:
    note = read(f"{name}.checkpoint")
    expected = Checkpoint(ORIGIN, size, tree_root(leaf_hashes(log_entries()[:size])))
    signed = open_checkpoint(note, [FIRST, SECOND])
    assert signed.checkpoint == expected
    assert {signature.key for signature in signed.log_signatures} == signers
    for key in (FIRST, SECOND):
        if key in signers:
            assert open_checkpoint(note, [key]).checkpoint == expected
        else:
            with pytest.raises(VerificationError):
                open_checkpoint(note, [key])


def test_the_cosigned_checkpoint() -> None:
    signed = open_checkpoint(read("cosigned.checkpoint"), [SECOND], [WITNESS])
    assert [(c.key, c.time_s) for c in signed.cosignatures] == [(WITNESS, generate.COSIGNED_S)]
    assert read("cosigned.checkpoint").startswith(read("after.checkpoint"))


def test_the_request_to_the_witness_shows_that_the_log_only_grew() -> None:
    request = AddCheckpointRequest.parse(read("add-checkpoint"))
    assert (request.old_size, request.note) == (BEFORE, read("after.checkpoint"))
    old, new = verify_growth(
        read("before.checkpoint"), request.note, request.proof, [FIRST, SECOND]
    )
    assert (old.checkpoint.size, new.checkpoint.size) == (BEFORE, SIZE)


# --- proofs ------------------------------------------------------------------------------------

PROOFS = [  # name, entry, size, the keys that a caller needs
    ("plain", SIZE - 1, SIZE, [SECOND]),
    ("first-key", 0, SIZE, [FIRST, SECOND]),
    ("both-keys", ROTATION, DURING, [FIRST]),
    ("recording", 0, BEFORE, [FIRST]),
    ("chunks", 1, BEFORE, [FIRST]),
]


def verified(name: str, keys: list[VerifierKey]) -> VerifiedEntry:
    return verify_proof_file(read(f"{name}.tlog-proof"), keys)


@pytest.mark.parametrize(("name", "index", "size", "keys"), PROOFS)
def test_proofs(name: str, index: int, size: int, keys: list[VerifierKey]) -> None:
    entry = verified(name, keys)
    assert (entry.index, entry.checkpoint.size) == (index, size)
    assert entry.encoded == log_entries()[index]
    parsed = TlogProof.parse(read(f"{name}.tlog-proof"))
    leaf = hashlib.sha256(b"\0" + entry.encoded).digest()
    verify_inclusion(leaf, index, size, parsed.path, entry.checkpoint.root)
    for key in keys[1:]:
        with pytest.raises(VerificationError):
            verified(name, [key])


@pytest.mark.parametrize(("name", "index", "size", "keys"), PROOFS)
def test_proofs_by_the_stand_alone_program(
    name: str, index: int, size: int, keys: list[VerifierKey]
) -> None:
    proof = V1 / f"{name}.tlog-proof"
    if len(keys) == 1:
        report = verify_claim.verify(proof, keys[0].encode(), None, None)
        assert f"entry {index} of {size} in '{ORIGIN}'" in report
    else:  # the program takes one key, and the checkpoint needs another one than the entry
        with pytest.raises(ValueError, match="not signed the checkpoint"):
            verify_claim.verify(proof, FIRST.encode(), None, None)


def test_the_recording() -> None:
    entry = verified("recording", [FIRST])
    verify_recording(entry, [SMALL_CONTENT])
    with pytest.raises(VerificationError):
        verify_recording(entry, [SMALL_CONTENT[:-1] + bytes([SMALL_CONTENT[-1] ^ 1])])
    proof = V1 / "recording.tlog-proof"
    report = verify_claim.verify(proof, FIRST.encode(), RECORDING, None)
    assert "3300 bytes (recording checked)" in report


@pytest.mark.parametrize("index", [0, 2])
def test_the_disclosed_chunks(index: int, tmp_path: Path) -> None:
    chunk = LARGE_CONTENT[index * CHUNK_SIZE : (index + 1) * CHUNK_SIZE]
    verify_chunk(verified("chunks", [FIRST]), index, chunk)
    (tmp_path / "chunk").write_bytes(chunk)
    asked = (str(index), str(tmp_path / "chunk"))
    report = verify_claim.verify(V1 / "chunks.tlog-proof", FIRST.encode(), None, asked)
    assert "525288 bytes (chunk checked)" in report


# --- keys and sealed content -------------------------------------------------------------------


def experience(index: int) -> Experience:
    kind = parse_entry(log_entries()[index]).kind
    assert isinstance(kind, Experience)
    return kind


def test_the_record_keys_open_the_sealed_content(tmp_path: Path) -> None:
    (tmp_path / "c5.keys").write_bytes(read("c5.keys"))
    (tmp_path / "c5.keys").chmod(stat.S_IRUSR | stat.S_IWUSR)
    store = RecordKeyStore(tmp_path)
    small, large = experience(0), experience(1)
    keys = store.get(small.record_id)
    assert keys.content_key is not None
    content = ChunkSealer(small.record_id, keys.content_key, 1).open(0, read("sealed"))
    assert content == SMALL_CONTENT
    for record, chunks in ((small, [content]), (large, large_chunks())):
        leaves = leaves_of_chunks(store.get(record.record_id).salt_key, chunks)
        assert content_root_of_leaves(leaves) == record.content_root
    assert store.get(large.record_id) == generate.LARGE_KEYS


def large_chunks() -> list[bytes]:
    return [LARGE_CONTENT[at : at + CHUNK_SIZE] for at in range(0, len(LARGE_CONTENT), CHUNK_SIZE)]
