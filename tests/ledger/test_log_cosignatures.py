"""Merging cosignatures into stored checkpoints: durable, and nothing of the log's is lost."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ledger.checkpoint import open_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import (
    CorruptStoreError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.log_reader import U64
from ledger.note import CosignatureSigner, NoteSigner, SignedNote
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from tests.ledger.sample_log import NEW_SIGNER, ORIGIN, SIGNER, SampleLog, entries

WITNESSES = [
    CosignatureSigner(f"w{number}.example", PrivateKey.from_seed(bytes([number]) * 32))
    for number in range(3)
]
KEYS = [each.verifier_key for each in WITNESSES]


@pytest.fixture
def sample(tmp_path: Path) -> SampleLog:
    made = SampleLog.create(tmp_path)
    for size in (3, 8):
        made.log.append(entries(made.log.size, size))
        made.log.checkpoint([SIGNER])
    return made


def line(sample: SampleLog, size: int, witness: CosignatureSigner, time_s: int = 5) -> bytes:
    text = SignedNote.parse(stored(sample, size)).text
    return witness.sign(text, time_s).encode().encode()


def stored(sample: SampleLog, size: int) -> bytes:
    return dict(sample.log.checkpoints())[size]


def times(note: bytes) -> dict[str, int | None]:
    opened = open_checkpoint(note, [SIGNER.verifier_key], KEYS)
    return {each.key.name: each.time_s for each in opened.cosignatures}


def test_lines_are_added_to_the_checkpoint_of_any_size(sample: SampleLog) -> None:
    for size in (3, 8):
        for number, witness in enumerate(WITNESSES):
            note = sample.log.merge_cosignatures(size, line(sample, size, witness), KEYS)
            assert note == stored(sample, size)
            assert len(times(note)) == number + 1
    assert sample.log.latest_checkpoint() == stored(sample, 8)
    sample.reopened()
    assert len(times(stored(sample, 3))) == len(times(stored(sample, 8))) == 3


def test_the_log_goes_on_as_before(sample: SampleLog) -> None:
    published = sample.published.latest()
    merged = sample.log.merge_cosignatures(8, line(sample, 8, WITNESSES[0]), KEYS)
    assert sample.published.latest() == published
    # The same checkpoint once more keeps what it has got.
    assert sample.log.checkpoint([SIGNER]) == merged
    sample.log.append(entries(8, 9))
    assert sample.signed().size == 9
    assert sample.reopened().size == 9
    assert times(stored(sample, 8)) == {"w0.example": 5}


def test_a_rotation_adds_its_signature_beside_the_cosignatures(sample: SampleLog) -> None:
    sample.log.merge_cosignatures(8, line(sample, 8, WITNESSES[0]), KEYS)
    rows = sample.log.vkey_rows([SIGNER.verifier_key, NEW_SIGNER.verifier_key])
    for table, key, value in rows:
        sample.change(table, key, value)
    note = sample.log.checkpoint([SIGNER, NEW_SIGNER])
    note = sample.log.merge_cosignatures(8, line(sample, 8, WITNESSES[1]), KEYS)
    keys = [SIGNER.verifier_key, NEW_SIGNER.verifier_key]
    opened = open_checkpoint(note, keys, KEYS)
    assert len(opened.log_signatures) == len(opened.cosignatures) == 2


def test_a_newer_line_of_a_witness_takes_the_place_of_its_older_one(sample: SampleLog) -> None:
    for time_s in (5, 9):
        note = sample.log.merge_cosignatures(8, line(sample, 8, WITNESSES[0], time_s), KEYS)
    assert times(note) == {"w0.example": 9}
    assert len(SignedNote.parse(note).signatures) == 2


def test_lines_that_are_there_already_change_nothing(sample: SampleLog) -> None:
    lines = [line(sample, 8, each) for each in WITNESSES]
    for each in lines:
        note = sample.log.merge_cosignatures(8, each, KEYS)
    for each in (*lines, lines[1] + lines[0]):
        assert sample.log.merge_cosignatures(8, each, KEYS) == note


def test_what_is_no_cosignature_of_this_checkpoint_changes_nothing(sample: SampleLog) -> None:
    before = stored(sample, 8)
    good = line(sample, 8, WITNESSES[0])
    stranger = line(sample, 8, CosignatureSigner("x.example", PrivateKey.from_seed(b"x" * 32)))
    forged = SIGNER.sign(SignedNote.parse(stored(sample, 3)).text).encode().encode()
    for lines in (line(sample, 3, WITNESSES[0]), stranger, good + line(sample, 3, WITNESSES[1])):
        with pytest.raises(VerificationError):
            sample.log.merge_cosignatures(8, lines, KEYS)
    with pytest.raises(VerificationError):
        sample.log.merge_cosignatures(8, forged, KEYS)  # a log's line, from a witness
    for lines in (b"", b"\n", good[:-1], b"\xff\n", b"x" * 2_000_000):
        with pytest.raises(MalformedError):
            sample.log.merge_cosignatures(8, lines, KEYS)
    for size in (0, 2, 9, 2**63 - 1):
        with pytest.raises(NotFoundError):
            sample.log.merge_cosignatures(size, good, KEYS)
    assert stored(sample, 8) == before
    # A stranger's line beside a good one is left out.
    note = sample.log.merge_cosignatures(8, stranger + good, KEYS)
    assert times(note) == {"w0.example": 5}
    assert b"x.example" not in note


def test_the_logs_own_key_is_no_witness(sample: SampleLog) -> None:
    own = CosignatureSigner("own.example", SIGNER.private_key)
    with pytest.raises(RefusedError):
        sample.log.merge_cosignatures(8, line(sample, 8, own), [own.verifier_key])
    namesake = CosignatureSigner(ORIGIN, WITNESSES[0].private_key)
    note = sample.log.merge_cosignatures(8, line(sample, 8, namesake), [namesake.verifier_key])
    assert open_checkpoint(note, [SIGNER.verifier_key]).log_signatures


def test_a_stored_checkpoint_that_the_log_did_not_sign_is_not_added_to(sample: SampleLog) -> None:
    text = SignedNote.parse(stored(sample, 8)).text
    stranger = NoteSigner(ORIGIN, PrivateKey.from_seed(b"x" * 32))
    lines = line(sample, 8, WITNESSES[0])
    for damaged in (SignedNote(text, (stranger.sign(text),)).encode(), b"damaged"):
        sample.change(Table.CHECKPOINTS, U64.pack(8), damaged)
        with pytest.raises(CorruptStoreError):
            sample.log.merge_cosignatures(8, lines, KEYS)


def test_threads_lose_no_line(tmp_path: Path) -> None:
    storage = LmdbStorage.create(tmp_path / "log")
    sample = SampleLog.create(tmp_path, storage)
    sample.log.append(entries(0, 8))
    sample.log.checkpoint([SIGNER])
    signers = [
        CosignatureSigner(f"t{number}.example", PrivateKey.generate()) for number in range(8)
    ]
    keys = [each.verifier_key for each in signers]
    lines = [line(sample, 8, each) for each in signers]
    threads = [
        threading.Thread(target=sample.log.merge_cosignatures, args=(8, each, keys))
        for each in lines
    ]
    for thread in threads:
        thread.start()
    sample.log.append(entries(8, 10))
    for thread in threads:
        thread.join()
    opened = open_checkpoint(stored(sample, 8), [SIGNER.verifier_key], keys)
    assert len(opened.cosignatures) == 8
    sample.log.close()
