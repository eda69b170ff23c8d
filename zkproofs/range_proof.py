"""Aggregated range proofs: Bulletproofs (eprint 2017/1066, sections 4.1 and 4.2).

Proves that the values v of commitments V = v·g + γ·h lie in public intervals, and nothing
else about them. `zkproofs.interval` says how intervals become m slots of n bits with
commitments V'_j; N = n·m, and i = j·n + k numbers bit k of slot j. What is sent:

    A  = α·h + Σ a_Lᵢ·Gᵢ + Σ a_Rᵢ·Hᵢ      the bits a_L of all slots, and a_R = a_L - 1
    S  = ρ·h + Σ s_Lᵢ·Gᵢ + Σ s_Rᵢ·Hᵢ      blindings                                → y, z
    T1 = t1·g + τ1·h,  T2 = t2·g + τ2·h    of t(X) = ⟨l(X), r(X)⟩ = t0 + t1·X + t2·X²  → x
         l(X) = a_L - z + s_L·X,  r(X)ᵢ = yⁱ·(a_Rᵢ + z + s_Rᵢ·X) + z^(2+j)·2^k
    t  = t(x),  τ = τ2·x² + τ1·x + Σ z^(2+j)·γ'_j,  μ = α + ρ·x                      → w
    L, R         of each round on l(x) and r(x), over Gᵢ, y^-i·Hᵢ and w·g            → u
    a, b         what is left of the two vectors, d scalars each

and what is verified, with δ = (z - z²)·Σ yⁱ - z³·(2ⁿ - 1)·Σ z^j, s of the inner product and
l = i mod d:

    A + x·S + Σ (u²·L + u^-2·R) + w·(t - ⟨a, b⟩)·g - μ·h
      + Σ (-z - a_l·sᵢ)·Gᵢ + Σ (z + y^-i·(z^(2+j)·2^k - b_l·sᵢ^-1))·Hᵢ = 0
    T1 + x·T2 + x^-1·(Σ z^(2+j)·V'_j + (δ - t)·g - τ·h) = 0

Verified together, under random weights, they are one multi-scalar multiplication of
2N + 2·log2(N/d) + 6 points and the commitments. Nothing is drawn from the transcript after a
and b, and the weights are the verifier's own, drawn when it has all of the proof.

The transcript absorbs the generators' tags, g and h, n, m, all bounds and all V before
anything that is sent. `zkproofs.range_layout` has the bytes, and d, by version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import add, mul
from typing import Final

from zkproofs.batch import Equation, verify_equations
from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1, ORDER, Group, Scalar, group
from zkproofs.group.generators import generators
from zkproofs.group.tables import table_msm, tabulate
from zkproofs.inner_product import (
    Challenges,
    inner_product,
    powers,
    products_of_choices,
    prove_inner_product,
    replay_challenges,
    squarings,
)
from zkproofs.interval import Interval, SlotPlan, plan_slots
from zkproofs.pedersen import Bases, Opening, default_bases
from zkproofs.range_layout import NEWEST, WHAT, Layout, RangeProof
from zkproofs.transcript import Transcript

__all__ = ["G_TAG", "H_TAG", "RangeProof", "equations", "prove", "verify"]

G_TAG: Final = b"range-proof/G"
H_TAG: Final = b"range-proof/H"


def prove(
    openings: Sequence[Opening],
    intervals: Sequence[Interval],
    context: bytes,
    bases: Bases | None = None,
) -> RangeProof:
    """Prove that the value of each opening lies in the interval beside it.

    ``context`` is what the proof is tied to: a chain, a key, an entry. Raises
    `ParameterError` for values outside, without saying which, or lists of other lengths.
    """
    bases = bases or _own_bases()
    commitments = [opening.commitment(bases) for opening in openings]
    statement = _Statement.of(commitments, intervals, bases)
    return _Prover(statement, openings).run(statement.transcript(context))


def verify(
    proof: RangeProof,
    commitments: Sequence[G1],
    intervals: Sequence[Interval],
    context: bytes,
    bases: Bases | None = None,
) -> None:
    """Raise `VerificationError` unless the value in each commitment lies in its interval.

    Everything but ``proof`` has to be known to the verifier from elsewhere. Raises
    `ParameterError` for lists of other lengths.
    """
    verify_equations(equations(proof, commitments, intervals, context, bases), WHAT)


def equations(
    proof: RangeProof,
    commitments: Sequence[G1],
    intervals: Sequence[Interval],
    context: bytes,
    bases: Bases | None = None,
) -> tuple[Equation, Equation]:
    """What has to hold for `verify`, for a `zkproofs.batch.Batch`.

    Raises `VerificationError` for a proof that no equations can save: of another number of
    rounds or last scalars, or with the identity in it.
    """
    statement = _Statement.of(commitments, intervals, bases or _own_bases(), proof.layout)
    _check_shape(proof, statement)
    return _Verifier(statement, proof, context).equations()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What is proven, but for the context."""

    commitments: Sequence[G1]
    intervals: Sequence[Interval]
    bases: Bases
    plan: SlotPlan
    layout: Layout

    @classmethod
    def of(
        cls,
        commitments: Sequence[G1],
        intervals: Sequence[Interval],
        bases: Bases,
        layout: Layout = NEWEST,
    ) -> _Statement:
        if len(commitments) != len(intervals):
            raise ParameterError(f"{len(commitments)} values for {len(intervals)} intervals")
        return cls(commitments, intervals, bases, plan_slots(intervals), layout)

    def transcript(self, context: bytes) -> Transcript:
        """A transcript that has absorbed all of this."""
        transcript = Transcript(self.layout.protocol, context)
        transcript.append_bytes(b"G", G_TAG)
        transcript.append_bytes(b"H", H_TAG)
        transcript.append_points(b"g, h", (self.bases.value, self.bases.blinding))
        transcript.append_u64(b"n", self.plan.bits)
        transcript.append_u64(b"m", self.plan.count)
        bounds = b"".join(interval.to_bytes() for interval in self.intervals)
        transcript.append_bytes(b"bounds", bounds)
        transcript.append_points(b"V", self.commitments)
        return transcript

    def generators(self) -> tuple[tuple[G1, ...], tuple[G1, ...]]:
        """G and H."""
        return _tabulated_generators(group().name, self.plan.size)

    def weights(self, z: Scalar) -> list[Scalar]:
        """z^(2+j), by j."""
        return products_of_choices([z * z], squarings(z, self.plan.count.bit_length() - 1))


