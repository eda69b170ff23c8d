"""How a log's question reaches a witness: one call, whatever carries it (tlog-witness)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from ledger.errors import LedgerError

MAX_ANSWER_SIZE: Final = 65_536
"""Longest answer of a witness that is read, in bytes."""


class Status(IntEnum):
    """What a witness answers to ``add-checkpoint``, as HTTP has it."""

    OK = 200
    BAD_REQUEST = 400
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    UNPROCESSABLE = 422
    UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body; a client believes neither."""

    status: int
    body: bytes = b""


class UnreachableError(LedgerError):
    """A witness that is down, too slow, or speaks another protocol."""


class WitnessTransport(Protocol):
    """The way to one witness."""

    def add_checkpoint(self, body: bytes) -> Answer:
        """Bring it a request (`AddCheckpointRequest.encode`), once.

        Returns within a time that the transport bounds. Raises `UnreachableError`.
        """
        ...
