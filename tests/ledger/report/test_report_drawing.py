"""Axes, flows and words: edges that a real world seldom has."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ledger.report.axis import Axis
from ledger.report.flow_drawing import Money, flow_drawing
from ledger.report.marks import close_together
from ledger.report.model import Flow, Mark, MarkKind
from ledger.report.timeline import timeline
from ledger.report.words import amount, moment, percent, plural, short, size

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


@pytest.mark.parametrize("span", [1, SECOND, 59 * SECOND, DAY, 40 * DAY, 20_000 * DAY])
def test_ticks_are_few_and_in_order(span: int) -> None:
    axis = Axis(1_700_000_000 * SECOND, 1_700_000_000 * SECOND + span, 100, 900)
    ticks = list(axis.ticks())
    assert len(ticks) <= 8
    places = [float(axis.at(time_ns)) for time_ns, _ in ticks]
    assert places == sorted(places)
    assert all(100 <= place <= 900 for place in places)


def test_one_moment_stands_in_the_middle() -> None:
    assert Axis(5, 5, 100, 900).at(5) == "500.0"


def test_marks_that_are_close_are_one() -> None:
    marks = [Mark("a", MarkKind.GRANT, number, 1, "x") for number in range(10_000)]
    marks.append(Mark("b", MarkKind.GRANT, 1, 1, "x"))
    kept = close_together(marks)
    assert sum(mark.count for mark in kept) == 10_001
    assert len(kept) <= 241
    assert close_together([]) == ()


def test_a_thousand_robots_get_no_thousand_lanes() -> None:
    marks = [Mark(f"robot-{n}", MarkKind.OFFER, n, 1, "x") for n in range(1_000)]
    drawn = timeline(marks, "the clock")
    assert drawn is not None
    assert "The busiest 32 of 1,000 robots are drawn." in drawn
    assert drawn.count('class="lane"') == 32
    assert timeline([], "the clock") is None


def flow(seller: str, buyer: str, paid: int, granted: int = 10) -> Flow:
    return Flow(seller, "fleet", buyer, 0, paid, 0, 1, granted)


def heights(flows: list[Flow]) -> list[int]:
    drawn = flow_drawing(flows, Money(2, "QPU"))
    assert drawn is not None
    svg = ElementTree.fromstring(drawn)  # noqa: S314 - made here
    return [int(each.attrib["height"]) for each in svg.iter("rect")]


def test_bands_are_as_wide_as_what_was_paid() -> None:
    assert heights([flow("a", "x", 300), flow("b", "x", 100)]) == [180, 60, 240]


def test_flows_without_money_go_by_data_and_small_ones_are_seen() -> None:
    assert heights([flow("a", "x", 0, 30), flow("b", "x", 0, 10)]) == [180, 60, 240]
    assert min(heights([flow("a", "x", 10**18), flow("b", "y", 1)])) == 3
    assert heights([flow("a", "x", 0, 0)]) == [3, 3]
    assert flow_drawing([], Money(0, "X")) is None


def test_amounts_sizes_and_times() -> None:
    assert amount(123_456, 2, "QPU") == "1,234.56 QPU"
    assert amount(5, 2, "QPU") == "0.05 QPU"
    assert amount(-5, 2, "QPU") == "-0.05 QPU"
    assert amount(2**64 - 1, 0, "X") == "18,446,744,073,709,551,615 X"
    assert [size(n) for n in (0, 1, 1_023, 1_024, 1_536, 3 << 20, 5 << 40)] == [
        "0 bytes",
        "1 byte",
        "1,023 bytes",
        "1.0 KiB",
        "1.5 KiB",
        "3.0 MiB",
        "5.0 TiB",
    ]
    assert moment(0) == "—"
    assert moment(1_700_000_000 * SECOND) == "2023-11-14 22:13:20 UTC"
    assert moment(2**64 - 1) == "2554-07-21 23:34:33 UTC"
    assert (percent(1_250), plural(1, "entry", "entries"), plural(2, "entry", "entries")) == (
        "12.50 %",
        "1 entry",
        "2 entries",
    )
    assert short("ab" * 32) == "ababababab…"
