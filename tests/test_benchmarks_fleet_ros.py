"""The benchmark of streams over ROS 2 runs, small, in two processes. Times are not judged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks import fleet, fleet_stream, fleet_stream_ros
from tests.ros.ros_process import require_ros


def test_a_stream_is_bought_between_two_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_ros()
    monkeypatch.setattr(fleet_stream, "STREAM_BYTES", 3 << 18)
    sections = [each for each in fleet.SECTIONS if each.name == "ros"]
    result = fleet.run(tmp_path, sections, 1)
    figures = result["figures"]
    assert isinstance(figures, dict)
    for name in fleet_stream_ros.FIGURES:
        value = result.get(name, figures.get(name))
        assert isinstance(value, float)
        assert math.isfinite(value)
        assert value > 0
    bounds = result["bounds"]
    assert isinstance(bounds, dict)
    assert set(bounds) == {"stream_ros_mb_s_vs_bare"}
    json.dumps(result)


def test_where_there_is_no_ros_it_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script").mkdir()
    (tmp_path / "script/ros").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "script/ros").chmod(0o755)
    monkeypatch.setattr(fleet_stream_ros, "CHECKOUT", tmp_path)
    figures = fleet_stream_ros.measure_stream_ros(tmp_path / "ros", 1)
    assert figures == dict.fromkeys(fleet_stream_ros.FIGURES)
    (bounded,) = (each for each in fleet.SECTIONS if each.name == "ros")
    assert bounded.fields[0].judge(None) == {"at_least": 0.6, "met": False}
