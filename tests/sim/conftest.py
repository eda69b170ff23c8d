from __future__ import annotations

import pytest
from quipu_sim.episode import EpisodeSummary, run_episode

START_NS = 1_700_000_000_123_456_789


@pytest.fixture(scope="session")
def episode(tmp_path_factory: pytest.TempPathFactory) -> EpisodeSummary:
    """Eight seconds of seed 1, recorded once for all tests."""
    bag = tmp_path_factory.mktemp("sim") / "drive"
    return run_episode(bag, seconds=8.0, seed=1, start_ns=START_NS)
