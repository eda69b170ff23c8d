"""Linear relations over G1, the statements of `zkproofs.sigma`.

A relation says that its prover knows scalars x_j such that in every equation

    Σ a·P_e  =  Σ b·x_j·P_e          the image on the left, the map on the right

over public points P_e and public coefficients a, b modulo r. P_0 is the generator of
G1 and never written. Encoding (draft-irtf-cfrg-sigma-protocols,
"SerializeLinearRelation"):

    relation   u32le(equations) || equation .. || P_1 || P_2 || ..
    equation   u32le(terms) || image term .. || u32le(terms) || map term ..
    image term u32le(e) || a
    map term   u32le(j) || u32le(e) || b
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group import G1, G1_SIZE, ORDER, SCALAR_SIZE, Scalar, group

_INDEX_SIZE: Final = 4


class ImageTerm(NamedTuple):
    """``coefficient``·P_``element``."""

    element: int
    coefficient: int = 1


class MapTerm(NamedTuple):
    """``coefficient``·x_``scalar``·P_``element``."""

    scalar: int
    element: int
    coefficient: int = 1


@dataclass(frozen=True, slots=True)
class Equation:
    """Σ of the image terms = Σ of the map terms."""

    image: tuple[ImageTerm, ...]
    terms: tuple[MapTerm, ...]

    @property
    def element_indices(self) -> set[int]:
        """The e of all points P_e that take part."""
        return {term.element for term in self.image} | {term.element for term in self.terms}


@dataclass(frozen=True, slots=True)
class LinearRelation:
    """What is proven. Each party builds it from what it knows itself.

    Raises `ParameterError` unless it passes the draft's ten checks ("Instance
    validation"): every point and every scalar is used, indices are in range, no point
    and no image is the identity, and no scalar is left without any effect.
    """

    elements: tuple[G1, ...]
    equations: tuple[Equation, ...]

    def __post_init__(self) -> None:
        if not self.equations:  # check 1
            raise ParameterError("a relation has at least one equation")
        _check_indices(self)
        _check_elements(self.elements)
        _check_effects(self)

    @classmethod
    def of(cls, *equations: tuple[G1, Sequence[tuple[int, G1]]]) -> LinearRelation:
        """The relation with these equations: X = Σ x_j·P, as (X, [(j, P), ..]).

        Points may repeat, and may be the generator; each is written once.
        """
        backend = group()
        indices: dict[bytes, int] = {backend.encode_g1(backend.g1): 0}
        elements = [backend.g1]

        def index_of(point: G1) -> int:
            key = backend.encode_g1(point)
            if key not in indices:
                indices[key] = len(elements)
                elements.append(point)
            return indices[key]

        built = [
            Equation(
                (ImageTerm(index_of(image)),),
                tuple(MapTerm(scalar, index_of(point)) for scalar, point in terms),
            )
            for image, terms in equations
        ]
        return cls(tuple(elements), tuple(built))

    @property
    def scalar_count(self) -> int:
        """How many scalars x_j there are."""
        return 1 + max(term.scalar for equation in self.equations for term in equation.terms)

    def map(self, scalars: Sequence[Scalar]) -> list[G1]:
        """φ(``scalars``), a point for each equation."""
        if len(scalars) != self.scalar_count:
            raise ParameterError(f"{len(scalars)} scalars for {self.scalar_count}")
        backend = group()
        return [backend.msm(*self.map_terms(equation, scalars)) for equation in self.equations]

    def image_terms(self, equation: Equation, factor: Scalar) -> tuple[list[G1], list[Scalar]]:
        """Points and scalars whose sum is ``factor`` times the equation's image."""
        return (
            [self.elements[term.element] for term in equation.image],
            [_scaled(factor, term.coefficient) for term in equation.image],
        )

    def map_terms(
        self, equation: Equation, scalars: Sequence[Scalar]
    ) -> tuple[list[G1], list[Scalar]]:
        """Points and scalars whose sum is the equation's part of φ(``scalars``)."""
        return (
            [self.elements[term.element] for term in equation.terms],
            [_scaled(scalars[term.scalar], term.coefficient) for term in equation.terms],
        )

    def to_bytes(self) -> bytes:
        """Write the encoding above."""
        parts = [_index(len(self.equations))]
        for equation in self.equations:
            parts.append(_index(len(equation.image)))
            for element, coefficient in equation.image:
                parts += [_index(element), _coefficient(coefficient)]
            parts.append(_index(len(equation.terms)))
            for scalar, element, coefficient in equation.terms:
                parts += [_index(scalar), _index(element), _coefficient(coefficient)]
        parts.extend(map(group().encode_g1, self.elements[1:]))
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> LinearRelation:
        """Read `to_bytes`.

        Raises `DecodingError` for what is no encoding, and `ParameterError` for the
        encoding of a relation that fails its checks.
        """
        reader = _Reader(data)
        equations = tuple(reader.equation() for _ in reader.count("equations"))
        highest = max(max(equation.element_indices) for equation in equations)
        points = reader.rest()
        if len(points) != highest * G1_SIZE:
            raise DecodingError(f"a relation's {highest} points do not take {len(points)} bytes")
        backend = group()
        elements = [
            backend.decode_g1(points[start : start + G1_SIZE])
            for start in range(0, len(points), G1_SIZE)
        ]
        return cls((backend.g1, *elements), equations)


