"""The witness's key file, and the folder of a witness of its own."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ledger.ed25519 import PrivateKey
from ledger.errors import (
    KeyStoreError,
    LockedError,
    MalformedError,
    RefusedError,
    StorageError,
)
from ledger.note import CosignatureSigner, KeyKind, NoteSigner
from ledger.witnessing.follower import Cosigned
from ledger.witnessing.fork_records import ForkRecords
from ledger.witnessing.policy import Policy, PolicyLog
from ledger.witnessing.standalone import WitnessFolder
from ledger.witnessing.witness_key import WitnessKey
from tests.ledger.witnessing.sample_trees import POLICY, TreeSource, note

NAME = "example.com/husky-7/witness"


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    key = WitnessKey(tmp_path / "home" / "keys" / "witness")
    assert not key.exists
    made = key.create(NAME)
    assert key.exists
    assert made.name == NAME
    assert made.verifier_key.kind is KeyKind.COSIGNATURE_V1
    again = key.load()
    assert again.verifier_key == made.verifier_key
    assert bytes(again.private_key.to_pem()) == bytes(made.private_key.to_pem())
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.folder.stat().st_mode) == 0o700
    assert [each.name for each in key.folder.iterdir()] == ["witness.key"]
    before = key.path.read_bytes()
    with pytest.raises(RefusedError):
        key.create("another")
    assert key.path.read_bytes() == before
    assert [each.name for each in key.folder.iterdir()] == ["witness.key"]
    assert key.load_or_create("another").name == NAME


def test_of_many_that_make_it_at_once_all_have_the_same(tmp_path: Path) -> None:
    key = WitnessKey(tmp_path / "witness")
    found: list[CosignatureSigner] = []
    start = threading.Barrier(6)

    def make() -> None:
        start.wait()
        found.append(key.load_or_create(NAME))

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len({each.verifier_key for each in found}) == 1


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "\ud800"])
def test_a_name_that_no_key_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedError):
        WitnessKey(tmp_path / "witness").create(name)
    assert not (tmp_path / "witness").exists()


def test_a_file_that_others_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    key = WitnessKey(tmp_path)
    with pytest.raises(KeyStoreError, match="cannot be read"):
        key.load()
    key.create(NAME)
    data = key.path.read_bytes()
    for mode in (0o640, 0o604, 0o660):
        key.path.chmod(mode)
        with pytest.raises(KeyStoreError, match="read by others"):
            key.load()
    key.path.chmod(0o600)
    vkey, _, pem = data.partition(b"\n")
    other = PrivateKey.from_seed(b"o" * 32)
    as_log = NoteSigner(NAME, PrivateKey.from_pem(pem)).verifier_key.encode().encode()
    for damaged in (
        b"",
        vkey,
        pem,
        vkey + b"\n" + other.to_pem(),
        as_log + b"\n" + pem,
        b"\xff" + data,
        vkey.replace(b"husky-7", b"husky-8") + b"\n" + pem,
        data[:-30],
    ):
        key.path.write_bytes(damaged)
        with pytest.raises(KeyStoreError) as refused:
            key.load()
        assert "PRIVATE KEY-" not in str(refused.value)
    key.path.write_bytes(data)
    assert key.load().name == NAME


# A witness of its own


def test_a_folder_holds_one_witness(tmp_path: Path) -> None:
    folder = WitnessFolder(tmp_path / "witness")
    with pytest.raises(KeyStoreError), folder.open(POLICY):
        pass
    with pytest.raises(StorageError), folder.read():
        pass
    signer = folder.create(NAME)
    with pytest.raises(RefusedError):
        folder.create(NAME)
    with folder.open(POLICY) as follower:
        assert follower.signer.verifier_key == signer.verifier_key
        assert isinstance(follower.receive(note(5), TreeSource()), Cosigned)
    with folder.read() as storage:
        assert list(ForkRecords(storage).all()) == []
    with folder.open(POLICY) as follower:
        assert isinstance(follower.receive(note(9), TreeSource()), Cosigned)


def test_a_witness_is_held_by_one(tmp_path: Path) -> None:
    folder = WitnessFolder(tmp_path / "witness")
    folder.create(NAME)
    program = (
        "import sys; from pathlib import Path; from ledger.storage.lmdb import LmdbStorage;"
        "s = LmdbStorage.open_writer(Path(sys.argv[1])); print('held', flush=True);"
        "sys.stdin.read()"
    )

    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder.store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError), folder.open(POLICY):
            pass
        assert holder.stdin is not None
        holder.stdin.close()
    with folder.open(POLICY):
        pass


def test_an_unfinished_folder_is_finished(tmp_path: Path) -> None:
    folder = WitnessFolder(tmp_path / "witness")
    folder.create(NAME)
    folder.key.path.unlink()
    folder.create(NAME)
    with folder.open(POLICY):
        pass


def test_a_key_without_its_store_signs_nothing(tmp_path: Path) -> None:
    folder = WitnessFolder(tmp_path / "witness")
    folder.key.create(NAME)
    with pytest.raises(StorageError), folder.open(POLICY):
        pass
    with pytest.raises(RefusedError):
        folder.create(NAME)
    assert not folder.store.exists()


def test_a_witness_with_a_key_of_the_policys_logs_is_refused(tmp_path: Path) -> None:
    folder = WitnessFolder(tmp_path / "witness")
    signer = folder.create(NAME)
    log = NoteSigner("example.com/x", signer.private_key)
    with (
        pytest.raises(RefusedError),
        folder.open(Policy((PolicyLog(log.verifier_key),))),
    ):
        pass
