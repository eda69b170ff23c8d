"""How a command writes a home: by itself, or, while a process owns it, on loan."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError, LockedError, StorageError
from ledger.home import HomeWriter, open_home_to_write
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.note import VerifierKey

_PATIENCE_S: Final = 10.0
_PAUSE_S: Final = 0.05

# An owner that dies between our finding the home locked and its answer leaves it free.
_DEATHS: Final = 1


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
    deaths = 0
    while True:
        try:
            return stack.enter_context(open_home_to_write(root, keys))
        except LockedError as locked:
            if time.monotonic() >= until or deaths > _DEATHS:
                raise
            if lender is not None:
                # With the loan in hand: another command slipped in, and will be done.
                time.sleep(_PAUSE_S)
                continue
            lender = _borrow(stack, root, locked)
            deaths += lender is None


def _borrow(stack: ExitStack, root: Path, locked: LockedError) -> ControlClient | None:
    """Ask the owner for its home; None where there is none, or it died over that."""
    try:
        lender = stack.enter_context(ControlClient(root))
    except NoOwnerError:
        return None
    except StorageError:
        raise locked from None
    try:
        lender.lend()
    except NoOwnerError:
        return None
    except LedgerError as error:
        raise LockedError(f"{locked.message}, and does not lend it: {error.message}") from error
    return lender
