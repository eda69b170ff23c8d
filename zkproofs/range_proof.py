"""Aggregated range proofs: Bulletproofs (eprint 2017/1066, sections 4.1 and 4.2).

Proves that the values v of commitments V = v·g + γ·h lie in public intervals, and nothing
else about them. `zkproofs.interval` says how intervals become m slots of n bits with
commitments V'_j; N = n·m, and i = j·n + k numbers bit k of slot j. What is sent:

    A  = α·h + Σ a_Lᵢ·Gᵢ + Σ a_Rᵢ·Hᵢ      the bits a_L of all slots, and a_R = a_L - 1
    S  = ρ·h + Σ s_Lᵢ·Gᵢ + Σ s_Rᵢ·Hᵢ      blindings                                → y, z
    T1 = t1·g + τ1·h,  T2 = t2·g + τ2·h    of t(X) = ⟨l(X), r(X)⟩ = t0 + t1·X + t2·X²  → x
         l(X) = a_L - z + s_L·X,  r(X)ᵢ = yⁱ·(a_Rᵢ + z + s_Rᵢ·X) + z^(2+j)·2^k
    t  = t(x),  τ = τ2·x² + τ1·x + Σ z^(2+j)·γ'_j,  μ = α + ρ·x                      → w
    L, R, a, b   the inner product of l(x) and r(x), over Gᵢ, y^-i·Hᵢ and w·g        → u

and what is verified, with δ = (z - z²)·Σ yⁱ - z³·(2ⁿ - 1)·Σ z^j and s of the inner product:

    A + x·S + Σ (u²·L + u^-2·R) + w·(t - a·b)·g - μ·h
      + Σ (-z - a·sᵢ)·Gᵢ + Σ (z + y^-i·(z^(2+j)·2^k - b·sᵢ^-1))·Hᵢ = 0
    x·T1 + x²·T2 + Σ z^(2+j)·V'_j + (δ - t)·g - τ·h = 0

Verified together, the second times a random scalar c, they are one multi-scalar
multiplication of 2N + 2·log2(N) + 6 points and the commitments.

The transcript absorbs the generators' tags, g and h, n, m, all bounds and all V before
anything that is sent. Layout of a proof:

    version (1) || A || S || T1 || T2 || t || τ || μ || L_1 || R_1 || .. || a || b

that is 1 + 4·48 + 5·32 + 96·log2(N) bytes: 929 for one value of 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import add, mul
from typing import Final

from zkproofs.batch import Equation, verify_equations
from zkproofs.errors import DecodingError, ParameterError, VerificationError
from zkproofs.group import G1, G1_SIZE, ORDER, SCALAR_SIZE, Group, Scalar, group
from zkproofs.group.generators import generators
from zkproofs.group.tables import table_msm, tabulate
from zkproofs.inner_product import (
    Challenges,
    InnerProductProof,
    inner_product,
    powers,
    products_of_choices,
    prove_inner_product,
    replay_challenges,
    squarings,
)
from zkproofs.interval import MAX_SIZE, Interval, SlotPlan, plan_slots
from zkproofs.pedersen import Bases, Opening, default_bases
from zkproofs.transcript import Transcript

VERSION: Final = 1
PROTOCOL: Final = b"range-proof-v1"
G_TAG: Final = b"range-proof/G"
H_TAG: Final = b"range-proof/H"
_FIXED_SIZE: Final = 1 + 4 * G1_SIZE + 5 * SCALAR_SIZE
_ROUND_SIZE: Final = 2 * G1_SIZE
_MAX_ROUNDS: Final = MAX_SIZE.bit_length() - 1
_WHAT: Final = "a range proof"


@dataclass(frozen=True, slots=True)
class RangeProof:
    """A proof; the letters are the paper's."""

    A: G1
    S: G1
    T1: G1
    T2: G1
    t: Scalar
    tau: Scalar
    """τ, the paper's τ_x"""
    mu: Scalar
    """μ"""
    inner: InnerProductProof

    def to_bytes(self) -> bytes:
        """Write the layout above. Raises `ParameterError` where L and R are not of one length."""
        if len(self.inner.left) != len(self.inner.right):
            raise ParameterError(f"{_WHAT} has another number of L than of R")
        point, scalar = group().encode_g1, group().encode_scalar
        parts = [bytes([VERSION]), *map(point, (self.A, self.S, self.T1, self.T2))]
        parts += map(scalar, (self.t, self.tau, self.mu))
        for left, right in zip(self.inner.left, self.inner.right, strict=True):
            parts += (point(left), point(right))
        parts += map(scalar, (self.inner.a, self.inner.b))
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> RangeProof:
        """Read `to_bytes`; of any number of rounds. Raises `DecodingError`."""
        if not isinstance(data, bytes):
            raise ParameterError(f"{_WHAT} is decoded from bytes, not {type(data).__name__}")
        rounds, rest = divmod(len(data) - _FIXED_SIZE, _ROUND_SIZE)
        if rest or not 0 <= rounds <= _MAX_ROUNDS:
            raise DecodingError(f"{_WHAT} does not take {len(data)} bytes")
        if data[0] != VERSION:
            raise DecodingError(f"{_WHAT} of version {data[0]}, not {VERSION}")
        reader = _Reader(data)
        a, s, t1, t2 = reader.points(4)
        t, tau, mu = reader.scalars(3)
        pairs = reader.points(2 * rounds)
        inner = InnerProductProof(tuple(pairs[0::2]), tuple(pairs[1::2]), *reader.scalars(2))
        return cls(a, s, t1, t2, t, tau, mu, inner)


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
    verify_equations(equations(proof, commitments, intervals, context, bases), _WHAT)


