"""The range proofs' section of the ``zk`` benchmark runs. Times are not judged here."""

from __future__ import annotations

import math
from importlib.util import find_spec

import pytest

from benchmarks import zk, zk_range

PEER = {"range64_prove_vs_zksnake", "range64_verify_vs_zksnake"}
OWN = {"range64_verify_vs_msm", "range64_batch64_each"}


@pytest.fixture(scope="module")
def measured() -> zk_range.RangeFigures:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zk_range, "BATCH", 2)
        patch.setattr(zk_range, "SHORT_TURNS", 1)
        return zk_range.measure_range(1)


@pytest.mark.slow
def test_every_field_is_the_median_of_positive_turns(measured: zk_range.RangeFigures) -> None:
    assert measured.fields.keys() == PEER | OWN
    there = OWN | PEER if find_spec("zksnake") else OWN
    assert measured.turns.keys() == there
    for name, value in measured.fields.items():
        if name in there:
            assert value == sorted(measured.turns[name])[len(measured.turns[name]) // 2]
            assert len(measured.turns[name]) >= 3
            assert value > 0
        else:
            assert value is None
    assert all(math.isfinite(value) and value > 0 for value in measured.figures.values())


@pytest.mark.slow
def test_a_peer_that_is_missing_leaves_its_fields_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zk_range, "BATCH", 2)
    monkeypatch.setattr(zk_range, "SHORT_TURNS", 1)
    monkeypatch.setattr(zk_range, "_peer", lambda: None)
    fields = zk_range.measure_range(1).fields
    assert {name for name, value in fields.items() if value is None} == PEER


def test_bounds_are_those_promised() -> None:
    bounds = {field.name: (field.at_least, field.at_most) for field in zk.FIELDS}
    assert bounds == {
        "range64_prove_vs_zksnake": (3, None),
        "range64_verify_vs_zksnake": (4.5, None),
        "range64_verify_vs_msm": (None, 1.4),
        "range64_batch64_each": (None, 0.2),
        "bbs_proof_verify_vs_pairing": (None, 4.2),
        "bbs_batch64_each": (None, 0.6),
        "credential_present_ms": (None, None),
        "credential_check_ms": (None, None),
        "credential_check_vs_parts": (None, 1.5),
        "import_s": (None, 0.3),
    }
