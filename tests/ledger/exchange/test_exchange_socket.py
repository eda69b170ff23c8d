"""A seller behind a Unix socket: in pieces and in lumps, killed, slow, and sent anything."""

from __future__ import annotations

import logging
import os
import signal
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import unix_socket
from ledger.errors import MalformedError, StorageError
from ledger.exchange import socket_frames, socket_server
from ledger.exchange.messages import (
    MAX_MESSAGE,
    Reason,
    Refused,
    Reply,
    encode_refused,
    parse_reply,
)
from ledger.exchange.socket_client import SocketTransport
from ledger.exchange.socket_frames import MAX_SEALED, encode_frame, read_frame
from ledger.exchange.socket_server import MAX_CONNECTIONS, SocketServer
from ledger.exchange.transport import (
    NoSellerError,
    SellerLostError,
    SellerSilentError,
    TransportError,
    buy,
)
from ledger.unix_socket import Peer
from tests.ledger.exchange.deed_world import DeedWorld
from tests.ledger.exchange.stream_world import PRICE, UNITS, StreamWorld

# Python 3.12 warns of forks beside threads; the server's are not running where we fork.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

WAIT_S = 20.0
BIG = Reply(b"m" * MAX_MESSAGE, b"s" * MAX_SEALED)


def echo(request: bytes) -> Reply:
    """Says which request it answers."""
    return Reply(request[:MAX_MESSAGE], request * 100)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SocketServer]:
    with SocketServer(tmp_path / "shop", echo) as server:
        yield server


def frame(message: bytes) -> bytes:
    return encode_frame(Reply(message))


def connected(server: SocketServer) -> socket.socket:
    connection = unix_socket.connect(server.path)
    connection.settimeout(WAIT_S)
    return connection


def received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := connection.recv(count - len(data))):
        data += piece
    return data


def has_ended(connection: socket.socket) -> bool:
    with suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


# Buying through it


def test_a_purchase_over_the_socket(tmp_path: Path) -> None:
    world = DeedWorld(tmp_path)
    with (
        SocketServer(tmp_path / "shop", world.counter.answer) as server,
        SocketTransport(server.path) as way,
    ):
        world.begin()
        whole = buy(world.bought, world.alice, world.payer, way, promise=world.promise)
    assert world.received() == world.content
    assert world.paid == world.earned == UNITS * PRICE
    assert whole.deed == world.deed
    world.close()


def test_a_seller_that_is_killed_at_every_step(tmp_path: Path) -> None:
    """The way finds each of its successors, and nothing is paid twice or lost."""
    world = DeedWorld(tmp_path)
    world.begin()
    children = [start_seller(world)]

    def another(kept: int) -> None:
        os.kill(children[-1], signal.SIGKILL)
        os.waitpid(children[-1], 0)
        children.append(start_seller(world))

    with SocketTransport(tmp_path / "shop" / "storefront.sock") as way:
        try:
            whole = buy(world.bought, world.alice, world.payer, way, another, world.promise)
        finally:
            os.kill(children[-1], signal.SIGKILL)
            os.waitpid(children[-1], 0)
        assert len(children) == UNITS + 1
        with pytest.raises((NoSellerError, SellerLostError)):
            way.ask(b"")
        with pytest.raises(NoSellerError):
            way.ask(b"")
    assert whole.deed == world.deed
    assert world.received() == world.content
    assert world.paid == UNITS * PRICE
    # The successor in this process reads from disk what the last one earned.
    world.ask(world.begin().request())
    assert world.earned == UNITS * PRICE
    world.close()


