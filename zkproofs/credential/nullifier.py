"""A robot's name in a scope: Nym = nym·OP, OP = hash_to_curve(scope).

Within one scope a robot has one nullifier, whatever credential it shows, so that a second
use is seen. Nullifiers of two scopes cannot be linked, nor one to a registration, by
whoever cannot decide Diffie-Hellman in G1. OP is hashed, so nobody knows its logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.credential.credential import Credential
from zkproofs.errors import ParameterError
from zkproofs.group import G1, G1_SIZE, group

SCOPE_DST: Final = b"QUIPU-ZKPROOFS-V1-NULLIFIER-SCOPE_BLS12381G1_XMD:SHA-256_SSWU_RO_"
NULLIFIER_SIZE: Final = G1_SIZE


@dataclass(frozen=True, slots=True)
class Nullifier:
    """Nym."""

    point: G1

    def to_bytes(self) -> bytes:
        """48 bytes, compressed: what to look for among the used ones."""
        return group().encode_g1(self.point)

    @classmethod
    def from_bytes(cls, data: bytes) -> Nullifier:
        """Read `to_bytes`. Raises `DecodingError`; the identity is none."""
        return cls(group().decode_g1(data))


def scope_point(scope: bytes) -> G1:
    """OP. Raises `ParameterError` for an empty scope."""
    if not isinstance(scope, bytes) or not scope:
        raise ParameterError("a scope is bytes, and not empty")
    return group().hash_to_g1(scope, SCOPE_DST)


def nullifier_of(credential: Credential, scope: bytes) -> Nullifier:
    """The nullifier that this credential's presentations show in ``scope``."""
    return Nullifier(scope_point(scope) * credential.nym)