class _Prover:
    """The secrets of one proof."""

    def __init__(self, statement: _Statement, openings: Sequence[Opening]) -> None:
        self._group: Group = group()
        self._statement = statement
        plan = statement.plan
        values = [
            (slot.sign * openings[slot.source].value + slot.offset) % ORDER for slot in plan.slots
        ]
        if max(values) >> plan.bits:
            raise ParameterError("a value lies outside its interval")
        padded = values + [0] * (plan.count - len(values))
        self._bits = [value >> k & 1 for value in padded for k in range(plan.bits)]
        self._blindings = [
            opening.blinding if slot.sign > 0 else -opening.blinding
            for slot, opening in ((slot, openings[slot.source]) for slot in plan.slots)
        ]

    def run(self, transcript: Transcript) -> RangeProof:
        """Go through the rounds of the module's docstring."""
        statement, backend, size = self._statement, self._group, self._statement.plan.size
        g, h = statement.bases.value, statement.bases.blinding
        alpha, rho, tau1, tau2 = (backend.random_scalar() for _ in range(4))
        s_l = [backend.random_scalar() for _ in range(size)]
        s_r = [backend.random_scalar() for _ in range(size)]
        points_g, points_h = statement.generators()

        point_a = self._commit_bits(alpha)
        point_s = table_msm((h, *points_g, *points_h), (rho, *s_l, *s_r))
        transcript.append_points(b"A, S", (point_a, point_s))
        y, z = transcript.challenge(b"y"), transcript.challenge(b"z")

        y_powers = powers(y, statement.plan.log_size)
        weights = statement.weights(z)
        l0, r0 = self._constant_terms(z, y_powers, weights)
        l1, r1 = s_l, list(map(mul, y_powers, s_r))
        t1 = inner_product(l0, r1) + inner_product(l1, r0)
        t2 = inner_product(l1, r1)
        point_t1 = table_msm((g, h), (t1, tau1))
        point_t2 = table_msm((g, h), (t2, tau2))
        transcript.append_points(b"T1, T2", (point_t1, point_t2))
        x = transcript.challenge(b"x")

        l_x = [zero + one * x for zero, one in zip(l0, l1, strict=True)]
        r_x = [zero + one * x for zero, one in zip(r0, r1, strict=True)]
        t = inner_product(l_x, r_x)
        tau = (tau2 * x + tau1) * x + inner_product(weights, self._blindings)
        mu = alpha + rho * x
        w = _absorb_scalars(transcript, t, tau, mu)

        inner = prove_inner_product(
            transcript,
            (points_g, points_h),
            powers(backend.inverse(y), statement.plan.log_size),
            (g, w),
            (l_x, r_x),
            statement.layout.last,
        )
        version = statement.layout.version
        return RangeProof(point_a, point_s, point_t1, point_t2, t, tau, mu, inner, version)

    def _commit_bits(self, alpha: Scalar) -> G1:
        """A: Gᵢ for a bit that is set, -Hᵢ for one that is not; N additions, whatever the bits."""
        points_g, points_h = self._statement.generators()
        chosen = ((-h, g)[bit] for bit, g, h in zip(self._bits, points_g, points_h, strict=True))
        return reduce(add, chosen, self._statement.bases.blinding * alpha)

    def _constant_terms(
        self, z: Scalar, y_powers: Sequence[Scalar], weights: Sequence[Scalar]
    ) -> tuple[list[Scalar], list[Scalar]]:
        """l(0) and r(0)."""
        one, two = self._group.scalar(1), self._group.scalar(2)
        left_by_bit = (-z, one - z)  # a_L - z
        right_by_bit = (z - one, z)  # a_R + z
        of_two = powers(two, self._statement.plan.bits.bit_length() - 1)
        weighted_bits = [weight * power for weight in weights for power in of_two]
        right = [
            power * right_by_bit[bit] + weighted
            for bit, power, weighted in zip(self._bits, y_powers, weighted_bits, strict=True)
        ]
        return [left_by_bit[bit] for bit in self._bits], right


