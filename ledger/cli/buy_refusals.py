"""What stops a purchase, in words for people, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ledger.cli.chain_names import money
from ledger.cli.failure import InterruptedByUserError
from ledger.errors import LedgerError, RefusedError, VerificationError
from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.messages import Reason
from ledger.exchange.swap_payment import LateComplaintError
from ledger.exchange.transport import NoSellerError, TransportError
from ledger.market.budget import OverBudgetError
from ledger.market.buying import AcquisitionCancelledError, TooDearError
from ledger.market.swapping import NotSoldWholeError, PriceLockedError
from ledger.market.tools import NobodySellsError
from ledger.market.wish import Mode
from ledger.schema.chain_payment_pb2 import Asset

_RESUME: Final = "`quipu buy --resume` goes on where it was"
_GIVE_UP: Final = "`quipu buy give-up` brings back what was not paid"
_REASONS: Final = {
    Reason.MALFORMED: ("does not understand the request", "update quipu at both ends"),
    Reason.NO_GRANT: ("does not know the grant, or it is over", _GIVE_UP),
    Reason.WRONG_SIGNATURE: ("takes the request for somebody else's", _GIVE_UP),
    Reason.NO_CHANNEL: (
        "sees no channel that pays, or one that leaves it too little time to answer its close",
        f"{_RESUME}, or {_GIVE_UP}",
    ),
    Reason.NO_SESSION: ("has forgotten the session", _RESUME),
    Reason.UNPAID: ("says that it was not paid", _RESUME),
    Reason.BAD_CLAIM: ("does not take the payment", _GIVE_UP),
    Reason.CHANNEL_ENDS: ("takes no payment any more, for the channel ends", _GIVE_UP),
    Reason.NO_SALE: ("does not sell it whole, or has ended the sale", _GIVE_UP),
    Reason.GONE: (
        "no longer gives the recording: erased, out of reach, or consent was withdrawn",
        _GIVE_UP,
    ),
}
"""Of `SellerRefusedError`: what the seller says, and what to do."""


@contextmanager
def told_plainly(asset: Asset, mode: Mode, paid: Callable[[], int]) -> Iterator[None]:
    """Say what stops the block, a purchase so, as people need it; amounts are of ``asset``."""
    try:
        yield
    except AcquisitionCancelledError as stopped:
        message = stopped.message.replace("the acquisition was ", "")
        if paid():
            message += f", {money(paid(), asset)} is paid"
        late = "; soon, for a wrong chunk is complained of only in time"
        is_locked = isinstance(stopped, PriceLockedError)
        hint = _RESUME + late if is_locked else _RESUME
        raise InterruptedByUserError(message, hint=hint) from None
    except NotSoldWholeError as error:
        error.hint = "buy it chunk by chunk: without --whole"
        raise
    except TooDearError as error:
        price, most = (money(number, asset) for number in (error.price, error.max_price))
        raise RefusedError(
            f"it costs {price}, and --max-price is {most}",
            hint="allow more, or look for a cheaper one: quipu market --sort cheapest",
        ) from error
    except OverBudgetError as error:
        needed, left = (money(number, asset) for number in (error.amount, error.left))
        raise RefusedError(
            f"it may cost {needed}, fees included, and the budget leaves {left} for it",
            hint="`quipu buy budget show` says why, and `budget set` changes it",
        ) from error
    except SellerRefusedError as refusal:
        says, do = _REASONS.get(refusal.reason, ("refuses", _GIVE_UP))
        raise RefusedError(f"the seller {says}", hint=do) from refusal
    except NobodySellsError as error:
        error.hint = (
            "nothing was asked for or paid: the seller runs `quipu sales serve`, or --from says"
            " where"
        )
        raise
    except NoSellerError as error:
        raise TransportError(
            "the seller's storefront is not there",
            hint=f"the seller runs `quipu sales serve`, or --from says where; {_RESUME}",
        ) from error
    except TransportError as error:
        error.hint = f"the seller runs `quipu sales serve`; then {_RESUME}"
        raise
    except BadUnitError as error:
        lost = "nothing was paid" if mode is Mode.WHOLE else "one chunk's price is lost"
        raise VerificationError(
            f"the seller cheats: {error.message}", hint=f"{lost}; {_GIVE_UP}"
        ) from error
    except LateComplaintError as error:
        raise VerificationError(
            f"the seller cheats: {error.message}", hint=f"the price is lost; {_GIVE_UP}"
        ) from error
    except LedgerError as error:
        error.hint = error.hint or _RESUME
        raise
