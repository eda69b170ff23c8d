"""Recording, beside a bare `WaitSet` with the mcap library's writer. Needs ROS 2.

Both sides are processes that subscribe to the same kind of publisher, one after the
other, in turns. Compared is CPU time a message at fixed rates: which rate is just not
lost is a coin toss, and is only reported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import mid, ratios
from benchmarks.report import Field

ROUNDS = 5
MOST_REPEATS = 2
"""Turns in which either side lost messages are repeated, this many for each."""
SECONDS = 4.0
LATENCY_ROUNDS = 100
MEMORY_SECONDS = 60.0
MEMORY_SETTLED = 10
RATES = (8_000, 12_000, 16_000, 20_000, 25_000)
LOWEST_DOMAIN = 90
PATIENCE_S = 180.0

CHECKOUT = Path(__file__).resolve().parents[1]

FIELDS = (
    Field("record_1k_vs_bare", "CPU a message of 1 KB, 8,000/s: a bare recorder's over ours", 0.85),
    Field("record_64k_vs_bare", "the same at 64 KB, 1,000/s", 0.85),
    Field("record_1m_vs_bare", "the same at 1 MB, 60/s", 0.85),
    Field("commit_latency_ms_p50", "8 MiB segment sealed to entry durable, idle, ms", at_most=20),
    Field("commit_latency_ms_p99", "the same, 99th percentile", at_most=100),
    Field("commit_latency_loaded_ms_p50", "the same beside 32 MiB/s on the same home, ms"),
    Field("commit_latency_loaded_ms_p99", "the same, 99th percentile"),
    Field("rss_mb", "most memory of a recorder at 64 KB, 1,000/s, 60 s, MB", at_most=200),
    Field("rss_growth_mb", "in the last third of that over the first, after 10 s, MB", at_most=10),
    Field("record_lost", "messages lost in all turns that are compared, both sides", at_most=0),
)


@dataclass(frozen=True, slots=True)
class Load:
    """Messages of ``size`` bytes at ``rate`` a second."""

    name: str
    size: int
    rate: float


LOADS = (
    Load("1k", 1024, 8000),
    Load("64k", 65_536, 1000),
    Load("1m", 1 << 20, 60),
)
SIDES = {"bare": "benchmarks.ros_record_bare", "ours": "benchmarks.ros_record_ours"}


@dataclass
class Section:
    """What was measured: fields that have bounds, figures of both sides, and every turn."""

    fields: dict[str, float | None] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    turns: dict[str, list[float]] = field(default_factory=dict)


def measure_record(scale: int, say: Callable[[str], None]) -> Section:
    """Measure all of it; ``scale`` divides rounds and times, for a trial."""
    section = Section()
    rounds = max(1, ROUNDS // scale)
    seconds = max(1.0, SECONDS / scale)
    lost = repeated = 0
    for load in LOADS:
        say(f"record {load.size:,} bytes, {load.rate:,.0f} a second, {rounds} rounds")
        turns = [turn(load, seconds) for _ in range(rounds)]
        for _ in range(rounds * MOST_REPEATS):
            worst = max(turns, key=missing)
            if not missing(worst):
                break
            # Somebody else had the machine: what was lost then compares nothing.
            repeated += 1
            turns[turns.index(worst)] = min(worst, turn(load, seconds), key=missing)
        lost += sum(map(missing, turns))
        for side in SIDES:
            cost = [each[side]["cpu_s"] / max(1, each[side]["received"]) * 1e6 for each in turns]
            section.turns[f"record_{load.name}_{side}_us"] = cost
            section.figures[f"record_{load.name}_{side}_us"] = mid(cost)
        name = f"record_{load.name}_vs_bare"
        section.turns[name] = ratios(
            section.turns[f"record_{load.name}_bare_us"],
            section.turns[f"record_{load.name}_ours_us"],
        )
        section.fields[name] = mid(section.turns[name])
    section.fields["record_lost"] = lost
    section.figures["record_turns_repeated"] = repeated
    for side in SIDES:
        say(f"highest rate without loss, {side}")
        section.figures[f"record_1k_{side}_lossless_per_s"] = highest_rate(side, seconds / 2)
    _latencies(section, max(3, LATENCY_ROUNDS // scale), say)
    _memory(section, max(MEMORY_SETTLED / 4, MEMORY_SECONDS / scale), say)
    return section


def turn(load: Load, seconds: float) -> dict[str, dict[str, Any]]:
    """Each side once."""
    return {side: record(side, load, seconds) for side in SIDES}


def missing(turn: Mapping[str, Mapping[str, Any]]) -> int:
    """Messages lost in a turn, on whichever side."""
    return sum(run["missing"] for run in turn.values())


def highest_rate(side: str, seconds: float) -> float:
    """The highest of `RATES` that was recorded without loss; 0 for none."""
    best = 0.0
    for rate in RATES:
        run = record(side, Load("1k", 1024, rate), seconds)
        if run["missing"] or run["rate"] < 0.97 * rate:
            break
        best = rate
    return best


def record(side: str, load: Load, seconds: float) -> dict[str, Any]:
    """One turn of one side; with the messages ``missing``, and the ``rate`` that was had."""
    with tempfile.TemporaryDirectory(prefix="quipu-bench-") as name:
        place = str(Path(name) / "recorded")
        topic = f"/bench_{os.urandom(4).hex()}"
        source = (*map(str, (load.size, load.rate, seconds)), topic)
        with (
            program(name, SIDES[side], place, topic) as recorder,
            program(name, "benchmarks.ros_record_source", *source) as publisher,
        ):
            expect(recorder, "ready")
            expect(publisher, "matched")
            tell(recorder)
            tell(publisher)
            sent, took = hear(publisher).split()
            tell(recorder)
            run: dict[str, Any] = json.loads(hear(recorder))
            tell(publisher)
        run["missing"] = int(sent) - run["received"]
        run["rate"] = int(sent) / float(took)
        return run


def _latencies(section: Section, rounds: int, say: Callable[[str], None]) -> None:
    for how, prefix in (("idle", "commit_latency_ms"), ("loaded", "commit_latency_loaded_ms")):
        say(f"seal segments of 8 MiB, {how}, {rounds} rounds")
        with tempfile.TemporaryDirectory(prefix="quipu-bench-") as name:
            done = subprocess.run(
                [
                    sys.executable,
                    *("-m", "benchmarks.ros_record_latency"),
                    *(str(Path(name) / "home"), str(rounds), how),
                ],
                cwd=CHECKOUT,
                env={**os.environ, "QUIPU_PUBLISHED": str(Path(name) / "published")},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        taken = sorted(json.loads(done.stdout))
        section.turns[prefix] = taken
        section.fields[f"{prefix}_p50"] = mid(taken)
        section.fields[f"{prefix}_p99"] = taken[min(len(taken) - 1, int(len(taken) * 0.99))]


def _memory(section: Section, seconds: float, say: Callable[[str], None]) -> None:
    say(f"memory at 64 KB, 1,000 a second, {seconds:.0f} s")
    run = record("ours", LOADS[1], seconds)
    memory = run["rss_mb"]
    settled = memory[min(MEMORY_SETTLED, len(memory) - 1) :]
    section.turns["rss_mb"] = memory
    section.figures["rss_lost"] = run["missing"]
    section.fields["rss_mb"] = max(memory)
    third = max(1, len(settled) // 3)
    section.fields["rss_growth_mb"] = mid(settled[-third:]) - mid(settled[:third])


@contextmanager
def program(folder: str, module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A benchmark's module under script/ros, on a domain and a machine of its own."""
    process = subprocess.Popen(
        [CHECKOUT / "script" / "ros", "python", "-m", module, *arguments],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "QUIPU_PUBLISHED": str(Path(folder) / "published"),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_DOMAIN_ID": str(LOWEST_DOMAIN + os.getpid() % 10),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.communicate()


def expect(process: subprocess.Popen[str], word: str) -> None:
    """Wait for a program to say ``word``."""
    said = hear(process)
    if said != word:
        raise RuntimeError(f"{word!r} was expected, and {said!r} was said")


def hear(process: subprocess.Popen[str]) -> str:
    """The next line of a program."""
    if process.stdout is None:
        raise RuntimeError("no pipe")
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let a program go on."""
    if process.stdin is None:
        raise RuntimeError("no pipe")
    process.stdin.write("\n")
    process.stdin.flush()


def main() -> None:
    """Measure and print, without the rest of the ROS benchmark."""
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    section = measure_record(scale, lambda text: print(f"bench ros: {text}", file=sys.stderr))
    judged = {each.name: each.judge(section.fields[each.name]) for each in FIELDS}
    print(
        json.dumps(
            {
                **section.fields,
                "bounds": {name: verdict for name, verdict in judged.items() if verdict},
                "figures": section.figures,
                "turns": section.turns,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
