"""What a presentation is tied to, so that it is good once and in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.errors import ParameterError

MIN_NONCE_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Binding:
    """The presentation header. Raises `ParameterError` for a nonce below 16 bytes.

    A presentation verifies under an equal binding only; that a nonce is not taken twice
    is for the verifier to see to.
    """

    nonce: bytes
    """fresh, and chosen by the verifier"""
    verifier: bytes
    """who verifies: a key, a log id, a chain id"""
    transaction: bytes
    """what the presentation authorises, without the presentation itself; may be empty"""

    def __post_init__(self) -> None:
        check_nonce(self.nonce)
        if not isinstance(self.verifier, bytes) or not self.verifier:
            raise ParameterError("a verifier is named by bytes, and not empty")
        if not isinstance(self.transaction, bytes):
            raise ParameterError("a transaction is bytes")


def check_nonce(nonce: bytes) -> None:
    """Raise `ParameterError` unless ``nonce`` is 16 bytes or more."""
    if not isinstance(nonce, bytes) or len(nonce) < MIN_NONCE_SIZE:
        raise ParameterError(f"a nonce is at least {MIN_NONCE_SIZE} bytes")
