"""A witness over HTTP (C2SP tlog-witness)::

    POST <prefix>/add-checkpoint            200, 400, 403, 404, 409 or 422, see `ledger.witness`
    GET  <prefix>/<origin hash>/checkpoint  the newest checkpoint cosigned, or 404

It listens where it is told and speaks plain HTTP: TLS, and keeping strangers out, are
a reverse proxy's work. Whoever gets through can do no harm but keep it busy, for it
signs only what a known log signed and what continues its past.

A fixed number of threads accept connections, one each; further connections wait in
the kernel's queue. A request has a deadline and a size that no slow or endless client
can extend, and a connection that says nothing is closed soon.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from math import ceil
from typing import Any, Final

from ledger.errors import StorageError
from ledger.witness import MAX_REQUEST_SIZE
from ledger.witnessing.deadline import DeadlineReader
from ledger.witnessing.service import WitnessService
from ledger.witnessing.transport import Answer, Status

_log = logging.getLogger(__name__)

_ADD: Final = "/add-checkpoint"
_RECORDED: Final = re.compile(r"/([0-9a-f]{64})/checkpoint")
_MAX_LENGTH_DIGITS: Final = 12
_MAX_PORT: Final = 65_535
_LINGER_S: Final = 1.0
_LINGER_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one client may take. Times in seconds, sizes in bytes."""

    threads: int = 16
    request_s: float = 10.0
    """From a request's first byte to its last."""
    idle_s: float = 5.0
    """Until a request's first byte."""
    requests: int = 100
    """In one connection, after which it is closed."""
    head_size: int = 16_384
    backlog: int = 128


