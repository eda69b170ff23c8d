"""Closed intervals of integers, and how a range proof sees them.

A range proof knows one kind of fact: that what a commitment holds lies in [0, 2^n). Each
such fact is a *slot* j, over a commitment derived from a public one,

    V'_j = V - low·g     v - low  in [0, 2^n)
    V'_j = high·g - V    high - v in [0, 2^n)

An interval of exactly 2^n values takes the first slot only, a narrower one both. Slots
are in the order of the intervals, the first kind before the second, and are padded to a
power of two by slots that hold nothing: V' = 0, which opens to the value 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from zkproofs.errors import ParameterError

BIT_SIZES: Final = (8, 16, 32, 64)
"""The values of n."""
MAX_SIZE: Final = 4096
"""Most bits n·m that one proof covers: its generators are kept in memory."""
BOUND_BITS: Final = 127
"""Bounds are from -2^127 to 2^127 - 1; values are modulo r, about 2^255."""
_BOUND_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Interval:
    """low <= v <= high, of integers; a negative v stands for r + v in a commitment.

    Raises `ParameterError` if it is empty, holds more than 2^64 values, or a bound takes
    more than `BOUND_BITS` bits.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        for bound in (self.low, self.high):
            if not isinstance(bound, int) or not -(1 << BOUND_BITS) <= bound < 1 << BOUND_BITS:
                raise ParameterError("a bound is an integer from -2^127 to 2^127 - 1")
        if self.low > self.high:
            raise ParameterError(f"no value is from {self.low} to {self.high}")
        if self.high - self.low >= 1 << BIT_SIZES[-1]:
            raise ParameterError(f"an interval has at most 2^{BIT_SIZES[-1]} values")

    @classmethod
    def of_bits(cls, bits: int) -> Self:
        """[0, 2^``bits``): the plain range proof."""
        return cls.at_least(0, bits)

    @classmethod
    def at_least(cls, low: int, bits: int) -> Self:
        """[``low``, ``low`` + 2^``bits``): one slot, where ``bits`` is among `BIT_SIZES`."""
        return cls(low, low + _width(bits) - 1)

    @classmethod
    def at_most(cls, high: int, bits: int) -> Self:
        """(``high`` - 2^``bits``, ``high``]."""
        return cls(high - _width(bits) + 1, high)

    def to_bytes(self) -> bytes:
        """What a transcript absorbs: low || high, 16 bytes each, two's complement."""
        return b"".join(
            bound.to_bytes(_BOUND_SIZE, "big", signed=True) for bound in (self.low, self.high)
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """V' = ``sign``·V + ``offset``·g, with V the commitment number ``source``."""

    source: int
    sign: int
    offset: int


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """What a range proof of some intervals is made of."""

    bits: int
    """n"""
    count: int
    """m, padded: a power of two"""
    slots: tuple[Slot, ...]
    """without the padding"""

    @property
    def size(self) -> int:
        """N = n·m."""
        return self.bits * self.count

    @property
    def log_size(self) -> int:
        """log2 of N."""
        return self.size.bit_length() - 1


def plan_slots(intervals: Sequence[Interval]) -> SlotPlan:
    """The slots of ``intervals``, with the smallest n that fits them all.

    Raises `ParameterError` for no intervals, or for more than `MAX_SIZE` bits of slots.
    """
    if not intervals:
        raise ParameterError("a range proof is about at least one commitment")
    bits = max(_smallest_bits(interval.high - interval.low) for interval in intervals)
    slots = []
    for source, interval in enumerate(intervals):
        slots.append(Slot(source, 1, -interval.low))
        if interval.high - interval.low + 1 != 1 << bits:
            slots.append(Slot(source, -1, interval.high))
    count = 1 << (len(slots) - 1).bit_length()
    if bits * count > MAX_SIZE:
        raise ParameterError(f"a range proof covers at most {MAX_SIZE} bits, not {bits * count}")
    return SlotPlan(bits, count, tuple(slots))


def _smallest_bits(distance: int) -> int:
    return next(bits for bits in BIT_SIZES if distance < 1 << bits)


def _width(bits: int) -> int:
    if bits not in BIT_SIZES:
        raise ParameterError(f"the bits of a range are one of {BIT_SIZES}")
    return 1 << bits
