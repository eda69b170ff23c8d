"""Driving an acquisition: to its end, from wherever it stopped, or out of it again.

Each step leads from one state to the next, which is on disk before anything else is done. A
step that was cut off is done again: requests and transactions as the same bytes, units that
were paid without paying.
"""

from __future__ import annotations

from ledger.errors import LedgerError, RefusedError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Abandoned, Closed, Kept
from ledger.market.tools import Cancelled, Told, Tools, never, tell_nobody


class AcquisitionCancelledError(LedgerError):
    """Somebody stopped it, between two steps or two units. It can be taken up again."""


class TooDearError(RefusedError):
    """It costs more than the wish allows. Nothing was spent."""


class NotYetError(LedgerError):
    """The close of a channel can still be challenged. ``until`` is the last height of that."""

    def __init__(self, until: int) -> None:
        super().__init__(
            f"what is left comes back after block {until}", hint="give it up again then"
        )
        self.until = until


def acquire(
    acquisition: Acquisition,
    tools: Tools,
    told: Told = tell_nobody,
    cancelled: Cancelled = never,
) -> Closed | Kept:
    """Drive an acquisition to its end: `Kept`, or `Closed` where ``tools`` have no home.

    Raises:
    `GrantRefusedError`, for good, with the chain's code: nothing is reserved any more.
    `OverBudgetError`, `TooDearError`: nothing was spent; the acquisition stays as it is.
    `AcquisitionCancelledError`: ``cancelled`` said so.
    `SellerRefusedError`, BadUnitError, VerificationError, MalformedError: the seller cheats, or
    gives no more; ask again, or `abandon`.
    `EngineError`, NotIncludedError, what the transport raises: later.
    RefusedError for an acquisition that was given up or refused before, or whose credential
    does not have what is to be shown; KeyStoreError, CorruptStoreError, StorageError.
    """
    raise NotImplementedError


def abandon(acquisition: Acquisition, tools: Tools) -> Abandoned:
    """Give an acquisition up: close its channel, and bring back what was not paid.

    The seller has what was paid to it: one unit at most that did not come. May be called again
    and again. Raises `NotYetError` while the close can be challenged; RefusedError for one that
    is `Bought`, or further; `EngineError`, StorageError and their kin.
    """
    raise NotImplementedError
