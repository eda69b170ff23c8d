"""Who may open a session of an atomic sale, and those that are open; any thread may ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, VerificationError
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reason
from ledger.exchange.seller import SaleRefusedError
from ledger.exchange.session import EXCHANGE_TAG, Session, open_sale_statement
from ledger.exchange.swap_messages import SwapOpening

MAX_SESSIONS: Final = 64
"""Kept at a time; who is forgotten opens the same again."""


class SwapSessions:
    """In memory alone: whoever was forgotten, or asks after a restart, opens again."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._open: Final[OrderedDict[bytes, tuple[bytes, bytes, Session]]] = OrderedDict()

    def keep(self, grant: bytes, sale: bytes, session: Session) -> None:
        """Know a session, of the sale of this id under a grant."""
        with self._lock:
            self._open[session.session] = (grant, sale, session)
            self._open.move_to_end(session.session)
            if len(self._open) > MAX_SESSIONS:
                self._open.popitem(last=False)

    def find(self, name: bytes) -> tuple[bytes, bytes, Session] | None:
        """Grant, sale and session of a session's id, which was used just now."""
        with self._lock:
            found = self._open.get(name)
            if found is not None:
                self._open.move_to_end(name)
            return found

    def knows(self, name: bytes) -> bool:
        """Whether a session of this id is open."""
        with self._lock:
            return name in self._open

    def forget(self, grant: bytes) -> None:
        """Forget those under a grant, with their keys."""
        with self._lock:
            for name in [each for each, (of, *_) in self._open.items() if of == grant]:
                del self._open[name]


def require_signed(grant: Grant, opening: SwapOpening) -> None:
    """Refuse an opening that the grant's key did not sign. Raises SaleRefusedError."""
    statement = EXCHANGE_TAG + open_sale_statement(grant.chain, grant.grant, opening.session_key)
    try:
        PublicKey(grant.buyer).verify(opening.signature, statement)
    except (MalformedError, VerificationError) as error:
        raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
