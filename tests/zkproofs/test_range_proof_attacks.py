"""Frozen Heart and its kin: what a transcript leaves out, a prover chooses last.

Each test makes a forgery that a copy of the verifier accepts, weakened by leaving one
thing out of its transcript, and sees ours refuse it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.zkproofs.range_samples import (
    BYTE,
    CONTEXT,
    MeddlingTranscript,
    Sample,
    opening_of,
    sample,
    weaken,
)
from zkproofs import range_proof
from zkproofs.errors import VerificationError
from zkproofs.group import G1, ORDER, Scalar, group
from zkproofs.inner_product import powers, prove_inner_product
from zkproofs.interval import Interval
from zkproofs.pedersen import Bases, Opening, commit, default_bases
from zkproofs.range_layout import Layout, RangeProof
from zkproofs.range_proof import equations, verify

SHIFT = 1
FAR = 256
"""How far outside a false value is."""

Forgery = tuple[RangeProof, list[G1], list[Interval], bytes, Bases]


def dishonest_run(
    forgotten: str,
    openings: list[Opening],
    intervals: list[Interval],
    commitments: list[G1],
    *,
    t1_shift: int = 0,
    t_is_shifted: bool = False,
    backend: Any = None,
) -> tuple[RangeProof, MeddlingTranscript]:
    """The honest prover's code for ``openings``, under a statement that is not about them."""
    kept: list[MeddlingTranscript] = []

    def transcript(protocol: bytes, context: bytes) -> MeddlingTranscript:
        kept.append(MeddlingTranscript(protocol, context, forgotten))
        kept[0].t1_shift = t1_shift
        if t_is_shifted:
            kept[0].t_shift = lambda z: z * z * group().scalar(FAR)
        return kept[0]

    statement = range_proof._Statement.of(commitments, intervals, default_bases())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_proof, "Transcript", transcript)
        started = statement.transcript(CONTEXT)
    prover = range_proof._Prover(statement, openings)
    prover._group = backend or group()
    proof = prover.run(started)
    g = default_bases().value
    return replace(proof, T1=proof.T1 + g * group().scalar(t1_shift)), kept[0]


def forge_without_context() -> Forgery:
    """A proof made for one entry is shown for another."""
    with pytest.MonkeyPatch.context() as patch:
        weaken(patch, "context")
        good = sample((5, BYTE))
    return good.proof, [*good.commitments], [BYTE], b"another entry", default_bases()


def forge_without_commitments() -> Forgery:
    """V is solved for last: it opens to 5 - x/z², which is nowhere near a byte."""
    opening = opening_of(5)
    proof, seen = dishonest_run("V", [opening], [BYTE], [opening.commitment()], t1_shift=SHIFT)
    backend = group()
    inverse = backend.inverse(seen.drawn("z"))
    value = backend.scalar(5) - seen.drawn("x") * inverse * inverse
    assert int(value) > FAR
    return proof, [commit(int(value), opening.blinding)], [BYTE], CONTEXT, default_bases()


def forge_without_bounds() -> Forgery:
    """Two bounds are solved for last: low_0 + z·low_1 = x/z², of 127 bits each."""
    openings = [opening_of(5), opening_of(6)]
    commitments = [opening.commitment() for opening in openings]
    while True:
        proof, seen = dishonest_run("bounds", openings, [BYTE, BYTE], commitments, t1_shift=SHIFT)
        z, x = int(seen.drawn("z")), int(seen.drawn("x"))
        lows = small_solution(z, x * pow(z, -2, ORDER) % ORDER)
        if all(-(1 << 127) <= low < (1 << 127) - FAR for low in lows):
            break
    assert all(abs(low) > FAR for low in lows)
    return proof, commitments, [Interval.at_least(low, 8) for low in lows], CONTEXT, default_bases()


def small_solution(z: int, target: int) -> tuple[int, int]:
    """(d, e) with d + z·e = target modulo r, about 2^127 each: Gauss's reduction, then Babai."""
    u, v = (ORDER, 0), (-z % ORDER, 1)
    while True:
        if dot(u, u) < dot(v, v):
            u, v = v, u
        factor = round_div(dot(u, v), dot(v, v))
        if not factor:
            break
        u = (u[0] - factor * v[0], u[1] - factor * v[1])
    determinant = u[0] * v[1] - u[1] * v[0]
    of_u = round_div(target * v[1], determinant)
    of_v = round_div(-target * u[1], determinant)
    solution = (target - of_u * u[0] - of_v * v[0], -of_u * u[1] - of_v * v[1])
    assert (solution[0] + z * solution[1] - target) % ORDER == 0
    return solution


