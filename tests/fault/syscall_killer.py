"""Kill a child at its k-th write or sync, by ptrace: no strace, no compiler.

The parent traces the child it forked, its first thread or every one, counts the system
calls that change files, and kills the child as it enters the k-th, so that this call has
no effect any more.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import stat
import struct
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Numbers of: write, writev, pwrite64, pwritev, pwritev2, fsync, fdatasync, msync, ftruncate,
# fallocate, rename, renameat, renameat2, unlink, unlinkat, mkdir, mkdirat.
CHANGING_CALLS = {
    "x86_64": {1, 20, 18, 296, 328, 74, 75, 26, 77, 285, 82, 264, 316, 87, 263, 83, 258},
    "aarch64": {64, 66, 68, 70, 287, 82, 83, 227, 46, 47, 38, 276, 35, 34},
}.get(platform.machine())

SYNC_CALLS = {"x86_64": {74, 75}, "aarch64": {82, 83}}.get(platform.machine(), set())
"""fsync and fdatasync."""

_TRACEME, _SYSCALL, _SETOPTIONS, _GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
_O_TRACESYSGOOD, _O_TRACECLONE, _O_EXITKILL = 1, 8, 0x100000
_WALL = 0x40000000  # threads too
_ENTRY = 1
_SYSCALL_STOP = signal.SIGTRAP | 0x80

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class TraceError(Exception):
    """The kernel does not let us trace our own child."""


def _ptrace(request: int, pid: int, address: int = 0, data: object = None) -> None:
    if _libc.ptrace(request, pid, address, data) == -1:
        raise TraceError(os.strerror(ctypes.get_errno()))


Watch = Callable[[int, int, int], None]


def _ignore(pid: int, number: int, argument: int) -> None:
    pass


def kill_at_call(work: Callable[[], None], kth: int, watch: Watch = _ignore) -> tuple[int, int]:
    """Run ``work`` in a child and kill it as its first thread enters its ``kth`` changing call.

    ``watch`` is told the child, the number and the first argument of every such call.
    Returns the wait status and how many there were; a child that made fewer than
    ``kth`` ends by itself.
    """
    return _trace(work, kth, watch, _O_TRACESYSGOOD | _O_EXITKILL)


def kill_at_call_of_any_thread(
    work: Callable[[], None], kth: int, watch: Watch = _ignore
) -> tuple[int, int]:
    """As `kill_at_call`, with the calls of every thread counted; all of them are slowed down."""
    return _trace(work, kth, watch, _O_TRACESYSGOOD | _O_EXITKILL | _O_TRACECLONE)


def _trace(work: Callable[[], None], kth: int, watch: Watch, options: int) -> tuple[int, int]:
    if CHANGING_CALLS is None:
        raise TraceError(f"system call numbers of {platform.machine()} are not known here")
    pid = os.fork()
    if not pid:
        try:
            os.setpgid(0, 0)
            _leave_files()
            _ptrace(_TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            work()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    seen = 0
    info = ctypes.create_string_buffer(88)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status):
        raise TraceError("the child could not ask to be traced")
    _ptrace(_SETOPTIONS, pid, 0, options)
    _ptrace(_SYSCALL, pid)
    threads = {pid}
    while True:
        # Any of the child's process group, which it has for itself.
        thread, status = os.waitpid(-pid, _WALL)
        if not os.WIFSTOPPED(status):
            if thread == pid:
                return status, seen
            threads.discard(thread)
            continue
        stop, forward = os.WSTOPSIG(status), 0
        if stop == _SYSCALL_STOP:
            _ptrace(_GET_SYSCALL_INFO, thread, len(info), ctypes.addressof(info))
            # struct ptrace_syscall_info: u8 op, ..., on entry, at 24, u64 number and arguments.
            number, argument = struct.unpack_from("=QQ", info, 24)
            if info.raw[0] == _ENTRY and number in CHANGING_CALLS:
                seen += 1
                watch(pid, number, argument)
                if seen == kth:
                    os.kill(pid, signal.SIGKILL)
                    return _reaped(pid), seen
        elif thread in threads and not status >> 16:
            forward = stop  # a signal; what is left are births of threads
        threads.add(thread)
        _ptrace(_SYSCALL, thread, 0, forward)


def _leave_files() -> None:
    """Have no files of the parent's, as no process of its own had.

    A lock that one of its threads holds just then would outlast the parent's own close.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for path in list(Path("/proc/self/fd").iterdir()):
        number = int(path.name)
        with suppress(OSError):  # that of the listing itself
            if number > 2 and stat.S_ISREG(os.fstat(number).st_mode):
                os.dup2(nothing, number)  # so that nobody else gets the number


def _reaped(pid: int) -> int:
    """The wait status of a child that was killed, once its threads are gone."""
    while True:
        thread, status = os.waitpid(-pid, _WALL)
        if thread == pid and not os.WIFSTOPPED(status):
            return status
