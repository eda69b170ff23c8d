"""Range proofs to test with, and the transcripts of provers and verifiers that are not ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pytest

from zkproofs import range_proof
from zkproofs.group import G1, ORDER, Scalar, group
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening, default_bases
from zkproofs.range_layout import LAYOUTS, NEWEST, RangeProof
from zkproofs.range_proof import verify
from zkproofs.transcript import Transcript

CONTEXT = b"chain 7, entry 12"
VERSIONS = tuple(LAYOUTS)
BYTE = Interval.of_bits(8)


@dataclass(frozen=True)
class Sample:
    """A proof with everything that belongs to it."""

    openings: tuple[Opening, ...]
    intervals: tuple[Interval, ...]
    commitments: tuple[G1, ...]
    proof: RangeProof

    def verify(self, proof: RangeProof | None = None, context: bytes = CONTEXT) -> None:
        verify(proof or self.proof, self.commitments, self.intervals, context)


def opening_of(value: int) -> Opening:
    """A fresh opening; negative values are taken modulo r."""
    return Opening.of(value % ORDER)


def prove_in(
    version: int, openings: Sequence[Opening], intervals: Sequence[Interval], context: bytes
) -> RangeProof:
    """What `range_proof.prove` would have made when this version was the newest."""
    bases = default_bases()
    commitments = [opening.commitment(bases) for opening in openings]
    statement = range_proof._Statement.of(commitments, intervals, bases, LAYOUTS[version])
    return range_proof._Prover(statement, openings).run(statement.transcript(context))


def sample(*claims: tuple[int, Interval], version: int = NEWEST.version) -> Sample:
    """A proof of values in intervals."""
    openings = tuple(opening_of(value) for value, _ in claims)
    intervals = tuple(interval for _, interval in claims)
    commitments = tuple(opening.commitment() for opening in openings)
    proof = prove_in(version, openings, intervals, CONTEXT)
    return Sample(openings, intervals, commitments, proof)


class WeakTranscript(Transcript):
    """A transcript that leaves out what has a forgotten label. Not ours, and not sound."""

    def __init__(self, protocol: bytes, context: bytes, forgotten: str = "") -> None:
        self.forgotten = forgotten.encode()
        super().__init__(protocol, b"" if forgotten == "context" else context)

    def append_bytes(self, label: bytes, data: bytes) -> None:
        if label != self.forgotten:
            super().append_bytes(label, data)

    def append_u64(self, label: bytes, value: int) -> None:
        if label != self.forgotten:
            super().append_u64(label, value)

    def append_points(self, label: bytes, points: Sequence[G1]) -> None:
        if label != self.forgotten:
            super().append_points(label, points)

    def append_scalars(self, label: bytes, scalars: Sequence[Scalar]) -> None:
        if label != self.forgotten:
            super().append_scalars(label, scalars)


class MeddlingTranscript(WeakTranscript):
    """What a dishonest prover uses: it remembers challenges, and absorbs T1 + e·g for T1
    and t + f(z) for t, whatever the honest code under it meant to send."""

    t1_shift: int = 0
    t_shift: Callable[[Scalar], Scalar] | None = None

    def __init__(self, protocol: bytes, context: bytes, forgotten: str = "") -> None:
        super().__init__(protocol, context, forgotten)
        self.challenges: dict[str, list[Scalar]] = defaultdict(list)

    def challenge(self, label: bytes) -> Scalar:
        drawn = super().challenge(label)
        self.challenges[label.decode()].append(drawn)
        return drawn

    def append_points(self, label: bytes, points: Sequence[G1]) -> None:
        if label == b"T1, T2" and self.t1_shift:
            g = range_proof.default_bases().value
            points = (points[0] + g * group().scalar(self.t1_shift), points[1])
        super().append_points(label, points)

    def append_scalars(self, label: bytes, scalars: Sequence[Scalar]) -> None:
        if label == b"t, tau, mu" and self.t_shift is not None:
            scalars = (scalars[0] + self.t_shift(self.challenges["z"][0]), *scalars[1:])
        super().append_scalars(label, scalars)

    def drawn(self, name: str) -> Scalar:
        """The first challenge of this name."""
        return self.challenges[name][0]


def weaken(monkeypatch: pytest.MonkeyPatch, forgotten: str) -> None:
    """Make range proofs leave ``forgotten`` out of their transcript."""
    monkeypatch.setattr(range_proof, "Transcript", partial(WeakTranscript, forgotten=forgotten))