def dot(u: tuple[int, int], v: tuple[int, int]) -> int:
    return u[0] * v[0] + u[1] * v[1]


def round_div(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


class Unblinded:
    """A group whose first two random scalars, α and ρ, are zero."""

    def __init__(self) -> None:
        self._zeros = 2

    def __getattr__(self, name: str) -> Any:
        return getattr(group(), name)

    def random_scalar(self) -> Scalar:
        self._zeros -= 1
        return group().scalar(0) if self._zeros >= 0 else group().random_scalar()


def forge_without_bases() -> Forgery:
    """h' is solved for last, for a commitment to 5 + 256 without any blinding.

    A and S are without h, so that the inner product's equation does not see h' either.
    """
    zero = group().scalar(0)
    false = commit(5 + FAR, zero)
    proof, _ = dishonest_run("g, h", [Opening(5, zero)], [BYTE], [false], backend=Unblinded())
    with pytest.MonkeyPatch.context() as patch:
        weaken(patch, "g, h")
        _, polynomial = equations(proof, [false], [BYTE], CONTEXT)
    rest = group().msm(polynomial.points[:-1], polynomial.scalars[:-1])
    g, h = default_bases().value, rest * -group().inverse(polynomial.scalars[-1])
    assert commit(5 + FAR, zero, Bases(g, h)) == false
    return proof, [false], [BYTE], CONTEXT, Bases(g, h)


def forge_without_polynomial() -> Forgery:
    """T1 is solved for last, for a commitment to 5 + 256."""
    opening = opening_of(5)
    false = commit(5 + FAR, opening.blinding)
    proof, seen = dishonest_run("T1, T2", [opening], [BYTE], [false])
    backend, g = group(), default_bases().value
    z, x = seen.drawn("z"), seen.drawn("x")
    excess = z * z * backend.scalar(FAR) * backend.inverse(x)
    return replace(proof, T1=proof.T1 - g * excess), [false], [BYTE], CONTEXT, default_bases()


def forge_without_rounds() -> Forgery:
    """L is solved for last; it makes up for a t that is not the inner product."""
    opening = opening_of(5)
    false = commit(5 + FAR, opening.blinding)
    proof, seen = dishonest_run("L, R", [opening], [BYTE], [false], t_is_shifted=True)
    backend, g = group(), default_bases().value
    z, w, u = seen.drawn("z"), seen.drawn("w"), seen.drawn("u")
    shift = z * z * backend.scalar(FAR)
    inverse = backend.inverse(u)
    first, *others = proof.inner.left
    left = (first - g * (w * shift * inverse * inverse), *others)
    proof = replace(proof, t=proof.t + shift, inner=replace(proof.inner, left=left))
    return proof, [false], [BYTE], CONTEXT, default_bases()


FORGERIES: dict[str, Callable[[], Forgery]] = {
    "context": forge_without_context,
    "V": forge_without_commitments,
    "bounds": forge_without_bounds,
    "g, h": forge_without_bases,
    "T1, T2": forge_without_polynomial,
    "L, R": forge_without_rounds,
}


@pytest.mark.parametrize("forgotten", FORGERIES)
def test_a_forgery_passes_a_weakened_verifier_and_not_ours(
    forgotten: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgery = FORGERIES[forgotten]()
    with pytest.raises(VerificationError):
        verify(*forgery)
    weaken(monkeypatch, forgotten)
    verify(*forgery)


def test_nobody_goes_on_with_the_rounds_of_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof of version 2 ends early, with all that is needed to go on as version 1 does.

    Were the version not in the transcript, whoever sees a proof could make another one of
    it, of which the prover knows nothing. This does, where it is not.
    """
    same = property(lambda layout: b"range-proof")
    with monkeypatch.context() as patch:
        patch.setattr(Layout, "protocol", same)
        good = sample((5, BYTE))
        other = continued(good)
        good.verify()
        good.verify(other)
    assert other.version == 1
    assert RangeProof.from_bytes(other.to_bytes()) == other
    good = sample((5, BYTE))
    for proof in (continued(good), replace(other, version=2, inner=good.proof.inner)):
        with pytest.raises(VerificationError):
            good.verify(proof)


def continued(good: Sample) -> RangeProof:
    """The version 1 that ``good`` of version 2 and 8 bits, one round, can be made into."""
    backend, proof = group(), good.proof
    statement = range_proof._Statement.of(good.commitments, good.intervals, default_bases())
    kept: list[MeddlingTranscript] = []

    def transcript(protocol: bytes, context: bytes) -> MeddlingTranscript:
        kept.append(MeddlingTranscript(protocol, context))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_proof, "Transcript", transcript)
        range_proof._Verifier(statement, proof, CONTEXT)
    seen = kept[0]
    u, y_inverse = seen.drawn("u"), backend.inverse(seen.drawn("y"))
    points_g, points_h = statement.generators()
    scaled_h = [h * power for h, power in zip(points_h, powers(y_inverse, 3), strict=True)]

    def folded(points: Sequence[G1], factor: Scalar) -> list[G1]:
        halves = zip(points[:4], points[4:], strict=True)
        return [lo * factor + hi * backend.inverse(factor) for lo, hi in halves]

    more = prove_inner_product(
        seen,
        (folded(points_g, backend.inverse(u)), folded(scaled_h, u)),
        powers(backend.scalar(1), 2),
        (default_bases().value, seen.drawn("w")),
        (proof.inner.a, proof.inner.b),
        1,
    )
    left, right = proof.inner.left + more.left, proof.inner.right + more.right
    return replace(proof, version=1, inner=replace(more, left=left, right=right))


@pytest.mark.parametrize("label", ["G", "H", "n", "m"])
def test_nothing_else_of_the_statement_can_change_under_a_proof(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These have few values, none of which a prover can solve for; still they are bound."""
    statement = range_proof._Statement.of([opening_of(5).commitment()], [BYTE], default_bases())
    changes = {"n": {"bits": 16}, "m": {"count": 2}}
    other = replace(statement, plan=replace(statement.plan, **changes.get(label, {})))

    def challenges() -> tuple[int, int]:
        first = statement.transcript(CONTEXT).challenge(b"y")
        with monkeypatch.context() as patch:
            if label in "GH":
                patch.setattr(range_proof, f"{label}_TAG", b"other points")
            second = other.transcript(CONTEXT).challenge(b"y")
        return int(first), int(second)

    ours, theirs = challenges()
    assert ours != theirs
    weaken(monkeypatch, label)
    weak, weak_too = challenges()
    assert weak == weak_too


def test_every_message_changes_all_challenges_after_it() -> None:
    good = sample((5, BYTE), (6, BYTE))
    one = group().scalar(1)
    g = default_bases().value
    inner = good.proof.inner
    changed = {
        "y": replace(good.proof, A=good.proof.A + g),
        "z": replace(good.proof, S=good.proof.S + g),
        "x": replace(good.proof, T1=good.proof.T1 + g),
        "x of T2": replace(good.proof, T2=good.proof.T2 + g),
        "w": replace(good.proof, t=good.proof.t + one),
        "w of tau": replace(good.proof, tau=good.proof.tau + one),
        "w of mu": replace(good.proof, mu=good.proof.mu + one),
        "u": replace(good.proof, inner=replace(inner, left=(inner.left[0] + g, *inner.left[1:]))),
        "u of R": replace(
            good.proof, inner=replace(inner, right=(inner.right[0] + g, *inner.right[1:]))
        ),
    }
    before = challenges_of(good.proof, [*good.commitments])
    order = ["y", "z", "x", "w", "u"]
    for name, proof in changed.items():
        after = challenges_of(proof, [*good.commitments])
        first = order.index("y" if name == "z" else name[0])
        for label in order[:first]:
            assert after[label] == before[label], (name, label)
        for label in order[first:]:
            for old, new in zip(before[label], after[label], strict=True):
                assert old != new, (name, label)


def challenges_of(proof: RangeProof, commitments: list[G1]) -> dict[str, list[int]]:
    kept: list[MeddlingTranscript] = []

    def transcript(protocol: bytes, context: bytes) -> MeddlingTranscript:
        kept.append(MeddlingTranscript(protocol, context))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_proof, "Transcript", transcript)
        equations(proof, commitments, [BYTE, BYTE], CONTEXT)
    return {name: list(map(int, drawn)) for name, drawn in kept[0].challenges.items()}
