"""Which conversation a request belongs to: all that a carrier has to know of it.

::

    OpenStream, OpenSale                             SHA256(of it)[:16], the session that it begins
    FetchUnit, FetchDeed, FetchLeaves, FetchMasked   the session that it names
"""

from __future__ import annotations

from ledger.errors import MalformedError
from ledger.exchange.messages import DeedFetch, Fetch, Opening, parse_request
from ledger.exchange.session import session_id
from ledger.exchange.swap_messages import PartFetch, SwapOpening, parse_swap_request


def conversation_of(request: bytes) -> bytes:
    """What the requests of one conversation have in common, 16 bytes.

    Raises MalformedError for what is no request.
    """
    try:
        ask: Opening | Fetch | DeedFetch | SwapOpening | PartFetch = parse_request(request)
    except MalformedError:
        ask = parse_swap_request(request)
    if isinstance(ask, Opening | SwapOpening):
        return session_id(ask.encoded)
    return ask.session
