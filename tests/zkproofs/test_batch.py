"""A batch gives the verdict that its items have one by one."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkproofs import batch as batching
from zkproofs.batch import (
    AnyEquation,
    Batch,
    BatchVerificationError,
    Equation,
    PairingEquation,
    holds,
    verify_equations,
)
from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1, Group, Scalar, group, using
from zkproofs.group.generators import generators


def linear(excess: int = 0) -> Equation:
    """s·P + (excess - s)·P = 0, of a point of its own: true for an excess of 0."""
    backend = group()
    scalar = backend.random_scalar()
    point = backend.g1 * backend.random_scalar()
    return Equation([point, point + backend.g1_identity], [scalar, backend.scalar(excess) - scalar])


def signature(excess: int = 0) -> PairingEquation:
    """e(k·P, Q)·e(-P, k·Q + excess) = 1."""
    backend = group()
    key, point = backend.random_scalar(), backend.g1 * backend.random_scalar()
    public = backend.g2 * (key + backend.scalar(excess))
    return PairingEquation([(point * key, backend.g2), (-point, public)])


@pytest.mark.usefixtures("backend")
def test_what_holds_verifies_and_what_does_not_is_named() -> None:
    batch = Batch()
    assert [batch.add(linear(excess)) for excess in (0, 0, 1, 0, 2)] == [0, 1, 2, 3, 4]
    assert len(batch) == 5
    with pytest.raises(BatchVerificationError) as caught:
        batch.verify()
    assert caught.value.failed == (2, 4)
    assert isinstance(caught.value, VerificationError)
    assert caught.value.message == "2 of 5 do not verify: 2, 4"
    good = Batch()
    good.add(linear(), linear())
    good.verify()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["good", "bad", "good pairing", "bad pairing"]), min_size=1))
def test_verdicts_agree_with_those_of_single_items(kinds: list[str]) -> None:
    made: list[AnyEquation] = [
        (signature if "pairing" in kind else linear)(1 if "bad" in kind else 0)
        for kind in kinds[:12]
    ]
    failed = tuple(n for n, equation in enumerate(made) if not holds([equation], group()))
    assert failed == tuple(n for n, kind in enumerate(kinds[:12]) if "bad" in kind)
    batch = Batch()
    for equation in made:
        batch.add(equation)
    if failed:
        with pytest.raises(BatchVerificationError) as caught:
            batch.verify()
        assert caught.value.failed == failed
    else:
        batch.verify()


@pytest.mark.parametrize("bad", range(3))
def test_an_item_fails_with_any_of_its_equations(bad: int) -> None:
    equations = [linear(), signature(), linear()]
    equations[bad] = (linear, signature, linear)[bad](1)
    batch = Batch()
    batch.add(linear())
    batch.add(*equations)
    with pytest.raises(BatchVerificationError) as caught:
        batch.verify()
    assert caught.value.failed == (1,)


def cancelling_sums() -> list[AnyEquation]:
    backend = group()
    one = backend.scalar(1)
    return [Equation([backend.g1], [one]), Equation([backend.g1], [-one])]


def cancelling_pairings() -> list[AnyEquation]:
    backend = group()
    return [
        PairingEquation([(backend.g1, backend.g2)]),
        PairingEquation([(-backend.g1, backend.g2)]),
    ]


def cancelling_kinds() -> list[AnyEquation]:
    """P = 0, and e(P, P2) = 1: sums are checked as pairings with -P2."""
    backend = group()
    return [
        Equation([backend.g1], [backend.scalar(1)]),
        PairingEquation([(backend.g1, backend.g2)]),
    ]


def sums_that_cancel_under_known_weights() -> list[AnyEquation]:
    """15·P + 5·(-3·P) = 0; the first weight is one."""
    backend = group()
    return [
        Equation([backend.g1], [backend.scalar(15)]),
        Equation([backend.g1], [backend.scalar(-3)]),
    ]


@pytest.mark.parametrize(
    ("make", "weights"),
    [
        (cancelling_sums, (1,)),
        (cancelling_pairings, (1,)),
        (cancelling_kinds, (1,)),
        (sums_that_cancel_under_known_weights, (5,)),
    ],
)
def test_two_bad_items_that_cancel_without_fresh_weights_are_caught(
    make: Callable[[], list[AnyEquation]],
    weights: tuple[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def filled() -> Batch:
        batch = Batch()
        for equation in make():
            batch.add(equation)
        return batch

    with pytest.raises(BatchVerificationError) as caught:
        filled().verify()
    assert caught.value.failed == (0, 1)
    # The weakened copy: weights that the attacker knows.
    known = iter(weights)
    monkeypatch.setattr(batching, "_fresh_weight", lambda backend: backend.scalar(next(known)))
    filled().verify()


def test_each_equation_but_the_first_gets_a_weight_of_its_own_never_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []
    limits: list[int] = []
    real = secrets.randbelow

    def recorded(limit: int) -> int:
        limits.append(limit)
        drawn.append(real(limit))
        return drawn[-1]

    monkeypatch.setattr(secrets, "randbelow", recorded)
    equations: list[AnyEquation] = [linear(), linear(), signature(), linear(), signature()]
    drawn.clear()
    limits.clear()
    assert holds(equations, group())
    assert holds(equations, group())
    assert len(set(drawn)) == 8
    assert set(limits) == {2**128 - 1}
    for lowest, weight in ((0, 1), (2**128 - 2, 2**128 - 1)):
        monkeypatch.setattr(secrets, "randbelow", lambda _, fixed=lowest: fixed)
        assert int(batching._fresh_weight(group())) == weight


@pytest.mark.parametrize("bad", range(6))
def test_no_place_in_a_batch_is_without_a_check(bad: int) -> None:
    """The first has a weight of one: it is checked as the others are."""
    equations: list[AnyEquation] = [
        (linear if number % 2 else signature)(int(number == bad)) for number in range(6)
    ]
    assert not holds(equations, group())
    assert not holds(equations[bad:], group())
    assert not holds(equations[: bad + 1], group())


def test_bisection_gives_the_halves_fresh_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    real = batching._fresh_weight

    def recorded(backend: Group) -> Scalar:
        weight = real(backend)
        drawn.append(int(weight))
        return weight

    monkeypatch.setattr(batching, "_fresh_weight", recorded)
    batch = Batch()
    for excess in (0, 1, 0, 0):
        batch.add(linear(excess))
    with pytest.raises(BatchVerificationError):
        batch.verify()
    assert len(drawn) == len(set(drawn)) == 3 + 1 + 1


def test_shared_points_are_multiplied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = batching.table_msm

    def recorded(points: list[G1], scalars: list[Scalar], backend: Group, *, public: bool) -> G1:
        sizes.append(len(points))
        return real(points, scalars, backend, public=public)

    monkeypatch.setattr(batching, "table_msm", recorded)
    backend = group()
    shared = generators(b"test batch", 3)
    batch = Batch()
    for _ in range(5):
        own = backend.random_scalar()
        scalars = [backend.random_scalar() for _ in shared]
        total = -backend.msm(shared, scalars)
        batch.add(Equation([*shared, total * own], [*scalars, backend.inverse(own)]))
    batch.verify()
    assert sizes == [3 + 5]


def test_sums_join_the_pairings_with_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point that is in sums, and paired with -P2, is multiplied once."""
    sizes: list[int] = []
    real = batching.table_msm

    def recorded(points: list[G1], scalars: list[Scalar], backend: Group, *, public: bool) -> G1:
        sizes.append(len(points))
        return real(points, scalars, backend, public=public)

    monkeypatch.setattr(batching, "table_msm", recorded)
    backend = group()
    key = backend.random_scalar()
    batch = Batch()
    for _ in range(4):
        point, scalar = backend.g1 * backend.random_scalar(), backend.random_scalar()
        paired, double = point * key, point * key * scalar
        batch.add(
            PairingEquation([(point, backend.g2 * key), (paired, -backend.g2)]),
            Equation([paired, double], [scalar, backend.scalar(-1)]),
        )
    batch.verify()
    assert sorted(sizes) == [4, 4 + 4]


