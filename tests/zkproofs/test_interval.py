"""Intervals, and the slots they become."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkproofs.errors import ParameterError
from zkproofs.interval import MAX_SIZE, Interval, Slot, plan_slots


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (1, 0),
        (0, 2**64),
        (-1, 2**64 - 1),
        (-(2**127) - 1, 0),
        (2**127 - 1, 2**127),
        (0.0, 1),
        ("0", "1"),
        (None, 5),
    ],
)
def test_no_such_interval(low: Any, high: Any) -> None:
    with pytest.raises(ParameterError):
        Interval(low, high)


@pytest.mark.parametrize("bits", [0, 1, 7, 9, 63, 65, 128, -8])
def test_no_such_number_of_bits(bits: int) -> None:
    for make in (Interval.of_bits, lambda n: Interval.at_least(3, n)):
        with pytest.raises(ParameterError):
            make(bits)


def test_ends_of_named_intervals() -> None:
    assert Interval.of_bits(8) == Interval(0, 255)
    assert Interval.at_least(3, 16) == Interval(3, 65538)
    assert Interval.at_most(3, 16) == Interval(-65532, 3)
    assert Interval.at_least(-(2**127), 64).low == -(2**127)


def test_bytes_of_bounds() -> None:
    assert Interval(-1, 2).to_bytes().hex() == "ff" * 16 + "00" * 15 + "02"


@pytest.mark.parametrize(
    ("intervals", "bits", "count", "slots"),
    [
        ([Interval(0, 255)], 8, 1, [Slot(0, 1, 0)]),
        ([Interval(5, 5)], 8, 2, [Slot(0, 1, -5), Slot(0, -1, 5)]),
        ([Interval(-3, 252)], 8, 1, [Slot(0, 1, 3)]),
        ([Interval(0, 256)], 16, 2, [Slot(0, 1, 0), Slot(0, -1, 256)]),
        (
            [Interval(0, 255), Interval(1, 2**32)],
            32,
            4,
            [Slot(0, 1, 0), Slot(0, -1, 255), Slot(1, 1, -1)],
        ),
    ],
)
def test_plans(intervals: list[Interval], bits: int, count: int, slots: list[Slot]) -> None:
    plan = plan_slots(intervals)
    assert (plan.bits, plan.count, list(plan.slots)) == (bits, count, slots)
    assert plan.size == bits * count == 1 << plan.log_size


def test_there_are_limits() -> None:
    assert plan_slots([Interval.of_bits(64)] * (MAX_SIZE // 64)).size == MAX_SIZE
    with pytest.raises(ParameterError):
        plan_slots([Interval.of_bits(64)] * (MAX_SIZE // 64 + 1))
    with pytest.raises(ParameterError):
        plan_slots([])


@given(st.integers(-(2**127), 2**126), st.integers(0, 2**64 - 1), st.integers(-(2**65), 2**65))
def test_a_value_is_inside_exactly_if_all_its_slots_are(low: int, width: int, shift: int) -> None:
    interval = Interval(low, low + width)
    value = low + shift
    plan = plan_slots([interval])
    inside = all(0 <= slot.sign * value + slot.offset < 1 << plan.bits for slot in plan.slots)
    assert inside == (interval.low <= value <= interval.high)
