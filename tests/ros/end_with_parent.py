"""Runs a command that is asked to stop, as by Ctrl-C, when whoever started it dies.

A test run that is killed would leave its robots behind otherwise, talking to those of the
next. ``end_with_parent.py PARENT COMMAND...``
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); kept over execve


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() == parent:  # it may have died before
        os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
