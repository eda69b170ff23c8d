"""How a request becomes a reply, and a purchase that is driven to its end.

The protocol knows no transport: `Transport` takes bytes to the seller and brings bytes back,
in one process (`InProcess`), over a service or a socket (`ledger.exchange.socket_client`). A
reply may be lost: every request can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ledger.errors import LedgerError, MalformedError
from ledger.exchange.buyer import (
    Asking,
    BadUnitError,
    BoughtContent,
    BuyerState,
    FetchingDeed,
    HeldUnit,
    OpeningStream,
    SellerRefusedError,
    finish,
    go_without_deed,
)
from ledger.exchange.counter import Counter
from ledger.exchange.deed import BadDeedError, Promise
from ledger.exchange.messages import Reason, Reply
from ledger.exchange.purchase import Purchase
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import Wallet


class TransportError(LedgerError):
    """No reply came. The seller may have the request or not: asking again is safe."""


class NoSellerError(TransportError):
    """Nobody is there who sells."""


class SellerLostError(TransportError):
    """The seller went away over a request."""


class SellerSilentError(TransportError):
    """The seller took too long."""


class Transport(Protocol):
    """The way to one seller."""

    def ask(self, request: bytes) -> Reply:
        """The seller's reply. Raises TransportError, StorageError; asking again is safe."""
        ...


class InProcess:
    """The way to a seller in this process."""

    def __init__(self, counter: Counter) -> None:
        self._counter: Final = counter

    def ask(self, request: bytes) -> Reply:
        """The seller's reply."""
        return self._counter.answer(request)


def buy(
    purchase: Purchase,
    wallet: Wallet,
    payer: PayerOpen | None,
    transport: Transport,
    told: Callable[[int], None] = lambda kept: None,
    promise: Promise | None = None,
) -> BoughtContent:
    """Buy what a purchase is about, from where it was left.

    ``told`` hears how many units are here, after each. A seller that has forgotten the
    session is opened again, once between two units; a unit that does not open, or is not
    what was granted, is asked for once more without another payment, and no more.

    With the ``promise`` of the offer the deed is asked for too, and again by each call that
    finds it missing. A seller that gives none, or a false one, spoils nothing else:
    `BoughtContent.deed` says what became of it.

    Raises BadUnitError, SellerRefusedError, VerificationError, MalformedError for what the
    seller does wrong; RefusedError where the channel has too little; StorageError; and what
    the transport raises. The purchase can be taken up again after any of them.
    """
    opening = OpeningStream(purchase, wallet, payer, promise)
    state: BuyerState = finish(purchase, promise) or opening
    kept, tried = purchase.kept, False
    while not isinstance(state, BoughtContent):
        if purchase.kept > kept:
            kept, tried = purchase.kept, False
            told(kept)
        if isinstance(state, HeldUnit):
            state = state.pay()
            continue
        try:
            state = _step(state, transport)
        except BadUnitError:
            if tried:
                raise
            tried, state = True, opening
        except SellerRefusedError as refusal:
            if refusal.reason is Reason.NO_SESSION and not tried:
                tried, state = True, opening
            elif purchase.is_whole:
                state = go_without_deed(purchase, refusal)
            else:
                raise
        except (BadDeedError, MalformedError) as error:
            if not isinstance(state, FetchingDeed):
                raise
            state = go_without_deed(purchase, error)
    if purchase.kept > kept:
        told(purchase.kept)
    return state


def _step(state: Asking, transport: Transport) -> BuyerState:
    return state.receive(transport.ask(state.request()))
