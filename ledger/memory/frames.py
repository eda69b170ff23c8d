"""Messages over a stream socket: u32be(length) || message, bounded both ways."""

from __future__ import annotations

import socket
import struct
from typing import Final

from ledger.errors import MalformedError

MAX_FRAME: Final = 64 << 20
"""Longest message, in bytes: the chunk leaves of 512 GiB of content."""

REST_S: Final = 10.0
"""A frame that has begun is there after this many seconds, or the connection is over."""

_LENGTH: Final = struct.Struct(">I")
_PIECE: Final = 1 << 20


def read_frame(connection: socket.socket) -> bytes | None:
    """The next message, or None where the other end closed between two.

    Waits for as long as the socket's timeout says for the first byte. Raises
    `MalformedError` for a length beyond the limit, ``OSError`` for a connection that
    breaks off or stands still inside a frame.
    """
    first = connection.recv(1)
    if not first:
        return None
    patience = connection.gettimeout()
    connection.settimeout(REST_S)
    try:
        (length,) = _LENGTH.unpack(first + _read(connection, _LENGTH.size - 1))
        if length > MAX_FRAME:
            raise MalformedError(f"a frame of {length} bytes; the limit is {MAX_FRAME}")
        return _read(connection, length)
    finally:
        connection.settimeout(patience)


def write_frame(connection: socket.socket, message: bytes) -> None:
    """Send a message. Raises `MalformedError` for one that is too long, ``OSError``."""
    if len(message) > MAX_FRAME:
        raise MalformedError(f"a frame of {len(message)} bytes; the limit is {MAX_FRAME}")
    patience = connection.gettimeout()
    connection.settimeout(REST_S)
    try:
        connection.sendall(_LENGTH.pack(len(message)) + message)
    finally:
        connection.settimeout(patience)


def _read(connection: socket.socket, size: int) -> bytes:
    # Room is made for what came, not for what was announced.
    received = bytearray()
    while len(received) < size:
        piece = connection.recv(min(size - len(received), _PIECE))
        if not piece:
            raise ConnectionResetError("the connection ended inside a frame")
        received += piece
    return bytes(received)
