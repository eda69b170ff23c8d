"""A recorder in a process of its own, by the control socket of real owners."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import (
    LedgerError,
    NotFoundError,
    RecordingError,
    RefusedError,
    VerificationError,
)
from ledger.experience.content_store import StoreMode
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.experience.ingest import HiddenValue, IngestOptions
from ledger.experience.kinds import Commitment, CommitmentKind, RewardSource, Tag
from ledger.experience.readers.recording import Recording, RecordingFile
from ledger.experience.record_keys import CommitmentOpening
from ledger.experience.records import Presence
from ledger.home import open_home
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.memory.socket_sink import SocketSink
from ledger.memory.status import OwnerState
from ledger.merkle.hashing import leaf_hash
from ledger.note import VerifierKey
from ledger.verifier import verify_proof_file
from tests.ledger.memory.owner_process import owner_process, wait_for
from tests.ledger.memory.recorded import NAME, GrowingFile


@pytest.fixture
def owned(root: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that owns `root`."""
    with owner_process(root) as process:
        yield process


@pytest.fixture
def sink(owned: subprocess.Popen[str], root: Path) -> Iterator[SocketSink]:
    """A sink over its socket."""
    with closing(SocketSink(root)) as sink:
        yield sink


def test_a_record_from_beginning_to_proof(
    owned: subprocess.Popen[str], root: Path, sink: SocketSink, vkey: VerifierKey
) -> None:
    with ControlClient(root) as client:
        status = client.status()
        assert (status.pid, status.state) == (owned.pid, OwnerState.OPEN)
        growing = GrowingFile.begin(sink)
        assert growing.write(b"a" * 300_000) == 0
        assert client.status().open_records == 1
        receipt = growing.seal()
        assert (receipt.index, receipt.presence) == (1, Presence.STORED)
        assert client.status().open_records == 0
        note = client.checkpoint()
        assert Checkpoint.of_note(note).size == 2
        proved = verify_proof_file(client.prove_inclusion(receipt.index, 2), [vkey])
        assert proved.index == 1
        answer = client.prove_consistency(1)
        assert (answer.new_size, answer.note, len(answer.proof)) == (2, note, 1)
        with pytest.raises(NotFoundError, match="not in a log"):
            client.prove_inclusion(7)
    with open_home(root) as home:
        record = home.experiences.record(receipt.record_id)
        (topic,) = record.experience.topics
        assert (topic.name, topic.count) == ("/imu", 7)
        assert record.experience.tags == (Tag("site", "yard"),)
        (path,) = home.experiences.content.paths(record.experience, sealed=False)
        assert path.read_bytes() == b"a" * 300_000


def test_what_is_hidden_and_how_it_is_kept_go_over_too(root: Path, sink: SocketSink) -> None:
    growing = GrowingFile.begin(sink)
    growing.write(b"a" * 1000)
    hidden = HiddenValue(
        Commitment(CommitmentKind.REWARD, RewardSource.TASK, bytes(range(48)), -5, 1_000_000),
        CommitmentOpening(CommitmentKind.REWARD, RewardSource.TASK, -(1 << 40), b"b" * 32),
    )
    options = IngestOptions(seal=True, contract_id=b"c" * 32, tags=(Tag("task", "goal"),))
    receipt = growing.seal((hidden,), options)
    assert receipt.sealed
    with open_home(root) as home:
        experience = home.experiences.record(receipt.record_id).experience
        assert experience.commitments == (hidden.commitment,)
        assert experience.contract_id == b"c" * 32
        assert experience.tags == (Tag("site", "yard"), Tag("task", "goal"))
        keys = home.experiences.keys.get(receipt.record_id)
        assert keys.openings == (hidden.opening,)
        assert keys.content_key is not None


