"""A home on disk, with a recording to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.experience.readers.recording import Recording
from tests.ledger.experience.experience_home import TestHome, make_recording


@pytest.fixture
def home(tmp_path: Path) -> Iterator[TestHome]:
    """An empty home, opened to write."""
    with TestHome.create(tmp_path / "robot") as made:
        yield made


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Four files, one of them empty and one in a folder; four chunks that cross files."""
    return make_recording(tmp_path / "recorded")
