"""The fleet benchmark runs, small, and says what its table asks for. Times are not judged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks import fleet, fleet_stream

PROMISED = {
    "stream_mb_s_vs_copy": (0.5, None),
    "stream_ros_mb_s_vs_bare": (0.6, None),
    "grant_vs_bare_proof": (0.6, None),
    "settle_bytes_per_gib": (None, 4_500),
    "dispute_bytes": (None, 266_144),
    "policy_decision_us": (None, 150),
}


def test_bounds_are_those_promised() -> None:
    bounds = {
        field.name: (field.at_least, field.at_most)
        for section in fleet.SECTIONS
        for field in section.fields
        if field.at_least is not None or field.at_most is not None
    }
    assert bounds == PROMISED


def test_streams_and_disputes_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_stream, "STREAM_BYTES", 3 << 18)
    sections = [each for each in fleet.SECTIONS if each.name in ("stream", "dispute")]
    result = fleet.run(tmp_path, sections, 1)
    for section in sections:
        for field in section.fields:
            value = result[field.name]
            assert isinstance(value, float | int)
            assert math.isfinite(value)
            assert value > 0
    # The unit, two paths of twelve hashes, and what names them: a size, not a time.
    size = result["dispute_bytes"]
    assert isinstance(size, int)
    assert 262_176 + 24 * 32 < size <= 266_144
    json.dumps(result)
