"""The control socket itself: who may connect, and that nothing sent to it ends the owner."""

from __future__ import annotations

import logging
import os
import socket
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError, MalformedError, RefusedError
from ledger.home import create_home
from ledger.memory import frames, socket_place
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.memory.control_server import MAX_CONNECTIONS, ControlServer, owned_home
from ledger.memory.owner import MemoryOwner
from ledger.memory.status import OwnerState
from ledger.schema import control_pb2, entry_pb2
from tests.ledger.memory.owner_process import owner_process, wait_for

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


@pytest.fixture
def served(owner: MemoryOwner) -> MemoryOwner:
    """An owner that is served in this process."""
    ControlServer(owner)
    return owner


def sample_requests() -> list[bytes]:
    nothing = control_pb2.Nothing()
    requests = [
        control_pb2.Request(status=nothing),
        control_pb2.Request(checkpoint=nothing),
        control_pb2.Request(prove_inclusion=control_pb2.ProveInclusion(index=3, size=9)),
        control_pb2.Request(prove_consistency=control_pb2.ProveConsistency(old_size=1)),
        control_pb2.Request(begin=control_pb2.Begin(in_place=True, source=b"/x")),
        control_pb2.Request(
            progress=entry_pb2.Progress(record_id=b"r" * 16, root=b"h" * 32, length=5)
        ),
        control_pb2.Request(
            seal=control_pb2.Seal(
                record_id=b"r" * 16,
                recording=control_pb2.Recording(
                    root=b"/x",
                    name="n",
                    files=[control_pb2.RecordingFile(name="f", path=b"/x/f", size=1)],
                ),
                digest=control_pb2.Digest(root=b"h" * 32, size=1, leaves=b"l" * 32),
                hidden=[control_pb2.HiddenValue()],
                options=control_pb2.Options(mode=control_pb2.STORE_MODE_LINK),
            )
        ),
        control_pb2.Request(interrupted=control_pb2.TakeUp(in_place=True)),
        control_pb2.Request(abandon=control_pb2.Abandon(record_id=b"r" * 16, reason="x")),
        control_pb2.Request(missing=control_pb2.Abandon(record_id=b"r" * 16)),
        control_pb2.Request(leaf_hash=control_pb2.LeafHash(index=1)),
        control_pb2.Request(lend=nothing),
        control_pb2.Request(),
    ]
    return [request.SerializeToString(deterministic=True) for request in requests]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A request in which some bytes are others."""
    request = bytearray(draw(st.sampled_from(sample_requests())))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(request) - 1)))
        request[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=4))
    return bytes(request)


def framed(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


@pytest.fixture(scope="module")
def shared_root() -> Iterator[Path]:
    """A home that one owner serves for the whole module."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIPU_PUBLISHED", f"{folder}/published")
        create_home(Path(folder, "home"), "example.com/fuzzed")
        with owned_home(Path(folder, "home")):
            yield Path(folder, "home")


def check_alive(root: Path) -> None:
    with ControlClient(root) as client:
        assert client.status().state in (OwnerState.OPEN, OwnerState.LENT)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sent=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=200).map(framed),
        spoiled().map(framed),
        st.lists(spoiled().map(framed), max_size=4).map(b"".join),
    )
)
def test_nothing_sent_ends_the_owner(shared_root: Path, sent: bytes) -> None:
    with closing(socket_place.connect(shared_root)) as connection:
        with suppress(OSError):  # it may hang up in the middle
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(20)
        with suppress(ConnectionResetError):
            while connection.recv(4096):
                pass
    check_alive(shared_root)


def test_what_is_no_request_is_told_so_and_ends_the_connection(served: MemoryOwner) -> None:
    for sent, why in (
        (framed(b"\xff\xff"), "not a protobuf message"),
        (framed(b""), "without a verb"),
        (framed(control_pb2.Request(status={}).SerializeToString() + b"\x7a\x00"), "unknown"),
        (struct.pack(">I", frames.MAX_FRAME + 1), "the limit is"),
    ):
        with closing(socket_place.connect(served.root)) as connection:
            connection.sendall(sent)
            answer = frames.read_frame(connection)
            assert answer is not None
            response = control_pb2.Response.FromString(answer)
            assert response.failure.kind == "MalformedError"
            assert why in response.failure.message
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""


