"""How much of everything is measured, and the entries themselves.

Entries are 256 random bytes each, made from a seed: every side is given the same ones,
and nobody has to keep a million of them in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.measure import MIN_ROUNDS

ENTRY_BYTES = 256
SEGMENTS = 10
BATCH_ENTRIES = 10_000

FULL_ENTRIES = 1_000_000
FULL_CONTENT_BYTES = 1 << 30

Entries = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Workload:
    """Sizes, all divided by ``divisor``; 1 is what the bounds are for."""

    divisor: int = 1

    @property
    def entries(self) -> int:
        """Entries in the log that is measured: 1,000,000, and never under 1,000."""
        return max(1000, FULL_ENTRIES // self.divisor)

    @property
    def growth(self) -> tuple[int, ...]:
        """The sizes that show how cost grows: 10^3 to 10^6."""
        return tuple(self.entries // 10**power for power in (3, 2, 1, 0))

    @property
    def batch(self) -> int:
        """Entries that are made durable together: 10,000, or a tenth of a small log."""
        return min(BATCH_ENTRIES, self.entries // SEGMENTS)

    @property
    def content_bytes(self) -> int:
        """Bytes in the recording: 1 GiB, and never under 1 MiB."""
        return max(1 << 20, FULL_CONTENT_BYTES // self.divisor)

    def some(self, full: int) -> int:
        """How many of a thing to measure, of which ``full`` are measured at full size."""
        return max(10, full // self.divisor)

    def rounds(self, full: int) -> int:
        """How many rounds to run where ``full`` are run at full size."""
        return full if self.divisor == 1 else MIN_ROUNDS

    def segments(self, count: int) -> Iterator[list[bytes]]:
        """The first ``count`` entries, a tenth of the whole log at a time."""
        width = self.entries // SEGMENTS
        for first in range(0, count, width):
            yield entries_from(first // width, min(width, count - first))


def entries_from(segment: int, count: int) -> list[bytes]:
    """The first ``count`` entries of a segment; always the same."""
    joined = Random(segment).randbytes(count * ENTRY_BYTES)
    return [joined[at : at + ENTRY_BYTES] for at in range(0, len(joined), ENTRY_BYTES)]


def in_batches(entries: Entries, size: int) -> list[Entries]:
    """Entries as they are appended: ``size`` at a time."""
    return [entries[first : first + size] for first in range(0, len(entries), size)]
