"""Looking at a market: where it is remembered, and who stops reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.cli.main import quipu
from ledger.cli.market import parse_span
from ledger.errors import MalformedError
from tests.cli.robot import Robot


@pytest.fixture
def trader(nobody: Robot) -> Robot:
    """A user with a chain on which nothing is offered."""
    nobody.did("chain", "init")
    return nobody


def walked(robot: Robot) -> list[Path]:
    return sorted((robot.folder / ".cache" / "quipu" / "market").glob("*"))


def cached(robot: Robot) -> dict[str, str]:
    return {**robot.environment, "HOME": str(robot.folder), "XDG_CACHE_HOME": ""}


def test_the_walk_is_remembered_and_its_loss_changes_nothing(trader: Robot) -> None:
    told = trader.told("market", environment=cached(trader))
    (kept,) = walked(trader)
    whole = kept.read_bytes()
    for damage in (whole[:-1], b"", os.urandom(100), whole[:20] + b"\0" + whole[21:]):
        kept.write_bytes(damage)
        assert trader.told("market", environment=cached(trader)) == told
        assert kept.read_bytes() == whole


def test_without_a_place_to_remember_it_the_market_is_shown_all_the_same(trader: Robot) -> None:
    (trader.folder / "file").write_text("in the way")
    elsewhere = {**trader.environment, "XDG_CACHE_HOME": str(trader.folder / "file")}
    assert trader.told("market", environment=elsewhere)["offers"] == []


def test_a_word_is_looked_for_and_a_verb_is_run(trader: Robot) -> None:
    assert trader.did("market", "harbour") == "nothing that is offered fits\n"
    assert trader.did("market") == "nothing is offered\n"
    assert trader.did("market", "search", "show") == "nothing that is offered fits\n"
    assert "Missing argument 'OFFER'" in trader.refused("market", "show", code=2)
    for words in (("market", "--help"), ("market", "-h")):
        assert "search" in trader.did(*words)


def test_spans_of_time() -> None:
    spans = {"90s": 90, "2 min": 120, "12h": 43_200, "1 hour": 3_600, "30 days": 2_592_000}
    assert {text: parse_span(text) for text in spans} == spans
    for text in ("", "soon", "0d", "-1d", "1", "1 fortnight", "1.5h", "30  days", "9" * 10 + "d"):
        with pytest.raises(MalformedError, match="no span of time"):
            parse_span(text)


def test_its_help_fits_a_narrow_terminal() -> None:
    group = quipu.get_command(None, "market")  # type: ignore[arg-type]
    assert group is not None
    assert group.help is not None
    assert all(len(line) <= 80 for line in group.help.splitlines())
