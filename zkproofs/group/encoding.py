"""Sizes of the encodings, and the checks that come before any arithmetic.

    scalar   32 bytes, big-endian, below r
    G1       48 bytes: x; three flag bits at the top (zcash, "BLS12-381 serialization")
    G2       96 bytes: c1 of x, then c0; the same flags at the top of c1

The flags are 0x80 compressed (always), 0x40 infinity, 0x20 y is the larger root. The
identity is 0xc0 and zeros, nothing else.
"""

from __future__ import annotations

from typing import Final

from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group.expand import FIELD_MODULUS

SCALAR_SIZE: Final = 32
G1_SIZE: Final = 48
G2_SIZE: Final = 96
_INFINITY: Final = 0x40


def check_size(data: bytes, size: int, what: str) -> None:
    """Raise `DecodingError` unless ``data`` has ``size`` bytes; ``what`` names it."""
    if not isinstance(data, bytes):
        raise ParameterError(f"{what} is decoded from bytes, not {type(data).__name__}")
    if len(data) != size:
        raise DecodingError(f"{what} takes {size} bytes, not {len(data)}")


def is_identity(data: bytes, size: int, what: str, *, allow_identity: bool) -> bool:
    """Whether ``data`` encodes the identity.

    Raises `DecodingError` for a wrong length, for any other encoding with the infinity
    flag, and for the identity itself unless ``allow_identity``.
    """
    check_size(data, size, what)
    if not data[0] & _INFINITY:
        return False
    if data[0] != 0xC0 or any(data[1:]):
        raise DecodingError(f"{what} is an identity that is not canonically encoded")
    if not allow_identity:
        raise DecodingError(f"{what} is the identity")
    return True


def check_coordinate(value: int) -> None:
    """Raise `ParameterError` unless 0 <= ``value`` < p."""
    if not isinstance(value, int) or not 0 <= value < FIELD_MODULUS:
        raise ParameterError("an element of the base field is an integer from 0 to p - 1")
