"""An action: one kind of transaction, as its rule makes it known.

A rule is a module with a tuple ``ACTIONS``. `check` looks at the message alone, also at
admission; `carry_out` at the state too, and there it may refuse half way, for what a refused
transaction wrote is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from google.protobuf.message import Message

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context, require
from ledger.chain.leaf import ID_SIZE
from ledger.chain.presentation_claim import PresentationClaim
from ledger.chain.quality_claim import QualityClaim
from ledger.chain.working_state import WorkingState

MAX_ORIGIN: Final = 255
"""Bytes in the name of a robot's log."""

# Unicode's C0 and C1 controls and DEL, by number: what a library calls printable changes
# from version to version, and replicas may not.
_CONTROL: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f]")

M_co = TypeVar("M_co", bound=Message, covariant=True)


@dataclass(frozen=True, slots=True)
class Action(Generic[M_co]):
    """One field of `TransactionBody.action`. Both functions raise `RefusalError`."""

    name: str
    message: type[M_co]
    check: Callable[[Any], None]
    carry_out: Callable[[Context, Any], None]
    presents: Callable[[WorkingState, bytes, bytes], PresentationClaim] | None = None
    """Of an action that is asked for anonymously: what its presentation claims, by the state,
    the chain's id and the transaction's body. Its signer needs no account (it has one once
    the action was carried out), and its fee is the fleet's that the body names as sponsor."""
    proves: Callable[[bytes, bytes, Any], QualityClaim | None] | None = None
    """Of an action whose message holds proofs about itself alone: what they claim, by the chain's
    id, the signer and the message; None where they claim nothing that could be."""


def require_id(name: bytes, what: str) -> None:
    """Refuse, with `FIELD_REFUSED`, what is not 32 bytes."""
    require(len(name) == ID_SIZE, ResultCode.FIELD_REFUSED, f"a {what} is {ID_SIZE} bytes")


def require_text(text: str, limit: int, what: str) -> None:
    """Refuse, with `FIELD_REFUSED`, over ``limit`` bytes of UTF-8 or a control character."""
    require(
        len(text.encode("utf-8")) <= limit and not _CONTROL.search(text),
        ResultCode.FIELD_REFUSED,
        f"a {what} is at most {limit} bytes of UTF-8 without control characters",
    )


def require_origin(origin: str) -> None:
    """Refuse, with `FIELD_REFUSED`, what is too short or too long to name a log."""
    require(
        0 < len(origin.encode("utf-8")) <= MAX_ORIGIN,
        ResultCode.FIELD_REFUSED,
        f"an origin is 1 to {MAX_ORIGIN} bytes of UTF-8",
    )
