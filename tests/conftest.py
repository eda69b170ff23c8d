"""Fixtures that find the public vectors and the real recordings; how signals and order stand.

The vectors and recordings live outside the tree. Where they are missing, the tests that need
them skip and say so.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).resolve().parent
LONGEST_FIRST = ("docs", "test_demo.py", "fleet", "cli")
"""So that workers side by side are done at about the same time."""
BESIDE_CHECKOUT = HERE.parents[1] / "shared"

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("quipu", deadline=None)
settings.load_profile("quipu")


def pytest_configure() -> None:
    """Let programs hear Ctrl-C: what a shell starts with ``&`` ignores it, and so would they."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of workers side by side: begin with what takes longest, in the order that it had."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(HERE).parts[0]
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    if hasattr(config, "workerinput"):
        items.sort(key=place)


def _external(variable: str, name: str) -> Path:
    path = Path(os.environ.get(variable) or BESIDE_CHECKOUT / name)
    if not path.is_dir():
        pytest.skip(f"SKIPPED FOR LACK OF DATA: set {variable} to a folder ({path} is none)")
    return path


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of public conformance vectors (``QUIPU_VECTORS``)."""
    return _external("QUIPU_VECTORS", "vectors")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings (``QUIPU_DATA``)."""
    return _external("QUIPU_DATA", "data")