def test_pairings_with_one_key_take_one_pairing(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = group()
    sizes: list[int] = []
    real = type(backend).pairing_product_is_one

    def recorded(self: Group, pairs: list[object]) -> bool:
        sizes.append(len(pairs))
        return real(self, pairs)

    monkeypatch.setattr(type(backend), "pairing_product_is_one", recorded)
    key = backend.random_scalar()
    encoded = backend.encode_g2(backend.g2 * key)
    batch = Batch()
    for _ in range(4):
        point = backend.g1 * backend.random_scalar()
        # The key decoded anew each time: equal, but another object.
        batch.add(
            PairingEquation([(point * key, -backend.g2), (point, backend.decode_g2(encoded))])
        )
    batch.verify()
    assert sizes == [2]


@pytest.mark.parametrize("excess", [0, 1])
def test_a_batch_is_verified_once(excess: int) -> None:
    batch = Batch()
    batch.add(linear(excess))
    try:
        batch.verify()
        assert not excess
    except BatchVerificationError:
        assert excess
    with pytest.raises(ParameterError):
        batch.verify()
    with pytest.raises(ParameterError):
        batch.add(linear())


def test_nothing_verifies_nothing() -> None:
    with pytest.raises(ParameterError):
        Batch().verify()
    with pytest.raises(ParameterError):
        Batch().add()
    with pytest.raises(ParameterError):
        holds([], group())
    with pytest.raises(ParameterError):
        Equation([], [])
    with pytest.raises(ParameterError):
        PairingEquation([])


@pytest.mark.parametrize(("points", "scalars"), [(2, 1), (1, 2), (1, 0)])
def test_lengths_are_checked(points: int, scalars: int) -> None:
    backend = group()
    with pytest.raises(ParameterError):
        Equation([backend.g1] * points, [backend.scalar(1)] * scalars)


def test_verify_equations_says_what_does_not_verify() -> None:
    verify_equations([linear(), signature()], "a cake")
    with pytest.raises(VerificationError, match=r"^a cake does not verify$"):
        verify_equations([linear(), linear(1)], "a cake")


@pytest.mark.parametrize(
    ("theirs", "kind"), [*product(["arkworks", "py_ecc"], [linear, signature])]
)
def test_equations_of_another_backend_are_the_callers_mistake(
    theirs: str, kind: Callable[[], AnyEquation]
) -> None:
    with using(theirs):
        foreign = kind()
    ours = "arkworks" if theirs == "py_ecc" else "py_ecc"
    with using(ours):
        batch = Batch()
    batch.add(foreign)
    with pytest.raises(ParameterError):
        batch.verify()


def test_a_batch_keeps_to_the_backend_it_was_made_in() -> None:
    batch = Batch()
    batch.add(linear())
    with using("py_ecc"):
        batch.verify()
