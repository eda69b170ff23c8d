"""Homes to record into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.home import create_home
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a new home."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    create_home(tmp_path / "home", "example.com/r1")
    return tmp_path / "home"


@pytest.fixture
def owner(root: Path) -> Iterator[MemoryOwner]:
    """Its owner."""
    with MemoryOwner.open(root) as owner:
        yield owner


@pytest.fixture
def sink(owner: MemoryOwner) -> OwnerSink:
    """Where a recorder hands over."""
    return OwnerSink(owner)
