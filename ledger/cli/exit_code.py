"""What the exit status of ``quipu`` means. Scripts may rely on it.

====  =====================================================================
0     done; for ``verify`` and ``audit``: everything checked holds
1     a claim does not hold, or ``audit`` found something wrong
2     the command line cannot be understood
3     the input is malformed, unreadable or not there
4     the home, or the place to write to, cannot be used: full, read-only, in use,
      newer, damaged, no key; or no memory is left
5     understood and refused, because something would be lost or forked, or by a chain's rules
70    a fault of quipu itself: please report it
130   interrupted (Ctrl-C)
====  =====================================================================
"""

from __future__ import annotations

from enum import IntEnum

from ledger.chain.codes import RefusalError
from ledger.errors import (
    BehindError,
    ConflictError,
    EntryTooLargeError,
    ErasedError,
    ForkError,
    KeyStoreError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RecordingError,
    RefusedError,
    StorageError,
    VerificationError,
)


class ExitCode(IntEnum):
    """The exit statuses, as in the table above."""

    OK = 0
    NOT_VERIFIED = 1
    USAGE = 2
    BAD_INPUT = 3
    HOME_UNUSABLE = 4
    REFUSED = 5
    INTERNAL = 70
    INTERRUPTED = 130


_OF_ERROR: dict[type[LedgerError], ExitCode] = {
    VerificationError: ExitCode.NOT_VERIFIED,
    ForkError: ExitCode.NOT_VERIFIED,
    MalformedError: ExitCode.BAD_INPUT,
    RecordingError: ExitCode.BAD_INPUT,
    NotFoundError: ExitCode.BAD_INPUT,
    EntryTooLargeError: ExitCode.BAD_INPUT,
    StorageError: ExitCode.HOME_UNUSABLE,
    KeyStoreError: ExitCode.HOME_UNUSABLE,
    RefusedError: ExitCode.REFUSED,
    RefusalError: ExitCode.REFUSED,
    BehindError: ExitCode.REFUSED,
    ConflictError: ExitCode.REFUSED,
    ErasedError: ExitCode.REFUSED,
}


def exit_code_of(error: LedgerError) -> ExitCode:
    """The exit status for ``error``: that of its class, or of the nearest base of it."""
    for kind in type(error).__mro__:
        if kind in _OF_ERROR:
            return _OF_ERROR[kind]
    return ExitCode.HOME_UNUSABLE
