"""Homes to own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.home import create_home
from ledger.memory.owner import MemoryOwner
from ledger.note import VerifierKey

ORIGIN = "example.com/r1"


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


@pytest.fixture
def vkey(tmp_path: Path) -> VerifierKey:
    """The key that signs for a new home."""
    return create_home(tmp_path / "home", ORIGIN)


@pytest.fixture
def root(tmp_path: Path, vkey: VerifierKey) -> Path:
    """The path of that home."""
    return tmp_path / "home"


@pytest.fixture
def owner(root: Path) -> Iterator[MemoryOwner]:
    """Its owner."""
    with MemoryOwner.open(root) as owner:
        yield owner
