"""tlog-witness over HTTP: pages and statuses, and clients and servers that misbehave."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import MalformedError, StorageError
from ledger.storage.memory import MemoryStorage
from ledger.witness import MAX_REQUEST_SIZE, AddCheckpointRequest, WitnessState, add_cosignatures
from ledger.witnessing.deadline import DeadlineReader
from ledger.witnessing.follower import Follower
from ledger.witnessing.http_client import HttpWitness
from ledger.witnessing.http_server import HttpLimits, WitnessHttpServer
from ledger.witnessing.service import WitnessService, origin_hash
from ledger.witnessing.transport import MAX_ANSWER_SIZE, UnreachableError
from tests.ledger.witnessing.http_exchange import (
    Response,
    post,
    read_all,
    read_request,
    responses,
    server,
    talk,
)
from tests.ledger.witnessing.sample_trees import (
    HONEST,
    KEYS,
    ORIGIN,
    POLICY,
    WITNESSES,
    note,
)

WITNESS = WITNESSES[0]
QUICK = HttpLimits(threads=4, request_s=1.0, idle_s=0.5, requests=5)


def serving(limits: HttpLimits = QUICK, prefix: str = "") -> WitnessHttpServer:
    follower = Follower(POLICY, WitnessState(MemoryStorage()), WITNESS)
    made = WitnessHttpServer(WitnessService(follower), prefix=prefix, limits=limits)
    made.start()
    return made


@pytest.fixture
def witness() -> Iterator[WitnessHttpServer]:
    made = serving()
    yield made
    made.close()


def request(old: int, new: int, proof: tuple[bytes, ...] | None = None) -> bytes:
    if proof is None:
        proof = tuple(HONEST.proof(old, new)) if old else ()
    return AddCheckpointRequest(old, proof, note(new)).encode()


def one(address: tuple[str, int], *parts: bytes) -> Response:
    (response,) = responses(talk(address, *parts))
    return response


# The protocol


def test_it_listens_on_this_machine_alone_unless_told(witness: WitnessHttpServer) -> None:
    assert witness.address[0] == "127.0.0.1"
    assert witness.url == f"http://127.0.0.1:{witness.address[1]}"


def test_statuses_and_their_bodies(witness: WitnessHttpServer) -> None:
    client = HttpWitness(witness.url)
    assert client.recorded(ORIGIN) is None
    answer = client.add_checkpoint(request(0, 5))
    assert answer.status == 200
    merged = add_cosignatures(note(5), answer.body, [WITNESS.verifier_key])
    assert open_checkpoint(merged, KEYS, [WITNESS.verifier_key]).cosignatures
    told = client.recorded(ORIGIN)
    assert told is not None
    assert open_checkpoint(told, KEYS, [WITNESS.verifier_key]).cosignatures
    assert client.recorded("example.com/unknown") is None
    conflict = one(witness.address, post(request(0, 9)))
    assert (conflict.status, conflict.body) == (409, b"5\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    assert client.add_checkpoint(request(5, 9, (bytes(32),))).status == 422
    assert client.add_checkpoint(b"old 5\n").status == 400
    assert client.add_checkpoint(request(5, 9)).status == 200


def test_at_most_63_proof_lines(witness: WitnessHttpServer) -> None:
    client = HttpWitness(witness.url)
    client.add_checkpoint(request(0, 5))
    assert client.add_checkpoint(request(5, 9, (bytes(32),) * 63)).status == 422
    assert client.add_checkpoint(request(5, 9, (bytes(32),) * 64)).status == 400


def test_a_prefix_is_part_of_the_pages() -> None:
    with ExitStack() as stack:
        made = serving(prefix="/fleet/w0/")
        stack.callback(made.close)
        assert made.url.endswith("/fleet/w0")
        for url in (made.url, made.url + "/"):
            assert HttpWitness(url).add_checkpoint(request(0, 5)).status in (200, 409)
        assert HttpWitness(made.url).recorded(ORIGIN) is not None
        host, port = made.address
        assert HttpWitness(f"http://{host}:{port}").add_checkpoint(request(0, 5)).status == 404


def test_other_pages_and_methods(witness: WitnessHttpServer) -> None:
    page = f"/{origin_hash(ORIGIN)}/checkpoint"
    for method, path, status in (
        ("GET", "/", 404),
        ("GET", "/add-checkpoint", 405),
        ("GET", page, 404),
        ("GET", page.upper(), 404),
        ("GET", f"{page}?x=1", 404),
        ("GET", "/../../etc/passwd", 404),
        ("DELETE", page, 501),
        ("PUT", "/add-checkpoint", 501),
    ):
        head = f"{method} {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n"
        assert one(witness.address, head.encode()).status == status, (method, path)
    assert one(witness.address, post(b"x", "/")).status == 404
    assert one(witness.address, post(b"x", "/add-checkpoint/")).status == 404


def test_a_connection_is_kept_for_a_few_requests(witness: WitnessHttpServer) -> None:
    requests = [post(request(old, new), close=False) for old, new in ((0, 3), (3, 5), (5, 9))]
    requests += [post(request(0, 9), close=False)] * 4
    # Sent together: the server takes each from where the one before it ended.
    answers = list(responses(talk(witness.address, b"".join(requests))))
    assert [each.status for each in answers] == [200, 200, 200, 409, 409]
    assert answers[-1].headers["connection"] == "close"


def test_who_expects_to_be_told_to_go_on_is_told(witness: WitnessHttpServer) -> None:
    head, _, body = post(request(0, 5), "/add-checkpoint", "Expect: 100-continue").partition(
        b"\r\n\r\n"
    )
    with socket.create_connection(witness.address, 10) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert b" 200 " in read_all(connection)


def test_an_address_in_use_is_one_clear_error(witness: WitnessHttpServer) -> None:
    for host, port in (witness.address, ("192.0.2.1", 0), ("127.0.0.1", 70_000)):
        with pytest.raises(StorageError, match=r"cannot listen|no port"):
            WitnessHttpServer(witness.service, host, port)


def test_it_can_be_closed_while_clients_hang_on() -> None:
    made = serving()
    with socket.create_connection(made.address, 10):
        time.sleep(0.1)
        start = time.monotonic()
        made.close()
        assert time.monotonic() - start < 5
    made.close()
    with pytest.raises(OSError):
        socket.create_connection(made.address, 1)


# Clients that misbehave


LONG = b"x" * 40_000


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n", 411),
        (post(b"", "/add-checkpoint", "Content-Length: 5"), 411),
        (post(b"abc", "/add-checkpoint", "Transfer-Encoding: chunked"), 411),
        (post(b"").replace(b": 0", b": -1"), 400),
        (post(b"").replace(b": 0", b": 0x10"), 400),
        (post(b"").replace(b": 0", b": \xb2"), 400),
        (post(b"").replace(b": 0", b": %d" % (MAX_REQUEST_SIZE + 1)), 413),
        (post(b"").replace(b": 0", b": " + b"9" * 4000), 413),
        (b"POST /add-checkpoint HTTP/1.1\r\nX: " + LONG + b"\r\n\r\n", 431),
        (b"POST /" + LONG + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"POST /add-checkpoint HTTP/9.9\r\n\r\n", 505),
        (b"POST /add-checkpoint FTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # somebody speaks TLS
    ],
)
def test_a_request_of_a_wrong_form_is_answered_and_the_connection_closed(
    witness: WitnessHttpServer, sent: bytes, status: int
) -> None:
    assert one(witness.address, sent).status == status
    assert HttpWitness(witness.url).add_checkpoint(request(0, 5)).status == 200


def test_a_body_that_is_too_long_is_told_though_it_is_sent_whole(
    witness: WitnessHttpServer,
) -> None:
    answer = one(witness.address, post(b"x" * (MAX_REQUEST_SIZE + 1)))
    assert answer.status == 413


def test_http_0_9_gets_nothing(witness: WitnessHttpServer) -> None:
    assert talk(witness.address, b"GET /\r\n") == b""


def test_a_client_that_goes_away_in_the_middle_is_no_matter(witness: WitnessHttpServer) -> None:
    whole = post(request(0, 5))
    for cut in (0, 1, 30, len(whole) - 1):
        with socket.create_connection(witness.address, 10) as connection:
            connection.sendall(whole[:cut])
    # And one that resets instead of closing.
    with socket.create_connection(witness.address, 10) as connection:
        connection.sendall(whole)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert HttpWitness(witness.url).add_checkpoint(request(0, 9)).status in (200, 409)


def test_damaged_requests_leave_it_serving(witness: WitnessHttpServer) -> None:
    rng = random.Random(9)
    whole = post(request(0, 5), close=False) * 2
    stop = time.monotonic() + 1
    while time.monotonic() < stop:
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 9)] = rng.randbytes(rng.randint(0, 9))
        with socket.create_connection(witness.address, 10) as connection:
            connection.sendall(damaged)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            with suppress(ConnectionResetError):
                received = read_all(connection)
        for response in responses(received):
            assert response.status in (200, 400, 403, 404, 409, 411, 413, 422, 431, 501, 505)
    assert HttpWitness(witness.url).add_checkpoint(request(0, 5)).status in (200, 409)


def test_half_a_body_is_not_answered(witness: WitnessHttpServer) -> None:
    whole = post(b"nonsense, and more of it")
    with socket.create_connection(witness.address, 10) as connection:
        connection.sendall(whole[:-5])
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""


def test_a_kept_connection_that_says_no_more_is_closed_soon(witness: WitnessHttpServer) -> None:
    start = time.monotonic()
    with socket.create_connection(witness.address, 10) as connection:
        connection.sendall(post(request(0, 5), close=False))
        assert b" 200 " in read_all(connection)
    assert QUICK.idle_s <= time.monotonic() - start < QUICK.idle_s + 9


def test_a_service_that_fails_costs_no_thread(
    witness: WitnessHttpServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(WitnessService, "add_checkpoint", lambda *_: 1 / 0)
        for _ in range(2 * QUICK.threads):
            assert talk(witness.address, post(b"x")) == b""
    assert "ZeroDivisionError" in caplog.text
    assert HttpWitness(witness.url).add_checkpoint(request(0, 5)).status == 200


def test_a_reader_is_bound_in_time_and_bytes() -> None:
    one, other = socket.socketpair()
    with one, other:
        reader = DeadlineReader(one)
        other.sendall(b"x" * 20)
        with pytest.raises(OverflowError):
            reader.read(1)
        reader.allow(5, 8)
        assert reader.read(20) == b"x" * 8
        with pytest.raises(OverflowError):
            reader.read(1)
        reader.allow(-1, 8)
        with pytest.raises(TimeoutError):
            reader.read(1)
        reader.allow(0.05, 99)
        assert reader.read(99) == b"x" * 12
        with pytest.raises(TimeoutError):
            reader.read(1)


def drip(connection: socket.socket, data: bytes, pause_s: float) -> None:
    for at in range(len(data)):
        connection.sendall(data[at : at + 1])
        time.sleep(pause_s)


@pytest.mark.parametrize("skip", [0, 90])
def test_bytes_that_drip_in_do_not_extend_the_deadline(
    witness: WitnessHttpServer, skip: int
) -> None:
    """First in the head, then in the body."""
    sent = post(request(0, 5))
    start = time.monotonic()
    with socket.create_connection(witness.address, 10) as connection:
        connection.sendall(sent[:skip])
        with pytest.raises(OSError):
            drip(connection, sent[skip:], 0.05)
            read_all(connection)
            raise ConnectionError("closed without an answer")
    assert time.monotonic() - start < QUICK.request_s + 9


def test_connections_that_say_nothing_do_not_keep_others_out() -> None:
    """Four threads, forty silent connections: the forty-first client is served."""
    made = serving()
    with ExitStack() as stack:
        stack.callback(made.close)
        for _ in range(40):
            stack.enter_context(socket.create_connection(made.address, 10))
        before = threading.active_count()
        start = time.monotonic()
        assert HttpWitness(made.url, 15).add_checkpoint(request(0, 5)).status == 200
        assert time.monotonic() - start < 12
        assert threading.active_count() <= before
        workers = [each for each in threading.enumerate() if each.name.startswith("witness-")]
        assert len(workers) == QUICK.threads


def test_two_racing_requests_make_one_history(witness: WitnessHttpServer) -> None:
    """Of many clients that start from one size, each step is answered once."""
    client = HttpWitness(witness.url)
    client.add_checkpoint(request(0, 5))
    answers: list[tuple[int, int]] = []
    start = threading.Barrier(4)

    def race(new: int) -> None:
        start.wait()
        answers.append((new, client.add_checkpoint(request(5, new)).status))

    threads = [threading.Thread(target=race, args=(new,)) for new in (6, 7, 9, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [new for new, status in answers if status == 200]
    assert len(won) == 1
    assert sorted(status for _, status in answers) == [200, 409, 409, 409]
    told = client.recorded(ORIGIN)
    assert told is not None
    assert Checkpoint.of_note(told).size == won[0]


# Witnesses that misbehave


def answering(*parts: bytes, pause_s: float = 0.0) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)

    return behave


def head(status: str, length: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_what_is_sent_is_what_tlog_witness_asks_for() -> None:
    seen = []

    def behave(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(head("404 Not Found", 0))

    with server(behave) as url:
        assert HttpWitness(url + "/a/b/").add_checkpoint(request(0, 5)).status == 404
        assert HttpWitness(url).recorded(ORIGIN) is None
    assert seen[0][0].startswith(b"POST /a/b/add-checkpoint HTTP/1.1\r\nHost: 127.0.0.1")
    assert seen[0][1] == request(0, 5)
    assert seen[1][0].startswith(b"GET /%s/checkpoint HTTP/1.1" % origin_hash(ORIGIN).encode())


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked = []

    def trap(connection: socket.socket) -> None:
        asked.append(read_request(connection))

    with server(trap) as elsewhere:
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            with server(answering(head(status, 0, f"Location: {elsewhere}/x"))) as url:
                assert HttpWitness(url).add_checkpoint(b"x").status == int(status[:3])
                with pytest.raises(UnreachableError):
                    HttpWitness(url).recorded(ORIGIN)
    assert asked == []


def test_a_huge_answer_is_not_read() -> None:
    huge = head("200 OK", 10**9) + b"x" * (4 * MAX_ANSWER_SIZE)
    with server(answering(huge)) as url:
        answer = HttpWitness(url).add_checkpoint(b"x")
        assert len(answer.body) == MAX_ANSWER_SIZE + 1
        with pytest.raises(UnreachableError):
            HttpWitness(url).recorded(ORIGIN)
    endless_head = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000
    with server(answering(endless_head)) as url, pytest.raises(UnreachableError):
        HttpWitness(url).add_checkpoint(b"x")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000
    with server(answering(chunked)) as url, suppress(UnreachableError):
        assert len(HttpWitness(url).add_checkpoint(b"x").body) <= MAX_ANSWER_SIZE + 1


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"\xff" * 1000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    ],
)
def test_an_answer_that_is_no_http_is_a_typed_error(said: bytes) -> None:
    with server(answering(said)) as url, pytest.raises(UnreachableError):
        HttpWitness(url, 2).add_checkpoint(b"x")


def test_a_slow_witness_is_given_up_in_time() -> None:
    """One that says nothing, and one that says a byte now and then."""
    released = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_request(connection)
        released.wait(10)

    def dripping(connection: socket.socket) -> None:
        read_request(connection)
        while not released.is_set():
            connection.sendall(b"HTTP/1.1 200 OK\r\nA: " if not released.wait(0.05) else b"")

    for behave in (silent, dripping):
        released.clear()
        with server(behave) as url:
            start = time.monotonic()
            with pytest.raises(UnreachableError, match=r"more than 0\.5 s"):
                HttpWitness(url, 0.5).add_checkpoint(b"x")
            assert time.monotonic() - start < 9
            released.set()


def test_a_witness_that_is_down_is_a_typed_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://nobody.invalid"):
        with pytest.raises(UnreachableError):
            HttpWitness(url, 2).add_checkpoint(b"x")


def test_https_is_asked_for_and_certificates_are_checked() -> None:
    """A plain server behind an https URL: no answer is taken from it."""
    plain = server(lambda connection: connection.sendall(head("200 OK", 0)))
    with plain as url, pytest.raises(UnreachableError, match="SSL"):
        HttpWitness(url.replace("http:", "https:"), 2).add_checkpoint(b"x")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "witness.example",
        "ftp://witness.example",
        "file:///etc/passwd",
        "http://",
        "http://:80",
        "http://a:b@witness.example",
        "http://witness.example:0",
        "http://witness.example:99999",
        "http://witness.example:x",
        "http://witness.example/?q",
        "http://witness.example/#f",
        "http://witness.example/\r\nX: y",
        "http://witness.example/a b",
        "http://[::1",
        "http://witness.example/é",
    ],
)
def test_what_is_no_url_of_a_witness_is_refused(url: str) -> None:
    with pytest.raises(MalformedError):
        HttpWitness(url)


@pytest.mark.parametrize(
    "url", ["http://w.example", "https://w.example:8443/a/b/", "http://[::1]:8080"]
)
def test_urls_of_witnesses(url: str) -> None:
    assert HttpWitness(url).url == url