class _Verifier:
    """The challenges of one proof, and the equations under them."""

    def __init__(self, statement: _Statement, proof: RangeProof, context: bytes) -> None:
        self._statement, self._proof = statement, proof
        transcript = statement.transcript(context)
        transcript.append_points(b"A, S", (proof.A, proof.S))
        self._y, self._z = transcript.challenge(b"y"), transcript.challenge(b"z")
        transcript.append_points(b"T1, T2", (proof.T1, proof.T2))
        self._x = transcript.challenge(b"x")
        self._w = _absorb_scalars(transcript, proof.t, proof.tau, proof.mu)
        self._challenges: Challenges = replay_challenges(transcript, proof.inner, self._y, self._x)
        self._weights = statement.weights(self._z)

    def equations(self) -> tuple[Equation, Equation]:
        """The inner product's and the polynomial's."""
        return self._inner_product_equation(), self._polynomial_equation()

    def _inner_product_equation(self) -> Equation:
        """A + x·S + ... = 0."""
        proof, bases, z = self._proof, self._statement.bases, self._z
        inner, u, u_inverse = proof.inner, self._challenges.u, self._challenges.u_inverse
        points_g, points_h = self._statement.generators()
        squares, inverse_squares = [f * f for f in u], [f * f for f in u_inverse]
        minus_z, (a_s, b_s, weighted) = -z, self._generator_terms(squares, inverse_squares)
        return Equation(
            [
                *(proof.A, proof.S, *inner.left, *inner.right),
                *(bases.value, bases.blinding, *points_g, *points_h),
            ],
            [
                *(group().scalar(1), self._x, *squares, *inverse_squares),
                *(self._w * (proof.t - inner_product(inner.a, inner.b)), -proof.mu),
                *[minus_z - term for term in a_s],
                *[z + w - term for w, term in zip(weighted, b_s, strict=True)],
            ],
        )

    def _generator_terms(
        self, squares: list[Scalar], inverse_squares: list[Scalar]
    ) -> tuple[list[Scalar], list[Scalar], list[Scalar]]:
        """a_l·sᵢ, y^-i·b_l·sᵢ^-1 and y^-i·z^(2+j)·2^k, l the low bits of i.

        Each has a factor for each further bit of i. Raising the lowest of them, that of the
        last round, takes s from u^-1 to u, and so on.
        """
        inner, plan, challenges = self._proof.inner, self._statement.plan, self._challenges
        by_bit = squarings(challenges.y_inverse, plan.log_size)
        lowest = plan.log_size - len(squares)
        s_inverse = reduce(mul, challenges.u, group().scalar(1))
        s = reduce(mul, challenges.u_inverse, group().scalar(1))
        of_y = products_of_choices([s_inverse], by_bit[:lowest])
        a_s = products_of_choices([a * s for a in inner.a], squares[::-1])
        b_s = products_of_choices(
            list(map(mul, inner.b, of_y)),
            list(map(mul, by_bit[lowest:], reversed(inverse_squares))),
        )
        low = plan.bits.bit_length() - 1  # bits of k; above them are those of j
        of_two = squarings(group().scalar(2), low) + squarings(self._z, plan.log_size - low)
        weighted = products_of_choices([self._z * self._z], list(map(mul, by_bit, of_two)))
        return a_s, b_s, weighted

    def _polynomial_equation(self) -> Equation:
        """T1 + x·T2 + ... = 0, with V' taken apart into V and g.

        It is the paper's divided by x: T1 is left with a factor of one, so that the short
        weight of a batch stays short.
        """
        proof, statement, backend = self._proof, self._statement, group()
        x, x_inverse = self._x, self._challenges.x_inverse
        of_v = [backend.scalar(0)] * len(statement.commitments)
        of_g = self._delta() - proof.t
        for slot, weight in zip(
            statement.plan.slots, self._weights[: len(statement.plan.slots)], strict=True
        ):
            of_v[slot.source] += weight if slot.sign > 0 else -weight
            of_g += weight * backend.scalar(slot.offset)
        bases = statement.bases
        return Equation(
            [proof.T1, proof.T2, *statement.commitments, bases.value, bases.blinding],
            [
                *(backend.scalar(1), x),
                *[x_inverse * each for each in (*of_v, of_g, -proof.tau)],
            ],
        )

    def _delta(self) -> Scalar:
        """δ = (z - z²)·Σ yⁱ - z³·(2ⁿ - 1)·Σ z^j, with Σ yⁱ = Π (1 + y^(2^k))."""
        backend, plan, z = group(), self._statement.plan, self._z
        one, ones = backend.scalar(1), backend.scalar((1 << plan.bits) - 1)
        sum_y = reduce(mul, (one + power for power in squarings(self._y, plan.log_size)))
        return (z - z * z) * sum_y - z * ones * reduce(add, self._weights)


