"""Proof files, under the newest checkpoint or under an older one that somebody holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.ingest import ingest_all
from ledger.experience.readers import read_recording
from ledger.home import HomeWriter, create_home, open_home_to_write
from ledger.note import VerifierKey
from ledger.prover import prove_entry
from ledger.verifier import verify_proof_file


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


def grow(home: HomeWriter, tmp_path: Path, name: str) -> None:
    recording = tmp_path / name
    recording.write_bytes(name.encode() * 10)
    list(ingest_all(home.experiences, read_recording(recording)))


@pytest.fixture
def vkey(tmp_path: Path) -> VerifierKey:
    """A robot with checkpoints at 1 and 3 leaves, and an entry under none."""
    vkey = create_home(tmp_path / "home", "example.com/robot")
    with open_home_to_write(tmp_path / "home") as home:
        for at, name in enumerate("abcd"):
            grow(home, tmp_path, name)
            if at in (0, 2):
                home.log.checkpoint(home.signers())
    return vkey


def test_a_proof_under_any_stored_checkpoint(tmp_path: Path, vkey: VerifierKey) -> None:
    with open_home_to_write(tmp_path / "home") as home:
        for size, wanted in ((None, 3), (3, 3), (1, 1)):
            proof = prove_entry(home.experiences, 0, size=size)
            assert Checkpoint.of_note(proof.checkpoint_note).size == wanted
            assert verify_proof_file(proof.encode(), [vkey]).index == 0


@pytest.mark.parametrize("size", [0, 2, 4, 5, 1 << 63, 1 << 64, -1])
def test_no_checkpoint_of_that_size(tmp_path: Path, vkey: VerifierKey, size: int) -> None:
    with open_home_to_write(tmp_path / "home") as home, pytest.raises(NotFoundError):
        prove_entry(home.experiences, 0, size=size)


@pytest.mark.parametrize(("index", "size"), [(3, None), (1, 1), (3, 3)])
def test_an_entry_beyond_the_checkpoint(
    tmp_path: Path, vkey: VerifierKey, index: int, size: int | None
) -> None:
    with open_home_to_write(tmp_path / "home") as home, pytest.raises(RefusedError):
        prove_entry(home.experiences, index, size=size)
