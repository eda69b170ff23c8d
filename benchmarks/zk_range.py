"""Range proofs measured against zksnake's and against a bare multi-scalar multiplication.

A part of the ``zk`` benchmark: `measure_range` gives the fields, and more figures beside
them. All proofs are of one value of 64 bits. Unless a name says otherwise, proofs and
commitments are decoded before the clock starts, on both sides; so are the generators made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.measure import MIN_ROUNDS, add_up, mid, ratios, seconds_of, take_turns
from zkproofs.batch import Batch
from zkproofs.group import group, using
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening
from zkproofs.range_proof import RangeProof, equations, prove, verify

BITS = 64
BATCH = 64
VALUE = 0x0123456789ABCDEF
CONTEXT = b"chain, key, entry"
REPEATS = 4
"""How often in a row a turn does what takes some milliseconds."""
SHORT_TURNS = 4
"""Turns that short jobs take in a round, so that a busy neighbour meets all of them."""


@dataclass(frozen=True)
class RangeFigures:
    """What came out; a field is None where its peer is not installed."""

    fields: dict[str, float | None]
    figures: dict[str, float]
    turns: dict[str, list[float]]


class _Work:
    """Proofs of ours, encoded and decoded."""

    def __init__(self, batch: int) -> None:
        self._interval = [Interval.of_bits(BITS)]
        self._openings = [Opening.of(VALUE + number) for number in range(batch)]
        self.encoded = [
            (self.prove(number).to_bytes(), group().encode_g1(opening.commitment()))
            for number, opening in enumerate(self._openings)
        ]
        self.decoded = [self.decode(number) for number in range(batch)]
        sums = equations(*self._statement(*self.decoded[0]))
        # The batch merges g and h, which are in both equations.
        self._points = list({id(p): p for equation in sums for p in equation.points}.values())
        self._scalars = [group().random_scalar() for _ in self._points]

    def prove(self, number: int = 0) -> RangeProof:
        return prove([self._openings[number]], self._interval, CONTEXT)

    def decode(self, number: int = 0) -> tuple[RangeProof, Any]:
        proof, commitment = self.encoded[number]
        return RangeProof.from_bytes(proof), group().decode_g1(commitment)

    def verify(self) -> None:
        verify(*self._statement(*self.decoded[0]))

    def decode_and_verify(self) -> None:
        verify(*self._statement(*self.decode()))

    def verify_batch(self) -> None:
        batch = Batch()
        for decoded in self.decoded:
            batch.add(*equations(*self._statement(*decoded)))
        batch.verify()

    def bare_msm(self) -> None:
        group().msm(self._points, self._scalars)

    def _statement(self, proof: RangeProof, commitment: Any) -> tuple[Any, ...]:
        return proof, [commitment], self._interval, CONTEXT


class _Zksnake:
    """The peer: Bulletproofs over the same curve, from PyPI."""

    def __init__(self, peer: Any) -> None:
        self._argument = peer.RangeProof(BITS, "BLS12_381")
        encoded = self._argument.prove(VALUE).to_bytes()
        self._proof = peer.RangeProofObject.from_bytes(encoded, "BLS12_381")

    def prove(self) -> None:
        self._argument.prove(VALUE)

    def verify(self) -> None:
        if not self._argument.verify(self._proof):
            raise RuntimeError("zksnake refuses its own proof")


def measure_range(rounds: int = MIN_ROUNDS) -> RangeFigures:
    """Measure on the default backend; one proof on py_ecc, to show the factor.

    The share of one proof in a batch of 64 is over a single verification beside it.
    """
    work, peer = _Work(BATCH), _peer()
    short: dict[str, Callable[[], object]] = {
        "verify": work.verify,
        "msm": work.bare_msm,
        "decode_and_verify": work.decode_and_verify,
    }
    long: dict[str, Callable[[], object]] = {"prove": work.prove, "batch64": work.verify_batch}
    if peer is not None:
        short["zksnake_verify"] = peer.verify
        long["zksnake_prove"] = peer.prove

    def one_round(_: int) -> dict[str, float]:
        turns = [{name: _each(job) for name, job in short.items()} for _ in range(SHORT_TURNS)]
        taken = {name: total / SHORT_TURNS for name, total in add_up(turns).items()}
        return taken | {name: seconds_of(job) for name, job in long.items()}

    one_round(-1)  # warms up
    seconds = take_turns(max(rounds, MIN_ROUNDS), one_round)
    seconds["batch64"] = [taken / BATCH for taken in seconds["batch64"]]
    sides = {
        "range64_prove_vs_zksnake": ("zksnake_prove", "prove"),
        "range64_verify_vs_zksnake": ("zksnake_verify", "verify"),
        "range64_verify_vs_msm": ("decode_and_verify", "msm"),
        "range64_batch64_each": ("batch64", "verify"),
    }
    turns = {
        name: ratios(seconds[above], seconds[below])
        for name, (above, below) in sides.items()
        if above in seconds
    }
    figures = {f"range64_{name}_ms": 1000 * mid(taken) for name, taken in seconds.items()}
    if peer is not None:
        # What is left to gain without a faster multiplication.
        figures["range64_msm_vs_zksnake_verify"] = mid(
            ratios(seconds["zksnake_verify"], seconds["msm"])
        )
    figures["range64_bytes"] = float(len(work.encoded[0][0]))
    for name, taken in _reference_seconds().items():
        figures[f"range64_{name}_pyecc_factor"] = taken / mid(seconds[name])
    fields = {name: mid(turns[name]) if name in turns else None for name in sides}
    return RangeFigures(fields, figures, turns)


def _peer() -> _Zksnake | None:
    try:
        return _Zksnake(import_module("zksnake.subprotocol.bulletproofs"))
    except ImportError:
        return None


def _each(job: Callable[[], object]) -> float:
    def repeated() -> None:
        for _ in range(REPEATS):
            job()

    return seconds_of(repeated) / REPEATS


def _reference_seconds() -> dict[str, float]:
    with using("py_ecc"):
        work = _Work(1)
        return {"prove": seconds_of(work.prove), "verify": seconds_of(work.verify)}
