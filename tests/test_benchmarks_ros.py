"""The ``ros`` benchmark promises what it should. Times are not judged here."""

from __future__ import annotations

from benchmarks import ros


def test_bounds_are_those_promised() -> None:
    bounds = {
        field.name: (field.at_least, field.at_most)
        for fields in ros.FIELDS.values()
        for field in fields
        if field.at_least is not None or field.at_most is not None
    }
    assert bounds == {
        "record_1k_vs_bare": (0.85, None),
        "record_64k_vs_bare": (0.85, None),
        "record_1m_vs_bare": (0.85, None),
        "record_lost": (None, 0),
        "commit_latency_ms_p50": (None, 20),
        "commit_latency_ms_p99": (None, 100),
        "rss_mb": (None, 200),
        "rss_growth_mb": (None, 10),
        "sim_8_robots_realtime_factor": (4, None),
        "sim_8_robots_lost": (None, 0),
        "fleet_cpu_percent": (None, 80),
        "fleet_lost": (None, 0),
    }


def test_every_section_can_be_measured() -> None:
    assert ros.MEASURES.keys() == ros.FIELDS.keys()
    assert [field.name for field in ros.fields_of(("fleet",))] == [
        "fleet_cpu_percent",
        "fleet_lost",
    ]
