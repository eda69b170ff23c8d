"""All purchases of one buyer on one chain, in one folder, and the budgets that they share.

::

    ROOT/<first 16 hex digits of the chain's id>/      mode 0700
      <first 16 hex digits of the offer>.<n>/          an acquisition, n from 1
        rest-to                                        the account that is paid back what is
                                                       left, 32 bytes; none: the fleet's pool
      budget-<asset>                                   `ledger.market.budget`
      paid/                                            `ledger.market.funding`

An acquisition that was refused, or stopped before anything was asked for, leaves nothing that
is of use: it is removed when its offer is wished for again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.durable_file import write_durably
from ledger.errors import LedgerError, RefusedError
from ledger.experience.private_folder import make_private_folder, remove_folder
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    AcquisitionState,
    Closed,
    Granted,
    Refused,
    Wished,
)
from ledger.market.budget import Budget
from ledger.market.reservations import free_stale
from ledger.market.uses import Uses
from ledger.market.wish import Mode, Wish
from ledger.storage.os_errors import storage_errors

_DIGITS: Final = 16
_REST: Final = "rest-to"
_BUDGET: Final = re.compile(r"budget-[0-9]{1,10}")
_FOLDER: Final = re.compile(r"([0-9a-f]{16})\.([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Shelved:
    """An acquisition as its folder says, whoever has it open."""

    folder: Path
    wish: Wish
    state: AcquisitionState

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done."""
        return isinstance(self.state, Closed | Refused | Abandoned)

    @property
    def is_had(self) -> bool:
        """Whether it was bought, to the end."""
        return isinstance(self.state, Closed)

    @property
    def is_naught(self) -> bool:
        """Whether nobody was asked, or nobody gave: nothing is lost with its folder."""
        return isinstance(self.state, Wished | Refused)

    @property
    def grant(self) -> bytes:
        """The id of its grant; nothing before it has one."""
        state = self.state
        return state.grant.grant if isinstance(state, Granted) else b""

    def require_mode(self, mode: Mode) -> None:
        """Refuse to go on with it otherwise than it was begun. Raises RefusedError."""
        if not self.is_had and self.wish.mode is not mode:
            how = "whole" if self.wish.mode is Mode.WHOLE else "chunk by chunk"
            raise RefusedError(
                f"a purchase of it is under way, {how}",
                hint="go on with that, or give it up first",
            )

    @property
    def rest_to(self) -> bytes | None:
        """The account that was said to get what is left; None: the fleet's pool. StorageError."""
        path = self.folder / _REST
        with storage_errors(path):
            return path.read_bytes() if path.exists() else None


class Shelf:
    """The purchases of a buyer on a chain. Methods raise StorageError and its kin."""

    def __init__(self, root: Path, chain: bytes) -> None:
        """``chain`` is its id, 32 bytes. Nothing is made before it is needed."""
        self.root: Final = root / chain.hex()[:_DIGITS]

    @property
    def paid(self) -> Path:
        """Where payments to one-time keys are kept."""
        return self.root / "paid"

    def budget(self, asset: int) -> Budget:
        """The budget of an asset, which may not be there; without what nothing needs any more."""
        budget = Budget(self.root / f"budget-{asset}")
        if budget.path.exists():
            free_stale(budget, self._folders)
        return budget

    def all(self) -> tuple[Shelved, ...]:
        """Every acquisition, those that are damaged left out, by offer and number."""
        return tuple(self._read(self._folders()))

    def of_offer(self, offer: bytes) -> tuple[Shelved, ...]:
        """Those of an offer, the oldest first."""
        named = [each for each in self._folders() if each.name.startswith(offer.hex()[:_DIGITS])]
        return tuple(each for each in self._read(named) if each.wish.offer == offer)

    def under_way(self) -> tuple[Shelved, ...]:
        """Those that were begun and are not over; what is given up is not among them."""
        return tuple(
            each
            for each in self.all()
            if not each.is_over and not isinstance(each.state, Abandoning)
        )

    def begin(self, wish: Wish, rest_to: bytes | None = None) -> Acquisition:
        """Begin an acquisition in a folder of its own, durably.

        ``rest_to`` is the account that is paid back what is left, 32 bytes; None: the pool.
        """
        make_private_folder(self.root)
        number = 1
        while True:
            folder = self.root / f"{wish.offer.hex()[:_DIGITS]}.{number}"
            if not folder.exists():
                try:
                    acquisition = Acquisition.begin(folder, wish)
                except RefusedError:  # another process was first
                    continue
                if rest_to is not None:
                    with storage_errors(folder):
                        write_durably(folder / _REST, rest_to)
                return acquisition
            number += 1

    def clear(self, offer: bytes, uses: Uses) -> None:
        """Remove what came to nothing of an offer. What another process has open stays.

        The uses that it took of the member's are free again, and so is what it reserved: nothing
        was submitted with them.
        Raises CorruptStoreError, StorageError.
        """
        for each in self.of_offer(offer):
            if not each.is_naught:
                continue
            try:
                acquisition = Acquisition.open(each.folder)
            except LedgerError:
                continue
            with acquisition:
                if isinstance(acquisition.state, Wished | Refused):
                    # First, so that whoever is killed in between leaves the name to do it again.
                    uses.release(acquisition.name)
                    for budget in self._budgets():
                        budget.settle(acquisition.name, 0)
                    remove_folder(each.folder)

    def _budgets(self) -> list[Budget]:
        with storage_errors(self.root):
            return [Budget(path) for path in self.root.iterdir() if _BUDGET.fullmatch(path.name)]

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        with storage_errors(self.root):
            found = [(match, each) for each in self.root.iterdir() if (match := _match(each))]
        return [each for _, each in sorted(found)]

    def _read(self, folders: list[Path]) -> Iterator[Shelved]:
        for folder in folders:
            try:
                wish, state = Acquisition.look(folder)
            except LedgerError:  # no wish was written yet, or it is damaged
                continue
            yield Shelved(folder, wish, state)


def _match(folder: Path) -> tuple[str, int] | None:
    found = _FOLDER.fullmatch(folder.name)
    return (found[1], int(found[2])) if found else None
