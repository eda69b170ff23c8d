"""An acquisition that is bought whole, in an atomic sale: all of it, or the money back.

The seller puts up a deposit, gives everything masked, and shows the key once the price is
locked. A key that opens something else than was granted is complained of at once: price and
deposit come back then, as they do where no key comes in time. See `ledger.exchange`; what of a
sale has to last is in the acquisition's ``purchase`` folder (`ledger.exchange.swap_purchase`).

Deadlines are blocks. Whoever is away while its price is locked has the content all the same
from an honest seller; only from a cheat it has to complain in time: which purchases cannot
wait for anybody's asking is `ledger.market.locked_price`'s to say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import Final

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sale_end import Ending
from ledger.errors import RefusedError
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.deed import Deed, MissingDeed, Promise
from ledger.exchange.grant import Grant
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_chain import BuyingTerms, is_in_time
from ledger.exchange.swap_deed import ask_for_deed
from ledger.exchange.swap_driver import swap, where
from ledger.exchange.swap_payment import (
    AwaitingKey,
    BoughtSwap,
    LateComplaintError,
    OpeningUnits,
    RefundableSwap,
    ReturnedSwap,
)
from ledger.exchange.swap_purchase import BuyingStage, ChosenSale, SwapPurchase
from ledger.exchange.transport import Transport, TransportError
from ledger.market import paying
from ledger.market.acquisition_states import Bought, Swapping
from ledger.market.delivery import deliver
from ledger.market.swap_chain import ProvenSwapChain
from ledger.market.tools import AcquisitionCancelledError, Cancelled, Progress, Told, Tools
from ledger.schema.chain_sharing_pb2 import Terms

_TURN_S: Final = 1.0
"""How long a block is waited for before it is looked whether to go on at all."""
_DEED_S: Final = 30.0
"""How long a seller that gives no answer yet is asked for the deed of what is here."""
_DEED_TRIES: Final = 3
"""The same of one that cannot be reached."""
_COMPLAINT_BLOCKS: Final = 20
"""That a seller has to leave, to read the key and to complain; for many units it is more."""


class NotSoldWholeError(RefusedError):
    """The contract, or the recording, is not of those that are sold whole."""


class PriceLockedError(AcquisitionCancelledError):
    """It was stopped while its price is locked: a complaint is taken only in time."""


class Returned(Enum):
    """Why nothing was sold, the money being back."""

    WRONG_UNIT = "the seller cheats: its key opened another content than was granted"
    NO_KEY = "the seller did not show its key in time"
    NO_SALE = "no sale was made before the time for it was over"
    NOT_SHOWN = "nothing was sold, and the chain does not show any more how that came"


class NothingSoldError(RefusedError):
    """The acquisition is `Abandoned`: nothing was sold, and the money is back."""

    def __init__(self, why: Returned) -> None:
        is_lost = why in (Returned.WRONG_UNIT, Returned.NO_KEY)
        lost = ", with the deposit that it has lost" if is_lost else ""
        super().__init__(f"{why.value}; the money is back{lost}", hint="begin another acquisition")
        self.why = why


def require_sold_whole(terms: Terms, price: int, size: int) -> None:
    """Refuse what no atomic sale is of, before anybody is asked. Raises `NotSoldWholeError`."""
    hint = "buy it chunk by chunk"
    if not price or not size:
        raise NotSoldWholeError("what is free or empty is not sold whole", hint=hint)
    if not terms.deposit:
        raise NotSoldWholeError(
            "it is not sold whole: its contract has the seller put up no deposit", hint=hint
        )


def bought_already() -> RefusedError:
    """What somebody hears who gives up what was bought."""
    return RefusedError("all of it was bought and paid", hint="take it up again")


def begin_swap(folder: Path, grant: Grant) -> None:
    """Begin the purchase of an acquisition in ``folder``, durably, unless it was begun.

    Raises StorageError and its kin.
    """
    purchase = folder / "purchase"
    if not (purchase / "purchase").exists():
        SwapPurchase.create(purchase, grant).close()


def buy_whole(
    folder: Path, state: Swapping, tools: Tools, told: Told, cancelled: Cancelled
) -> Bought | ReturnedSwap:
    """Buy all of it, and deliver it with its deed, unless nothing was sold.

    Cancelled, it stops wherever it waits; not where the key is here. Raises
    `AcquisitionCancelledError`, and what `ledger.exchange.swap_driver.swap` raises.
    """
    with _opened(tools.chain, folder, state) as end, ExitStack() as held:
        buying = _Buying(end, state, tools, told, cancelled)
        way = tools.way(state.grant)
        if isinstance(way, AbstractContextManager):
            held.enter_context(way)
        ended = swap(end, way, buying.wait, buying.heard)
        if isinstance(ended, ReturnedSwap):
            return ended
        deliver(tools.chain, folder, ended.purchase, buying.deed(way), state.offer)
    return Bought(state.offer, state.record, state.grant, state.funded, b"")


def why_returned(chain: ProvenChain, ended: ReturnedSwap, state: Swapping) -> Returned:
    """Why nothing was sold, by how the sale ended on the chain. Raises as the chain does.

    That the money is back was proven before; by blocks, which the chain may have no more.
    """
    sale = ended.purchase.sale
    if sale is None:
        return Returned.NO_SALE
    if sale.key:
        return Returned.WRONG_UNIT
    end = ended.end or ProvenSwapChain(chain).ended(sale.sale, _granted(state))
    if end is None:
        # Where it was not seen to end, it was never locked.
        return Returned.NOT_SHOWN if sale.stage is BuyingStage.RETURNED else Returned.NO_SALE
    if end.ending is Ending.COMPLAINED:
        return Returned.WRONG_UNIT
    # A refund goes to the buyer only where a price was locked.
    return Returned.NO_KEY if end.lost(state.grant.price) else Returned.NO_SALE


def let_go(chain: ProvenChain, folder: Path, state: Swapping) -> int:
    """End what can be ended of a sale without its seller.

    0 once nothing is locked, or ever will be; else the last height at which it may. A refund
    or complaint that is due is made. Raises RefusedError where all of it turns out to be
    bought, or the chain takes no refund or complaint, `EndNotShownError` where it does not say
    whether the money is back; what the chain raises; StorageError.
    """
    with _opened(chain, folder, state) as end:
        while True:
            # Before the state: what is over then is over for the state.
            height, now = chain.height(), where(end)
            sale = end.purchase.sale
            match now:
                case BoughtSwap():
                    raise bought_already()
                case ReturnedSwap():
                    return 0
                case AwaitingKey():
                    return now.reveal_height
                case RefundableSwap():
                    now.refund()
                case OpeningUnits():
                    try:
                        now.open()
                    except LateComplaintError:
                        return 0
                case _:
                    return _last_height(sale, height)


def _last_height(sale: ChosenSale | None, height: int) -> int:
    """Up to which something can come of a sale whose seller would have to be asked now."""
    if sale is None or sale.stage is BuyingStage.RECEIVING:
        return 0
    last = sale.lock_height if sale.stage is BuyingStage.LOCKING else sale.complaint_height
    return last if is_in_time(height, last) else 0


class _Buying:
    """What a sale waits for, and whom it tells."""

    def __init__(
        self, end: BuyingEnd, state: Swapping, tools: Tools, told: Told, cancelled: Cancelled
    ) -> None:
        self._end: Final = end
        self._state: Final = state
        self._chain: Final = tools.chain
        self._told: Final = told
        self._cancelled: Final = cancelled

    def wait(self, height: int) -> None:
        """For a block after ``height``, or for a while: blocks come only with transactions."""
        self._require_wanted()
        self._chain.service.events(height + 1, _TURN_S)

    def heard(self, held: int, opened: int) -> None:
        """So many masked units are here, and so many are open."""
        self._told(Progress.of(self._state, max(held, opened), 0, opened))
        sale = self._end.purchase.sale
        if sale is None or sale.stage is BuyingStage.RECEIVING:
            self._require_wanted()

    def deed(self, way: Transport) -> Deed | MissingDeed | None:
        """The deed; None where the seller cannot be asked: all that was paid for is here."""
        promise, tries = Promise.of_record(self._state.offer), _DEED_TRIES
        until = time.monotonic() + _DEED_S
        while True:
            try:
                return ask_for_deed(self._end, way, promise)
            except TransportError:
                self._require_wanted()  # who is stopped has not asked often enough
                tries -= 1
                if not tries:
                    return None
            except SellerRefusedError:
                if time.monotonic() >= until:
                    return None
                self.wait(self._chain.height())

    def _require_wanted(self) -> None:
        if not self._cancelled():
            return
        purchase = self._end.purchase
        if purchase.sale is not None and purchase.sale.stage is BuyingStage.LOCKING:
            raise PriceLockedError(
                "the acquisition was stopped, and its price is locked",
                hint="take it up again soon: a key that is wrong is complained of only in time",
            )
        here = max(purchase.held, purchase.opened.kept)
        raise AcquisitionCancelledError(
            f"the acquisition was stopped, {here} of {purchase.grant.count} chunks are here",
            hint="take it up again",
        )


def _granted(state: Swapping) -> int:
    """The height of its grant."""
    return state.record.expiry_height - state.record.terms.grant_lifetime


@contextmanager
def _opened(chain: ProvenChain, folder: Path, state: Swapping) -> Iterator[BuyingEnd]:
    parameters = chain.parameters
    terms = BuyingTerms(
        least_complaint_blocks=max(_COMPLAINT_BLOCKS, parameters.min_challenge),
        fee=parameters.min_fee,
    )
    purchase = SwapPurchase.open(folder / "purchase")
    try:
        wallet = paying.one_time_wallet(folder)
        yield BuyingEnd(purchase, wallet, ProvenSwapChain(chain), terms, _granted(state))
    finally:
        purchase.close()
