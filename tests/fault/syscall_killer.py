"""Kill a child at its k-th write or sync, by ptrace: no strace, no compiler.

The parent traces the child it forked, counts the system calls that change files,
and kills the child as it enters the k-th, so that this call has no effect any more.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import traceback
from collections.abc import Callable

# Numbers of: write, writev, pwrite64, pwritev, pwritev2, fsync, fdatasync, msync, ftruncate,
# fallocate, rename, renameat, renameat2, unlink, unlinkat, mkdir, mkdirat.
CHANGING_CALLS = {
    "x86_64": {1, 20, 18, 296, 328, 74, 75, 26, 77, 285, 82, 264, 316, 87, 263, 83, 258},
    "aarch64": {64, 66, 68, 70, 287, 82, 83, 227, 46, 47, 38, 276, 35, 34},
}.get(platform.machine())

SYNC_CALLS = {"x86_64": {74, 75}, "aarch64": {82, 83}}.get(platform.machine(), set())
"""fsync and fdatasync."""

_TRACEME, _SYSCALL, _SETOPTIONS, _GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
_O_TRACESYSGOOD, _O_EXITKILL = 1, 0x100000
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


def kill_at_call(
    work: Callable[[], None],
    kth: int,
    watch: Callable[[int, int, int], None] = lambda pid, number, argument: None,
) -> tuple[int, int]:
    """Run ``work`` in a child and kill it as it enters its ``kth`` changing call.

    ``watch`` is told the child, the number and the first argument of every such call.
    Returns the wait status and how many there were; a child that made fewer than
    ``kth`` ends by itself.
    """
    if CHANGING_CALLS is None:
        raise TraceError(f"system call numbers of {platform.machine()} are not known here")
    pid = os.fork()
    if not pid:
        try:
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
    _ptrace(_SETOPTIONS, pid, 0, _O_TRACESYSGOOD | _O_EXITKILL)
    forward = 0
    while True:
        _ptrace(_SYSCALL, pid, 0, forward)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            return status, seen
        stop = os.WSTOPSIG(status)
        forward = 0 if stop == _SYSCALL_STOP else stop
        if stop != _SYSCALL_STOP:
            continue
        _ptrace(_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
        # struct ptrace_syscall_info: u8 op, ..., and on entry, at 24, u64 number and arguments.
        number, argument = struct.unpack_from("=QQ", info, 24)
        if info.raw[0] == _ENTRY and number in CHANGING_CALLS:
            seen += 1
            watch(pid, number, argument)
            if seen == kth:
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                return status, seen
