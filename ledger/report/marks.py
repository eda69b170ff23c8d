"""Marks on a time axis: as many as can be told apart, those that are close as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.report.model import Mark

_PLACES: Final = 240
"""Places on the axis for the marks of one kind in one lane."""


def close_together(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The marks in the order of time, those of one lane, kind and place counted as one."""
    every = sorted(marks, key=lambda mark: (mark.time_ns, mark.lane, mark.kind.value, mark.words))
    if not every:
        return ()
    first, last = every[0].time_ns, every[-1].time_ns
    wide = max(1, -(-(last - first) // _PLACES))
    kept: dict[tuple[str, str, int], Mark] = {}
    for mark in every:
        place = mark.lane, mark.kind.value, (mark.time_ns - first) // wide
        before = kept.get(place)
        if before is None:
            kept[place] = mark
        else:
            count = before.count + mark.count
            kept[place] = Mark(mark.lane, mark.kind, before.time_ns, count, mark.words)
    return tuple(kept.values())
