"""The chain's socket itself: who may connect, and that nothing sent to it ends the engine."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import unix_socket
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines import connection as connection_module
from ledger.chain.engines import socket_codec
from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.server import ChainServer, ServerSettings
from ledger.chain.engines.service import (
    ConnectionLostError,
    EngineClosedError,
    EngineError,
    NoEngineError,
)
from ledger.chain.engines.socket_frames import MAX_REQUEST, FrameBuffer, encode_frame
from ledger.chain.machine.home import ChainPaths
from ledger.errors import LedgerError, LockedError, MalformedError, NotFoundError, RefusedError
from ledger.schema import chain_socket_pb2 as wire
from tests.ledger.chain.engines.engine_process import engine_process
from tests.ledger.chain.engines.engine_world import PATIENCE_S, QUICK, EngineWorld, wait_until

NOTHING = wire.Nothing()


class Served:
    """An engine that is served in this process, and raw connections to it."""

    def __init__(self, root: Path, engine: EmbeddedEngine, server: ChainServer) -> None:
        self.root = root
        self.engine = engine
        self.server = server

    def raw(self) -> socket.socket:
        connection = unix_socket.connect(ChainPaths(self.root).socket)
        connection.settimeout(PATIENCE_S)
        return connection

    def is_alive(self) -> bool:
        with ChainClient.at_home(self.root) as client:
            return client.info().height >= 1

    def until(self, connections: int) -> None:
        """Wait until so many connections are left."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.server._connections) != connections:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.server._connections)} connections are left")
            time.sleep(0.005)


@pytest.fixture
def served(root: Path) -> Iterator[Served]:
    with EmbeddedEngine.open(root, QUICK) as engine:
        server = ChainServer(engine, ChainPaths(root).socket)
        try:
            yield Served(root, engine, server)
        finally:
            server.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIPU_PUBLISHED", str(folder / "published"))
        root = EngineWorld().create(folder / "chain")
        with EmbeddedEngine.open(root, QUICK) as engine:
            server = ChainServer(engine, ChainPaths(root).socket)
            try:
                yield Served(root, engine, server)
            finally:
                server.close()


def framed(request: wire.Request | bytes) -> bytes:
    message = request if isinstance(request, bytes) else request.SerializeToString()
    return struct.pack(">I", len(message)) + message


def answers(connection: socket.socket, count: int) -> list[wire.Response]:
    """The next answers; fewer if the connection ends."""
    frames, found = FrameBuffer(1 << 28), []
    while len(found) < count:
        data = connection.recv(1 << 16)
        if not data:
            break
        frames.add(data)
        while (frame := frames.next()) is not None:
            found.append(wire.Response.FromString(frame))
    return found


# What is no request


SPOILED = {
    "garbage": (framed(b"\xff\xff"), "not a protobuf message"),
    "nothing": (framed(b""), "without a verb"),
    "no number": (framed(wire.Request(info=NOTHING)), "without a number"),
    "unknown field": (framed(b"\x08\x01\x12\x00\xfa\x01\x00"), "unknown"),
    "not canonical": (framed(b"\x12\x00\x08\x01"), "canonically"),
    "huge": (struct.pack(">I", MAX_REQUEST + 1), "the limit is"),
    "hugest": (b"\xff\xff\xff\xff", "the limit is"),
    "ids": (framed(wire.Request(number=1, wait=wire.Wait(ids=b"x"))), "32 bytes"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_no_request_is_told_so_and_ends_its_connection(shared: Served, name: str) -> None:
    sent, why = SPOILED[name]
    with closing(shared.raw()) as connection:
        connection.sendall(sent)
        (answer,) = answers(connection, 2)
        assert answer.number == 0
        assert answer.failure.kind == "MalformedError"
        assert why in answer.failure.message
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    assert shared.is_alive()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(st.binary(max_size=300).map(framed), st.binary(max_size=60)), max_size=5))
def test_any_bytes_leave_the_engine_alive(shared: Served, pieces: list[bytes]) -> None:
    with closing(shared.raw()) as connection, suppress(ConnectionError, TimeoutError):
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass
    shared.until(0)
    assert shared.server.buffered == 0


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_request_has_an_answer(shared: Served, data: st.DataObject) -> None:
    requests = data.draw(st.lists(_requests, min_size=1, max_size=6))
    for number, request in enumerate(requests, 1):
        request.number = number
    with closing(shared.raw()) as connection:
        connection.sendall(b"".join(map(framed, requests)))
        found = answers(connection, len(requests))
    assert sorted(each.number for each in found) == list(range(1, len(requests) + 1))


