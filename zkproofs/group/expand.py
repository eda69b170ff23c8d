"""Hashing to bytes and to field elements of BLS12-381 (RFC 9380, sections 5.2 and 5.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeAlias

from zkproofs.errors import ParameterError

FIELD_MODULUS: Final = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab",
    16,
)
"""p, the characteristic of the field that G1's coordinates lie in."""

FIELD_SIZE: Final = 48
_ELEMENT_BYTES: Final = 64  # L = ceil((ceil(log2(p)) + k) / 8), k = 128
_MAX_DST: Final = 255
_OVERSIZE: Final = b"H2C-OVERSIZE-DST-"

_Hash: TypeAlias = Callable[..., "hashlib._Hash"]


class Expander(Enum):
    """The variants of expand_message; each value is the RFC's name in a suite's id."""

    XMD_SHA256 = "XMD:SHA-256"
    XMD_SHA512 = "XMD:SHA-512"
    XOF_SHAKE128 = "XOF:SHAKE-128"
    XOF_SHAKE256 = "XOF:SHAKE-256"


_FIXED: Final = {
    Expander.XMD_SHA256: hashlib.sha256,
    Expander.XMD_SHA512: hashlib.sha512,
}
# The hash, and the bytes that a too long tag is shortened to: 2k/8 with the hash's own k.
_EXTENDABLE: Final = {
    Expander.XOF_SHAKE128: (hashlib.shake_128, 32),
    Expander.XOF_SHAKE256: (hashlib.shake_256, 64),
}


def expand_message(
    message: bytes, dst: bytes, length: int, expander: Expander = Expander.XMD_SHA256
) -> bytes:
    """``length`` uniform bytes from ``message`` under the tag ``dst``.

    Raises `ParameterError` for an empty tag, or a length that the variant cannot give:
    at most 65,535 bytes, and for XMD at most 255 digests.
    """
    check_message(message)
    dst = shorten_tag(dst, expander)
    dst_prime = dst + bytes([len(dst)])
    if not isinstance(length, int) or not 0 < length <= 0xFFFF:
        raise ParameterError("expand_message gives 1 to 65,535 bytes")
    if expander in _EXTENDABLE:
        # 5.3.2: H(msg || I2OSP(len_in_bytes, 2) || DST || I2OSP(len(DST), 1), len_in_bytes)
        shake, _ = _EXTENDABLE[expander]
        return shake(message + length.to_bytes(2, "big") + dst_prime).digest(length)
    return _expand_xmd(message, dst_prime, length, _FIXED[expander])


def _expand_xmd(message: bytes, dst_prime: bytes, length: int, digest: _Hash) -> bytes:
    blank = digest()
    rounds = -(-length // blank.digest_size)
    if rounds > 255:
        raise ParameterError(f"expand_message gives at most 255 digests of {blank.name}")
    # 5.3.1: b_0 = H(Z_pad || msg || l_i_b_str || I2OSP(0, 1) || DST_prime)
    first = digest(
        bytes(blank.block_size) + message + length.to_bytes(2, "big") + b"\x00" + dst_prime
    ).digest()
    # b_i = H(strxor(b_0, b_(i - 1)) || I2OSP(i, 1) || DST_prime), b_1 from b_0 alone
    first_as_number = int.from_bytes(first, "big")
    previous = bytes(len(first))
    blocks = []
    for i in range(1, rounds + 1):
        mixed = first_as_number ^ int.from_bytes(previous, "big")
        previous = digest(mixed.to_bytes(len(first), "big") + bytes([i]) + dst_prime).digest()
        blocks.append(previous)
    return b"".join(blocks)[:length]


def check_message(message: bytes) -> None:
    """Raise `ParameterError` unless ``message`` is bytes."""
    if not isinstance(message, bytes):
        raise ParameterError(f"a message to hash is bytes, not {type(message).__name__}")


def shorten_tag(dst: bytes, expander: Expander) -> bytes:
    """``dst`` itself, or its hash where it is longer than 255 bytes (section 5.3.3).

    Raises `ParameterError` if it is empty (section 3.1).
    """
    if not isinstance(dst, bytes) or not dst:
        raise ParameterError("a domain separation tag is bytes, and not empty")
    if not isinstance(expander, Expander):
        raise ParameterError("the expander is a member of Expander")
    if len(dst) <= _MAX_DST:
        return dst
    if expander in _EXTENDABLE:
        shake, size = _EXTENDABLE[expander]
        return shake(_OVERSIZE + dst).digest(size)
    return _FIXED[expander](_OVERSIZE + dst).digest()


def hash_to_field(
    message: bytes, dst: bytes, count: int, expander: Expander = Expander.XMD_SHA256
) -> tuple[int, ...]:
    """``count`` elements of Fp; two of them are one of Fp2, c0 first (section 5.2)."""
    uniform = expand_message(message, dst, count * _ELEMENT_BYTES, expander)
    return tuple(
        int.from_bytes(uniform[start : start + _ELEMENT_BYTES], "big") % FIELD_MODULUS
        for start in range(0, len(uniform), _ELEMENT_BYTES)
    )
