"""Homes with small chains, and engines over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.server import serve_chain
from ledger.chain.engines.service import ChainService
from ledger.chain.engines.settings import EngineSettings
from tests.ledger.chain.engines.engine_world import QUICK, EngineWorld


@pytest.fixture(autouse=True)
def own_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


@pytest.fixture
def world() -> EngineWorld:
    return EngineWorld()


@pytest.fixture
def root(world: EngineWorld, tmp_path: Path) -> Path:
    return world.create(tmp_path / "chain")


@pytest.fixture
def engine(root: Path) -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine.open(root, QUICK) as running:
        yield running


@contextmanager
def in_process(root: Path, settings: EngineSettings) -> Iterator[ChainService]:
    with EmbeddedEngine.open(root, settings) as running:
        yield running


@contextmanager
def over_socket(root: Path, settings: EngineSettings) -> Iterator[ChainService]:
    with serve_chain(root, settings), ChainClient.at_home(root) as client:
        yield client


@pytest.fixture(params=[in_process, over_socket], ids=["embedded", "client"])
def service(request: pytest.FixtureRequest, root: Path) -> Iterator[ChainService]:
    """The chain of `root` at work: what every kind of service must do alike."""
    with request.param(root, QUICK) as running:
        yield running
