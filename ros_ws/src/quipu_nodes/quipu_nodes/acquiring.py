"""What the exchange node does with `ledger.market`; nothing of ROS is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path

from ledger.chain.codes import RefusalError
from ledger.chain.engines.service import EngineError
from ledger.errors import LedgerError, MalformedError, RefusedError, VerificationError
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.transport import TransportError
from ledger.market import paying
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    AcquisitionState,
    Closed,
    Granted,
    Kept,
    Streaming,
    Swapping,
)
from ledger.market.asking import wanted
from ledger.market.budget import Budget, OverBudgetError
from ledger.market.buying import (
    AcquisitionCancelledError,
    NothingSoldError,
    NotSoldWholeError,
    TooDearError,
    acquire,
)
from ledger.market.refusal import GrantRefusedError
from ledger.market.shelf import Shelf, Shelved
from ledger.market.tools import Cancelled, Progress, Told, Tools, tell_nobody
from ledger.market.uses import Uses
from ledger.market.wish import Mode, Wish
from ledger.wallet.payer import PayerClosing, PayerOpen


class End(Enum):
    """How a goal ended."""

    KEPT = auto()
    BOUGHT = auto()
    CANCELLED = auto()
    REFUSED = auto()
    TOO_DEAR = auto()
    SELLER_FAILED = auto()
    UNREACHABLE = auto()
    FAILED = auto()
    BUSY = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a goal ended, and where its acquisition stands."""

    end: End
    words: str = ""
    """For people, of what is no success."""
    code: int = 0
    """The chain's, if it refused something."""
    grant: bytes = b""
    record_id: bytes = b""
    index: int = 0
    """Of the recording's entry, if it is kept."""
    folder: Path | None = None
    paid: int = 0
    """So far; once it is bought, what it cost in all."""
    cause: LedgerError | None = None
    """What ``words`` say."""

    @property
    def is_success(self) -> bool:
        """Whether what was asked for is here."""
        return self.end in (End.KEPT, End.BOUGHT)


def carry_out(
    shelf: Shelf, tools: Tools, wish: Wish, told: Told, cancelled: Cancelled, *, again: bool = False
) -> Outcome:
    """Buy what is wished for, or go on with that; never raises LedgerError.

    What was bought already is not bought ``again`` unless that is said.
    """
    try:
        acquisition = _taken_up(shelf, Uses(tools.member), wish, again=again)
    except LedgerError as error:
        return Outcome(End.FAILED, str(error), cause=error)
    return _driven(shelf, tools, acquisition, told, cancelled)


def go_on(shelf: Shelf, tools: Tools, shelved: Shelved, cancelled: Cancelled) -> Outcome:
    """Go on with what nobody asks for now, where it was left; never raises LedgerError."""
    try:
        tools = replace(tools, rest_to=shelved.rest_to)
        acquisition = Acquisition.open(shelved.folder)
    except LedgerError as error:
        return Outcome(End.FAILED, str(error), cause=error)
    return _driven(shelf, tools, acquisition, tell_nobody, cancelled)


def _driven(
    shelf: Shelf, tools: Tools, acquisition: Acquisition, told: Told, cancelled: Cancelled
) -> Outcome:
    paid = 0

    def listen(progress: Progress) -> None:
        nonlocal paid
        paid = progress.paid
        told(progress)

    with acquisition:
        try:
            tools = replace(tools, budget=budget_of(shelf, tools, acquisition))
            acquire(acquisition, tools, listen, cancelled)
        except LedgerError as error:
            paid = max(paid, paid_by_stream(acquisition))
            return _standing(acquisition, _end_of(error, acquisition.state), paid, error)
        kept = isinstance(acquisition.state, Kept)
        return _standing(acquisition, End.KEPT if kept else End.BOUGHT, paid)


def _taken_up(shelf: Shelf, uses: Uses, wish: Wish, *, again: bool) -> Acquisition:
    for each in reversed(shelf.of_offer(wish.offer)):
        if isinstance(each.state, Abandoning):
            continue
        if not each.is_over and not each.is_naught:
            if wish.mode is Mode.WHOLE:
                each.require_mode(wish.mode)
            return Acquisition.open(each.folder)
        if each.is_had and not again:
            return Acquisition.open(each.folder)
    shelf.clear(wish.offer, uses)
    return shelf.begin(wish)


def budget_of(shelf: Shelf, tools: Tools, acquisition: Acquisition) -> Budget | None:
    """The budget of the asset that is paid with, if there is one."""
    state = acquisition.state
    if isinstance(state, Granted):
        asset = state.grant.asset
    else:
        asset = wanted(tools.chain, acquisition.wish.offer).terms.asset
    budget = shelf.budget(asset)
    return budget if budget.path.exists() else None


def _end_of(error: LedgerError, state: AcquisitionState) -> End:
    is_fetching = type(state) in (Streaming, Swapping)
    match error:
        case AcquisitionCancelledError():
            return End.CANCELLED
        case GrantRefusedError() | NotSoldWholeError():
            return End.REFUSED
        case OverBudgetError() | TooDearError():
            return End.TOO_DEAR
        case TransportError() | EngineError():
            return End.UNREACHABLE
        case SellerRefusedError() | NothingSoldError():
            return End.SELLER_FAILED
        case VerificationError() | MalformedError() | RefusedError() if is_fetching:
            return End.SELLER_FAILED
    return End.FAILED


def paid_by_stream(acquisition: Acquisition) -> int:
    """What a stream's channel has paid: for a chunk, too, that nobody was told of."""
    state = acquisition.state
    if type(state) is not Streaming or not state.channel:
        return 0
    try:
        payer = paying.one_time_wallet(acquisition.folder).payer(state.channel)
    except LedgerError:
        return 0
    try:
        return payer.paid if isinstance(payer, PayerOpen | PayerClosing) else 0
    finally:
        payer.release()


def _standing(
    acquisition: Acquisition, end: End, paid: int, cause: LedgerError | None = None
) -> Outcome:
    state = acquisition.state
    return Outcome(
        end,
        words="" if cause is None else str(cause),
        code=int(cause.code) if isinstance(cause, RefusalError) else 0,
        grant=state.grant.grant if isinstance(state, Granted) else b"",
        record_id=state.record_id if isinstance(state, Kept) else b"",
        index=state.index if isinstance(state, Kept) else 0,
        folder=acquisition.folder,
        paid=state.spent if isinstance(state, Closed | Abandoned) else paid,
        cause=cause,
    )
