"""One chain for all tests of its audit, and a copy for each that tampers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.chain.audit.audited_chain import AuditedChain, make_chain


@pytest.fixture(scope="session")
def sound_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedChain]:
    """A chain with which nothing is wrong; not to be written to."""
    folder = tmp_path_factory.mktemp("audited-chain")
    before = os.environ.get("QUIPU_PUBLISHED")
    os.environ["QUIPU_PUBLISHED"] = str(folder / "published")
    try:
        yield make_chain(folder)
    finally:
        if before is None:
            del os.environ["QUIPU_PUBLISHED"]
        else:
            os.environ["QUIPU_PUBLISHED"] = before


@pytest.fixture
def chain(sound_chain: AuditedChain, tmp_path: Path) -> AuditedChain:
    """A copy of it."""
    return sound_chain.copy(tmp_path)
