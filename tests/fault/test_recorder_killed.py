"""Fifty rounds of ``script/crash-test --recorder``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.fault.recording_crash import RecorderCrashTest

ROUNDS = 50


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_no_segment_unaccounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    with closing(RecorderCrashTest(tmp_path, seed=4)) as test:
        for _ in range(ROUNDS):
            test.run_round()
        test.finish()
    result = test.result
    assert result.good, result
    assert result.kills == ROUNDS
    assert result.recovered >= ROUNDS // 2
    assert result.acknowledged >= 2 * ROUNDS
    assert result.messages > result.acknowledged
