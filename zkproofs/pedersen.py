"""Pedersen commitments: V = v·g + γ·h, hiding v perfectly, binding under discrete log.

``g`` and ``h`` are nothing-up-my-sleeve generators, so nobody knows log_g(h); a protocol
with points of its own passes them as `Bases`. Commitments add up: V + V' opens to
(v + v', γ + γ').

    opening   v as a 32-byte big-endian scalar || γ likewise      64 bytes

Values are integers modulo r. That v is small, or not "negative", is for a range proof
to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1, ORDER, SCALAR_SIZE, Scalar, group
from zkproofs.group.encoding import check_size
from zkproofs.group.generators import generators

BASES_TAG: Final = b"pedersen"
OPENING_SIZE: Final = 2 * SCALAR_SIZE


@dataclass(frozen=True, slots=True)
class Bases:
    """The points that the value and the blinding multiply; no one may know their relation."""

    value: G1
    """g"""
    blinding: G1
    """h"""


def default_bases() -> Bases:
    """The kit's own g and h, in the backend in force."""
    return Bases(*generators(BASES_TAG, 2))


@dataclass(frozen=True, slots=True, repr=False)
class Opening:
    """What opens a commitment. Secret: it does not show itself.

    Raises `ParameterError` unless 0 <= ``value`` < r.
    """

    value: int
    """v"""
    blinding: Scalar
    """γ"""

    def __post_init__(self) -> None:
        _check_value(self.value)

    def __repr__(self) -> str:
        return "Opening(<secret>)"

    def __add__(self, other: Self) -> Opening:
        """The opening of the sum of both commitments."""
        return Opening((self.value + other.value) % ORDER, self.blinding + other.blinding)

    def __sub__(self, other: Self) -> Opening:
        """The opening of the difference of both commitments."""
        return Opening((self.value - other.value) % ORDER, self.blinding - other.blinding)

    @classmethod
    def of(cls, value: int) -> Opening:
        """Open ``value`` with a fresh blinding."""
        return cls(value, group().random_scalar())

    def commitment(self, bases: Bases | None = None) -> G1:
        """What this opens."""
        return commit(self.value, self.blinding, bases)

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return self.value.to_bytes(SCALAR_SIZE, "big") + group().encode_scalar(self.blinding)

    @classmethod
    def from_bytes(cls, data: bytes) -> Opening:
        """Read `to_bytes`. Raises `DecodingError`."""
        check_size(data, OPENING_SIZE, "an opening")
        value, blinding = map(group().decode_scalar, (data[:SCALAR_SIZE], data[SCALAR_SIZE:]))
        return cls(int(value), blinding)


def commit(value: int, blinding: Scalar, bases: Bases | None = None) -> G1:
    """V = v·g + γ·h. Raises `ParameterError` unless 0 <= ``value`` < r."""
    _check_value(value)
    backend = group()
    bases = bases or default_bases()
    return backend.msm((bases.value, bases.blinding), (backend.scalar(value), blinding))


def verify_opening(commitment: G1, opening: Opening, bases: Bases | None = None) -> None:
    """Raise `VerificationError` unless ``opening`` opens ``commitment``."""
    if commit(opening.value, opening.blinding, bases) != commitment:
        raise VerificationError("the opening does not open the commitment")


def _check_value(value: int) -> None:
    if not isinstance(value, int) or not 0 <= value < ORDER:
        raise ParameterError("a committed value is an integer from 0 to r - 1")
