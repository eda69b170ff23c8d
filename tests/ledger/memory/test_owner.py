"""The owner of a home, by threads of its own process."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import (
    CorruptStoreError,
    LockedError,
    NotFoundError,
    RefusedError,
    StorageError,
)
from ledger.experience.ingest import ingest_all
from ledger.experience.readers import read_recording
from ledger.home import HomeWriter, open_home, open_home_to_write
from ledger.memory import owner as owner_module
from ledger.memory.lasting import LastingCheckpoints, LastingStorage
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.memory.status import CheckpointStored, MemoryEvent, OwnerState, StateChanged
from ledger.merkle.consistency import verify_consistency
from ledger.note import CosignatureSigner, VerifierKey
from ledger.storage import Table
from ledger.verifier import verify_proof_file
from ledger.witness import WitnessState, cosign_checkpoint
from tests.ledger.memory.owner_process import wait_for
from tests.ledger.memory.recorded import GrowingFile


def grow(home: HomeWriter, tmp_path: Path, count: int = 1) -> None:
    for _ in range(count):
        file = tmp_path / f"recording-{home.log.size}"
        file.write_bytes(b"%d" % home.log.size * 100)
        list(ingest_all(home.experiences, read_recording(file)))


def test_commits_checkpoints_and_proofs(
    owner: MemoryOwner, tmp_path: Path, vkey: VerifierKey
) -> None:
    with owner.writer() as home:
        grow(home, tmp_path, 3)
    first = Checkpoint.of_note(owner.checkpoint())
    with owner.writer() as home:
        grow(home, tmp_path, 2)
    note = owner.checkpoint()
    second = Checkpoint.of_note(note)
    assert (first.size, second.size) == (3, 5)
    assert verify_proof_file(owner.prove_inclusion(4), [vkey]).index == 4
    assert verify_proof_file(owner.prove_inclusion(1, 3), [vkey]).checkpoint == first
    for new_size in (0, 5):
        answer = owner.prove_consistency(3, new_size)
        assert (answer.new_size, answer.note) == (5, note)
        verify_consistency(3, 5, first.root, second.root, answer.proof)
    assert owner.prove_consistency(0).proof == ()
    assert owner.prove_consistency(2, 4).note == b""


def test_what_cannot_be_proved(owner: MemoryOwner, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no checkpoint"):
        owner.prove_consistency(0)
    with owner.writer() as home:
        grow(home, tmp_path, 2)
    with pytest.raises(RefusedError):
        owner.prove_inclusion(0)
    owner.checkpoint()
    for attempt in (
        lambda: owner.prove_inclusion(2),
        lambda: owner.prove_inclusion(0, 1),
        lambda: owner.prove_inclusion(1 << 63, 1 << 63),
        lambda: owner.prove_consistency(3),
        lambda: owner.prove_consistency(2, 1),
        lambda: owner.prove_consistency(1, 3),
        lambda: owner.prove_consistency(0, 3),
        lambda: owner.prove_consistency((1 << 64) - 1, (1 << 64) - 1),
    ):
        with pytest.raises(NotFoundError):
            attempt()


def test_the_status_says_how_things_are(owner: MemoryOwner, tmp_path: Path) -> None:
    before = owner.status()
    assert (before.origin, before.state) == ("example.com/r1", OwnerState.OPEN)
    assert (before.entries, before.checkpoint_size, before.checkpoint_time_ns) == (0, 0, 0)
    assert before.disk_free_bytes > 0
    with owner.writer() as home:
        grow(home, tmp_path, 2)
    assert owner.status().uncheckpointed == 2
    started = time.time_ns()
    owner.checkpoint()
    sink = OwnerSink(owner)
    record = sink.begin()
    after = owner.status()
    assert (after.entries, after.checkpoint_size, after.uncheckpointed) == (2, 2, 0)
    assert started - 10**9 < after.checkpoint_time_ns <= time.time_ns()
    assert after.last_commit_ms > 0
    assert after.open_records == 1
    sink.abandon(record.record_id, "")
    assert owner.status().open_records == 0


def test_the_checkpoints_time_survives_a_restart(root: Path) -> None:
    with MemoryOwner.open(root) as owner:
        owner.checkpoint()
        told = owner.status()
    with MemoryOwner.open(root) as owner:
        again = owner.status()
    assert again.checkpoint_time_ns == told.checkpoint_time_ns > 0


def test_one_owner_a_home(owner: MemoryOwner, root: Path) -> None:
    with pytest.raises(LockedError, match=f"process {owner.status().pid} "):
        MemoryOwner.open(root)
    owner.checkpoint()
    owner.close()
    with MemoryOwner.open(root) as second:
        assert second.status().state is OwnerState.OPEN


def test_no_owner_where_there_is_no_home(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not a home"):
        MemoryOwner.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_home_that_cannot_be_opened_is_left_free(root: Path) -> None:
    with open_home_to_write(root):
        with pytest.raises(LockedError):
            MemoryOwner.open(root)
        began = time.monotonic()
        with pytest.raises(LockedError):
            MemoryOwner.open(root, wait_s=0.2)
        assert time.monotonic() - began >= 0.2
    MemoryOwner.open(root).close()


def test_it_waits_for_a_command_that_writes(root: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def command() -> None:
        with open_home_to_write(root):
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=command)
    thread.start()
    assert entered.wait(60)
    threading.Timer(0.2, leave.set).start()
    with MemoryOwner.open(root, wait_s=60):
        assert leave.is_set()
    thread.join()


def test_lending_and_taking_back(owner: MemoryOwner, root: Path, tmp_path: Path) -> None:
    events: list[MemoryEvent] = []
    owner.subscribe(events.append)
    owner.checkpoint()
    with owner.lent(4711):
        lent = owner.status()
        assert (lent.state, lent.lent_to) == (OwnerState.LENT, 4711)
        # This process stands for the other; its reader must be closed for that.
        owner._held.close()
        with open_home_to_write(root) as home:
            grow(home, tmp_path, 2)
            note = home.log.checkpoint(home.signers())
    back = owner.status()
    assert (back.state, back.lent_to, back.entries) == (OwnerState.OPEN, 0, 2)
    assert [type(event) for event in events] == [
        CheckpointStored,
        StateChanged,
        StateChanged,
        CheckpointStored,
    ]
    assert events[-1] == CheckpointStored(note)
    with owner.writer() as home:
        grow(home, tmp_path)
    assert owner.status().entries == 3


def test_proofs_while_it_is_lent(owner: MemoryOwner, tmp_path: Path, vkey: VerifierKey) -> None:
    with owner.writer() as home:
        grow(home, tmp_path, 2)
    owner.checkpoint()
    with owner.lent(4711):
        assert verify_proof_file(owner.prove_inclusion(1), [vkey]).index == 1
        assert owner.prove_consistency(1).new_size == 2


def test_commits_wait_while_it_is_lent(owner: MemoryOwner) -> None:
    done = threading.Event()

    def commit() -> None:
        owner.checkpoint()
        done.set()

    thread = threading.Thread(target=commit)
    with owner.lent(4711):
        thread.start()
        wait_for(lambda: owner.status().waiting == 1)
        assert not done.is_set()
    assert done.wait(60)
    thread.join()


def test_a_home_that_is_lent_keeps_nobody_for_ever(owner: MemoryOwner) -> None:
    errors: list[LockedError] = []

    def commit() -> None:
        try:
            owner.checkpoint()
        except LockedError as error:
            errors.append(error)

    thread = threading.Thread(target=commit)
    with owner.lent(4711):
        thread.start()
        owner.set_patience(0.05)
        thread.join(60)
    assert "process 4711 has" in errors[0].message


def test_what_is_wrong_when_it_comes_back_is_told_and_mended(
    owner: MemoryOwner, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[MemoryEvent] = []
    owner.subscribe(events.append)
    with owner.writer() as home:
        grow(home, tmp_path, 2)
    owner.checkpoint()
    data = root / "log" / "data.mdb"
    with owner.lent(4711):
        good = data.read_bytes()
        data.write_bytes(good[:100])
    status = owner.status()
    assert status.state is OwnerState.FAULTY
    assert "damaged" in status.fault
    assert events[-1] == StateChanged(OwnerState.FAULTY, status.fault)
    with pytest.raises(CorruptStoreError):
        owner.checkpoint()
    with pytest.raises(StorageError):
        owner.prove_inclusion(0)
    data.write_bytes(good)
    with pytest.raises(CorruptStoreError):  # not tried again at once
        owner.checkpoint()
    monkeypatch.setattr(owner_module, "RETRY_S", 0.0)
    assert Checkpoint.of_note(owner.checkpoint()).size == 2
    assert owner.status().state is OwnerState.OPEN


def test_a_log_behind_what_it_published_says_so(root: Path, tmp_path: Path) -> None:
    import shutil

    with MemoryOwner.open(root) as owner:
        owner.checkpoint()
        shutil.copytree(root / "log", tmp_path / "backup")
        with owner.writer() as home:
            grow(home, tmp_path)
        owner.checkpoint()
    shutil.rmtree(root / "log")
    shutil.copytree(tmp_path / "backup", root / "log")
    with MemoryOwner.open(root) as owner:
        assert owner.status().state is OwnerState.BEHIND


def test_a_listener_that_fails_undoes_nothing(owner: MemoryOwner) -> None:
    def listener(event: MemoryEvent) -> None:
        raise RuntimeError(event)

    heard: list[MemoryEvent] = []
    end = owner.subscribe(listener)
    owner.subscribe(heard.append)
    owner.checkpoint()
    assert len(heard) == 1
    end()
    end()
    assert owner.status().checkpoint_time_ns


def test_the_status_waits_for_nobody(owner: MemoryOwner) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        with owner.writer():
            entered.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(60)
    owner.status()
    assert thread.is_alive()  # the writer is at it still
    release.set()
    thread.join()


def test_closing_waits_for_what_is_under_way(root: Path, tmp_path: Path) -> None:
    owner = MemoryOwner.open(root)
    entered = threading.Event()

    def commit() -> None:
        with owner.writer() as home:
            entered.set()
            time.sleep(0.2)
            grow(home, tmp_path)

    thread = threading.Thread(target=commit)
    thread.start()
    assert entered.wait(60)
    owner.close()
    thread.join()
    with pytest.raises(StorageError, match="closed"):
        owner.checkpoint()
    assert owner.status().state is OwnerState.CLOSED
    with open_home(root) as home:
        assert home.log.size == 1


def test_cosignatures_are_merged_and_told(owner: MemoryOwner, vkey: VerifierKey) -> None:
    heard: list[MemoryEvent] = []
    note = owner.checkpoint()
    owner.subscribe(heard.append)
    witness = CosignatureSigner("example.com/w", PrivateKey.generate())
    lines = cosign_checkpoint(note, witness, 1_700_000_000).removeprefix(note)
    merged = LastingCheckpoints(owner).merge_cosignatures(0, lines, [witness.verifier_key])
    assert heard == [CheckpointStored(merged)]
    assert LastingCheckpoints(owner).latest_checkpoint() == merged
    status = owner.status()
    assert (status.cosignatures, status.checkpoint_size) == (1, 0)


def test_a_witness_keeps_its_store_over_a_loan(owner: MemoryOwner, vkey: VerifierKey) -> None:
    note = owner.checkpoint()
    state = WitnessState(LastingStorage(owner))
    state.observe(note, [vkey], 0, ())
    with owner.lent(4711):
        assert state.latest("example.com/r1") is not None
    state.observe(note, [vkey], 0, ())
    storage = LastingStorage(owner)
    storage.write(lambda transaction: transaction.put(Table.META, b"x", b"y"))
    with storage.read() as transaction:
        assert transaction.get(Table.META, b"x") == b"y"


def test_two_sinks_do_not_write_one_record(owner: MemoryOwner) -> None:
    first, second = OwnerSink(owner), OwnerSink(owner)
    growing = GrowingFile.begin(first)
    growing.write(b"a" * 1000)
    assert second.interrupted() == ()
    for attempt in (
        lambda: second.progress(growing.record.record_id, growing.content.mark()),
        lambda: second.abandon(growing.record.record_id, "mine"),
        lambda: GrowingFile(second, growing.record, growing.content).seal(),
    ):
        with pytest.raises(RefusedError, match="another recorder"):
            attempt()
    first.close()  # as if its recorder had died
    assert second.interrupted(in_place=True) == ()
    (found,) = second.interrupted()
    assert found.record == growing.record
    assert [mark.length for mark in found.marks] == [1000]
    with pytest.raises(RefusedError):
        first.progress(growing.record.record_id, growing.content.mark())
    receipt = GrowingFile(second, growing.record, growing.content).seal()
    assert GrowingFile(first, growing.record, growing.content).seal() == receipt
    growing.content.update(b"more")
    with pytest.raises(RefusedError, match="other content"):
        growing.seal()
    with pytest.raises(NotFoundError):
        first.progress(receipt.record_id, growing.content.mark())
    assert owner.status().open_records == 0
