"""Answers: what the state after a block says of a key, or that it says nothing.

`verify_answer`, given the bytes of a StateAnswer, the key that was asked for and a `Trust`:

1. The message is in its one encoding.
2. Its header passes steps 2 to 5 of `signed_header`.
3. The state proof leads from the *caller's* key to the header's ``state_root``, and ends
   there (its value), or in the key that stands where this one would (`state.proof`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.chain.header import Header
from ledger.chain.light.signed_header import VerifiedHeader, require_size, verify_header
from ledger.chain.light.trust import Trust
from ledger.chain.state.hashing import MAX_VALUE_BYTES
from ledger.chain.state.proof import StateProof, verify_absence, verify_membership
from ledger.note import MAX_NOTE_SIZE
from ledger.schema.canonical import parse_message
from ledger.schema.chain_receipt_pb2 import StateAnswer

MAX_ANSWER_BYTES: Final = MAX_NOTE_SIZE + MAX_VALUE_BYTES + (1 << 16)
"""Beyond it nothing is read, in bytes."""


@dataclass(frozen=True, slots=True)
class VerifiedAnswer:
    """What a key had after a block. Made by `verify_answer`."""

    key: bytes
    value: bytes | None
    """None: the key was not there."""
    signed: VerifiedHeader

    @property
    def header(self) -> Header:
        """The header of the block. How old the answer is, its height and time say."""
        return self.signed.header


def verify_answer(data: bytes, key: bytes, trust: Trust) -> VerifiedAnswer:
    """Check an answer about ``key``, as the module says.

    It is of whatever height the header says; whether that is recent enough is for the
    caller to judge (`client`). Raises MalformedError, VerificationError.
    """
    require_size(data, MAX_ANSWER_BYTES, "answer")
    # 1. Form.
    message = parse_message(StateAnswer, data, "answer")
    # 2. Header.
    signed = verify_header(message.header, message.header_path, message.checkpoint, trust)
    # 3. State proof.
    proof, root = StateProof.from_bytes(message.proof), signed.header.state_root
    if proof.leaf is not None and proof.leaf[0] == key:
        return VerifiedAnswer(key, verify_membership(root, key, proof), signed)
    verify_absence(root, key, proof)
    return VerifiedAnswer(key, None, signed)
