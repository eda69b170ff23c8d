"""A home on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.experience.experience_home import TestHome


@pytest.fixture
def home(tmp_path: Path) -> Iterator[TestHome]:
    """An empty home, opened to write."""
    with TestHome.create(tmp_path / "robot") as made:
        yield made
