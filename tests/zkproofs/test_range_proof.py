"""Range proofs: what is inside verifies, what is outside cannot be proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkproofs.range_samples import BYTE, CONTEXT, VERSIONS, opening_of, sample
from zkproofs import inner_product, range_proof
from zkproofs.batch import Batch, BatchVerificationError
from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1, ORDER, Scalar, group, using
from zkproofs.group.generators import generators
from zkproofs.group.tables import table_msm
from zkproofs.interval import BIT_SIZES, MAX_SIZE, Interval, plan_slots
from zkproofs.pedersen import Bases, Opening, commit, default_bases
from zkproofs.range_layout import LAYOUTS, RangeProof
from zkproofs.range_proof import equations, prove, verify

WORD = Interval.of_bits(64)
EDGES: list[tuple[int, Interval]] = [
    (0, WORD),
    (2**64 - 1, WORD),
    (-3, Interval(-5, 1000)),
    (-5, Interval(-5, -5)),
    (2**64 + 7, Interval(2**64 - 1, 2**64 + 100)),
    (2**64 - 1, Interval(0, 2**64 - 2 + 1)),
    (-(2**127), Interval.at_least(-(2**127), 64)),
    (2**127 - 1, Interval.at_most(2**127 - 1, 32)),
]


@pytest.mark.parametrize(("value", "interval"), EDGES)
def test_a_value_at_the_edge_verifies(value: int, interval: Interval) -> None:
    good = sample((value, interval))
    good.verify()
    assert RangeProof.from_bytes(good.proof.to_bytes()) == good.proof


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("claims", "size"),
    [
        ([(5, BYTE)], 641),
        ([(5, Interval.of_bits(32))], 833),
        ([(5, WORD)], 929),
        ([(5, WORD)] * 2, 1025),
        ([(7, Interval(3, 9))] * 2, 833),
        ([(1, BYTE), (-1, Interval(-2, 3)), (9, Interval(0, 10))], 929),
    ],
)
def test_sizes_are_those_of_the_layout(
    version: int, claims: list[tuple[int, Interval]], size: int
) -> None:
    good = sample(*claims, version=version)
    good.verify()
    bits = plan_slots(good.intervals).size
    rounds, last = {1: (bits.bit_length() - 1, 1), 2: (bits.bit_length() - 3, 4)}[version]
    inner = good.proof.inner
    assert len(inner.left) == len(inner.right) == rounds
    assert len(inner.a) == len(inner.b) == last
    assert len(good.proof.to_bytes()) == size == 353 + 96 * (bits.bit_length() - 1)
    assert LAYOUTS[version].proof_size(bits) == size


def test_the_newest_version_is_made() -> None:
    opening = opening_of(5)
    assert prove([opening], [BYTE], CONTEXT).to_bytes()[0] == 2 == max(VERSIONS)


def test_all_versions_take_as_many_bytes_whatever_is_proven() -> None:
    """Presentations are laid out for one size; and no statement is too small for a version."""
    bits = min(BIT_SIZES)
    while bits <= MAX_SIZE:
        assert len({layout.proof_size(bits) for layout in LAYOUTS.values()}) == 1
        assert all(layout.rounds(bits) >= 0 for layout in LAYOUTS.values())
        bits *= 2


intervals = st.builds(
    lambda low, width: Interval(low, low + width),
    st.one_of(
        st.integers(-10, 10),
        st.sampled_from([-(2**127), 2**64 - 3, 2**64, -(2**64), 2**126]),
    ),
    st.one_of(st.integers(0, 300), st.sampled_from([255, 256, 65535, 65536])),
)
offsets = st.sampled_from(["low", "high", "inside", "below", "above", "-1", "2^n", "r-1", "0"])


def value_at(interval: Interval, where: str) -> int:
    return {
        "low": interval.low,
        "high": interval.high,
        "inside": (interval.low + interval.high) // 2,
        "below": interval.low - 1,
        "above": interval.high + 1,
        "-1": -1,
        "2^n": interval.low + (1 << plan_slots([interval]).bits),
        "r-1": ORDER - 1,
        "0": 0,
    }[where]


@settings(max_examples=40, deadline=None)
@given(intervals, offsets)
def test_exactly_the_values_inside_can_be_proven(interval: Interval, where: str) -> None:
    value = value_at(interval, where)
    centred = (value + ORDER // 2) % ORDER - ORDER // 2
    if interval.low <= centred <= interval.high:
        sample((value, interval)).verify()
    else:
        with pytest.raises(ParameterError, match=r"^a value lies outside its interval$"):
            sample((value, interval))


@settings(max_examples=25, deadline=None)
@given(intervals, st.sampled_from(["below", "above", "2^n", "r-1"]))
def test_a_prover_that_does_not_look_is_refused(interval: Interval, where: str) -> None:
    """Its bits are those of the value modulo 2^n: the closest it can come."""
    value = value_at(interval, where) % ORDER
    centred = (value + ORDER // 2) % ORDER - ORDER // 2
    if interval.low <= centred <= interval.high:
        return
    opening = opening_of(value)
    commitments = [opening.commitment()]
    statement = range_proof._Statement.of(commitments, [interval], default_bases())
    prover = range_proof._Prover(statement, [opening_of(interval.low)])
    bits = statement.plan.bits
    prover._bits = [
        (slot.sign * value + slot.offset) % ORDER >> k & 1
        for slot in statement.plan.slots
        for k in range(bits)
    ]
    prover._blindings = [
        opening.blinding if slot.sign > 0 else -opening.blinding for slot in statement.plan.slots
    ]
    proof = prover.run(statement.transcript(CONTEXT))
    with pytest.raises(VerificationError):
        verify(proof, commitments, [interval], CONTEXT)


def test_commitments_add_up_but_their_ranges_do_not() -> None:
    top, one = opening_of(2**64 - 1), opening_of(1)
    for opening in (top, one):
        verify(prove([opening], [WORD], b""), [opening.commitment()], [WORD], b"")
    total = top + one
    assert total.commitment() == top.commitment() + one.commitment()
    with pytest.raises(ParameterError):
        prove([total], [WORD], b"")
    with pytest.raises(ParameterError):  # and -1 is not reached from the other side
        prove([opening_of(0) - one], [WORD], b"")


def test_nothing_of_the_statement_can_be_replaced() -> None:
    good = sample((5, Interval(0, 9)), (6, Interval(0, 9)))
    commitments, bounds = [*good.commitments], [*good.intervals]
    g, h = default_bases().value, default_bases().blinding
    verify(good.proof, commitments, bounds, CONTEXT)
    others: list[tuple[Sequence[G1], Sequence[Interval], bytes, Bases]] = [
        (commitments[::-1], bounds, CONTEXT, default_bases()),
        ([commitments[0] + g, commitments[1]], bounds, CONTEXT, default_bases()),
        (commitments, [Interval(0, 10), bounds[1]], CONTEXT, default_bases()),
        (commitments, [bounds[0], Interval(1, 9)], CONTEXT, default_bases()),
        (commitments, [BYTE, BYTE], CONTEXT, default_bases()),
        (commitments, bounds, CONTEXT + b"\0", default_bases()),
        (commitments, bounds, b"", default_bases()),
        (commitments, bounds, CONTEXT, Bases(h, g)),
        (commitments[:1], bounds[:1], CONTEXT, default_bases()),
        (commitments * 2, bounds * 2, CONTEXT, default_bases()),
    ]
    for statement in others:
        with pytest.raises(VerificationError):
            verify(good.proof, *statement)


def test_bases_can_be_the_callers() -> None:
    bases = Bases(*generators(b"test range proof", 2))
    opening = opening_of(17)
    proof = prove([opening], [BYTE], CONTEXT, bases)
    verify(proof, [opening.commitment(bases)], [BYTE], CONTEXT, bases)
    with pytest.raises(VerificationError):
        verify(proof, [opening.commitment(bases)], [BYTE], CONTEXT)


@pytest.mark.parametrize("mistake", ["openings", "intervals", "none", "too many"])
def test_mistakes_of_the_caller_are_named(mistake: str) -> None:
    many = MAX_SIZE // 64 + 1
    openings = [opening_of(1)] * {"openings": 2, "none": 0, "too many": many}.get(mistake, 1)
    claims = [WORD] * {"intervals": 2, "none": 0, "too many": many}.get(mistake, 1)
    with pytest.raises(ParameterError):
        prove(openings, claims, CONTEXT)
    proof = sample((1, BYTE)).proof
    with pytest.raises(ParameterError):
        verify(proof, [opening.commitment() for opening in openings], claims, CONTEXT)


def test_foreign_elements_are_the_callers_mistake() -> None:
    good = sample((1, BYTE))
    with using("py_ecc"), pytest.raises(ParameterError):
        verify(good.proof, good.commitments, good.intervals, CONTEXT)
    with using("py_ecc") as other:
        foreign = other.g1
    with pytest.raises(ParameterError):
        verify(good.proof, [foreign], good.intervals, CONTEXT)
    with pytest.raises(ParameterError):
        verify(replace(good.proof, A=foreign), good.commitments, good.intervals, CONTEXT)


def test_two_proofs_of_one_fact_share_nothing() -> None:
    opening = opening_of(5)
    one, other = (prove([opening], [BYTE], CONTEXT).to_bytes() for _ in range(2))
    chunks = [[data[at : at + 16] for at in range(1, len(data) - 15, 16)] for data in (one, other)]
    assert len(one) == len(other)
    assert not set(chunks[0]) & set(chunks[1])


def test_a_proof_with_an_l_too_few_is_not_written() -> None:
    opening = opening_of(200)
    whole = prove([opening], [BYTE], CONTEXT)
    cut = replace(whole, inner=replace(whole.inner, left=whole.inner.left[1:]))
    with pytest.raises(ParameterError, match="number of L"):
        cut.to_bytes()
    with pytest.raises(VerificationError):
        verify(cut, [opening.commitment()], [BYTE], CONTEXT)


def test_a_proof_is_frozen() -> None:
    proof = sample((1, BYTE)).proof
    with pytest.raises(FrozenInstanceError):
        proof.t = proof.mu  # type: ignore[misc]


@pytest.mark.parametrize("interval", [BYTE, Interval(0, 200)])
def test_the_prover_does_the_same_work_for_every_value(
    interval: Interval, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as we can see from here: what is multiplied, not how long a multiplication takes."""

    sizes: list[int] = []

    def counted(points: Sequence[G1], scalars: Sequence[Scalar]) -> G1:
        sizes.append(len(points))
        return table_msm(points, scalars)

    for module in (range_proof, inner_product):
        monkeypatch.setattr(module, "table_msm", counted)

    def work(value: int) -> list[int]:
        sizes.clear()
        sample((value, interval))
        return [*sizes]

    assert work(interval.low) == work(interval.high) == work(77)
    assert work(0)


