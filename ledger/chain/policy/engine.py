"""Which engine decides the policies of a chain.

Two versions of Cedar may decide one policy differently, so the version is part of what a
chain agrees on: `Parameters.policy_engine`, a number that is never given twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from ledger.errors import RefusedError


class PolicyEngine(IntEnum):
    """The engines there are, by their number in a genesis."""

    CEDAR_4_12_2 = 0


_PACKAGE: Final = "cedarpy"
_VERSIONS: Final[Mapping[int, str]] = {PolicyEngine.CEDAR_4_12_2: "4.12.2"}


def require_engine(number: int) -> None:
    """Raise RefusedError unless this machine has the engine of this number."""
    wanted = _VERSIONS.get(number)
    if wanted is None:
        raise RefusedError(
            f"the chain decides policies with engine {number}, which this version does not know",
            hint="a newer quipu-ledger may know it",
        )
    have = installed_version()
    if have != wanted:
        raise RefusedError(
            f"the chain decides policies with {_PACKAGE} {wanted}, and here is {have or 'none'}",
            hint=f"pip install {_PACKAGE}=={wanted}",
        )


def installed_version() -> str | None:
    """The version of the engine's package on this machine."""
    from importlib.metadata import PackageNotFoundError, version  # slow, and rarely asked for

    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return None
