"""Where an atomic purchase is, by its folder and the chain; and `swap`, which brings it to its end.

`where` looks at nothing else, so a buyer that was killed anywhere goes on from there. Order
matters: money that is locked comes first, and units that are missing second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.messages import Reason
from ledger.exchange.swap_buyer import (
    Asking,
    BuyingEnd,
    FetchingLeaves,
    FetchingMasked,
    OpeningSwap,
)
from ledger.exchange.swap_chain import is_in_time
from ledger.exchange.swap_payment import (
    AwaitingKey,
    BoughtSwap,
    EndNotShownError,
    LockableSwap,
    OpeningUnits,
    RefundableSwap,
    ReturnedSwap,
    end_purchase,
    is_returned,
    shown_end,
)
from ledger.exchange.swap_purchase import BuyingStage, ChosenSale
from ledger.exchange.transport import Transport

BuyingState: TypeAlias = (
    Asking | LockableSwap | AwaitingKey | RefundableSwap | OpeningUnits | BoughtSwap | ReturnedSwap
)


def where(end: BuyingEnd) -> BuyingState:
    """Where the purchase is now.

    Raises `EndNotShownError` where the chain has the sale no more, and shows neither its key
    nor that the money is back; StorageError, and as the chain does.
    """
    purchase, sale = end.purchase, end.purchase.sale
    # Before the record: what was too late then is too late for the record.
    height = end.chain.height()
    if sale is None:
        return _without_sale(end, height)
    if sale.stage is BuyingStage.BOUGHT:
        return BoughtSwap(purchase)
    if sale.stage is BuyingStage.RETURNED:
        return ReturnedSwap(purchase)
    if sale.stage in (BuyingStage.KEYED, BuyingStage.COMPLAINING):
        return _missing(end, height) or OpeningUnits(end, sale)
    record = end.chain.sale(sale.sale)
    if record is None:
        return _after_end(end, sale, height)
    if record.key:
        return _with_key(end, sale, record.key, record.complaint_height)
    if record.reveal_height:
        if is_in_time(height, record.reveal_height):
            return AwaitingKey(record.reveal_height, height)
        return RefundableSwap(end, sale)
    if not is_in_time(height, record.lock_height):
        return _without_sale(end, height)
    return _missing(end, height) or LockableSwap(end, sale)


def swap(
    end: BuyingEnd,
    transport: Transport,
    wait: Callable[[int], None],
    told: Callable[[int, int], None] = lambda held, opened: None,
) -> BoughtSwap | ReturnedSwap:
    """Buy what a purchase is about, from where it was left.

    ``wait`` returns once the chain is higher than the height it is given, or after a while:
    what was waited for is looked at again. ``told`` hears how many masked units are here and
    how many are open, after each. A seller that cannot answer yet is asked again, whatever it
    was asked for; one that has forgotten the session is opened again, and what it sent wrong
    asked for again, once each.

    Raises BadUnitError, SellerRefusedError, VerificationError, MalformedError for what the
    seller does wrong; LateComplaintError; `EndNotShownError` and other RefusedError;
    CorruptStoreError, StorageError; and what chain, transport and ``wait`` raise. The purchase
    can be taken up again after any of them, and must be, once its price is locked: what is due
    back comes only to whoever asks in time.
    """
    purchase, tried, state = end.purchase, False, where(end)
    while not isinstance(state, BoughtSwap | ReturnedSwap):
        if isinstance(state, AwaitingKey):
            wait(state.height)
        elif isinstance(state, LockableSwap):
            state.lock()
        elif isinstance(state, RefundableSwap):
            state.refund()
        elif isinstance(state, OpeningUnits):
            state.open(lambda opened: told(purchase.held, opened))
        else:
            held, asking = purchase.held, state
            following: Asking | None = None
            try:
                following = asking.receive(transport.ask(asking.request()))
            except BadUnitError:
                if tried:
                    raise
                tried = True
            except SellerRefusedError as refusal:
                if refusal.reason is Reason.NOT_YET:
                    following = _after_waiting(end, asking, wait)
                elif refusal.reason is Reason.NO_SESSION and not tried:
                    tried, end.session = True, None
                else:
                    raise
            if purchase.held > held:
                tried = False
                told(purchase.held, purchase.opened.kept)
            if following is not None:
                state = following
                continue
        state = where(end)
    return state


def _after_waiting(
    end: BuyingEnd, asking: Asking, wait: Callable[[int], None]
) -> FetchingLeaves | None:
    """Wait for a seller that has no answer yet; what to ask then, if the folder does not say."""
    wait(asking.height if isinstance(asking, OpeningSwap) else end.chain.height())
    # Pages that are here are in no folder yet. Deadlines go on meanwhile.
    if isinstance(asking, FetchingLeaves) and isinstance(where(end), FetchingLeaves):
        return asking
    return None


def _without_sale(end: BuyingEnd, height: int) -> OpeningSwap | ReturnedSwap:
    """No sale can be locked: ask for one, unless the grant is over too."""
    if is_in_time(height, end.purchase.grant.expiry_height):
        return OpeningSwap(end, height)
    return ReturnedSwap(end.purchase)


def _after_end(end: BuyingEnd, sale: ChosenSale, height: int) -> BuyingState:
    """The chain has the sale no more, and this side has no key."""
    if sale.stage is BuyingStage.RECEIVING:
        return _without_sale(end, height)
    key = end.chain.revealed_key(sale.sale, sale.key_hash, end.granted)
    if key is not None:
        return _with_key(end, sale, key, 0)
    # An engine may keep a key back, and then everything that was paid for is needed yet.
    ended = shown_end(end, sale)
    if not is_returned(ended):
        raise EndNotShownError(
            "the price was paid for the key, and the chain does not show that",
            hint="take the purchase up again, with another engine of the chain if there is one",
        )
    end_purchase(end.purchase, sale, BuyingStage.RETURNED)
    return ReturnedSwap(end.purchase, ended)


def _with_key(end: BuyingEnd, sale: ChosenSale, key: bytes, complaint_height: int) -> BuyingState:
    """Keep the key: the chain forgets it when the sale ends."""
    keyed = replace(sale, stage=BuyingStage.KEYED, key=key, complaint_height=complaint_height)
    end.purchase.write(keyed)
    return where(end)


def _missing(end: BuyingEnd, height: int) -> Asking | None:
    """How to get what is not here yet."""
    purchase = end.purchase
    if purchase.units is not None and purchase.grant.count in (
        purchase.held,
        purchase.opened.kept,
    ):
        return None
    if end.session is None:
        return OpeningSwap(end, height)
    if purchase.units is None:
        return FetchingLeaves(end, end.session, ())
    return FetchingMasked(end, end.session)
