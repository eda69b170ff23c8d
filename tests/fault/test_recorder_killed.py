"""A few rounds of ``script/crash-test --recorder``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault.recording_crash import RecorderCrashTest


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_no_segment_unaccounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    test = RecorderCrashTest(tmp_path, seed=4)
    for _ in range(4):
        test.run_round()
    test.finish()
    result = test.result
    assert result.good, result
    assert result.kills == 4
    assert result.recovered >= 2
    assert result.acknowledged > 20
    assert result.messages > 200
