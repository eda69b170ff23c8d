"""Which backend runs. Nothing outside `zkproofs.group` asks.

The default is arkworks; the environment variable ``ZKPROOFS_BACKEND`` names another for
a whole process, `using` for a block. A backend's library is loaded when the first
element is needed, not before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Final

from zkproofs.errors import ParameterError
from zkproofs.group.interface import Group

DEFAULT_BACKEND: Final = "arkworks"
BACKEND_VARIABLE: Final = "ZKPROOFS_BACKEND"

_chosen: Final[ContextVar[Group | None]] = ContextVar("zkproofs backend", default=None)


def group() -> Group:
    """The backend in force here. Raises `ParameterError` if it cannot be had."""
    chosen = _chosen.get()
    return chosen if chosen is not None else _of_the_process()


@contextmanager
def using(name: str) -> Iterator[Group]:
    """Make ``name`` ("arkworks" or "py_ecc") the backend of this block.

    Elements made before belong to the backend they were made by. Raises `ParameterError`
    for an unknown name or a library that is not installed.
    """
    backend = _load(name)
    token = _chosen.set(backend)
    try:
        yield backend
    finally:
        _chosen.reset(token)


@cache
def _of_the_process() -> Group:
    return _load(os.environ.get(BACKEND_VARIABLE) or DEFAULT_BACKEND)


@cache
def _load(name: str) -> Group:
    try:
        if name == "arkworks":
            from zkproofs.group.arkworks import ArkworksGroup

            return ArkworksGroup()
        if name == "py_ecc":
            limit = sys.getrecursionlimit()
            from zkproofs.group.py_ecc import PyEccGroup

            sys.setrecursionlimit(limit)  # the library raises it to 100,000
            return PyEccGroup()
    except ImportError as error:
        raise ParameterError(f"the backend {name} cannot be loaded: no {error.name}") from None
    raise ParameterError(f"no backend {name!r}: there are arkworks and py_ecc")
