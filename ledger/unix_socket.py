"""Unix sockets that a process listens at, as files of its own.

The file has its mode before anybody can connect, and takes the place of one that a dead
process left. Addresses of Unix sockets are at most 108 bytes, paths may be longer: both
ends go through ``/proc/self/fd``. Whoever connects can be asked who they are.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE
from ledger.storage.os_errors import storage_errors

GROUP_MODE: Final = 0o660
_BACKLOG: Final = 64
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid
_SO_PEERGROUPS: Final = 59  # since Linux 4.13
_MAX_GROUPS: Final = 65_536  # NGROUPS_MAX


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as it was when it connected."""

    pid: int
    user: int
    group: int


def listen(path: Path, group: int | None = None) -> socket.socket:
    """A socket that listens at ``path``, for its own user or for a group too.

    Nobody else may listen there meanwhile. Raises `StorageError`.
    """
    name = path.name
    with storage_errors(path), _folder(path) as folder:
        beside = f".{name}.{os.getpid()}.new"
        with suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=folder)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(f"/proc/self/fd/{folder}/{beside}")
            # Nobody can connect before `listen`, whatever mode the umask left.
            if group is not None:
                os.chown(beside, -1, group, dir_fd=folder)
            os.chmod(beside, PRIVATE if group is None else GROUP_MODE, dir_fd=folder)
            listening.listen(_BACKLOG)
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            listening.close()
            raise
        return listening


def connect(path: Path) -> socket.socket:
    """A connection to whoever listens at ``path``. Raises ``OSError`` where nobody does."""
    with _folder(path) as folder:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        except BaseException:
            connection.close()
            raise
        return connection


def remove(path: Path) -> None:
    """Remove the socket's file; none there is fine."""
    with suppress(OSError):
        path.unlink()


def peer_of(connection: socket.socket) -> Peer:
    """Who is at the other end (SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(raw))


def is_in_group(connection: socket.socket, peer: Peer, group: int) -> bool:
    """Whether the process at the other end is in a group (SO_PEERGROUPS)."""
    if peer.group == group:
        return True
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MAX_GROUPS)
    except OSError:
        return False
    return group in struct.unpack(f"{len(raw) // 4}I", raw)


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
