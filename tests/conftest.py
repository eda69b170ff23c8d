"""Fixtures that find the public vectors and the real recordings, and how signals stand.

The vectors and recordings live outside the tree. Where they are missing, the tests that need
them skip and say so.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

BESIDE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared"


def pytest_configure() -> None:
    """Let programs hear Ctrl-C: what a shell starts with ``&`` ignores it, and so would they."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
