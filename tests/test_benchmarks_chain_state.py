"""The state's section of the chain benchmark runs. Times are not judged here."""

from __future__ import annotations

import gc
import math
from pathlib import Path

import pytest

from benchmarks import chain_state

FIGURES = {
    "state_proof_bytes",
    "state_proof_per_s",
    "state_verify_per_s",
    "state_update_vs_ed25519",
    "state_update_growth",
    "state_finalize_cpu_ms",
    "state_commit_cpu_ms",
    "state_update_wall_ms",
    "ed25519_verify_us",
    "state_bytes_a_key",
}


def test_every_figure_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_state, "TRANSFERS", 50)
    monkeypatch.setattr(chain_state, "FEW_ACCOUNTS", 20)
    said: list[str] = []
    try:
        figures = chain_state.measure_state(tmp_path, 200, 2, said.append)
    finally:
        gc.unfreeze()
    assert figures.keys() == FIGURES
    assert all(math.isfinite(value) and value > 0 for value in figures.values())
    assert 300 < figures["state_proof_bytes"] < 700
    assert "state of 200 accounts" in said
