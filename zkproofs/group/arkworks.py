"""The default backend: py-arkworks-bls12381, a wheel around arkworks (Rust).

Its own elements are used as they are. What it leaves to the caller is done here:

* ``from_compressed_bytes`` takes encodings of infinity that are not canonical;
* ``multiexp_unchecked`` truncates to the shorter list without a word;
* ``pairing_check([], [])`` is true;
* ``G1Point()`` and ``G2Point()`` are the generators, not the identity;
* ``to_compressed_bytes`` exists on points of both groups.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

import py_arkworks_bls12381 as wheel

from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group.encoding import (
    G1_SIZE,
    G2_SIZE,
    SCALAR_SIZE,
    check_coordinate,
    check_size,
    is_identity,
)
from zkproofs.group.expand import (
    FIELD_MODULUS,
    FIELD_SIZE,
    Expander,
    check_message,
    hash_to_field,
    shorten_tag,
)
from zkproofs.group.interface import G1, G2, GT, ORDER, Scalar

# The wheel's classes are taken for the interface's as they are, here and nowhere else.
_Scalar: Any = wheel.Scalar
_G1: Any = wheel.G1Point
_G2: Any = wheel.G2Point
_GT: Any = wheel.GT
for _kind, _native in ((Scalar, _Scalar), (G1, _G1), (G2, _G2), (GT, _GT)):
    _kind.register(_native)

_LAMBDA: Final = 0xAC45A4010001A40200000000FFFFFFFF
"""λ = z² - 1, where z = -0xd201000000010000 makes the curve; λ² + λ + 1 = r"""
_BETA: Final = int(
    "1a0111ea397fe699ec02408663d4de85aa0d857d89759ad4897d29650fb85f9b409427eb4f49fffd8bfd00000000aaac",
    16,
)
"""β, a third root of one modulo p"""
_HALVED: Final = (range(1, 65), range(257, 385))
"""Numbers of points for which two scalars of 128 bits are faster than one of 255.