_u64 = st.integers(0, (1 << 64) - 1)
_bytes = st.binary(max_size=80)
_requests = st.one_of(
    st.just(wire.Request(info=NOTHING)),
    st.builds(
        lambda each: wire.Request(submit=wire.Submit(transactions=each, attachments=each)),
        st.lists(_bytes, max_size=4),
    ),
    st.builds(
        lambda ids, ms: wire.Request(wait=wire.Wait(ids=b"".join(ids), timeout_ms=ms)),
        st.lists(st.binary(min_size=32, max_size=32), max_size=3),
        st.integers(0, 20),
    ),
    st.builds(lambda each: wire.Request(receipt=each), _bytes),
    st.builds(
        lambda key, height: wire.Request(answer=wire.Answer(key=key, height=height)), _bytes, _u64
    ),
    st.builds(lambda height: wire.Request(signed_header=height), _u64),
    st.builds(lambda height: wire.Request(block=height), _u64),
    st.builds(
        lambda height, ms: wire.Request(events=wire.Events(from_height=height, wait_ms=ms)),
        _u64,
        st.integers(0, 20),
    ),
    st.builds(
        lambda old, new: wire.Request(consistency=wire.Consistency(old_size=old, new_size=new)),
        _u64,
        _u64,
    ),
).map(lambda request: wire.Request.FromString(request.SerializeToString()))


# How bytes come and go


def test_one_byte_at_a_time(served: Served, world: EngineWorld) -> None:
    transfer = world.transfer()
    sent = framed(wire.Request(number=7, submit=wire.Submit(transactions=[transfer])))
    with closing(served.raw()) as connection:
        for byte in sent:
            connection.sendall(bytes([byte]))
        (answer,) = answers(connection, 1)
        assert answer.number == 7
        assert not answer.admissions.refused
        ids = answer.admissions.ids
        for byte in framed(wire.Request(number=8, wait=wire.Wait(ids=ids, timeout_ms=20_000))):
            connection.sendall(bytes([byte]))
        (answer,) = answers(connection, 1)
        assert list(answer.outcomes.heights) == [2]


def test_many_requests_in_one_write(served: Served) -> None:
    with closing(served.raw()) as connection:
        requests = [wire.Request(number=number, info=NOTHING) for number in range(1, 3_001)]
        sending = threading.Thread(
            target=connection.sendall, args=(b"".join(map(framed, requests)),)
        )
        sending.start()
        found = answers(connection, 3_000)
        sending.join()
    assert [each.number for each in found] == list(range(1, 3_001))


def test_a_frame_that_is_announced_takes_no_room_before_it_comes(served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(closing(served.raw()))
            connection.sendall(struct.pack(">I", MAX_REQUEST) + b"x")
        served.until(100)
        assert served.server.buffered <= 500
        assert served.is_alive()


def test_a_frame_that_stands_still_ends_its_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "FRAME_S", 0.1)
    with closing(served.raw()) as idle, closing(served.raw()) as connection:
        connection.sendall(b"\0\0\0\x40half")
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        # Nobody minds one that is merely quiet.
        idle.sendall(framed(wire.Request(number=1, info=NOTHING)))
        assert answers(idle, 1)[0].info.height == 1


def test_more_bytes_than_the_engine_wants_to_hold(root: Path) -> None:
    bounded = ServerSettings(max_buffered=1 << 20)
    with EmbeddedEngine.open(root, QUICK) as engine:
        server = ChainServer(engine, ChainPaths(root).socket, bounded)
        served = Served(root, engine, server)
        with closing(served.raw()) as connection:
            with suppress(ConnectionError):
                connection.sendall(struct.pack(">I", MAX_REQUEST) + bytes(8 << 20))
            with suppress(ConnectionError):
                (answer,) = answers(connection, 1)
                assert answer.failure.kind == "RefusedError"
        served.until(0)
        assert server.buffered == 0
        assert served.is_alive()
        server.close()