class WitnessHttpServer:
    """Listens from the moment it is made; `start` begins to answer.

    ``port`` 0 takes a free one, see `address`. ``prefix`` is the path before
    ``/add-checkpoint``. Raises `StorageError` if the address cannot be had.
    """

    def __init__(
        self,
        service: WitnessService,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        prefix: str = "",
        limits: HttpLimits | None = None,
    ) -> None:
        self.service: Final = service
        self.prefix: Final = prefix.rstrip("/")
        self.limits: Final = limits or HttpLimits()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        if not 0 <= port <= _MAX_PORT:
            raise StorageError(f"{port} is no port", hint="choose one from 0 to 65535")
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listener = socket.create_server(
                (host, port), family=family, backlog=self.limits.backlog
            )
            # Linux: a connection that says nothing does not even get to a thread.
            if option := getattr(socket, "TCP_DEFER_ACCEPT", None):
                self._listener.setsockopt(socket.IPPROTO_TCP, option, ceil(self.limits.idle_s))
        except OSError as error:
            raise StorageError(
                f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}",
                hint="choose another address",
            ) from error

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: host and port."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """The submission prefix, as a policy names it."""
        host, port = self.address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self.prefix}"

    def start(self) -> None:
        """Begin to answer, in threads of its own."""
        for number in range(self.limits.threads):
            thread = threading.Thread(target=self._serve, name=f"witness-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Stop listening, and wait for the requests that are being answered."""
        self._closing.set()
        with contextlib.suppress(OSError):  # not connected, some systems say
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes those that accept
        self._listener.close()
        for thread in self._threads:
            thread.join(self.limits.request_s + self.limits.idle_s)

    @property
    def closing(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def _serve(self) -> None:
        while not self.closing:
            try:
                connection, peer = self._listener.accept()
            except OSError as error:
                if not self.closing:
                    _log.warning("cannot accept a connection: %s", error)
                    self._closing.wait(0.2)  # out of file descriptors, perhaps: not a busy loop
                continue
            with connection:
                try:
                    _Handler(connection, peer, self)
                except (OSError, OverflowError) as error:
                    _log.info("%s: connection ended: %s", peer[0], error)
                except Exception:  # noqa: BLE001 - a thread that ends is never replaced
                    _log.exception("%s: a request was not answered", peer[0])


class _Writer(io.RawIOBase):
    """The sending side; a client that does not read is waited for as long as one that reads."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        super().__init__()
        self._connection = connection
        self._seconds = seconds

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._connection.settimeout(self._seconds)
        self._connection.sendall(data)
        return len(data)


class _Handler(BaseHTTPRequestHandler):
    """One connection. The base class reads the head and keeps the connection alive."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, peer: Any, owner: WitnessHttpServer) -> None:
        self._owner = owner
        super().__init__(connection, peer, owner)  # type: ignore[arg-type]

    def setup(self) -> None:
        self.connection = self.request
        limits = self._owner.limits
        self._reader = DeadlineReader(self.connection)
        self._requests_left = limits.requests
        self._refused = False
        self._buffered = io.BufferedReader(self._reader)
        self.rfile = self._buffered
        self.wfile = _Writer(self.connection, limits.request_s)  # type: ignore[assignment]
        self.requestline, self.command, self.request_version = "", "-", self.protocol_version

    def finish(self) -> None:
        if self._refused:
            # Closing over bytes that were not read would reset the connection, and the
            # client might never see what it was told.
            with contextlib.suppress(OSError, OverflowError):
                self.connection.shutdown(socket.SHUT_WR)
                self._reader.allow(_LINGER_S, 2 * MAX_REQUEST_SIZE)
                while self._buffered.read1(_LINGER_BYTES):
                    pass
        self._buffered.close()

    def handle_one_request(self) -> None:
        limits = self._owner.limits
        self.close_connection = True
        self._reader.allow(limits.idle_s, limits.head_size)
        try:
            if self._owner.closing or not self._buffered.peek(1):
                return
        except TimeoutError:
            return  # said nothing
        self._reader.allow(limits.request_s, limits.head_size)
        try:
            super().handle_one_request()
        except OverflowError:
            self._say(431, b"the head of the request is too long\n", close=True)
        self._requests_left -= 1

    def do_POST(self) -> None:
        """Answer ``add-checkpoint``."""
        body = self._read_body()
        if body is None:
            return
        if self._path() == _ADD:
            self._answer(self._owner.service.add_checkpoint(body))
        else:
            self._answer(Answer(Status.NOT_FOUND, b"only add-checkpoint is here\n"))

    def do_GET(self) -> None:
        """Answer with the newest checkpoint of a log."""
        if self._read_body() is None:
            return
        path = self._path()
        asked = _RECORDED.fullmatch(path or "")
        if asked is not None:
            self._answer(self._owner.service.recorded(asked[1]))
        elif path == _ADD:
            self._say(405, b"add-checkpoint is asked by POST\n")
        else:
            self._answer(Answer(Status.NOT_FOUND, b"no such page\n"))

    def _path(self) -> str | None:
        prefix = self._owner.prefix
        return self.path[len(prefix) :] if self.path.startswith(prefix) else None

    def _read_body(self) -> bytes | None:
        """The body; None after refusing a request whose end cannot be known."""
        if self.request_version == "HTTP/0.9" or "Transfer-Encoding" in self.headers:
            self._say(411, b"a request needs its length\n", close=True)
            return None
        lengths = self.headers.get_all("Content-Length", ["0"] if self.command == "GET" else [])
        if len(lengths) != 1:
            self._say(411, b"a request needs its length, once\n", close=True)
            return None
        text = lengths[0].strip()
        if not (text.isascii() and text.isdigit()):
            self._say(400, b"a length is a decimal number\n", close=True)
            return None
        if len(text) > _MAX_LENGTH_DIGITS or int(text) > MAX_REQUEST_SIZE:
            self._say(
                413, f"the longest request is {MAX_REQUEST_SIZE} bytes\n".encode(), close=True
            )
            return None
        length = int(text)
        self._reader.allow(self._reader.seconds_left, max(length, 1))
        body = self.rfile.read(length)
        if len(body) != length:
            self.close_connection = True
            return None
        return body

    def _answer(self, answer: Answer) -> None:
        conflict = answer.status == Status.CONFLICT
        kind = "text/x.tlog.size" if conflict else "text/plain; charset=utf-8"
        self._say(answer.status, answer.body, kind=kind)

    def _say(
        self, status: int, body: bytes, *, close: bool = False, kind: str = "text/plain"
    ) -> None:
        self._refused = close
        self.request_version = self.protocol_version  # whatever was asked in
        self.send_response(int(status))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if close or self._requests_left <= 1:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses, said as plain text."""
        self._say(int(code), f"{message or 'refused'}\n".encode("utf-8", "replace"), close=True)

    def version_string(self) -> str:
        """What it calls itself."""
        return "quipu-witness"

    def log_message(self, format: str, *args: Any) -> None:
        """Requests go to this module's log; what strangers sent is shown, not obeyed."""
        _log.info("%s: %s", self.client_address[0], ascii(format % args))
