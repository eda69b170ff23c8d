"""An action: one kind of transaction, as its rule makes it known.

A rule is a module with a tuple ``ACTIONS``. `check` looks at the message alone, also at
admission; `carry_out` at the state too, and there it may refuse half way, for what a refused
transaction wrote is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context, require
from ledger.chain.leaf import ID_SIZE

M_co = TypeVar("M_co", bound=Message, covariant=True)


@dataclass(frozen=True, slots=True)
class Action(Generic[M_co]):
    """One field of `TransactionBody.action`. Both functions raise `RefusalError`."""

    name: str
    message: type[M_co]
    check: Callable[[Any], None]
    carry_out: Callable[[Context, Any], None]


def require_id(name: bytes, what: str) -> None:
    """Refuse, with `FIELD_REFUSED`, what is not 32 bytes."""
    require(len(name) == ID_SIZE, ResultCode.FIELD_REFUSED, f"a {what} is {ID_SIZE} bytes")
