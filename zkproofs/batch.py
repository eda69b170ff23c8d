"""Checking many equations at once, and finding the ones that do not hold.

Verifying a proof comes down to equations. Those in G1 say that a sum is zero, those with
a pairing that a product is one:

    Equation           Σ sᵢ·Pᵢ = 0
    PairingEquation    Π e(Pᵢ, Qᵢ) = 1

P2, the generator of G2, has the order of G1, so the first kind is one of the second,
e(Σ sᵢ·Pᵢ, -P2) = 1. Each equation k of a batch but the first, whose weight is one, gets a
weight ρₖ, fresh from the operating system, uniform from 1 to 2^128 - 1, and the batch checks

    Π_Q e(Σ ρₖ·s·P of all terms with Q, Q) = 1

one multi-scalar multiplication and one pairing for each distinct Q; or, where there is no
pairing equation, that the sum of -P2 is zero. That holds where all equations hold, and where
one does not with a probability below 2^-127: never, if it is the first alone; else whatever
the other terms are, one weight at most of a later one that does not hold makes up for them.
The weights are drawn after all equations are known, so nobody can make two that cancel.

Equal points are added up before they are multiplied: proofs over the same generators
share the cost of those. Equal means the same object for points of G1 (generators are
kept), the same bytes for points of G2. A point whose pairing is with -P2, rather than P2,
is therefore multiplied once for its pairing and for all sums that it is in.

A batch that fails is halved until single items are left, and an item fails exactly where
verifying it by itself does: both are `holds`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1, G2, Group, Scalar, group
from zkproofs.group.tables import table_msm

WEIGHT_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class Equation:
    """The sum of ``scalars``ᵢ·``points``ᵢ is zero.

    Raises `ParameterError` where the lengths differ, or nothing is added.
    """

    points: Sequence[G1]
    scalars: Sequence[Scalar]

    def __post_init__(self) -> None:
        if len(self.points) != len(self.scalars):
            raise ParameterError(f"{len(self.points)} points for {len(self.scalars)} scalars")
        if not self.points:
            raise ParameterError("an equation has at least one term")


@dataclass(frozen=True, slots=True)
class PairingEquation:
    """The product of e(p, q) over ``pairs`` is one; `ParameterError` for no pairs."""

    pairs: Sequence[tuple[G1, G2]]

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ParameterError("an equation has at least one term")


AnyEquation = Equation | PairingEquation


class BatchVerificationError(VerificationError):
    """Some items of a batch do not verify; all others do."""

    def __init__(self, failed: tuple[int, ...], size: int) -> None:
        super().__init__(f"{len(failed)} of {size} do not verify: {', '.join(map(str, failed))}")
        self.failed = failed
        """The items that do not, by the numbers that `Batch.add` gave them."""


class Batch:
    """Collects what is to be verified, and verifies it once.

    Equations belong to the backend in force when the batch is made.
    """

    __slots__ = ("_group", "_items", "_verified")

    def __init__(self) -> None:
        self._group = group()
        self._items: list[tuple[AnyEquation, ...]] = []
        self._verified = False

    def __len__(self) -> int:
        return len(self._items)

    def add(self, *equations: AnyEquation) -> int:
        """Add an item, all of whose ``equations`` have to hold; its number, from 0.

        Raises `ParameterError` for no equations, or once the batch was verified.
        """
        self._check_open()
        if not equations:
            raise ParameterError("an item without equations would verify whatever it is")
        self._items.append(equations)
        return len(self._items) - 1

    def verify(self) -> None:
        """Raise `BatchVerificationError`, naming the items, unless all verify.

        A batch is verified once, and takes no more items then: `ParameterError`. So it
        does for a batch of nothing.
        """
        self._check_open()
        if not self._items:
            raise ParameterError("a batch of nothing verifies nothing")
        self._verified = True
        failed = tuple(self._failing(0, len(self._items)))
        if failed:
            raise BatchVerificationError(failed, len(self._items))

    def _check_open(self) -> None:
        if self._verified:
            raise ParameterError("a batch is verified once; make a new one")

    def _failing(self, start: int, stop: int) -> list[int]:
        """The numbers of those items from ``start`` to before ``stop`` that do not verify."""
        equations = [equation for item in self._items[start:stop] for equation in item]
        if holds(equations, self._group):
            return []
        if stop - start == 1:
            return [start]
        middle = (start + stop) // 2
        return self._failing(start, middle) + self._failing(middle, stop)


def verify_equations(equations: Sequence[AnyEquation], what: str) -> None:
    """Raise `VerificationError`, saying that ``what`` does not verify, unless all hold."""
    if not holds(equations, group()):
        raise VerificationError(f"{what} does not verify")


def holds(equations: Sequence[AnyEquation], backend: Group) -> bool:
    """Whether all ``equations`` hold, each but the first under a fresh weight.

    Raises `ParameterError` for no equations, or elements of another backend.
    """
    if not equations:
        raise ParameterError("no equations would hold whatever they stand for")
    product = _Product(backend)
    try:
        for number, equation in enumerate(equations):
            product.add(equation, _fresh_weight(backend) if number else None)
        return product.is_one()
    except TypeError:
        raise ParameterError(f"an element is of another backend than {backend.name}") from None


def _fresh_weight(backend: Group) -> Scalar:
    """ρ: never zero, never one that was used before but by chance."""
    return backend.scalar(1 + secrets.randbelow((1 << WEIGHT_BITS) - 1))


class _Sum:
    """Σ s·P, with one scalar for each distinct point."""

    def __init__(self) -> None:
        # By id(), which is that of one point for as long as the point is kept here.
        self._points: dict[int, G1] = {}
        self._scalars: dict[int, Scalar] = {}

    def add(self, points: Sequence[G1], scalars: Sequence[Scalar]) -> None:
        kept_points, kept_scalars = self._points, self._scalars
        for point, scalar in zip(points, scalars, strict=True):
            key = id(point)
            if key in kept_points:
                kept_scalars[key] += scalar
            else:
                kept_points[key] = point
                kept_scalars[key] = scalar

    def total(self, backend: Group) -> G1:
        points, scalars = list(self._points.values()), list(self._scalars.values())
        if len(scalars) == 1 and int(scalars[0]) == 1:
            return points[0]
        return table_msm(points, scalars, backend, public=True)


class _Product:
    """Π_Q e(Σ ρ·s·P, Q)."""

    def __init__(self, backend: Group) -> None:
        self._group = backend
        self._one = backend.scalar(1)
        self._linear = _Sum()
        minus_p2 = -backend.g2
        self._sides: dict[bytes, tuple[G2, _Sum]] = {
            backend.encode_g2(minus_p2): (minus_p2, self._linear)
        }
        self._has_pairings = False

    def add(self, equation: AnyEquation, weight: Scalar | None) -> None:
        """Add ``equation`` under ``weight``; None is one, by which nothing is multiplied."""
        if isinstance(equation, Equation):
            scalars = equation.scalars
            if weight is not None:
                scalars = [scalar * weight for scalar in scalars]
            self._linear.add(equation.points, scalars)
            return
        self._has_pairings = True
        for point, fixed in equation.pairs:
            key = self._group.encode_g2(fixed)
            _, side = self._sides.setdefault(key, (fixed, _Sum()))
            side.add((point,), (self._one if weight is None else weight,))

    def is_one(self) -> bool:
        if not self._has_pairings:
            return self._linear.total(self._group) == self._group.g1_identity
        return self._group.pairing_product_is_one(
            [(side.total(self._group), fixed) for fixed, side in self._sides.values()]
        )
