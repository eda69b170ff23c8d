"""Where each element of a presentation's bytes is, told from its own length alone.

Written down once more, apart from `zkproofs.credential.presentation`: a layout that moved
would be noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from zkproofs.credential import Policy
from zkproofs.interval import plan_slots


class Kind(Enum):
    VERSION = 1
    VALUE = 2
    NULLIFIER = 3
    POINT = 4
    SCALAR = 5


@dataclass(frozen=True)
class Element:
    kind: Kind
    start: int
    size: int

    @property
    def stop(self) -> int:
        return self.start + self.size

    def of(self, data: bytes) -> bytes:
        return data[self.start : self.stop]

    def put(self, data: bytes, value: bytes) -> bytes:
        return data[: self.start] + value + data[self.stop :]


def elements(policy: Policy) -> list[Element]:
    found = []
    start = 0
    for kind, size in _sizes(policy):
        found.append(Element(kind, start, size))
        start += size
    return found


def _sizes(policy: Policy) -> Iterator[tuple[Kind, int]]:
    version, point, scalar = (Kind.VERSION, 1), (Kind.POINT, 48), (Kind.SCALAR, 32)
    yield version
    for attribute in policy.disclose:
        yield Kind.VALUE, 64 if attribute.is_text else 4
    if policy.scope is not None:
        yield Kind.NULLIFIER, 48
        yield point
    yield version
    yield from [point] * 5
    yield from [scalar] * (3 + 6 - len(policy.shown))
    if policy.epoch is not None:
        yield version
        yield from [point] * 5
        yield from [scalar] * (3 + 4 - len(policy.gap_indexes))
    sums = policy.ranged_sums
    yield from [point] * (2 * len(sums))
    yield from [scalar] * len(sums)
    if sums:
        rounds = plan_slots([each.interval for each in sums]).log_size - 2
        yield version
        yield from [point] * 4
        yield from [scalar] * 3
        yield from [point] * (2 * rounds)
        yield from [scalar] * 8
