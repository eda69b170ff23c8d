"""The part of the fleet benchmark about grants runs, and counts what a sale writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fleet_grants import measure_grants


def test_grants_are_measured_beside_their_proofs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    figures = measure_grants(tmp_path / "grants", rounds=1, block=2)
    assert figures.keys() == {"grant_vs_bare_proof", "grants_per_s", "settle_bytes_per_gib"}
    assert figures["grant_vs_bare_proof"] > 0
    # Grant, money, channel opened and closed, a header each: a size, not a time.
    assert 2_532 < figures["settle_bytes_per_gib"] <= 4_500
