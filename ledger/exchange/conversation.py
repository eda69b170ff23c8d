"""Which conversation a request belongs to: all that a carrier has to know of it.

::

    OpenStream              SHA256(OpenStream)[:16], the session that it begins
    FetchUnit, FetchDeed    the session that it names
"""

from __future__ import annotations

from ledger.exchange.messages import Opening, parse_request
from ledger.exchange.session import session_id


def conversation_of(request: bytes) -> bytes:
    """What the requests of one conversation have in common, 16 bytes.

    Raises MalformedError for what is no request.
    """
    ask = parse_request(request)
    return session_id(ask.encoded) if isinstance(ask, Opening) else ask.session