The wheel takes windows of 6 bits from 33 points on, of 7 from 129 and of 8 from 257.
"""

_FOREIGN: Final = "an element is of another kind, or of another backend than arkworks"


class ArkworksGroup:
    """BLS12-381 by arkworks."""

    name: Final = "arkworks"

    def __init__(self) -> None:
        self._g1: G1 = _G1()
        self._g2: G2 = _G2()
        self._g1_identity: G1 = _G1.identity()
        self._g2_identity: G2 = _G2.identity()

    @property
    def g1(self) -> G1:
        """The standard generator of G1."""
        return self._g1

    @property
    def g2(self) -> G2:
        """The standard generator of G2."""
        return self._g2

    @property
    def g1_identity(self) -> G1:
        """The neutral element of G1."""
        return self._g1_identity

    @property
    def g2_identity(self) -> G2:
        """The neutral element of G2."""
        return self._g2_identity

    def scalar(self, value: int) -> Scalar:
        """``value`` modulo r."""
        if not isinstance(value, int):
            raise ParameterError(f"a scalar is made of an int, not {type(value).__name__}")
        # Five times as fast as Scalar(int), which does not take negative ones either.
        reduced: Scalar = _Scalar.from_be_bytes((value % ORDER).to_bytes(SCALAR_SIZE, "big"))
        return reduced

    def random_scalar(self) -> Scalar:
        """A fresh uniform scalar that is not zero."""
        return self.scalar(1 + secrets.randbelow(ORDER - 1))

    def inverse(self, scalar: Scalar) -> Scalar:
        """1 / ``scalar``."""
        native = _of_kind(scalar, _Scalar)
        try:
            inverted: Scalar = native.inverse()
        except ZeroDivisionError:
            raise ParameterError("zero has no inverse") from None
        return inverted

    def encode_scalar(self, scalar: Scalar) -> bytes:
        """32 bytes, big-endian."""
        encoded: bytes = _of_kind(scalar, _Scalar).to_be_bytes()
        return encoded

    def decode_scalar(self, data: bytes) -> Scalar:
        """Read 32 big-endian bytes that are below r."""
        check_size(data, SCALAR_SIZE, "a scalar")
        try:
            scalar: Scalar = _Scalar.from_be_bytes(data)
        except ValueError:
            raise DecodingError("a scalar is not below the group's order") from None
        return scalar

    def encode_g1(self, point: G1) -> bytes:
        """48 bytes, compressed."""
        encoded: bytes = _of_kind(point, _G1).to_compressed_bytes()
        return encoded

    def decode_g1(self, data: bytes, *, allow_identity: bool = False) -> G1:
        """Read 48 bytes, canonical and in the subgroup."""
        if is_identity(data, G1_SIZE, "a point of G1", allow_identity=allow_identity):
            return self._g1_identity
        point: G1 = _decode_point(data, _G1, "a point of G1")
        return point

    def encode_g2(self, point: G2) -> bytes:
        """96 bytes, compressed."""
        encoded: bytes = _of_kind(point, _G2).to_compressed_bytes()
        return encoded

    def decode_g2(self, data: bytes, *, allow_identity: bool = False) -> G2:
        """Read 96 bytes, canonical and in the subgroup."""
        if is_identity(data, G2_SIZE, "a point of G2", allow_identity=allow_identity):
            return self._g2_identity
        point: G2 = _decode_point(data, _G2, "a point of G2")
        return point

    def msm(self, points: Sequence[G1], scalars: Sequence[Scalar]) -> G1:
        """The sum of pointᵢ * scalarᵢ."""
        total: G1 = _msm(points, scalars, _G1)
        return total

    def msm_public(self, points: Sequence[G1], scalars: Sequence[Scalar]) -> G1:
        """The same sum, with scalars of half the length where that is faster.

        φ(x, y) = (β·x, y) is λ·P for every P of the subgroup (Gallant, Lambert, Vanstone,
        CRYPTO 2001), and with s = b·λ + a, where a and b are below 2^128,

            Σ s·P = Σ a·P + Σ b·φ(P)

        takes up to a sixth less time for as many points as `_HALVED` says.
        """
        halved = any(len(points) in counts for counts in _HALVED)
        if not halved or len(points) != len(scalars):
            return self.msm(points, scalars)
        all_points: list[G1] = []
        halves: list[Scalar] = []
        for point, scalar in zip(points, scalars, strict=True):
            high, low = divmod(int(_of_kind(scalar, _Scalar)), _LAMBDA)
            all_points.append(point)
            halves.append(self.scalar(low))
            if high:
                all_points.append(_endomorphism(point))
                halves.append(self.scalar(high))
        return self.msm(all_points, halves)

    def msm_g2(self, points: Sequence[G2], scalars: Sequence[Scalar]) -> G2:
        """The same sum in G2."""
        total: G2 = _msm(points, scalars, _G2)
        return total

    def map_to_g1(self, element: int) -> G1:
        """RFC 9380 map_to_curve and clear_cofactor."""
        check_coordinate(element)
        point: G1 = _G1.map_from_fp_be(element.to_bytes(FIELD_SIZE, "big"))
        return point

    def map_to_g2(self, element: tuple[int, int]) -> G2:
        """RFC 9380 map_to_curve and clear_cofactor of c0 + c1·u."""
        c0, c1 = element
        check_coordinate(c0)
        check_coordinate(c1)
        data = c0.to_bytes(FIELD_SIZE, "big") + c1.to_bytes(FIELD_SIZE, "big")
        point: G2 = _G2.map_from_fp2_be(data)
        return point

    def hash_to_g1(
        self, message: bytes, dst: bytes, expander: Expander = Expander.XMD_SHA256
    ) -> G1:
        """RFC 9380 hash_to_curve."""
        if expander is Expander.XMD_SHA256:
            # The wheel knows this suite, and clears the cofactor once instead of twice.
            check_message(message)
            point: G1 = _G1.hash_to_curve(message, shorten_tag(dst, expander))
            return point
        u0, u1 = hash_to_field(message, dst, 2, expander)
        return self.map_to_g1(u0) + self.map_to_g1(u1)

    def hash_to_g2(
        self, message: bytes, dst: bytes, expander: Expander = Expander.XMD_SHA256
    ) -> G2:
        """RFC 9380 hash_to_curve."""
        if expander is Expander.XMD_SHA256:
            check_message(message)
            point: G2 = _G2.hash_to_curve(message, shorten_tag(dst, expander))
            return point
        a0, a1, b0, b1 = hash_to_field(message, dst, 4, expander)
        return self.map_to_g2((a0, a1)) + self.map_to_g2((b0, b1))

    def pairing(self, p: G1, q: G2) -> GT:
        """e(p, q)."""
        try:
            value: GT = _GT.pairing(p, q)
        except TypeError:
            raise ParameterError(_FOREIGN) from None
        return value

    def pairing_product_is_one(self, pairs: Sequence[tuple[G1, G2]]) -> bool:
        """Whether the product of e(pᵢ, qᵢ) is one."""
        if not pairs:
            raise ParameterError("a pairing product needs at least one pair")
        try:
            one: bool = _GT.pairing_check([p for p, _ in pairs], [q for _, q in pairs])
        except TypeError:
            raise ParameterError(_FOREIGN) from None
        return one


def _endomorphism(point: Any) -> Any:
    """φ; no check is needed of what comes of a point of the subgroup."""
    encoded: bytes = _of_kind(point, _G1).to_xy_bytes_be()
    x = int.from_bytes(encoded[:FIELD_SIZE], "big") * _BETA % FIELD_MODULUS
    return _G1.from_xy_bytes_unchecked_be(x.to_bytes(FIELD_SIZE, "big") + encoded[FIELD_SIZE:])


def _of_kind(element: object, kind: Any) -> Any:
    if type(element) is not kind:
        raise ParameterError(_FOREIGN)
    return element


def _decode_point(data: bytes, kind: Any, what: str) -> Any:
    try:
        point = kind.from_compressed_bytes(data)
    except ValueError:
        raise DecodingError(f"{what} is not one of its subgroup, canonically encoded") from None
    if point.to_compressed_bytes() != data:
        raise DecodingError(f"{what} is not canonically encoded")
    return point


def _msm(points: Sequence[Any], scalars: Sequence[Any], kind: Any) -> Any:
    if len(points) != len(scalars):
        raise ParameterError(f"{len(points)} points for {len(scalars)} scalars")
    try:
        return kind.multiexp_unchecked(points, scalars)
    except TypeError:
        raise ParameterError(_FOREIGN) from None
