"""Who may open a session of an atomic sale, and what the seller agrees to with it."""

from __future__ import annotations

from ledger.chain.codes import ResultCode
from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, VerificationError
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reason, Reply
from ledger.exchange.sale_refusal import SaleRefusedError, withdrawn
from ledger.exchange.session import (
    EXCHANGE_TAG,
    Session,
    agree,
    open_sale_statement,
    public_agreement_key,
    sale_opened_statement,
)
from ledger.exchange.swap_file import SwapRow
from ledger.exchange.swap_messages import SwapOpened, SwapOpening, encode_swap_opened
from ledger.exchange.swap_seller import EndedSwap, PreparedSwap, SwapState
from ledger.wallet.wallet import Wallet


def require_signed(grant: Grant, opening: SwapOpening) -> None:
    """Refuse an opening that the grant's key did not sign. Raises SaleRefusedError."""
    statement = EXCHANGE_TAG + open_sale_statement(grant.chain, grant.grant, opening.session_key)
    try:
        PublicKey(grant.buyer).verify(opening.signature, statement)
    except (MalformedError, VerificationError) as error:
        raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error


def require_open(state: SwapState) -> None:
    """Refuse a sale that the chain does not have, or not for a buyer. Raises SaleRefusedError."""
    if isinstance(state, PreparedSwap):
        if state.refusal is ResultCode.CONSENT_WITHDRAWN:
            raise withdrawn()
        if state.refusal is not None:
            raise SaleRefusedError(Reason.NO_SALE, f"the chain says {state.refusal.name}")
        raise SaleRefusedError(Reason.NOT_YET, "the sale is not on the chain yet")
    if isinstance(state, EndedSwap) and not state.is_sold:
        raise SaleRefusedError(Reason.NO_SALE, "the sale under this grant has ended")


def agree_on(row: SwapRow, opening: SwapOpening, wallet: Wallet) -> tuple[Session, Reply]:
    """The session of an opening, and the seller's signed reply. Raises SaleRefusedError."""
    public = public_agreement_key(row.agreement)
    try:
        session = agree(opening.encoded, row.agreement, opening.session_key, public)
    except VerificationError as error:
        raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
    signature = wallet.sign_exchange(sale_opened_statement(opening.encoded, public, row.sale))
    return session, encode_swap_opened(SwapOpened(public, signature, row.sale))
