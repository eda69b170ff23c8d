"""A home that follows a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.follow.followed_home import Followed, Recorder


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    yield
    while Recorder.streams:
        Recorder.streams.pop().close()


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    """An empty home that follows an empty directory."""
    made = Followed(tmp_path)
    yield made
    made.close()
