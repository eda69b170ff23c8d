"""The independent reference: py_ecc, BLS12-381 in pure Python.

Twenty to four hundred times as slow as arkworks, and written by other people: what both
agree on is not a quirk of either. Field, curve and pairing arithmetic, the SSWU map and
the compressed encoding are py_ecc's. Here are its operators, the loop over many
scalars, and what it leaves to the caller:

* its ``multiply`` recurses once a bit of the scalar;
* its ``eq`` calls (0, 0, 0), which doubling infinity twice gives, equal to everything;
* decoding checks the curve but not the subgroup.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self, TypeVar

from py_ecc import optimized_bls12_381
from py_ecc.bls import point_compression
from py_ecc.optimized_bls12_381.constants import H_EFF_G1, H_EFF_G2

from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group.encoding import (
    G1_SIZE,
    G2_SIZE,
    SCALAR_SIZE,
    check_coordinate,
    check_size,
    is_identity,
)
from zkproofs.group.expand import FIELD_SIZE, Expander, hash_to_field
from zkproofs.group.interface import G1, G2, GT, ORDER, Scalar

_E = TypeVar("_E")
_P = TypeVar("_P", bound="_Point")

# The library exports its names in a way that strict type checking does not see.
curve: Final[Any] = optimized_bls12_381
compression: Final[Any] = point_compression

_FOREIGN: Final = "an element is of another kind, or of another backend than py_ecc"


class PyEccScalar(Scalar):
    """An integer modulo r."""

    __slots__ = ("_value",)

    def __init__(self, value: int) -> None:
        self._value = value % ORDER

    def __add__(self, other: Self) -> Self:
        _check_operand(self, other)
        return type(self)(self._value + other._value)

    def __sub__(self, other: Self) -> Self:
        _check_operand(self, other)
        return type(self)(self._value - other._value)

    def __mul__(self, other: Self) -> Self:
        _check_operand(self, other)
        return type(self)(self._value * other._value)

    def __neg__(self) -> Self:
        return type(self)(-self._value)

    def __int__(self) -> int:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PyEccScalar) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Scalar({self._value})"


class _Point:
    """A point in py_ecc's projective coordinates; at infinity the last of them is zero."""

    __slots__ = ("coordinates",)

    infinity: ClassVar[Any]

    def __init__(self, coordinates: Any) -> None:
        self.coordinates = coordinates

    def __add__(self, other: Self) -> Self:
        _check_operand(self, other)
        return type(self)(curve.add(self.coordinates, other.coordinates))

    def __sub__(self, other: Self) -> Self:
        _check_operand(self, other)
        return type(self)(curve.add(self.coordinates, curve.neg(other.coordinates)))

    def __mul__(self, scalar: Scalar) -> Self:
        if not isinstance(scalar, PyEccScalar):
            raise TypeError(f"{type(self).__name__} * {type(scalar).__name__} is not defined")
        return self.times(int(scalar))

    def __neg__(self) -> Self:
        return type(self)(curve.neg(self.coordinates))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)) or self.is_infinity != other.is_infinity:
            return False
        return self.is_infinity or bool(curve.eq(self.coordinates, other.coordinates))

    def __hash__(self) -> int:
        return 0 if self.is_infinity else hash(str(curve.normalize(self.coordinates)))

    @property
    def is_infinity(self) -> bool:
        return bool(curve.is_inf(self.coordinates))

    def doubled(self) -> Self:
        return self if self.is_infinity else type(self)(curve.double(self.coordinates))

    def times(self, factor: int) -> Self:
        """``factor`` times the point, not reduced modulo r: binary, from the top bit."""
        total = type(self)(self.infinity)
        for bit in f"{factor:b}":
            total = total.doubled()
            if bit == "1":
                total += self
        return total


class PyEccG1(_Point, G1):
    """A point of G1."""

    __slots__ = ()
    infinity = curve.Z1


class PyEccG2(_Point, G2):
    """A point of G2."""

    __slots__ = ()
    infinity = curve.Z2


