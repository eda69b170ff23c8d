"""Sums by table are the sums without."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkproofs.errors import ParameterError
from zkproofs.group import ORDER, Group, group, using
from zkproofs.group.generators import generators
from zkproofs.group.tables import table_msm, tabulate

SHIFT = sum(2 ** (64 * limb + 63) for limb in range(4))
EDGES = [0, 1, 2**64 - 1, 2**64, 2**128, 2**192 + 5, ORDER - 1, ORDER // 2]
EDGES += [2**63 - 1, 2**63, 2**63 + 1, 2**127, 2**191, 2**254]
# Limbs that are 0, 1 and 2^64 - 1 once shifted: the longest, of either sign.
EDGES += [(shifted - SHIFT) % ORDER for shifted in (0, 1, 2**192 - 1, 2**192, ORDER - 1)]
scalars = st.one_of(st.sampled_from(EDGES), st.integers(0, ORDER - 1))


def test_sums_are_equal_on_each_backend(backend: Group) -> None:
    points = generators(b"test tables", 4)
    tabulate(points[:3])
    chosen = [backend.scalar(value) for value in (ORDER - 1, 2**64 + 3, 0, 7)]
    assert table_msm(points, chosen) == backend.msm(points, chosen)
    assert table_msm(points[3:], chosen[3:]) == backend.msm(points[3:], chosen[3:])
    assert table_msm([], []) == backend.g1_identity


@given(st.lists(st.tuples(st.integers(0, 5), scalars), max_size=8))
def test_sums_are_equal_whatever_is_tabulated(terms: list[tuple[int, int]]) -> None:
    points = generators(b"test tables", 6)
    tabulate(points[:3])
    tabulate(points[:3])
    chosen = [points[index] for index, _ in terms]
    values = [group().scalar(value) for _, value in terms]
    total = group().msm(chosen, values)
    assert table_msm(chosen, values) == table_msm(chosen, values, public=True) == total


def test_sums_of_one_point_are_equal_at_the_edges() -> None:
    points = generators(b"test tables", 1)
    tabulate(points)
    for value in EDGES:
        scalars = [group().scalar(value)]
        assert table_msm(points, scalars) == points[0] * scalars[0], value


def test_misuse_is_refused() -> None:
    points = generators(b"test tables", 2)
    tabulate(points)
    one = group().scalar(1)
    with pytest.raises(ParameterError):
        table_msm(points, [one])
    with using("py_ecc") as other:
        foreign = other.scalar(1)
    with pytest.raises(ParameterError):
        table_msm(points, [one, foreign])
