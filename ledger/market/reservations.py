"""What no purchase needs any more of a budget: reservations that a kill, or a person, left behind.

A budget knows purchases by name, and nothing of their folders. Of each name that has something
reserved, the folders say which of these it is:

- over, or nothing was asked for yet and nobody has it open: what it did not spend is free;
- gone, before any of its money was to move: all of it is free;
- gone later: its one-time key went with it, and what is reserved counts as spent for good;
- anything else, one folder that cannot be read among them: it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ledger.errors import LedgerError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_file import read_wish
from ledger.market.acquisition_states import Abandoned, Closed, Refused, Wished
from ledger.market.budget import Budget


def free_stale(budget: Budget, folders: Callable[[], Iterable[Path]]) -> None:
    """Free what a budget reserves for none of the purchases in ``folders``.

    Those must be all that the budget is of. Raises CorruptStoreError, StorageError.
    """
    reserved = budget.standing().reserved
    if not reserved:
        return
    # Listed now: a folder is there before anything is reserved for it.
    known, is_all_legible = _named(folders())
    for name in reserved:
        folder = known.get(name)
        if folder is not None:
            _settle(budget, name, folder)
        elif is_all_legible:
            budget.free(name)


def _named(folders: Iterable[Path]) -> tuple[dict[bytes, Path], bool]:
    """The folders by the names of their purchases, and whether every one says its name."""
    known: dict[bytes, Path] = {}
    is_all_legible = True
    for folder in folders:
        try:
            if (folder / "wish").exists():  # nothing is reserved before it is written
                known[read_wish(folder / "wish")[0]] = folder
        except (LedgerError, OSError):
            is_all_legible = False
    return known, is_all_legible


def _settle(budget: Budget, name: bytes, folder: Path) -> None:
    try:
        state = Acquisition.look(folder)[1]
    except LedgerError:
        return
    if isinstance(state, Closed | Abandoned):
        budget.settle(name, state.spent)
    elif isinstance(state, Refused):
        budget.settle(name, 0)
    elif isinstance(state, Wished):
        try:
            acquisition = Acquisition.open(folder)
        except LedgerError:  # whoever has it open may be about to ask
            return
        with acquisition:
            if isinstance(acquisition.state, Wished):
                budget.settle(name, 0)
