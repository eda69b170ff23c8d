"""Where a prover's scalars come from.

The functions that begin a proof take a source, and none has a default: only the
functions for everyday use pick `fresh_scalars` themselves. Anything but fresh scalars
gives the hidden messages away, and with them the signature. Test vectors need it so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from zkproofs.errors import ParameterError
from zkproofs.group import Scalar, group

ScalarSource: TypeAlias = Callable[[int], Sequence[Scalar]]
"""calculate_random_scalars: given a count, that many scalars."""


def fresh_scalars(count: int) -> tuple[Scalar, ...]:
    """``count`` scalars of the operating system's randomness."""
    return tuple(group().random_scalar() for _ in range(count))


def draw(source: ScalarSource, count: int) -> tuple[Scalar, ...]:
    """Take ``count`` scalars of ``source``. Raises `ParameterError` if it gives others."""
    drawn = tuple(source(count))
    if len(drawn) != count:
        raise ParameterError(f"a source gave {len(drawn)} scalars for {count}")
    return drawn
