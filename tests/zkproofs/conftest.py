"""The fixture that runs a test on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zkproofs.group import Group, using

BACKENDS = ("arkworks", "py_ecc")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Group]:
    """Each backend in turn, in force for the whole test."""
    with using(request.param) as chosen:
        yield chosen
