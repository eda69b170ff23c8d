"""Where the owner of a home listens: ``HOME/control.sock``, for its own user only."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from ledger import unix_socket

SOCKET_NAME: Final = "control.sock"


def listen(root: Path) -> socket.socket:
    """A socket that listens at the home ``root``; for the holder of ``owner.lock`` only."""
    return unix_socket.listen(root / SOCKET_NAME)


def connect(root: Path) -> socket.socket:
    """A connection to the owner of ``root``. Raises ``OSError`` where nobody listens."""
    return unix_socket.connect(root / SOCKET_NAME)


def remove(root: Path) -> None:
    """Remove the socket's file; none there is fine."""
    unix_socket.remove(root / SOCKET_NAME)