def test_a_client_that_takes_no_answers_is_left(
    served: Served, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "STALL_S", 0.3)
    monkeypatch.setattr(connection_module, "HIGH_WATER", 1 << 14)
    included = served.engine.submit(world.transfers(100))
    served.engine.wait_all([each.id for each in included], PATIENCE_S)
    made = 0
    block = served.engine.block

    def counted(height: int) -> object:
        nonlocal made
        made += 1
        return block(height)

    monkeypatch.setattr(served.engine, "block", counted)
    with closing(served.raw()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        asked = b"".join(framed(wire.Request(number=n, block=2)) for n in range(1, 801))
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(asked)
        served.until(0)
        # Answers are some 25 kB: those that fit into the buffers, no more.
        assert made < 100
    assert served.is_alive()


def test_a_slow_client_gets_all_its_answers(
    served: Served, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "HIGH_WATER", 1 << 14)
    included = served.engine.submit(world.transfers(100))
    served.engine.wait_all([each.id for each in included], PATIENCE_S)
    with closing(served.raw()) as connection:
        requests = [wire.Request(number=n, block=2) for n in range(1, 41)]
        # Those that wait for a block are not answered either while nothing is taken.
        requests += [
            wire.Request(number=n, events=wire.Events(from_height=1, wait_ms=20_000))
            for n in range(41, 61)
        ]
        connection.sendall(b"".join(map(framed, requests)))
        time.sleep(0.2)
        found = answers(connection, len(requests))
    assert sorted(each.number for each in found) == list(range(1, 61))


def test_half_open_and_vanishing_clients(served: Served, world: EngineWorld) -> None:
    wait = framed(wire.Request(number=1, events=wire.Events(from_height=99, wait_ms=3_600_000)))
    with ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(closing(served.raw()))
            connection.sendall(wait)
            connection.shutdown(socket.SHUT_WR)
        served.until(0)
    for _ in range(50):
        connection = served.raw()
        connection.sendall(wait + b"\0\0")
        connection.close()
    served.until(0)
    assert served.is_alive()


def test_ten_thousand_short_connections(shared: Served) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    request = framed(wire.Request(number=1, info=NOTHING))

    def visit(count: int) -> int:
        done = 0
        for number in range(count):
            with closing(shared.raw()) as connection:
                if number % 4 == 0:
                    connection.sendall(request)
                    done += bool(answers(connection, 1))
                elif number % 4 == 1:
                    connection.sendall(request[:3])
                elif number % 4 == 2:
                    connection.sendall(request)
        return done

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(visit, [2_500] * 4)) == 2_500
    # They are let in as they came: after this one nobody is left to come in.
    assert shared.is_alive()
    shared.until(0)
    wait_until(lambda: descriptors() <= before + 2)
    assert shared.server.buffered == 0


def test_one_connection_too_many_is_told_so(root: Path) -> None:
    few = ServerSettings(max_connections=3)
    with EmbeddedEngine.open(root, QUICK) as engine:
        server = ChainServer(engine, ChainPaths(root).socket, few)
        served = Served(root, engine, server)
        with ExitStack() as stack:
            for _ in range(3):
                client = stack.enter_context(ChainClient.at_home(root))
                assert client.info().height == 1
            with ChainClient.at_home(root) as refused, pytest.raises(RefusedError, match="many"):
                refused.info()
        served.until(0)
        assert served.is_alive()
        server.close()


# Who may connect


def test_the_socket_is_for_its_own_user(served: Served) -> None:
    mode = ChainPaths(served.root).socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_the_credentials_decide(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module.os, "geteuid", lambda: 12345)
    monkeypatch.setattr(connection_module, "_ROOT", 54321)
    with ChainClient.at_home(served.root) as client, pytest.raises(RefusedError, match="user"):
        client.info()


