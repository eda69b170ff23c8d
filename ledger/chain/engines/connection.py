"""One client's connection to a chain's server, in the server's event loop.

What costs work is done one request at a time, in the order of the requests; waiting for a
transaction or a block occupies nobody. A client that does not take its answers gets no
further request carried out, and after a while is left.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from ledger.chain.engines.service import NotIncludedError
from ledger.chain.engines.socket_codec import failure_message
from ledger.chain.engines.socket_frames import MAX_ANSWER, MAX_REQUEST, FrameBuffer, encode_frame
from ledger.errors import LedgerError, MalformedError, RefusedError
from ledger.schema import chain_socket_pb2 as wire
from ledger.schema.canonical import parse_message, serialize_message
from ledger.unix_socket import is_in_group, peer_of

_LOG: Final = logging.getLogger(__name__)

MAX_UNDER_WAY: Final = 1_000
"""Requests of one connection that have no answer yet; no more are read meanwhile."""
MAX_QUEUED_BYTES: Final = 2 * MAX_REQUEST
"""Bytes of requests whose turn has not come; no more are read meanwhile."""
HIGH_WATER: Final = 1 << 20
"""Bytes of answers that a client has not taken yet; no more are made meanwhile."""
FRAME_S: Final = 10.0
"""A frame that has begun is there after this many seconds, or the connection is over."""
STALL_S: Final = 30.0
"""A client that takes nothing for so long is left."""

_ROOT: Final = 0


@dataclass(eq=False, slots=True)
class Waiting:
    """A request that waits for a block."""

    connection: Connection
    number: int
    try_again: Callable[[], wire.Response | None] = field(repr=False)
    """Its answer, or None as long as there is none."""
    timed_out: Callable[[], wire.Response] = field(repr=False)
    timer: asyncio.TimerHandle | None = None


class Host(Protocol):
    """What a connection needs of its server; all of it in the loop's thread."""

    loop: asyncio.AbstractEventLoop
    group: int | None
    max_buffered: int
    buffered: int
    """Bytes of requests in memory, of all connections."""

    def enter(self, connection: Connection) -> RefusedError | None:
        """Count a connection; why it is one too many, if it is."""

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""

    def carry_out(self, request: wire.Request, done: Callable[[wire.Response], None]) -> None:
        """Carry a request out in another thread; ``done`` is called in the loop's."""

    def waiting_of(self, connection: Connection, request: wire.Request) -> Waiting:
        """The request, as one that waits. Raises MalformedError."""
        ...


