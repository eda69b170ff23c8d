"""Where the owner of a home listens: ``HOME/control.sock``, for its own user only.

The file has mode 0600 before anybody can connect, and takes the place of one that a
dead owner left. Addresses of Unix sockets are at most 108 bytes, paths of homes may
be longer: both ends go through ``/proc/self/fd``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE
from ledger.storage.os_errors import storage_errors

SOCKET_NAME: Final = "control.sock"
_BACKLOG: Final = 64


def listen(root: Path) -> socket.socket:
    """A socket that listens at the home ``root``; for the holder of ``owner.lock`` only."""
    with storage_errors(root / SOCKET_NAME), _folder(root) as folder:
        beside = f".{SOCKET_NAME}.{os.getpid()}.new"
        with suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=folder)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(f"/proc/self/fd/{folder}/{beside}")
            # Nobody can connect before `listen`, whatever mode the umask left.
            os.chmod(beside, PRIVATE, dir_fd=folder)
            listening.listen(_BACKLOG)
            os.rename(beside, SOCKET_NAME, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            listening.close()
            raise
        return listening


def connect(root: Path) -> socket.socket:
    """A connection to the owner of ``root``. Raises ``OSError`` where nobody listens."""
    with _folder(root) as folder:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
        except BaseException:
            connection.close()
            raise
        return connection


def remove(root: Path) -> None:
    """Remove the socket's file; none there is fine."""
    with suppress(OSError):
        (root / SOCKET_NAME).unlink()


@contextmanager
def _folder(root: Path) -> Iterator[int]:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