def test_a_batch_names_the_proofs_that_do_not_verify() -> None:
    samples = [sample((value, BYTE)) for value in range(6)]
    spoiled = {1, 4}
    batch = Batch()
    for number, good in enumerate(samples):
        proof = good.proof
        if number in spoiled:
            proof = replace(proof, mu=proof.mu + group().scalar(1))
        batch.add(*equations(proof, good.commitments, good.intervals, CONTEXT))
    with pytest.raises(BatchVerificationError) as caught:
        batch.verify()
    assert set(caught.value.failed) == spoiled


def test_two_bad_proofs_that_cancel_are_caught() -> None:
    """The last scalars are under no challenge: b + d here and b - d there make sums that cancel.

    With a and b moved, the equations of two copies of one proof differ from zero by E and
    by -E, E having one scalar for each H and one for g; without weights the sum is zero.
    """
    good = sample((5, BYTE))
    one, inner = group().scalar(1), good.proof.inner
    up, down = (
        replace(good.proof, inner=replace(inner, b=(*inner.b[:-1], inner.b[-1] + step)))
        for step in (one, -one)
    )
    sums = [equations(p, good.commitments, good.intervals, CONTEXT)[0] for p in (up, down)]
    backend = group()
    totals = [backend.msm(equation.points, equation.scalars) for equation in sums]
    assert totals[0] != backend.g1_identity
    assert totals[0] + totals[1] == backend.g1_identity
    batch = Batch()
    for proof in (up, down):
        batch.add(*equations(proof, good.commitments, good.intervals, CONTEXT))
    with pytest.raises(BatchVerificationError) as caught:
        batch.verify()
    assert caught.value.failed == (0, 1)


@pytest.mark.parametrize(("maker", "checker"), [("arkworks", "py_ecc"), ("py_ecc", "arkworks")])
def test_proofs_of_one_backend_verify_under_the_other(maker: str, checker: str) -> None:
    with using(maker) as backend:
        opening = Opening(200, backend.scalar(12345))
        encoded = prove([opening], [BYTE], CONTEXT).to_bytes()
        commitment = backend.encode_g1(opening.commitment())
    with using(checker) as backend:
        proof, point = RangeProof.from_bytes(encoded), backend.decode_g1(commitment)
        verify(proof, [point], [BYTE], CONTEXT)
        with pytest.raises(VerificationError):
            verify(proof, [commit(201, backend.scalar(12345))], [BYTE], CONTEXT)