def start_seller(world: StreamWorld) -> int:
    """A process that sells; it listens when this returns."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            counter = world.new_counter()
            SocketServer(world.root / "shop", counter.answer)
            os.write(writer, b"+")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    assert os.read(reader, 1) == b"+"
    os.close(reader)
    return pid


# Pieces and lumps


def test_frames_that_come_byte_by_byte(served: SocketServer) -> None:
    with closing(connected(served)) as connection:
        for byte in frame(b"slowly") + frame(b"again"):
            connection.sendall(bytes([byte]))
        expected = encode_frame(echo(b"slowly")) + encode_frame(echo(b"again"))
        data = b"".join(connection.recv(1) for _ in range(len(expected)))
        assert data == expected


def test_frames_that_come_together_are_answered_in_order(served: SocketServer) -> None:
    requests = [bytes([65 + n]) * n for n in range(20)]
    with closing(connected(served)) as connection:
        connection.sendall(b"".join(map(frame, requests)))
        expected = b"".join(encode_frame(echo(request)) for request in requests)
        assert received(connection, len(expected)) == expected


def test_many_ask_at_once(served: SocketServer) -> None:
    def ask(number: int) -> None:
        with SocketTransport(served.path) as way:
            for turn in range(20):
                request = b"%d of %d" % (turn, number)
                assert way.ask(request) == echo(request)

    with ThreadPoolExecutor(MAX_CONNECTIONS // 2) as threads:
        list(threads.map(ask, range(MAX_CONNECTIONS // 2)))


def test_threads_take_turns_on_one_connection(served: SocketServer) -> None:
    with SocketTransport(served.path) as way, ThreadPoolExecutor(8) as threads:
        requests = [b"request %d" % number for number in range(200)]
        assert list(threads.map(way.ask, requests)) == list(map(echo, requests))


def test_the_longest_frames_pass_and_no_longer_ones(tmp_path: Path) -> None:
    with SocketServer(tmp_path, lambda request: BIG) as server, SocketTransport(server.path) as way:
        assert way.ask(b"x" * MAX_MESSAGE) == BIG
        with pytest.raises(MalformedError):
            way.ask(b"x" * (MAX_MESSAGE + 1))
        assert way.ask(b"x") == BIG
    for reply in (Reply(b"m" * (MAX_MESSAGE + 1)), Reply(b"", b"s" * (MAX_SEALED + 1))):
        with pytest.raises(MalformedError):
            encode_frame(reply)


# What is no frame


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">I", MAX_MESSAGE + 1),
        b"\xff" * 8,
        struct.pack(">I", 1) + b"x" + struct.pack(">I", 1) + b"y",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["too long", "ones", "something beside a request", "another protocol"],
)
def test_what_is_no_frame_ends_the_connection(served: SocketServer, sent: bytes) -> None:
    with closing(connected(served)) as connection:
        connection.sendall(sent)
        assert has_ended(connection)
    with SocketTransport(served.path) as way:
        assert way.ask(b"still") == echo(b"still")


@pytest.fixture(scope="module")
def shared() -> Iterator[SocketServer]:
    """A real seller that is sent anything, for the whole module."""
    with TemporaryDirectory() as folder, ExitStack() as held:
        world = StreamWorld(Path(folder))
        held.callback(world.close)
        lock = threading.Lock()

        def answer(request: bytes) -> Reply:
            with lock:
                return world.counter.answer(request)

        yield held.enter_context(SocketServer(Path(folder, "shop"), answer))


FRAMES = st.binary(max_size=200).map(frame)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.one_of(st.binary(max_size=64), FRAMES, st.lists(FRAMES, max_size=4).map(b"".join)))
def test_nothing_sent_ends_the_seller(shared: SocketServer, sent: bytes) -> None:
    with closing(connected(shared)) as connection:
        with suppress(OSError):  # it may hang up in the middle
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        while True:
            try:
                reply = read_frame(connection, WAIT_S)
            except ConnectionResetError:
                break
            if reply is None:
                break
            assert parse_reply(reply) == Refused(Reason.MALFORMED)
    with SocketTransport(shared.path) as way:
        assert parse_reply(way.ask(b"")) == Refused(Reason.MALFORMED)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.one_of(st.binary(max_size=64), FRAMES))
def test_any_answer_is_a_reply_or_an_error(sent: bytes) -> None:
    with TemporaryDirectory() as folder, ImpostorSeller(Path(folder), lambda _: sent) as seller:
        way = SocketTransport(seller.path, answer_s=WAIT_S)
        with suppress(MalformedError, TransportError):
            assert encode_frame(way.ask(b"x")) == sent
        way.close()


class ImpostorSeller:
    """Takes requests, and sends back bytes of its own, or nothing; then it hangs up."""

    def __init__(self, folder: Path, reply: Callable[[bytes], bytes | None]) -> None:
        self.path = folder / "storefront.sock"
        self.reply = reply
        self.taken: list[bytes] = []
        self.done = threading.Event()
        self.listening = unix_socket.listen(self.path)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with closing(connection):
                taken = read_frame(connection, WAIT_S)
                assert taken is not None
                self.taken.append(taken.message)
                reply = self.reply(taken.message)
                if reply is None:
                    self.done.wait(WAIT_S)
                else:
                    connection.sendall(reply)

    def __enter__(self) -> ImpostorSeller:
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(struct.pack(">I", MAX_MESSAGE + 1), id="long message"),
        pytest.param(struct.pack(">II", 0, MAX_SEALED + 1), id="long unit"),
    ],
)
def test_a_reply_beyond_the_limits_is_none(tmp_path: Path, sent: bytes) -> None:
    with ImpostorSeller(tmp_path, lambda _: sent) as seller, SocketTransport(seller.path) as way:
        for _ in range(2):
            with pytest.raises(MalformedError):
                way.ask(b"x")


def test_a_reply_that_breaks_off(tmp_path: Path) -> None:
    whole = encode_frame(encode_refused(Reason.GONE))
    for cut in range(len(whole)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        with ImpostorSeller(folder, lambda _: whole[:cut]) as seller:  # noqa: B023
            way = SocketTransport(seller.path)
            with pytest.raises(SellerLostError):
                way.ask(b"x")
            way.close()


# Slow peers, and too many


def test_a_seller_that_does_not_answer(tmp_path: Path) -> None:
    reached = threading.Event()
    with ImpostorSeller(tmp_path, lambda _: reached.set()) as seller:
        way = SocketTransport(seller.path, answer_s=0.05)
        with pytest.raises(SellerSilentError):
            way.ask(b"first")
        assert reached.wait(WAIT_S)
        seller.reply = lambda taken: encode_frame(Reply(taken))
        seller.done.set()
        # Its late answer is not taken for the next one's.
        way._answer_s = WAIT_S  # type: ignore[misc]
        assert way.ask(b"second") == Reply(b"second")
        way.close()
        assert seller.taken == [b"first", b"second"]


def test_who_stands_still_inside_a_frame_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_frames, "FRAME_S", 1.0)
    with SocketServer(tmp_path, echo) as server, closing(connected(server)) as slow:
        slow.sendall(frame(b"half")[:6])
        with SocketTransport(server.path) as way:
            assert way.ask(b"others") == echo(b"others"), "nobody waits for the slow one"
        assert has_ended(slow)


def test_who_takes_no_reply_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_frames, "FRAME_S", 1.0)
    ended = threading.Event()

    def answer(request: bytes) -> Reply:
        if request == b"last":
            ended.set()
        return BIG

    with SocketServer(tmp_path, answer) as server, closing(connected(server)) as slow:
        slow.sendall(b"".join(map(frame, [b"first"] * 40)) + frame(b"last"))
        with SocketTransport(server.path) as way:
            assert way.ask(b"others") == BIG
        wait_until(lambda: not busy(server))
        assert not ended.is_set()


def test_who_asks_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_server, "IDLE_S", 1.0)
    with SocketServer(tmp_path, echo) as server, SocketTransport(server.path) as way:
        assert way.ask(b"one") == echo(b"one")
        wait_until(lambda: not busy(server))
        assert way.ask(b"two") == echo(b"two"), "it connects again"


def busy(server: SocketServer) -> int:
    return len(server._connections)


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2_000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it never came to be")


def test_one_connection_too_many_is_ended(served: SocketServer) -> None:
    with ExitStack() as held:
        for _ in range(MAX_CONNECTIONS):
            connection = held.enter_context(closing(connected(served)))
            connection.sendall(frame(b"here"))
            received(connection, 1)
        with SocketTransport(served.path) as way, pytest.raises(SellerLostError):
            way.ask(b"one more")
    wait_until(lambda: not busy(served))
    with SocketTransport(served.path) as way:
        assert way.ask(b"now") == echo(b"now")


# Who may connect


def test_folder_and_socket_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        server = SocketServer(tmp_path / "shop", echo)
    finally:
        os.umask(old)
    mode = server.path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE((tmp_path / "shop").stat().st_mode) == 0o700
    server.close()
    server.close()
    assert not server.path.exists()
    with pytest.raises(NoSellerError):
        SocketTransport(server.path).ask(b"x")


def test_another_user_is_not_answered(
    served: SocketServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Peer(1, os.geteuid() + 1, 1)
    monkeypatch.setattr(unix_socket, "peer_of", lambda _: stranger)
    with SocketTransport(served.path) as way, pytest.raises(SellerLostError):
        way.ask(b"x")
    assert "was refused" in caplog.text


@pytest.mark.parametrize(
    "trouble", [StorageError("the disk is gone"), RuntimeError("a fault")], ids=["disk", "fault"]
)
def test_the_sellers_own_trouble_ends_one_connection(
    tmp_path: Path, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: bytes) -> Reply:
        if request == b"bad":
            raise trouble
        return echo(request)

    with SocketServer(tmp_path, answer) as server, SocketTransport(server.path) as way:
        with caplog.at_level(logging.ERROR), pytest.raises(SellerLostError):
            way.ask(b"bad")
        assert str(trouble) in caplog.text
        assert way.ask(b"good") == echo(b"good")
