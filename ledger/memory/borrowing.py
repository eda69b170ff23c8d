"""How a command writes a home: by itself, or, while a process owns it, on loan."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError, LockedError, StorageError
from ledger.home import HomeWriter, open_home_to_write
from ledger.memory.control_client import ControlClient
from ledger.note import VerifierKey

_PATIENCE_S: Final = 10.0
_PAUSE_S: Final = 0.05


@contextmanager
def borrow_home(root: Path, keys: Sequence[VerifierKey] = ()) -> Iterator[HomeWriter]:
    """Open a home to write, as `ledger.home.open_home_to_write` does.

    Where another process owns it, that process is asked to lend it, and waits for it
    until the block ends; this process may die at any point. Raises `LockedError` where
    the writer is nobody who lends.
    """
    with ExitStack() as stack:
        yield _enter(stack, root, keys)


def _enter(stack: ExitStack, root: Path, keys: Sequence[VerifierKey]) -> HomeWriter:
    until = time.monotonic() + _PATIENCE_S
    lender: ControlClient | None = None
    while True:
        try:
            return stack.enter_context(open_home_to_write(root, keys))
        except LockedError as locked:
            # With the loan in hand: another command slipped in, and will be done.
            if lender is None:
                try:
                    lender = stack.enter_context(ControlClient(root))
                except StorageError:
                    raise locked from None
                _borrow(lender, locked)
            elif time.monotonic() >= until:
                raise
            else:
                time.sleep(_PAUSE_S)


def _borrow(lender: ControlClient, locked: LockedError) -> None:
    try:
        lender.lend()
    except LedgerError as error:
        raise LockedError(f"{locked.message}, and does not lend it: {error.message}") from error
