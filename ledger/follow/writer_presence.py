"""Whether somebody has a file open for writing: Linux tells who asks for a read lease.

``fcntl(2)``, F_SETLEASE: "A read lease can be placed only on a file descriptor that is
opened read-only" and only while no process has the file open for writing. The lease is
given back at once. Should a writer come in that instant, its ``open`` waits for that,
and we are told by SIGURG, which does nothing, in place of SIGIO, which would end us.
"""

from __future__ import annotations

import errno
import fcntl
import signal
from enum import Enum, auto


class WriterPresence(Enum):
    """Who may still write to a file."""

    SOMEBODY = auto()
    NOBODY = auto()
    UNKNOWN = auto()
    """Another user's file, or a file system without leases."""


def writer_presence(descriptor: int) -> WriterPresence:
    """Look whether any process, this one too, has the file open for writing.

    ``descriptor`` is open for reading only.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        busy = error.errno in (errno.EAGAIN, errno.EBUSY)
        return WriterPresence.SOMEBODY if busy else WriterPresence.UNKNOWN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return WriterPresence.NOBODY
