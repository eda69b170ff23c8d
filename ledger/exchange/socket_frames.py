"""Requests and replies over a stream socket: a message, and what is beside it, each bounded.

::

    frame = u32be(length) || message || u32be(length) || sealed

Both ways alike; beside a request there is nothing. A frame that has begun is there after some
seconds, however it is cut into pieces, or the connection is over: who sends one byte now and
then holds nobody up for long.
"""

from __future__ import annotations

import socket
import time
from struct import Struct
from typing import Final

from ledger.errors import MalformedError
from ledger.exchange.messages import MAX_MESSAGE, Reply
from ledger.exchange.unit_cipher import TAG_SIZE
from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.disclosure import SALT_SIZE

MAX_SEALED: Final = SALT_SIZE + CHUNK_SIZE + TAG_SIZE
"""Bytes beside a message: a unit of a whole chunk is the most."""
FRAME_S: Final = 10.0
"""Seconds within which a frame that has begun is there, or is taken."""
_LENGTH: Final = Struct(">I")


def encode_frame(reply: Reply) -> bytes:
    """The frame. Raises MalformedError for what is too long."""
    message, sealed = reply
    _require_within(len(message), MAX_MESSAGE)
    _require_within(len(sealed), MAX_SEALED)
    return b"".join((_LENGTH.pack(len(message)), message, _LENGTH.pack(len(sealed)), bytes(sealed)))


def write_frame(connection: socket.socket, frame: bytes) -> None:
    """Send a frame. Raises ``OSError`` where the other end does not take it in `FRAME_S`."""
    connection.settimeout(FRAME_S)  # of all of it (socket.sendall)
    connection.sendall(frame)


def read_frame(
    connection: socket.socket, wait_s: float, max_sealed: int = MAX_SEALED
) -> Reply | None:
    """The next frame, or None where the other end closed between two.

    Waits ``wait_s`` seconds for it to begin. Raises MalformedError for a length beyond the
    limits, ``OSError`` for a connection that breaks off or stands still inside a frame.
    """
    connection.settimeout(wait_s)
    first = connection.recv(1)
    if not first:
        return None
    until = time.monotonic() + FRAME_S
    message = _read_part(connection, until, MAX_MESSAGE, first)
    return Reply(message, _read_part(connection, until, max_sealed))


def _read_part(connection: socket.socket, until: float, limit: int, begun: bytes = b"") -> bytes:
    (length,) = _LENGTH.unpack(begun + _read(connection, until, _LENGTH.size - len(begun)))
    _require_within(length, limit)
    return bytes(_read(connection, until, length))


def _read(connection: socket.socket, until: float, size: int) -> bytearray:
    received = bytearray(size)  # within the limits, so announced is as good as come
    view = memoryview(received)
    while view:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("a frame that is not whole in time")
        connection.settimeout(left)
        count = connection.recv_into(view)
        if not count:
            raise ConnectionResetError("the connection ended inside a frame")
        view = view[count:]
    return received


def _require_within(length: int, limit: int) -> None:
    if length > limit:
        raise MalformedError(f"{length} bytes of a frame; the limit is {limit}")
