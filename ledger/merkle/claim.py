"""What every verifier checks of its inputs before it hashes anything.

Sizes, indices and roots come from the caller, never from the proof. Inputs that
are not numbers or hashes at all raise `MalformedError`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.errors import MalformedError
from ledger.merkle.hashing import HASH_SIZE, MAX_SIZE


def require_count(value: int, name: str) -> None:
    """Refuse a size or index that is not an integer in 0 .. 2**63 - 1.

    Raises:
        MalformedError: it is not; booleans are not integers here.
    """
    if type(value) is not int:
        raise MalformedError(f"{name} is a {type(value).__name__}, not an integer")
    if not 0 <= value <= MAX_SIZE:
        raise MalformedError(f"{name} is outside 0 .. 2^63 - 1")


def require_hash(value: bytes, name: str) -> None:
    """Refuse what is not 32 bytes.

    Raises:
        MalformedError: it is not.
    """
    if type(value) is not bytes or len(value) != HASH_SIZE:
        raise MalformedError(f"{name} is not {HASH_SIZE} bytes")


def require_proof(proof: Sequence[bytes]) -> None:
    """Refuse a proof that is not a sequence of 32-byte hashes.

    Raises:
        MalformedError: it is not.
    """
    if not isinstance(proof, (tuple, list)):
        raise MalformedError(f"proof is a {type(proof).__name__}, not a sequence of hashes")
    for position, step in enumerate(proof):
        if type(step) is not bytes or len(step) != HASH_SIZE:
            raise MalformedError(f"proof hash {position} is not {HASH_SIZE} bytes")
