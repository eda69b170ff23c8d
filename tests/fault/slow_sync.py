"""Run a program on a disk whose every sync takes a while: real system calls, held up.

``with slow_syncs(command, 0.5, env=...) as process``: each fsync, fdatasync, msync and
sync_file_range of the program, on any of its threads, waits that long before it is
carried out; everything else runs at its speed. The kernel does it (seccomp user
notification, Linux 5.5): no strace, no compiler, no root.

The child is this file, run as ``python slow_sync.py SOCKET COMMAND...``: it installs the
filter, hands the listener to its parent, and becomes the command.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import heapq
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

SYNCS = {"x86_64": (74, 75, 26, 277), "aarch64": (82, 83, 227, 84)}.get(platform.machine(), ())
"""fsync, fdatasync, msync, sync_file_range."""

_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(platform.machine(), -1)
_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _USER_NOTIF = 0x7FFF0000, 0x7FC00000
_CONTINUE = 1  # the call goes on as if nobody had asked
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NOTIFICATION = 80  # sizeof(struct seccomp_notif)
_RECV, _SEND = 0xC0502100, 0xC0182101


class FilterError(Exception):
    """The kernel does not let us hold up system calls."""


@dataclass
class Slowed:
    """The program; how long each sync takes from now on, and how many there were so far."""

    process: subprocess.Popen[bytes]
    seconds: float
    count: int = 0


@contextmanager
def slow_syncs(command: Sequence[str], seconds: float, **options: Any) -> Iterator[Slowed]:
    """Start ``command`` with slow syncs; `subprocess.Popen` takes ``options``.

    Raises `FilterError` where that is not to be had. The program is killed at the end.
    """
    if not SYNCS:
        raise FilterError(f"system call numbers of {platform.machine()} are not known here")
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *command],
                pass_fds=[theirs.fileno()],
                **options,
            )
        slowed = Slowed(process, seconds)
        try:
            said, descriptors, *_ = socket.recv_fds(ours, 200, 1)
            if not descriptors:
                raise FilterError(said.decode() or "the child ended")
            threading.Thread(target=_hold_up, args=(descriptors[0], slowed), daemon=True).start()
            yield slowed
        finally:
            process.kill()
            process.wait()


def _hold_up(listener: int, slowed: Slowed) -> None:
    """Let each call go on when its time has come; ends when nobody is left to call."""
    waiting: list[tuple[float, int]] = []
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    try:
        while True:
            left_ms = max(0.0, waiting[0][0] - time.monotonic()) * 1e3 if waiting else None
            for _, event in poll.poll(left_ms):
                if not event & select.POLLIN:
                    return  # all who had the filter have ended
                notification = bytearray(_NOTIFICATION)
                if _ioctl(listener, _RECV, notification):
                    (identifier,) = struct.unpack_from("=Q", notification)
                    heapq.heappush(waiting, (time.monotonic() + slowed.seconds, identifier))
                    slowed.count += 1
            while waiting and waiting[0][0] <= time.monotonic():
                _, identifier = heapq.heappop(waiting)
                # struct seccomp_notif_resp: u64 id, s64 value, s32 error, u32 flags.
                answer = struct.pack("=QqiI", identifier, 0, 0, _CONTINUE)
                _ioctl(listener, _SEND, bytearray(answer))
    finally:
        os.close(listener)


def _ioctl(listener: int, request: int, argument: bytearray) -> bool:
    try:
        fcntl.ioctl(listener, request, argument)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return False  # who called was killed meanwhile
        raise
    return True


def _install() -> int:
    """Have the kernel ask before each sync of this process and its children; the listener."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = [(_LOAD, 0, 0, 0)]  # the system call's number
    for number in SYNCS:
        program += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _USER_NOTIF)]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise FilterError("no new privileges cannot be given up")
    listener = libc.syscall(_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, header)
    if listener < 0:
        raise FilterError(f"seccomp: {os.strerror(ctypes.get_errno())}")
    return int(listener)


def main() -> None:
    """Become the command, with slow syncs."""
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        try:
            listener = _install()
        except FilterError as error:
            parent.send(str(error).encode())
            return
        socket.send_fds(parent, [b"slow"], [listener])
        os.close(listener)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