class PyEccGT(GT):
    """An element of the target group."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __mul__(self, other: Self) -> Self:
        _check_operand(self, other)
        return type(self)(self.value * other.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PyEccGT) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(str(self.value))


class PyEccGroup:
    """BLS12-381 by py_ecc."""

    name: Final = "py_ecc"

    @property
    def g1(self) -> G1:
        """The standard generator of G1."""
        return PyEccG1(curve.G1)

    @property
    def g2(self) -> G2:
        """The standard generator of G2."""
        return PyEccG2(curve.G2)

    @property
    def g1_identity(self) -> G1:
        """The neutral element of G1."""
        return PyEccG1(curve.Z1)

    @property
    def g2_identity(self) -> G2:
        """The neutral element of G2."""
        return PyEccG2(curve.Z2)

    def scalar(self, value: int) -> Scalar:
        """``value`` modulo r."""
        if not isinstance(value, int):
            raise ParameterError(f"a scalar is made of an int, not {type(value).__name__}")
        return PyEccScalar(value)

    def random_scalar(self) -> Scalar:
        """A fresh uniform scalar that is not zero."""
        return PyEccScalar(1 + secrets.randbelow(ORDER - 1))

    def inverse(self, scalar: Scalar) -> Scalar:
        """1 / ``scalar``."""
        value = int(_of_kind(scalar, PyEccScalar))
        if not value:
            raise ParameterError("zero has no inverse")
        return PyEccScalar(pow(value, -1, ORDER))

    def encode_scalar(self, scalar: Scalar) -> bytes:
        """32 bytes, big-endian."""
        return int(_of_kind(scalar, PyEccScalar)).to_bytes(SCALAR_SIZE, "big")

    def decode_scalar(self, data: bytes) -> Scalar:
        """Read 32 big-endian bytes that are below r."""
        check_size(data, SCALAR_SIZE, "a scalar")
        value = int.from_bytes(data, "big")
        if value >= ORDER:
            raise DecodingError("a scalar is not below the group's order")
        return PyEccScalar(value)

    def encode_g1(self, point: G1) -> bytes:
        """48 bytes, compressed."""
        coordinates = _of_kind(point, PyEccG1).coordinates
        return int(compression.compress_G1(coordinates)).to_bytes(G1_SIZE, "big")

    def decode_g1(self, data: bytes, *, allow_identity: bool = False) -> G1:
        """Read 48 bytes, canonical and in the subgroup."""
        if is_identity(data, G1_SIZE, "a point of G1", allow_identity=allow_identity):
            return self.g1_identity
        try:
            point = PyEccG1(compression.decompress_G1(int.from_bytes(data, "big")))
        except ValueError:
            raise DecodingError("a point of G1 is not on the curve, or not canonical") from None
        if self.encode_g1(point) != data or not point.times(ORDER).is_infinity:
            raise DecodingError("a point of G1 is not of its subgroup, canonically encoded")
        return point

    def encode_g2(self, point: G2) -> bytes:
        """96 bytes, compressed."""
        c1, c0 = compression.compress_G2(_of_kind(point, PyEccG2).coordinates)
        return int(c1).to_bytes(FIELD_SIZE, "big") + int(c0).to_bytes(FIELD_SIZE, "big")

    def decode_g2(self, data: bytes, *, allow_identity: bool = False) -> G2:
        """Read 96 bytes, canonical and in the subgroup."""
        if is_identity(data, G2_SIZE, "a point of G2", allow_identity=allow_identity):
            return self.g2_identity
        try:
            c1, c0 = data[:FIELD_SIZE], data[FIELD_SIZE:]
            encoded = (int.from_bytes(c1, "big"), int.from_bytes(c0, "big"))
            point = PyEccG2(compression.decompress_G2(encoded))
        except ValueError:
            raise DecodingError("a point of G2 is not on the curve, or not canonical") from None
        if self.encode_g2(point) != data or not point.times(ORDER).is_infinity:
            raise DecodingError("a point of G2 is not of its subgroup, canonically encoded")
        return point

    def msm(self, points: Sequence[G1], scalars: Sequence[Scalar]) -> G1:
        """The sum of pointᵢ * scalarᵢ."""
        return _msm(points, scalars, PyEccG1)

    def msm_public(self, points: Sequence[G1], scalars: Sequence[Scalar]) -> G1:
        """The same: there is nothing faster here."""
        return self.msm(points, scalars)

    def msm_g2(self, points: Sequence[G2], scalars: Sequence[Scalar]) -> G2:
        """The same sum in G2."""
        return _msm(points, scalars, PyEccG2)

    def map_to_g1(self, element: int) -> G1:
        """RFC 9380 map_to_curve and clear_cofactor."""
        check_coordinate(element)
        mapped = curve.iso_map_G1(*curve.optimized_swu_G1(curve.FQ(element)))
        return PyEccG1(mapped).times(H_EFF_G1)

    def map_to_g2(self, element: tuple[int, int]) -> G2:
        """RFC 9380 map_to_curve and clear_cofactor of c0 + c1·u."""
        for coordinate in element:
            check_coordinate(coordinate)
        mapped = curve.iso_map_G2(*curve.optimized_swu_G2(curve.FQ2(element)))
        return PyEccG2(mapped).times(H_EFF_G2)

    def hash_to_g1(
        self, message: bytes, dst: bytes, expander: Expander = Expander.XMD_SHA256
    ) -> G1:
        """RFC 9380 hash_to_curve."""
        u0, u1 = hash_to_field(message, dst, 2, expander)
        return self.map_to_g1(u0) + self.map_to_g1(u1)

    def hash_to_g2(
        self, message: bytes, dst: bytes, expander: Expander = Expander.XMD_SHA256
    ) -> G2:
        """RFC 9380 hash_to_curve."""
        a0, a1, b0, b1 = hash_to_field(message, dst, 4, expander)
        return self.map_to_g2((a0, a1)) + self.map_to_g2((b0, b1))

    def pairing(self, p: G1, q: G2) -> GT:
        """e(p, q)."""
        return PyEccGT(curve.final_exponentiate(_miller_loop(p, q)))

    def pairing_product_is_one(self, pairs: Sequence[tuple[G1, G2]]) -> bool:
        """Whether the product of e(pᵢ, qᵢ) is one."""
        if not pairs:
            raise ParameterError("a pairing product needs at least one pair")
        product = curve.FQ12.one()
        for p, q in pairs:
            product = product * _miller_loop(p, q)
        return bool(curve.final_exponentiate(product) == curve.FQ12.one())


def _miller_loop(p: G1, q: G2) -> Any:
    first, second = _of_kind(p, PyEccG1).coordinates, _of_kind(q, PyEccG2).coordinates
    return curve.pairing(second, first, final_exponentiate=False)


def _check_operand(one: object, other: object) -> None:
    if type(one) is not type(other):
        raise TypeError(f"{type(one).__name__} and {type(other).__name__} do not mix")


def _of_kind(element: object, kind: type[_E]) -> _E:
    if not isinstance(element, kind):
        raise ParameterError(_FOREIGN)
    return element


def _msm(points: Sequence[object], scalars: Sequence[object], kind: type[_P]) -> _P:
    """Pippenger's buckets: sum by digit of the scalar, one window of bits at a time."""
    if len(points) != len(scalars):
        raise ParameterError(f"{len(points)} points for {len(scalars)} scalars")
    terms = [
        (_of_kind(point, kind), int(_of_kind(scalar, PyEccScalar)))
        for point, scalar in zip(points, scalars, strict=True)
    ]
    width = max(1, len(terms).bit_length() - 3)
    longest = max((scalar.bit_length() for _, scalar in terms), default=0)
    total = kind(kind.infinity)
    for shift in range((longest - 1) // width * width, -1, -width):
        for _ in range(width):
            total = total.doubled()
        buckets = [kind(kind.infinity) for _ in range(1 << width)]
        for point, scalar in terms:
            digit = (scalar >> shift) & ((1 << width) - 1)
            if digit:
                buckets[digit] += point
        # bucket 1 once, bucket 2 twice, ...: each is in `above` as often as its number.
        above = kind(kind.infinity)
        for bucket in reversed(buckets[1:]):
            above += bucket
            total += above
    return total
