"""The benchmark runs, and its JSON has every field. Times are not judged here."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]

FIELDS = {
    "append_vs_pymerkle",
    "append_vs_raw",
    "single_vs_raw",
    "single_vs_pymerkle",
    "prove_vs_pymerkle",
    "prove_per_s",
    "verify_per_s",
    "audit_vs_raw",
    "ingest_vs_sha256",
    "open_ms",
    "rss_mb",
}
BOUNDS = {
    "append_vs_pymerkle": ("at_least", 1.3),
    "append_vs_raw": ("at_least", 0.7),
    "single_vs_raw": ("at_least", 0.7),
    "single_vs_pymerkle": ("at_least", 2),
    "prove_vs_pymerkle": ("at_least", 1000),
    "audit_vs_raw": ("at_least", 0.4),
    "ingest_vs_sha256": ("at_least", 0.6),
    "open_ms": ("at_most", 100),
    "rss_mb": ("at_most", 250),
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pytest.importorskip("pymerkle", reason="SKIPPED FOR LACK OF PYMERKLE: install the bench extra")
    temporary = tmp_path_factory.mktemp("bench")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.log", "--json", "--scale", "1000"],
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "append 1,000 entries" in done.stderr
    assert list(temporary.iterdir()) == [], "the benchmark left files behind"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.slow
def test_every_field_is_a_positive_number(result: dict[str, Any]) -> None:
    unmeasured = set() if shutil.which("openssl") else {"ingest_vs_sha256"}
    assert result.keys() >= FIELDS
    for name in FIELDS - unmeasured:
        assert math.isfinite(result[name]), name
        assert result[name] > 0, name
    for name in unmeasured:
        assert result[name] is None, name


@pytest.mark.slow
def test_bounds_are_those_promised_and_judged_by_the_fields(result: dict[str, Any]) -> None:
    assert result["bounds"].keys() == BOUNDS.keys()
    for name, (kind, limit) in BOUNDS.items():
        verdict, value = result["bounds"][name], result[name]
        assert verdict[kind] == limit
        if value is None:
            assert verdict["met"] is False
        elif kind == "at_least":
            assert verdict["met"] is (value >= limit)
        else:
            assert verdict["met"] is (value <= limit)


@pytest.mark.slow
def test_growth_has_four_sizes_each_ten_times_the_one_before(result: dict[str, Any]) -> None:
    assert [row["entries"] for row in result["growth"]] == [1, 10, 100, 1000]
    for row in result["growth"]:
        assert row.keys() == {"entries", "append_per_s", "prove_us", "open_ms", "audit_s"}
        assert all(value > 0 for value in row.values())


@pytest.mark.slow
def test_a_ratio_is_the_median_of_at_least_three_turns(result: dict[str, Any]) -> None:
    names = {name for name in FIELDS if "_vs_" in name and result[name] is not None}
    for name in names:
        turns = sorted(result["turns"][name])
        assert len(turns) >= 3, name
        assert len(turns) % 2, name
        assert result[name] == turns[len(turns) // 2], name


@pytest.mark.slow
def test_says_what_it_ran_on(result: dict[str, Any]) -> None:
    assert result["scale"] == 1000
    assert result["machine"].keys() >= {"cpu", "cores", "python", "lmdb", "openssl", "filesystem"}
    assert result["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