@cache
def _tabulated_generators(_backend: str, size: int) -> tuple[tuple[G1, ...], tuple[G1, ...]]:
    """G and H, for each backend its own."""
    both = generators(G_TAG, size), generators(H_TAG, size)
    for points in both:
        tabulate(points)
    return both


def _own_bases() -> Bases:
    """The kit's g and h; a caller's are not tabulated, for they may be new each time."""
    bases = default_bases()
    tabulate((bases.value, bases.blinding))
    return bases


def _absorb_scalars(transcript: Transcript, t: Scalar, tau: Scalar, mu: Scalar) -> Scalar:
    """Absorb t, τ, μ, and draw w."""
    transcript.append_scalars(b"t, tau, mu", (t, tau, mu))
    return transcript.challenge(b"w")


def _check_shape(proof: RangeProof, statement: _Statement) -> None:
    inner, layout = proof.inner, statement.layout
    rounds = layout.rounds(statement.plan.size)
    if len(inner.left) != rounds or len(inner.right) != rounds:
        raise VerificationError(
            f"{WHAT} of {rounds} rounds has {len(inner.left)} L and {len(inner.right)} R"
        )
    if len(inner.a) != layout.last or len(inner.b) != layout.last:
        raise VerificationError(f"a and b of {WHAT} have {layout.last} scalars each")
    identity = group().g1_identity
    for point in (proof.A, proof.S, proof.T1, proof.T2, *inner.left, *inner.right):
        if point == identity:
            raise VerificationError(f"a point of {WHAT} is the identity")
