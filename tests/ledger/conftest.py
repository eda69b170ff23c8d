"""A world that traded, made once for all who audit it or tell of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.report.traded import Traded, trade


@pytest.fixture(scope="session")
def sound_trade(tmp_path_factory: pytest.TempPathFactory) -> Traded:
    """Three robots that sold to two fleets; not to be written to."""
    return trade(tmp_path_factory.mktemp("traded"))


@pytest.fixture
def traded(sound_trade: Traded, tmp_path: Path) -> Traded:
    """A copy of it."""
    return sound_trade.copy(tmp_path)
