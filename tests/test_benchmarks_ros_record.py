"""Both sides of the recording benchmark run and count what they got. Times are not judged."""

from __future__ import annotations

import pytest

from benchmarks.ros_record import FIELDS, SIDES, Load, record
from tests.ros.ros_process import require_ros


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
def test_a_turn(side: str) -> None:
    require_ros()
    run = record(side, Load("4k", 4096, 200), 1.0)
    assert run["missing"] == 0, run
    assert run["received"] == 200
    assert 0 < run["cpu_s"] < 20
    assert all(value > 10 for value in run["rss_mb"])


def test_every_bound_of_recording_is_a_field() -> None:
    bounds = {each.name: each.at_least or each.at_most for each in FIELDS}
    assert bounds["record_1k_vs_bare"] == bounds["record_64k_vs_bare"] == 0.85
    assert bounds["record_1m_vs_bare"] == 0.85
    assert (bounds["commit_latency_ms_p50"], bounds["commit_latency_ms_p99"]) == (20, 100)
    assert bounds["rss_mb"] == 200
