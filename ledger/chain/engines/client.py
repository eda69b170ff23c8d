"""A chain's engine in another process, over its socket.

One connection serves every thread: requests carry numbers, and a thread of its own hands
each answer to whoever asked. When the connection ends, everybody who waits for an answer is
told so; the next call connects again.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from ledger import unix_socket
from ledger.chain.engines import socket_codec as codec
from ledger.chain.engines.service import (
    NO_ATTACHMENTS,
    Block,
    BlockEvents,
    ConnectionLostError,
    Dropped,
    EngineClosedError,
    Inclusion,
    NoEngineError,
    Outcome,
    follow,
)
from ledger.chain.engines.socket_frames import (
    MAX_ANSWER,
    MAX_REQUEST,
    FrameBuffer,
    encode_frame,
)
from ledger.chain.machine.home import ChainPaths
from ledger.chain.machine.proposal import Admission, Info
from ledger.closing import Closing
from ledger.errors import LedgerError, MalformedError
from ledger.schema import chain_socket_pb2 as wire
from ledger.schema.canonical import parse_message, serialize_message
from ledger.storage.os_errors import storage_errors

ANSWER_S: Final = 60.0
"""How long an engine may take over what waits for nobody, and to take in a request."""

_READ: Final = 1 << 18
_SUBMIT_BYTES: Final = 4 << 20
_SUBMIT_TRANSACTIONS: Final = 5_000
_TIMEVAL: Final = struct.Struct("ll")
_Answer = Future[wire.Response]


class ChainClient(Closing):
    """A `ChainService` over a socket. Use `at_home`, or give the socket's path."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises `NoEngineError`, and StorageError where the socket is barred."""
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        self._connection: _Connection | None = None
        self._connected()

    @classmethod
    def at_home(cls, root: Path) -> ChainClient:
        """Connect to the engine that serves the chain's home at ``root``."""
        return cls(ChainPaths(root).socket)

    def close(self) -> None:
        """End the connection; whoever still waits is told."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def info(self) -> Info:
        """See `ChainService.info`."""
        return codec.info_of(self._ask(wire.Request(info=wire.Nothing())).info)

    def genesis(self) -> bytes:
        """See `ChainService.genesis`."""
        return self._ask(wire.Request(genesis=wire.Nothing())).message

    def submit(
        self, transactions: Sequence[bytes], attachments: Mapping[bytes, bytes] = NO_ATTACHMENTS
    ) -> list[Admission]:
        """See `ChainService.submit`. With attachments, all must fit into one request.

        Raises `MalformedError` if they do not.
        """
        parts = [transactions] if attachments else list(_parts(transactions))
        sent = [
            self._send(
                wire.Request(
                    submit=wire.Submit(transactions=part, attachments=attachments.values())
                )
            )
            for part in parts
        ]
        admissions: list[Admission] = []
        for part, answer in zip(parts, sent, strict=True):
            told = codec.admissions_of(self._result(answer, ANSWER_S).admissions)
            if len(told) != len(part):
                raise MalformedError("an answer about other transactions than were submitted")
            admissions += told
        return admissions

    def wait(self, transaction: bytes, timeout_s: float) -> Inclusion:
        """See `ChainService.wait`."""
        (outcome,) = self.wait_all([transaction], timeout_s)
        if isinstance(outcome, Dropped):
            raise outcome.error()
        return outcome

    def wait_all(self, transactions: Sequence[bytes], timeout_s: float) -> list[Outcome]:
        """See `ChainService.wait_all`."""
        asked = wire.Wait(ids=codec.join_ids(transactions), timeout_ms=_ms(timeout_s))
        answer = self._ask(wire.Request(wait=asked), timeout_s)
        return codec.outcomes_of(answer.outcomes, transactions)

    def receipt(self, transaction: bytes) -> bytes:
        """See `ChainService.receipt`."""
        return self._ask(wire.Request(receipt=transaction)).message

    def answer(self, key: bytes, height: int | None = None) -> bytes:
        """See `ChainService.answer`."""
        asked = wire.Answer(key=key, height=0 if height is None else _u64(height) + 1)
        return self._ask(wire.Request(answer=asked)).message

    def signed_header(self, height: int | None = None) -> bytes:
        """See `ChainService.signed_header`."""
        return self._ask(wire.Request(signed_header=_u64(height or 0))).message

    def block(self, height: int) -> Block:
        """See `ChainService.block`."""
        return codec.block_of(self._ask(wire.Request(block=_u64(height))).block)

    def events(self, from_height: int, wait_s: float) -> list[BlockEvents]:
        """See `ChainService.events`."""
        asked = wire.Events(from_height=_u64(from_height), wait_ms=_ms(wait_s))
        return codec.events_of(self._ask(wire.Request(events=asked), wait_s).events)

    def subscribe(self, from_height: int) -> Iterator[BlockEvents]:
        """See `ChainService.subscribe`."""
        return follow(self, from_height)

    def checkpoint(self) -> bytes:
        """See `ChainService.checkpoint`."""
        return self._ask(wire.Request(checkpoint=wire.Nothing())).message

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See `ChainService.consistency`."""
        asked = wire.Consistency(old_size=_u64(old_size), new_size=_u64(new_size))
        return tuple(self._ask(wire.Request(consistency=asked)).consistency.hashes)

    def _ask(self, request: wire.Request, wait_s: float = 0.0) -> wire.Response:
        return self._result(self._send(request), wait_s + ANSWER_S)

    def _send(self, request: wire.Request) -> _Answer:
        return self._connected().send(request)

    def _result(self, answer: _Answer, wait_s: float) -> wire.Response:
        try:
            return answer.result(wait_s)
        except FutureTimeoutError:
            error = ConnectionLostError(
                f"the engine at {self._path} does not answer", hint="see whether it still runs"
            )
            # What it may still say to others of this connection, nobody can rely on.
            connection = self._connection
            if connection is not None:
                connection.close(error)
            raise error from None

    def _connected(self) -> _Connection:
        with self._lock:
            if self._closed:
                raise EngineClosedError("this client was closed")
            if self._connection is None or not self._connection.alive:
                self._connection = _Connection(self._path)
            return self._connection


