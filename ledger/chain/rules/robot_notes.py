"""Checkpoints of robots' logs as rules read them: strangers' notes, and the keys that count.

What the libraries say of a bad note becomes a code; what the state says of a robot was
checked when it was written, so there anything bad is damage, and stops the chain.
"""

from __future__ import annotations

from functools import lru_cache

from ledger.chain.codes import RefusalError, ResultCode
from ledger.checkpoint import Checkpoint
from ledger.ed25519 import PublicKey
from ledger.errors import CorruptStoreError, MalformedError
from ledger.note import KeyKind, SignedNote, VerifierKey


def read_note(note: bytes) -> tuple[SignedNote, Checkpoint]:
    """A checkpoint that nobody has vouched for. Raises RefusalError `BAD_CHECKPOINT`."""
    try:
        parsed = SignedNote.parse(note)
        return parsed, Checkpoint.parse(parsed.text)
    except MalformedError as error:
        raise RefusalError(ResultCode.BAD_CHECKPOINT, error.message) from error


# A robot anchors once a minute or so, with the key of the last time: to check the key anew
# would cost as much as to check the signature.
@lru_cache(maxsize=16_384)
def log_key(origin: str, key: bytes) -> VerifierKey:
    """The verifier key of a registered robot's log: named like the log, type 0x01.

    Raises CorruptStoreError for bytes that no registration lets through.
    """
    try:
        return VerifierKey(origin, KeyKind.ED25519, PublicKey(key))
    except MalformedError as error:
        raise CorruptStoreError(f"a robot's key in the state is none: {error.message}") from error