def test_a_group_may_be_let_in(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = os.getgid()
    path = tmp_path / "chain.sock"
    with EmbeddedEngine.open(root, QUICK) as engine:
        server = ChainServer(engine, path, ServerSettings(group=group))
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert path.stat().st_gid == group
        monkeypatch.setattr(connection_module.os, "geteuid", lambda: 12345)
        monkeypatch.setattr(connection_module, "_ROOT", 54321)
        with ChainClient(path) as client:
            assert client.info().height == 1
        monkeypatch.setattr(server, "group", 54321)
        with ChainClient(path) as client, pytest.raises(RefusedError, match="user"):
            client.info()
        server.close()


# The client


def test_nobody_serves(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NoEngineError) as raised:
        ChainClient.at_home(root)
    assert raised.value.hint
    with pytest.raises(NoEngineError):
        ChainClient(tmp_path / "nowhere" / "chain.sock")


def test_a_second_engine_of_the_same_home_is_refused(root: Path) -> None:
    with engine_process(root), ChainClient.at_home(root) as client:
        with pytest.raises(LockedError) as raised:
            EmbeddedEngine.open(root, QUICK)
        assert raised.value.hint
        # It did not take the first one's socket away.
        assert client.info().height == 1
        with ChainClient.at_home(root) as another:
            assert another.info() == client.info()


def test_a_client_that_is_killed_mid_request(served: Served, world: EngineWorld) -> None:
    transfer = world.transfer()
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from ledger import unix_socket\n"
        "connection = unix_socket.connect(Path(sys.argv[1]))\n"
        "connection.sendall(sys.stdin.buffer.read())\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    whole = framed(wire.Request(number=1, submit=wire.Submit(transactions=[transfer])))
    for sent in (whole[:-1], whole):
        ran = subprocess.run(
            [sys.executable, "-c", program, str(ChainPaths(served.root).socket)],
            input=sent,
            check=False,
        )
        assert ran.returncode == -9
        served.until(0)
    # Half a request did nothing, a whole one was carried out though nobody took the answer.
    (event,) = served.engine.events(2, PATIENCE_S)
    assert len(event.results) == 1


def test_a_client_that_closes_tells_its_threads(served: Served) -> None:
    client = ChainClient.at_home(served.root)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(client.events, 99, PATIENCE_S)
        time.sleep(0.05)
        client.close()
        with pytest.raises(EngineClosedError):
            following.result(PATIENCE_S)


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff\xff\xff",
        framed(b"\xff"),
        framed(wire.Response(number=77, message=b"x").SerializeToString()),
    ],
    ids=["huge", "garbage", "nobody asked"],
)
def test_a_server_that_talks_nonsense(tmp_path: Path, said: bytes) -> None:
    path = tmp_path / "chain.sock"
    with closing(unix_socket.listen(path)) as listening:

        def talk() -> None:
            connection, _ = listening.accept()
            with closing(connection):
                connection.recv(100)
                connection.sendall(said)
                connection.recv(100)

        thread = threading.Thread(target=talk)
        thread.start()
        with ChainClient(path) as client, pytest.raises((MalformedError, ConnectionLostError)):
            client.info()
        thread.join(PATIENCE_S)


def test_submissions_larger_than_a_request(served: Served, world: EngineWorld) -> None:
    from ledger.chain.engines import client as client_module

    transactions = world.transfers(90)
    with pytest.MonkeyPatch.context() as patch, ChainClient.at_home(served.root) as client:
        patch.setattr(client_module, "_SUBMIT_BYTES", 2_000)
        admissions = client.submit(transactions)
        assert all(each.ok for each in admissions)
        assert len(admissions) == 90
        client.wait_all([each.id for each in admissions], PATIENCE_S)
        with pytest.raises(MalformedError, match="limit"):
            client.submit([world.transfer(1)], {bytes(32): bytes(MAX_REQUEST)})
        assert client.submit([]) == []


# What goes over it


ERRORS: list[LedgerError] = [
    *(kind("what", hint="do") for kind in (NotFoundError, EngineError, ConnectionLostError)),
    MalformedError("what"),
    RefusalError(ResultCode.OVER_CAP, "what", hint="do"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_arrive_as_they_were_raised(error: LedgerError) -> None:
    arrived = socket_codec.error_of(socket_codec.failure_message(error))
    assert type(arrived) is type(error)
    assert (arrived.message, arrived.hint) == (error.message, error.hint)
    if isinstance(error, RefusalError):
        assert isinstance(arrived, RefusalError)
        assert arrived.code is error.code


def test_frames_in_any_pieces() -> None:
    messages = [b"", b"a", bytes(300), bytes(70_000)]
    sent = b"".join(encode_frame(each, 1 << 20) for each in messages)
    for size in (1, 3, 4, 5, 1_000, len(sent)):
        frames, found = FrameBuffer(1 << 20), []
        for at in range(0, len(sent), size):
            frames.add(sent[at : at + size])
            while (frame := frames.next()) is not None:
                found.append(frame)
        assert found == messages
        assert len(frames) == 0
    with pytest.raises(MalformedError):
        encode_frame(bytes(11), 10)
