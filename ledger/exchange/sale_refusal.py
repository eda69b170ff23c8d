"""When a seller gives nothing under a grant, or nothing more, and what it tells the buyer then."""

from __future__ import annotations

from ledger.ed25519 import PublicKey
from ledger.errors import LedgerError, MalformedError, VerificationError
from ledger.exchange.grant import Grant, SaleChain
from ledger.exchange.messages import DeedFetch, Fetch, Opening, Reason
from ledger.exchange.session import EXCHANGE_TAG, Session, open_statement


class SaleRefusedError(LedgerError):
    """A request that the seller does not grant; the reason is what the buyer is told."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def end_of(chain: SaleChain, grant: Grant) -> SaleRefusedError | None:
    """Why nothing is sold under a grant any more; None while it may be. Raises as the chain does.

    It is over, or consent to what it is about is withdrawn.
    """
    if chain.height() > grant.expiry_height:
        return SaleRefusedError(Reason.NO_GRANT, "the grant is over")
    if chain.is_withdrawn(grant):
        return withdrawn()
    return None


def require_consent(chain: SaleChain, grant: Grant) -> None:
    """Refuse what consent is withdrawn of, whether the grant is over or not.

    Raises SaleRefusedError, and as the chain does.
    """
    if chain.is_withdrawn(grant):
        raise withdrawn()


def withdrawn() -> SaleRefusedError:
    """The refusal of what consent is withdrawn of: as after an erasure, nobody has it now."""
    return SaleRefusedError(Reason.GONE, "consent to the use of the recording was withdrawn")


def require_code(fetch: Fetch | DeedFetch, session: Session) -> None:
    """Refuse a request whose code is not the session's. Raises SaleRefusedError."""
    try:
        fetch.check(session)
    except VerificationError as error:
        raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error


def require_signed(grant: Grant, opening: Opening) -> None:
    """Refuse an opening that the grant's key did not sign. Raises SaleRefusedError."""
    statement = EXCHANGE_TAG + open_statement(
        grant.chain, grant.grant, opening.channel, opening.session_key
    )
    try:
        PublicKey(grant.buyer).verify(opening.signature, statement)
    except (MalformedError, VerificationError) as error:
        raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
