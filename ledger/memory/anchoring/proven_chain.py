"""A chain whose every answer is verified from its bytes, and never gets older.

The light client behind it outlives the connection: an operator that shows a robot one
history today and another one tomorrow is found out by the robot itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from ledger.chain.account import Account
from ledger.chain.body import Message
from ledger.chain.header import Header
from ledger.chain.light.answer import VerifiedAnswer
from ledger.chain.light.client import LightClient
from ledger.chain.state_keys import account_key
from ledger.checkpoint import Checkpoint
from ledger.memory.anchoring.chain_port import ChainPort
from ledger.schema.canonical import parse_message
from ledger.schema.chain_receipt_pb2 import StateAnswer

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Proven(Generic[M]):
    """What the state has at a key, if anything, with the bytes that prove it."""

    record: M | None
    header: Header
    answer: bytes


class ProvenChain:
    """One connection, as far as its proofs go. Methods raise as the port does, and
    MalformedError, VerificationError, `ChainForkError`."""

    def __init__(self, port: ChainPort, client: LightClient) -> None:
        self.port = port
        self._client = client

    @property
    def chain(self) -> bytes:
        """The chain's id."""
        return self._client.trust.chain

    def read(self, kind: type[M], key: bytes) -> Proven[M]:
        """The record at a key of the newest state."""
        answer = self.port.answer(key)
        verified = self._verify(answer, key)
        record = (
            None
            if verified.value is None
            else parse_message(kind, verified.value, kind.DESCRIPTOR.name)
        )
        return Proven(record, verified.header, answer)

    def account(self, name: bytes) -> Account | None:
        """An account; None where nothing was ever paid to it."""
        key = account_key(name)
        row = self._verify(self.port.answer(key), key).value
        return None if row is None else Account.decode(row)

    def _verify(self, answer: bytes, key: bytes) -> VerifiedAnswer:
        return self._client.answer(answer, key, self._growth(answer))

    def _growth(self, answer: bytes) -> tuple[bytes, ...]:
        """The proof that the answer's checkpoint continues, or precedes, the one held."""
        held = self._client.size
        note = parse_message(StateAnswer, answer, "answer").checkpoint
        size = Checkpoint.of_note(note).size
        if not held or held == size:
            return ()
        return self.port.consistency(min(held, size), max(held, size))