def test_content_in_place(root: Path, sink: SocketSink, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere.mcap"
    place.write_bytes(b"abc")
    record = sink.begin(in_place=True, source=place)
    assert (record.in_place, record.source) == (True, place)
    with closing(SocketSink(root)) as other:
        assert other.interrupted(in_place=True) == ()
        sink.close()
        assert other.interrupted() == ()
        (found,) = other.interrupted(in_place=True)
        assert found.record == record


def test_content_in_place_that_is_gone_is_said_to_be(
    root: Path, sink: SocketSink, tmp_path: Path
) -> None:
    place = tmp_path / NAME
    record = sink.begin(in_place=True, source=place)
    content = GrowingContent(record.salt_key)
    place.write_bytes(b"abc")
    content.update(b"abc")
    recording = Recording(tmp_path, "drive", "application/x-mcap", (RecordingFile(NAME, place, 3),))
    options = IngestOptions(mode=StoreMode.IN_PLACE)
    receipt = sink.seal(record.record_id, recording, content.finish(), (), options)
    with pytest.raises(RefusedError, match="where it was recorded"):
        sink.missing(record.record_id, "circular recording")
    place.unlink()
    index = sink.missing(record.record_id, "circular recording")
    assert index == sink.missing(record.record_id, "circular recording") == receipt.index + 1
    with open_home(root) as home:
        state = home.experiences.record(record.record_id).state
        assert (state.presence, state.removed_by) == (Presence.PRUNED, index)
        assert sink.leaf_hash(index) == leaf_hash(home.log.entry(index))
    with pytest.raises(NotFoundError):
        sink.leaf_hash(99)


def test_errors_keep_their_kind(sink: SocketSink, tmp_path: Path) -> None:
    growing = GrowingFile.begin(sink)
    growing.write(b"a" * 1000)
    record_id = growing.record.record_id
    with pytest.raises(VerificationError, match="shrinks") as shrunk:
        sink.progress(record_id, ProgressMark(0, growing.content.mark().root, 1, b"x" * 32))
    assert shrunk.value.hint
    with pytest.raises(NotFoundError):
        sink.progress(b"n" * 16, growing.content.mark())
    with growing.path.open("ab") as file:
        file.write(b"more than is said")
    with pytest.raises(RecordingError):
        growing.seal()
    with closing(SocketSink(sink._root)) as other, pytest.raises(RefusedError, match="another"):
        other.progress(record_id, growing.content.mark())
    with pytest.raises(NotFoundError):
        sink.abandon(b"n" * 16, "")
    sink.abandon(record_id, "it is of no use")
    with pytest.raises(NotFoundError):
        sink.abandon(record_id, "it is of no use")


def test_what_no_recorder_may_ask_is_refused_here(sink: SocketSink) -> None:
    growing = GrowingFile.begin(sink)
    with pytest.raises(LedgerError, match="before a record is sealed"):
        growing.seal(options=IngestOptions(commit=lambda _: ()))


def test_a_recorder_that_dies_leaves_its_record_to_the_next(root: Path, sink: SocketSink) -> None:
    dying = SocketSink(root)
    growing = GrowingFile.begin(dying)
    growing.write(b"a" * 1000)
    assert sink.interrupted() == ()
    assert dying._client is not None
    dying._client._connection.close()  # as the kernel does
    (taken,) = sink.interrupted()
    assert taken.record == growing.record
    assert sink.interrupted() == ()  # nobody is told twice
    assert GrowingFile(sink, growing.record, growing.content).seal().index == 1


def test_the_dead_still_waiting_for_their_turn_are_dead(root: Path, sink: SocketSink) -> None:
    dying = SocketSink(root, patience_s=0.0)
    growing = GrowingFile.begin(dying)
    assert dying._client is not None
    with ControlClient(root) as client, ControlClient(root) as watch:
        client.lend()
        thread = threading.Thread(target=lambda: suppressed(growing.write, b"last words"))
        thread.start()
        wait_for(lambda: watch.status().waiting == 1)
        dying._client._connection.shutdown(socket.SHUT_RDWR)
        found: list[object] = []
        heir = threading.Thread(target=lambda: found.extend(sink.interrupted()))
        heir.start()
        thread.join(60)
    heir.join(60)
    assert len(found) == 1


def suppressed(work: Callable[[bytes], object], data: bytes) -> None:
    with suppress(LedgerError):
        work(data)


def test_an_owner_that_is_started_again_is_waited_for(root: Path) -> None:
    with closing(SocketSink(root, patience_s=60)) as sink:
        with owner_process(root) as first:
            growing = GrowingFile.begin(sink)
            growing.write(b"a" * 1000)
            abandoned = GrowingFile.begin(sink)
            first.kill()
            first.wait()
        sealed: list[object] = []
        thread = threading.Thread(target=lambda: sealed.append(growing.seal()))
        thread.start()
        with owner_process(root) as second:
            thread.join(60)
            assert growing.seal() == sealed[0]
            sink.abandon(abandoned.record.record_id, "")
            second.kill()
            second.wait()
        with owner_process(root):
            assert growing.seal() == sealed[0]


def test_an_answer_that_was_lost_is_no_error(root: Path, owned: subprocess.Popen[str]) -> None:
    class Losing(ControlClient):
        lose = False

        def ask(self, request, *, wait_s=None):  # type: ignore[no-untyped-def]
            response = super().ask(request, wait_s=wait_s)
            if Losing.lose:
                Losing.lose = False
                self.close()
                raise self._gone()
            return response

    with closing(SocketSink(root)) as sink:
        sink._client = Losing(root)
        growing = GrowingFile.begin(sink)
        Losing.lose = True
        assert growing.write(b"a" * 1000) == 0
        sink.close()
        sink._client = Losing(root)
        Losing.lose = True
        assert growing.seal().index == 1
        sink.close()
        sink._client = Losing(root)
        record = sink.begin()
        Losing.lose = True
        sink.abandon(record.record_id, "")
        assert not Losing.lose


def test_nobody_is_waited_for_for_ever(root: Path) -> None:
    with closing(SocketSink(root, patience_s=0.2)) as sink, pytest.raises(NoOwnerError):
        sink.begin()
