"""The state of a chain whose every answer is verified from its bytes, and never gets older.

The light client behind it outlives the connection: an operator that shows a robot one
history today and another one tomorrow is found out by the robot itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from ledger.chain.account import Account
from ledger.chain.body import Message
from ledger.chain.header import Header
from ledger.chain.light.answer import VerifiedAnswer
from ledger.chain.light.client import LightClient
from ledger.chain.proven.port import ChainPort
from ledger.chain.state_keys import account_key
from ledger.checkpoint import Checkpoint
from ledger.errors import NotFoundError, VerificationError
from ledger.schema.canonical import parse_message
from ledger.schema.chain_receipt_pb2 import StateAnswer

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Proven(Generic[M]):
    """What the state has at a key, if anything, with the bytes that prove it."""

    record: M | None
    header: Header
    answer: bytes


class ProvenState:
    """One connection, as far as its proofs go. Any thread may ask: one at a time is answered.

    Methods raise as the port does, and MalformedError, VerificationError, `ChainForkError`.
    """

    def __init__(self, port: ChainPort, client: LightClient) -> None:
        self.port = port
        self._client: Final = client
        self._one: Final = threading.RLock()

    @property
    def chain(self) -> bytes:
        """The chain's id."""
        return self._client.trust.chain

    def prove(self, kind: type[M], key: bytes) -> Proven[M]:
        """The record at a key of the newest state, with its proof."""
        verified, answer = self._answer(key)
        record = (
            None
            if verified.value is None
            else parse_message(kind, verified.value, kind.DESCRIPTOR.name)
        )
        return Proven(record, verified.header, answer)

    def read(self, kind: type[M], key: bytes) -> M | None:
        """The record at a key of the newest state; None where there is none."""
        return self.prove(kind, key).record

    def row(self, key: bytes) -> bytes | None:
        """What the newest state has at a key, as it stands there."""
        return self._answer(key)[0].value

    def account(self, name: bytes) -> Account | None:
        """An account; None where nothing was ever paid to it."""
        row = self.row(account_key(name))
        return None if row is None else Account.decode(row)

    def _answer(self, key: bytes) -> tuple[VerifiedAnswer, bytes]:
        # Under one lock: what another thread learns meanwhile would make this answer old.
        with self._one:
            answer = self.port.answer(key)
            note = parse_message(StateAnswer, answer, "answer").checkpoint
            return self._client.answer(answer, key, self._growth(note)), answer

    def _growth(self, note: bytes) -> tuple[bytes, ...]:
        """The proof that a checkpoint continues, or precedes, the one held."""
        held = self._client.size
        size = Checkpoint.of_note(note).size
        if not held or held == size:
            return ()
        try:
            return self.port.consistency(min(held, size), max(held, size))
        except NotFoundError as error:
            raise VerificationError(
                f"{held} leaves of the chain are known, and it cannot show that the {size} that it"
                " has now are of one history with them",
                hint="it is an older copy, or another chain under its name: ask its operator",
            ) from error
