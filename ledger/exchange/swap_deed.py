"""The deed of what was bought whole: asked for once the key is out, as of a stream.

The seller gives it in a session of the sale, from when its key is on the chain until the grant
is over; not where the money went back. What became of it is in the purchase's folder
(`ledger.exchange.deed_file`).
"""

from __future__ import annotations

from ledger.errors import MalformedError, RefusedError, VerificationError
from ledger.exchange.buyer import SellerRefusedError, deed_fault
from ledger.exchange.deed import Deed, MissingDeed, Promise, check_deed, open_deed
from ledger.exchange.deed_file import read_deed, write_deed
from ledger.exchange.messages import DeedReply, Reason, Refused, encode_deed_fetch, parse_reply
from ledger.exchange.session import Session
from ledger.exchange.swap_buyer import BuyingEnd, OpeningSwap
from ledger.exchange.swap_purchase import BuyingStage
from ledger.exchange.transport import Transport


def ask_for_deed(end: BuyingEnd, transport: Transport, promise: Promise) -> Deed | MissingDeed:
    """The deed of a content that was bought; asked for again by each call that finds it missing.

    Raises RefusedError for what was not bought yet, SellerRefusedError where the seller has no
    answer yet, StorageError, and what chain and transport raise. A seller that gives none, or a
    false one, spoils nothing else.
    """
    purchase = end.purchase
    if purchase.sale is None or purchase.sale.stage is not BuyingStage.BOUGHT:
        raise RefusedError("it is not bought yet", hint="take the purchase up first")
    kept = read_deed(purchase.folder)
    if isinstance(kept, Deed):
        return kept
    outcome: Deed | MissingDeed
    try:
        outcome = _fetch(end, transport)
        check_deed(outcome, purchase.grant, promise)
    except (SellerRefusedError, MalformedError, VerificationError) as error:
        if isinstance(error, SellerRefusedError) and error.reason is Reason.NOT_YET:
            raise
        outcome = MissingDeed(deed_fault(error))
    write_deed(purchase.folder, outcome)
    return outcome


def _fetch(end: BuyingEnd, transport: Transport) -> Deed:
    for is_last in (end.session is None, True):
        session = end.session or _opened(end, transport)
        answer = parse_reply(transport.ask(encode_deed_fetch(session, None)))
        if isinstance(answer, DeedReply):
            return open_deed(answer.sealed, answer.salt, end.purchase.grant, session)
        if not isinstance(answer, Refused):
            raise MalformedError("the reply is not to what was asked for")
        if answer.reason is not Reason.NO_SESSION or is_last:
            raise SellerRefusedError(answer.reason)
        end.session = None
    raise SellerRefusedError(Reason.NO_SESSION)


def _opened(end: BuyingEnd, transport: Transport) -> Session:
    opening = OpeningSwap(end, end.chain.height())
    opening.receive(transport.ask(opening.request()))
    if end.session is None:
        raise MalformedError("an opening that opened nothing")
    return end.session