def test_a_frame_that_is_announced_takes_no_room_before_it_comes(
    served: MemoryOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "REST_S", 0.2)
    before = _resident_bytes()
    connections = [socket_place.connect(served.root) for _ in range(10)]
    for connection in connections:
        connection.sendall(struct.pack(">I", frames.MAX_FRAME) + b"x" * 10)
    began = time.monotonic()
    for connection in connections:  # one that stands still inside a frame is hung up on
        connection.settimeout(20)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()
    assert time.monotonic() - began < 10
    assert _resident_bytes() - before < frames.MAX_FRAME
    check_alive(served.root)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_who_waits_between_requests_is_not_hung_up_on(
    served: MemoryOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "REST_S", 0.05)
    with ControlClient(served.root) as client:
        client.status()
        time.sleep(0.2)
        client.status()


def test_too_many_connections(served: MemoryOwner) -> None:
    connections = [ControlClient(served.root) for _ in range(MAX_CONNECTIONS)]
    for connection in connections:
        connection.status()
    with ControlClient(served.root) as one_more, pytest.raises(LedgerError) as refused:
        one_more.status()
    assert isinstance(refused.value, (RefusedError, NoOwnerError))
    for connection in connections:
        connection.close()

    def admitted() -> bool:
        with ControlClient(served.root) as client, suppress(LedgerError):
            return client.status().state is OwnerState.OPEN
        return False

    wait_for(admitted)


def test_many_at_once(served: MemoryOwner) -> None:
    sizes: list[int] = []

    def ask() -> None:
        with ControlClient(served.root) as client:
            for _ in range(5):
                client.checkpoint()
                sizes.append(client.status().entries)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(sizes) == 40


def test_only_its_user_may_open_the_file(root: Path) -> None:
    mask = os.umask(0)
    try:
        with owned_home(root):
            assert stat.S_IMODE((root / "control.sock").stat().st_mode) == 0o600
            assert stat.S_IMODE(root.stat().st_mode) == 0o700
            assert not list(root.glob(".control*"))
    finally:
        os.umask(mask)
    assert not (root / "control.sock").exists()


def as_nobody(root: Path, work: Callable[[], str]) -> str:
    """What ``work`` says in a child without rights, whose working directory is the home."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        said = "nothing"
        try:
            os.chdir(root)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = work()
        except BaseException as error:  # noqa: BLE001
            said = repr(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.skipif(os.getuid() != 0, reason="SKIPPED: only root can become another user")
def test_another_user_is_refused_whatever_the_modes_say(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def ask() -> str:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.connect("control.sock")
            request = control_pb2.Request(lend=control_pb2.Nothing())
            with suppress(BrokenPipeError):
                connection.sendall(framed(request.SerializeToString()))
            answer = frames.read_frame(connection) or b""
            return control_pb2.Response.FromString(answer).failure.message

    with owner_process(root), caplog.at_level(logging.WARNING):
        assert as_nobody(root, ask).startswith("PermissionError")
        (root / "control.sock").chmod(0o666)
        root.chmod(0o711)
        assert as_nobody(root, ask) == "this home is another user's"
        check_alive(root)


def test_a_home_of_a_long_path(tmp_path: Path) -> None:
    root = tmp_path.joinpath(*["a rather long name for a folder"] * 5, "home")
    assert len(str(root)) > 108
    create_home(root, "example.com/far-away")
    with owned_home(root):
        check_alive(root)


def test_nobody_listens(root: Path) -> None:
    with pytest.raises(NoOwnerError):
        ControlClient(root)
    (root / "control.sock").write_bytes(b"not a socket")
    with pytest.raises(NoOwnerError):
        ControlClient(root)
    with owned_home(root):
        check_alive(root)


def test_an_owner_that_answers_nonsense(root: Path) -> None:
    listening = socket_place.listen(root)

    def answer() -> None:
        for nonsense in (framed(b"\xff"), framed(b""), b"\x00\x00", b"\xff" * 4):
            connection, _ = listening.accept()
            with connection:
                frames.read_frame(connection)
                connection.sendall(nonsense)

    thread = threading.Thread(target=answer)
    thread.start()
    for kind in (MalformedError, MalformedError, NoOwnerError, MalformedError):
        with ControlClient(root) as client, pytest.raises(kind):
            client.status()
    thread.join()
    listening.close()


def test_closing_ends_what_is_connected(root: Path) -> None:
    def serving() -> int:
        return sum(thread.name == "quipu-control" for thread in threading.enumerate())

    before = serving()
    with owned_home(root) as owner:
        client = ControlClient(root)
        client.status()
        assert serving() == before + 2
        owner.close()
        with pytest.raises(NoOwnerError):
            client.status()
        client.close()
    assert serving() == before