def equations(
    proof: RangeProof,
    commitments: Sequence[G1],
    intervals: Sequence[Interval],
    context: bytes,
    bases: Bases | None = None,
) -> tuple[Equation, Equation]:
    """What has to hold for `verify`, for a `zkproofs.batch.Batch`.

    Raises `VerificationError` for a proof that no equations can save: of another number of
    rounds, or with the identity in it.
    """
    statement = _Statement.of(commitments, intervals, bases or _own_bases())
    _check_shape(proof, statement.plan)
    return _Verifier(statement, proof, context).equations()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What is proven, but for the context."""

    commitments: Sequence[G1]
    intervals: Sequence[Interval]
    bases: Bases
    plan: SlotPlan

    @classmethod
    def of(
        cls, commitments: Sequence[G1], intervals: Sequence[Interval], bases: Bases
    ) -> _Statement:
        if len(commitments) != len(intervals):
            raise ParameterError(f"{len(commitments)} values for {len(intervals)} intervals")
        return cls(commitments, intervals, bases, plan_slots(intervals))

    def transcript(self, context: bytes) -> Transcript:
        """A transcript that has absorbed all of this."""
        transcript = Transcript(PROTOCOL, context)
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
        rounds = self.plan.count.bit_length() - 1
        return products_of_choices(z * z, squarings(z, rounds))


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

        y_powers = powers(y, statement.plan.rounds)
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
            powers(backend.inverse(y), statement.plan.rounds),
            (g, w),
            (l_x, r_x),
        )
        return RangeProof(point_a, point_s, point_t1, point_t2, t, tau, mu, inner)

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
        self._challenges: Challenges = replay_challenges(transcript, proof.inner, self._y)
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
                *(self._w * (proof.t - inner.a * inner.b), -proof.mu),
                *[minus_z - term for term in a_s],
                *[z + w - term for w, term in zip(weighted, b_s, strict=True)],
            ],
        )

    def _generator_terms(
        self, squares: list[Scalar], inverse_squares: list[Scalar]
    ) -> tuple[list[Scalar], list[Scalar], list[Scalar]]:
        """a·sᵢ, y^-i·b·sᵢ^-1 and y^-i·z^(2+j)·2^k: each has a factor for each bit of i.

        Raising bit 0 of i, that of the last round, takes s from u_k^-1 to u_k, and so on.
        """
        inner, plan, challenges = self._proof.inner, self._statement.plan, self._challenges
        by_bit = squarings(challenges.y_inverse, plan.rounds)
        a_s = products_of_choices(reduce(mul, challenges.u_inverse, inner.a), squares[::-1])
        b_s = products_of_choices(
            reduce(mul, challenges.u, inner.b),
            list(map(mul, by_bit, reversed(inverse_squares))),
        )
        low = plan.bits.bit_length() - 1  # bits of k; above them are those of j
        of_two = squarings(group().scalar(2), low) + squarings(self._z, plan.rounds - low)
        weighted = products_of_choices(self._z * self._z, list(map(mul, by_bit, of_two)))
        return a_s, b_s, weighted

    def _polynomial_equation(self) -> Equation:
        """x·T1 + x²·T2 + ... = 0, with V' taken apart into V and g."""
        proof, statement, x = self._proof, self._statement, self._x
        backend = group()
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
            [x, x * x, *of_v, of_g, -proof.tau],
        )

    def _delta(self) -> Scalar:
        """δ = (z - z²)·Σ yⁱ - z³·(2ⁿ - 1)·Σ z^j, with Σ yⁱ = Π (1 + y^(2^k))."""
        backend, plan, z = group(), self._statement.plan, self._z
        one, ones = backend.scalar(1), backend.scalar((1 << plan.bits) - 1)
        sum_y = reduce(mul, (one + power for power in squarings(self._y, plan.rounds)))
        return (z - z * z) * sum_y - z * ones * reduce(add, self._weights)


class _Reader:
    """Takes a proof's bytes apart, once their number is right."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 1

    def points(self, count: int) -> list[G1]:
        return list(map(group().decode_g1, self._take(count, G1_SIZE)))

    def scalars(self, count: int) -> list[Scalar]:
        return list(map(group().decode_scalar, self._take(count, SCALAR_SIZE)))

    def _take(self, count: int, size: int) -> list[bytes]:
        start, self._at = self._at, self._at + count * size
        return [self._data[at : at + size] for at in range(start, self._at, size)]


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


def _check_shape(proof: RangeProof, plan: SlotPlan) -> None:
    inner = proof.inner
    if len(inner.left) != plan.rounds or len(inner.right) != plan.rounds:
        raise VerificationError(
            f"{_WHAT} of {plan.rounds} rounds has {len(inner.left)} L and {len(inner.right)} R"
        )
    identity = group().g1_identity
    for point in (proof.A, proof.S, proof.T1, proof.T2, *inner.left, *inner.right):
        if point == identity:
            raise VerificationError(f"a point of {_WHAT} is the identity")