class _Connection:
    """One connection, until it ends for whatever reason."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._asked: dict[int, _Answer] = {}
        self._ended: LedgerError | None = None
        with storage_errors(path):
            try:
                self._socket = unix_socket.connect(path)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise NoEngineError(
                    f"no engine serves a chain at {path}", hint="start one: quipu chain serve"
                ) from error
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(ANSWER_S), 0)
        )
        self._sending = threading.Lock()
        threading.Thread(target=self._read, name="quipu-chain-client", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._ended is None

    def send(self, request: wire.Request) -> _Answer:
        """Send a request; its answer comes later. Raises `ConnectionLostError`."""
        answer: _Answer = Future()
        number = next(self._numbers)
        request.number = number
        frame = encode_frame(serialize_message(request, "request"), MAX_REQUEST)
        with self._lock:
            if self._ended is not None:
                raise self._ended
            self._asked[number] = answer
        try:
            with self._sending:
                self._socket.sendall(frame)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the thread that reads may find out why, and tells whoever waits
        except OSError as error:
            self.close(self._lost(error))
        return answer

    def close(self, why: LedgerError | None = None) -> None:
        """End; whoever waits for an answer is told why."""
        with self._lock:
            if self._ended is None:
                self._ended = why or EngineClosedError("this client was closed")
            asked, self._asked = self._asked, {}
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for answer in asked.values():
            answer.set_exception(self._ended)

    def _read(self) -> None:
        frames = FrameBuffer(MAX_ANSWER)
        why: LedgerError = self._lost(None)
        try:
            while data := self._socket.recv(_READ):
                frames.add(data)
                while (frame := frames.next()) is not None:
                    self._take(parse_message(wire.Response, frame, "answer of the engine"))
        except OSError as error:
            why = self._lost(error)
        except LedgerError as error:
            why = error
        self.close(why)
        with self._sending:
            self._socket.close()

    def _take(self, response: wire.Response) -> None:
        result = response.WhichOneof("result")
        failure = codec.error_of(response.failure) if result == "failure" else None
        if failure and not response.number:
            raise failure  # about the connection itself
        with self._lock:
            answer = self._asked.pop(response.number, None)
        if answer is None:
            raise MalformedError("the engine answers what nobody asked")
        if failure:
            answer.set_exception(failure)
        elif result is None:
            answer.set_exception(MalformedError("an answer of the engine says nothing"))
        else:
            answer.set_result(response)

    def _lost(self, error: OSError | None) -> ConnectionLostError:
        lost = ConnectionLostError(
            f"the connection to the engine at {self._path} ended",
            hint="ask again; a transaction that was submitted twice is carried out once",
        )
        lost.__cause__ = error
        return lost


def _parts(transactions: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Parts that fit into a request each."""
    start, size = 0, 0
    for place, encoded in enumerate(transactions):
        size += len(encoded)
        if place > start and (size > _SUBMIT_BYTES or place - start == _SUBMIT_TRANSACTIONS):
            yield transactions[start:place]
            start, size = place, len(encoded)
    if start < len(transactions):
        yield transactions[start:]


def _u64(number: int) -> int:
    if not 0 <= number < (1 << 64) - 1:
        raise MalformedError(f"{number} is no height and no size")
    return number


def _ms(seconds: float) -> int:
    return max(0, min(round(seconds * 1e3), 1 << 40))
