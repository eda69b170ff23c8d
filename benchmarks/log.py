"""The log measured against pymerkle and against the bare primitives it is made of.

``python -m benchmarks.log [--json] [--scale N]``: progress goes to standard error, the
result to standard output, as one JSON object or as tables. ``docs/benchmarks.md`` says
what each figure is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter

from rich.console import Console

from benchmarks.ingest import ingest_turns
from benchmarks.log_stores import PYMERKLE, QUIPU, RAW, LogStores
from benchmarks.machine import machine_facts
from benchmarks.mcap_file import write_mcap
from benchmarks.measure import MIN_ROUNDS, add_up, mid, ratios, seconds_of, take_turns
from benchmarks.quipu_log import QuipuLog
from benchmarks.raw_log import BareTree
from benchmarks.report import FIELDS, bounds, show
from benchmarks.workload import Workload, entries_from, in_batches

PROOFS = 10_000
PEER_PROOFS = 100
PEER_WARMING_PROOFS = 2_000
SINGLES = 250
SINGLES_A_TURN = 50
SINGLE_ROUNDS = 9
OPENINGS = 7
INGEST_ROUNDS = 5

NEW_ENTRIES = 1 << 20
"""The segment of entries that are in no log to begin with."""


class LogBenchmark:
    """One run; fields, figures and growth fill up as it goes on."""

    def __init__(self, work: Workload, folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._started = perf_counter()
        self._random = Random(0)
        self.fields: dict[str, float | None] = {}
        self.figures: dict[str, float] = {}
        self.turns: dict[str, list[float]] = {}
        self.growth: list[dict[str, float]] = []
        self.content_bytes = 0

    def run(self) -> None:
        """Measure everything."""
        stores = self._append()
        self._prove(stores)
        self._audit(stores.quipu)
        self._open(stores.quipu)
        self._single(stores)
        stores.remove()
        self._grow()
        self._ingest()

    def _append(self) -> LogStores:
        stores, taken = self._append_round(0)
        rounds = [taken]
        for number in range(1, MIN_ROUNDS):
            stores.remove()
            stores, taken = self._append_round(number)
            rounds.append(taken)
        seconds = take_turns(MIN_ROUNDS, rounds.__getitem__)
        self._compare("append_vs_pymerkle", seconds[PYMERKLE], seconds[QUIPU])
        self._compare("append_vs_raw", seconds[RAW], seconds[QUIPU])
        self._rates("append", seconds, self._work.entries)
        stores.quipu.checkpoint()
        return stores

    def _append_round(self, number: int) -> tuple[LogStores, dict[str, float]]:
        size = self._work.entries
        self._say(f"append {size:,} entries, round {number + 1} of {MIN_ROUNDS}")
        stores = LogStores(self._folder / f"append-{number}")
        # A tenth of the log at a time, so that all three grow side by side.
        segments = self._work.segments(size)
        return stores, add_up(stores.append(entries, self._work.batch) for entries in segments)

    def _prove(self, stores: LogStores) -> None:
        ours, theirs = self._work.some(PROOFS), self._work.some(PEER_PROOFS)

        def one_round(number: int) -> dict[str, float]:
            self._say(f"inclusion proofs, round {number + 1} of {MIN_ROUNDS}")
            stores.reopen_pymerkle()
            mine, peers = self._indices(ours), self._indices(theirs)
            return {
                QUIPU: stores.quipu.proving_seconds(mine) / ours,
                PYMERKLE: seconds_of(lambda: stores.pymerkle.prove(peers)) / theirs,
                "verify": stores.quipu.verifying_seconds(mine) / ours,
            }

        seconds = take_turns(MIN_ROUNDS, one_round)
        self._compare("prove_vs_pymerkle", seconds[PYMERKLE], seconds[QUIPU])
        self.fields["prove_per_s"] = 1 / mid(seconds[QUIPU])
        self.fields["verify_per_s"] = 1 / mid(seconds["verify"])
        self.figures["prove_pymerkle_per_s"] = 1 / mid(seconds[PYMERKLE])

        self._say("inclusion proofs of pymerkle once it has most subtrees in memory")
        stores.pymerkle.prove(self._indices(self._work.some(PEER_WARMING_PROOFS)))
        warm = self._indices(theirs)
        self.figures["prove_pymerkle_warm_per_s"] = theirs / seconds_of(
            lambda: stores.pymerkle.prove(warm)
        )
        stores.check_roots()

    def _audit(self, log: QuipuLog) -> None:
        size = self._work.entries

        def one_round(number: int) -> dict[str, float]:
            self._say(f"audit, round {number + 1} of {MIN_ROUNDS}")
            tree, bare = BareTree(), 0.0
            for entries in self._work.segments(size):
                for batch in in_batches(entries, self._work.batch):
                    start = perf_counter()
                    tree.add(batch)
                    bare += perf_counter() - start
            return {QUIPU: log.audit(size), RAW: bare}

        seconds = take_turns(MIN_ROUNDS, one_round)
        self._compare("audit_vs_raw", seconds[RAW], seconds[QUIPU])
        self.figures["audit_s"] = mid(seconds[QUIPU])
        self.figures["audit_raw_s"] = mid(seconds[RAW])

    def _open(self, log: QuipuLog) -> None:
        self._say("open, restart rule, sign")
        self.turns["open_ms"] = [1000 * seconds for seconds in self._openings(log)]
        self.fields["open_ms"] = mid(self.turns["open_ms"])

    def _single(self, stores: LogStores) -> None:
        count = self._work.some(SINGLES)
        turns = in_batches(entries_from(NEW_ENTRIES, count), SINGLES_A_TURN)

        def one_round(_: int) -> dict[str, float]:
            return add_up(stores.append_singly(entries) for entries in turns)

        rounds = self._work.rounds(SINGLE_ROUNDS)
        self._say(f"single appends, {rounds} rounds")
        seconds = take_turns(rounds, one_round)
        self._compare("single_vs_raw", seconds[RAW], seconds[QUIPU])
        self._compare("single_vs_pymerkle", seconds[PYMERKLE], seconds[QUIPU])
        self._rates("single", seconds, count)

    def _grow(self) -> None:
        for size in self._work.growth[:-1]:
            self._say(f"growth: {size:,} entries")
            log = QuipuLog(self._folder / f"growth-{size}")
            seconds = sum(
                seconds_of(partial(log.append_batches, in_batches(entries, self._work.batch)))
                for entries in self._work.segments(size)
            )
            log.checkpoint()
            indices = [self._random.randrange(size) for _ in range(self._work.some(PROOFS))]
            self.growth.append(
                {
                    "entries": size,
                    "append_per_s": size / seconds,
                    "prove_us": 1e6 * log.proving_seconds(indices) / len(indices),
                    "open_ms": 1000 * mid(self._openings(log)),
                    "audit_s": mid([log.audit(size + OPENINGS) for _ in range(MIN_ROUNDS)]),
                }
            )
            log.close()
        self.growth.append(
            {
                "entries": self._work.entries,
                "append_per_s": self.figures["append_quipu_per_s"],
                "prove_us": 1e6 / (self.fields["prove_per_s"] or 1),
                "open_ms": self.fields["open_ms"] or 0.0,
                "audit_s": self.figures["audit_s"],
            }
        )

    def _ingest(self) -> None:
        size = self._work.content_bytes
        self._say(f"write a recording of {size:,} bytes")
        recording = self._folder / "recording.mcap"
        write_mcap(recording, size)
        size = self.content_bytes = recording.stat().st_size
        rounds = self._work.rounds(INGEST_ROUNDS)
        self._say(f"ingest it, {rounds} rounds")
        turns = ingest_turns(recording, self._folder, rounds)
        self.fields["rss_mb"] = turns.rss_mb
        self.fields["ingest_vs_sha256"] = None
        self.figures["ingest_mib_per_s"] = size / mid(turns.ours) / (1 << 20)
        if turns.openssl:
            self._compare("ingest_vs_sha256", turns.openssl, turns.ours)
            self.figures["openssl_mib_per_s"] = size / mid(turns.openssl) / (1 << 20)
        else:
            self._say("there is no openssl command here: ingest_vs_sha256 is left out")

    def _openings(self, log: QuipuLog) -> list[float]:
        return [log.reopen_and_sign(entry) for entry in entries_from(NEW_ENTRIES, OPENINGS)]

    def _indices(self, count: int) -> list[int]:
        return [self._random.randrange(self._work.entries) for _ in range(count)]

    def _compare(self, name: str, peer: Sequence[float], ours: Sequence[float]) -> None:
        self.turns[name] = ratios(peer, ours)
        self.fields[name] = mid(self.turns[name])

    def _rates(self, what: str, seconds: dict[str, list[float]], count: int) -> None:
        for name, values in seconds.items():
            self.figures[f"{what}_{name}_per_s"] = count / mid(values)

    def _say(self, text: str) -> None:
        print(f"bench log {perf_counter() - self._started:6.1f} s: {text}", file=sys.stderr)


def result_of(run: LogBenchmark, work: Workload, folder: Path) -> dict[str, object]:
    """The JSON object of a finished run."""
    return {
        **{field.name: run.fields[field.name] for field in FIELDS},
        "bounds": bounds(run.fields),
        "growth": run.growth,
        "figures": run.figures,
        "turns": run.turns,
        "entries": work.entries,
        "content_bytes": run.content_bytes,
        "scale": work.divisor,
        "machine": machine_facts(folder),
    }


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(prog="script/bench log", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="divide all sizes by N")
    options = parser.parse_args()
    if options.scale < 1:
        parser.error("--scale is 1 or more")
    work = Workload(options.scale)
    with tempfile.TemporaryDirectory(prefix="quipu-bench-") as name:
        run = LogBenchmark(work, Path(name))
        run.run()
        result = result_of(run, work, Path(name))
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result, Console())


if __name__ == "__main__":
    main()