class Connection(asyncio.Protocol):
    """Reads requests, has them carried out, writes answers."""

    def __init__(self, server: Host) -> None:
        self._server = server
        self._frames = FrameBuffer(MAX_REQUEST)
        self._queue: deque[tuple[wire.Request, int]] = deque()
        self._queued_bytes = 0
        self._working = False
        self._taking = True
        """Whether the client takes its answers."""
        self._reading = True
        self._over = False
        self._frame_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self.waiting: set[Waiting] = set()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or send it away."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream was expected")
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        refusal = self._server.enter(self)
        if refusal is None and not self._may_connect():
            refusal = RefusedError("this chain's engine is another user's")
        if refusal is not None:
            self._end_with(refusal)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self._over:
            return
        self._frames.add(data)
        self._server.buffered += len(data)
        self._read_frames()

    def eof_received(self) -> bool:
        """The client sends no more; nobody waits for answers that way."""
        return False

    def pause_writing(self) -> None:
        """The client does not keep up with its answers."""
        self._taking = False
        self._abort_later()

    def resume_writing(self) -> None:
        """It does again."""
        self._taking = True
        if not self._over:
            self._stall_timer = _cancelled(self._stall_timer)
        for each in list(self.waiting):
            self.look_again(each)
        self._work()

    def connection_lost(self, _: Exception | None) -> None:
        """Forget everything about the client."""
        self._over = True
        self._server.buffered -= len(self._frames) + self._queued_bytes
        self._frames, self._queued_bytes = FrameBuffer(MAX_REQUEST), 0
        self._queue.clear()
        self._frame_timer = _cancelled(self._frame_timer)
        self._stall_timer = _cancelled(self._stall_timer)
        for each in self.waiting:
            _cancelled(each.timer)
        self.waiting.clear()
        self._server.leave(self)

    # Requests

    def _read_frames(self) -> None:
        try:
            while not self._over and self._has_room():
                frame = self._frames.next()
                if frame is None:
                    break
                self._server.buffered -= len(frame) + 4
                self._take(parse_message(wire.Request, frame, "request"), len(frame))
            if self._server.buffered > self._server.max_buffered:
                raise RefusedError("the engine has too much to read", hint="try again later")
        except LedgerError as error:
            self._end_with(error)
            return
        self._mind_the_rest()

    def _has_room(self) -> bool:
        return (
            self._queued_bytes <= MAX_QUEUED_BYTES
            and len(self._queue) + len(self.waiting) < MAX_UNDER_WAY
        )

    def _mind_the_rest(self) -> None:
        """Read on, or not; and see to it that a frame that has begun comes to its end."""
        if self._over:
            return
        room = self._has_room()
        if room != self._reading:
            self._reading = room
            if room:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
        if not (room and len(self._frames)):
            self._frame_timer = _cancelled(self._frame_timer)
        elif self._frame_timer is None:
            self._frame_timer = self._server.loop.call_later(FRAME_S, self.abort)

    def _take(self, request: wire.Request, size: int) -> None:
        self._frame_timer = _cancelled(self._frame_timer)
        verb = request.WhichOneof("verb")
        if verb is None or not request.number:
            raise MalformedError("a request without a verb, or without a number")
        if verb in ("wait", "events"):
            self._wait(self._server.waiting_of(self, request))
            return
        self._queue.append((request, size))
        self._queued_bytes += size
        self._server.buffered += size
        self._work()

    def _work(self) -> None:
        """Have the next request carried out, if it is its turn."""
        if self._working or not self._taking or self._over or not self._queue:
            return
        self._working = True
        request, size = self._queue.popleft()
        self._server.carry_out(request, lambda response: self._done(size, response))

    def _done(self, size: int, response: wire.Response) -> None:
        self._working = False
        if self._over:
            return
        self._queued_bytes -= size
        self._server.buffered -= size
        self.answer(response)
        self._work()
        self._read_frames()

    def _wait(self, waiting: Waiting) -> None:
        self.waiting.add(waiting)
        self.look_again(waiting)

    def look_again(self, waiting: Waiting) -> None:
        """Answer a request that waits, if the answer is there and the client takes it."""
        if not self._taking or self._over:
            return
        try:
            response = waiting.try_again()
        except LedgerError as error:
            response = wire.Response(failure=failure_message(error))
        if response is not None:
            self._waited(waiting, response)

    def time_out(self, waiting: Waiting) -> None:
        """Answer a request that has waited for long enough."""
        if waiting in self.waiting:
            self._waited(waiting, waiting.timed_out())

    def _waited(self, waiting: Waiting, response: wire.Response) -> None:
        _cancelled(waiting.timer)
        self.waiting.discard(waiting)
        response.number = waiting.number
        self.answer(response)
        if not self._reading:
            self._server.loop.call_soon(self._read_frames)

    # Answers

    def answer(self, response: wire.Response) -> None:
        """Send an answer."""
        if self._over:
            return
        try:
            frame = encode_frame(serialize_message(response, "response"), MAX_ANSWER)
        except MalformedError as error:
            failure = wire.Response(number=response.number, failure=failure_message(error))
            frame = encode_frame(serialize_message(failure, "response"), MAX_ANSWER)
        self._transport.write(frame)

    def close(self) -> None:
        """End when the answers that were made are sent."""
        if not self._over:
            self._over = True
            self._abort_later()
            self._transport.close()

    def _end_with(self, error: LedgerError) -> None:
        """Say why, and end."""
        self.answer(wire.Response(failure=failure_message(error)))
        self._server.buffered -= len(self._frames)
        self._frames = FrameBuffer(MAX_REQUEST)
        self.close()

    def _abort_later(self) -> None:
        """Leave the client unless it takes its answers in time."""
        self._stall_timer = _cancelled(self._stall_timer)
        self._stall_timer = self._server.loop.call_later(STALL_S, self.abort)

    def abort(self) -> None:
        """End at once."""
        _LOG.debug("a client of the chain's socket stood still")
        self._transport.abort()

    def _may_connect(self) -> bool:
        connection = self._transport.get_extra_info("socket")
        peer = peer_of(connection)
        allowed = peer.user in (_ROOT, os.geteuid()) or (
            self._server.group is not None and is_in_group(connection, peer, self._server.group)
        )
        if not allowed:
            _LOG.warning(
                "process %d of user %d was refused at the chain's socket", peer.pid, peer.user
            )
        return allowed


def not_included() -> wire.Response:
    """The answer to a wait that took too long."""
    error = NotIncludedError(
        "the transactions are not all in a block yet", hint="they still wait; ask again"
    )
    return wire.Response(failure=failure_message(error))


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