def _scaled(scalar: Scalar, coefficient: int) -> Scalar:
    return scalar if coefficient == 1 else scalar * group().scalar(coefficient)


def _index(value: int) -> bytes:
    return value.to_bytes(_INDEX_SIZE, "little")


def _coefficient(value: int) -> bytes:
    return (value % ORDER).to_bytes(SCALAR_SIZE, "big")


def _check_indices(relation: LinearRelation) -> None:
    """Checks 2 to 6."""
    elements: set[int] = set()
    scalars: set[int] = set()
    for equation in relation.equations:
        if not equation.image or not equation.terms:
            raise ParameterError("an equation has terms on both sides")
        for term in (*equation.image, *equation.terms):
            if not all(isinstance(number, int) for number in term):
                raise ParameterError("a term is made of integers")
        elements |= equation.element_indices
        scalars.update(term.scalar for term in equation.terms)
    if elements - {0} != set(range(1, len(relation.elements))):
        raise ParameterError("a relation uses each of its points, and no others")
    if scalars != set(range(len(scalars))):
        raise ParameterError("a relation's scalars are numbered from 0 without gaps")


def _check_elements(elements: tuple[G1, ...]) -> None:
    """Checks 7 and 8."""
    backend = group()
    if not elements or elements[0] != backend.g1:
        raise ParameterError("a relation's first point is the generator")
    if any(point == backend.g1_identity for point in elements):
        raise ParameterError("a relation's points are not the identity")


def _check_effects(relation: LinearRelation) -> None:
    """Checks 9 and 10."""
    effective: set[int] = set()
    for equation in relation.equations:
        if _vanishes(relation, equation.image):
            raise ParameterError("an equation's image is the identity")
        bases: dict[int, list[ImageTerm]] = {}
        for scalar, element, coefficient in equation.terms:
            bases.setdefault(scalar, []).append(ImageTerm(element, coefficient))
        effective |= {scalar for scalar, base in bases.items() if not _vanishes(relation, base)}
    if len(effective) != relation.scalar_count:
        raise ParameterError("a scalar of a relation has no effect in any equation")


def _vanishes(relation: LinearRelation, terms: Sequence[ImageTerm]) -> bool:
    if len(terms) == 1:  # a point of prime order that is not the identity
        return terms[0].coefficient % ORDER == 0
    backend = group()
    total = backend.msm(
        [relation.elements[term.element] for term in terms],
        [backend.scalar(term.coefficient) for term in terms],
    )
    return total == backend.g1_identity


class _Reader:
    """Takes an encoded relation apart from the front."""

    def __init__(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise ParameterError("a relation is decoded from bytes")
        self._data = data
        self._position = 0

    def equation(self) -> Equation:
        image = tuple(
            ImageTerm(self._number(), self._coefficient()) for _ in self.count("image terms")
        )
        terms = tuple(
            MapTerm(self._number(), self._number(), self._coefficient())
            for _ in self.count("map terms")
        )
        return Equation(image, terms)

    def count(self, what: str) -> range:
        number = self._number()
        if not number:
            raise DecodingError(f"a relation has no {what}")
        return range(number)

    def rest(self) -> bytes:
        return self._data[self._position :]

    def _number(self) -> int:
        return int.from_bytes(self._take(_INDEX_SIZE), "little")

    def _coefficient(self) -> int:
        return int(group().decode_scalar(self._take(SCALAR_SIZE)))

    def _take(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        if len(taken) != size:
            raise DecodingError("a relation ends in the middle of a term")
        self._position += size
        return taken
