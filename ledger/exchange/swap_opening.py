"""Who may open a session of an atomic sale: whoever has the grant's key."""

from __future__ import annotations

from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, VerificationError
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reason
from ledger.exchange.seller import SaleRefusedError
from ledger.exchange.session import EXCHANGE_TAG, open_sale_statement
from ledger.exchange.swap_messages import SwapOpening


def require_signed(grant: Grant, opening: SwapOpening) -> None:
    """Refuse an opening that the grant's key did not sign. Raises SaleRefusedError."""
    statement = EXCHANGE_TAG + open_sale_statement(grant.chain, grant.grant, opening.session_key)
    try:
        PublicKey(grant.buyer).verify(opening.signature, statement)
    except (MalformedError, VerificationError) as error:
        raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
