"""What fleets do with each other, measured beside the cryptography it cannot do without.

``python -m benchmarks.fleet [--json] [--rounds N] [--only SECTION ...]``: progress goes to
standard error, the result to standard output, as one JSON object or as a table. Each section
has a module of its own, ``fleet_stream`` and so on; `SECTIONS` is where a new one is added.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console

from benchmarks.fleet_dispute import measure_dispute
from benchmarks.fleet_grants import measure_grants
from benchmarks.fleet_policy import measure as measure_policy
from benchmarks.fleet_stream import measure_stream
from benchmarks.fleet_stream_ros import measure_stream_ros
from benchmarks.machine import machine_facts
from benchmarks.report import Field
from benchmarks.tables import show

ROUNDS = 5
CHUNK_AND_4_KB = 262_144 + 4_000


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the benchmark: its fields, and what measures them.

    ``measure`` is given a folder that is not there yet and how many rounds; what it returns
    beyond the fields are figures behind them. None is what cannot be measured here.
    """

    name: str
    fields: tuple[Field, ...]
    measure: Callable[[Path, int], Mapping[str, float | None]]


SECTIONS = (
    Section(
        "stream",
        (
            Field("stream_mb_s_vs_copy", "a stream bought, over AES-GCM both ways + SHA-256", 0.5),
            Field("stream_mb_s", "the same, MB a second"),
        ),
        measure_stream,
    ),
    Section(
        "ros",
        (
            Field("stream_ros_mb_s_vs_bare", "the same over ROS 2, over an ordinary service", 0.6),
            Field("stream_ros_mb_s", "the same, MB a second"),
            Field("stream_gateway_mb_s", "the same through a gateway, MB a second"),
        ),
        measure_stream_ros,
    ),
    Section(
        "grants",
        (
            Field("grant_vs_bare_proof", "grants in blocks of 64, over their proofs alone", 0.6),
            Field("grants_per_s", "grants a second through the engine"),
            Field("settle_bytes_per_gib", "bytes on the chain for one GiB sold", at_most=4_500),
        ),
        measure_grants,
    ),
    Section(
        "dispute",
        (
            Field("dispute_bytes", "a complaint about 1 GiB, bytes", at_most=CHUNK_AND_4_KB),
            Field("dispute_ms", "the rule's work on it, ms"),
        ),
        lambda _, rounds: measure_dispute(rounds),
    ),
    Section(
        "policy",
        (Field("policy_decision_us", "a policy's decision through the rule, us", at_most=150),),
        lambda _, __: measure_policy(),
    ),
)


def run(folder: Path, sections: Sequence[Section], rounds: int) -> dict[str, object]:
    """Measure these sections; the JSON object of the run."""
    started = perf_counter()
    figures: dict[str, float | None] = {}
    for section in sections:
        print(f"bench fleet {perf_counter() - started:6.1f} s: {section.name}", file=sys.stderr)
        figures |= section.measure(folder / section.name, rounds)
    fields = [field for section in sections for field in section.fields]
    judged = {field.name: field.judge(figures[field.name]) for field in fields}
    return {
        **{field.name: figures.pop(field.name) for field in fields},
        "bounds": {name: verdict for name, verdict in judged.items() if verdict is not None},
        "figures": figures,
        "machine": machine_facts(folder),
    }


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(prog="script/bench fleet", description=__doc__)
    names = [section.name for section in SECTIONS]
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="turns of each")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="SECTION")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is 1 or more")
    sections = [section for section in SECTIONS if section.name in options.only]
    with tempfile.TemporaryDirectory(prefix="quipu-bench-") as name:
        # What the chains publish is remembered beside them, and goes with them.
        os.environ["QUIPU_PUBLISHED"] = str(Path(name) / "published")
        result = run(Path(name), sections, options.rounds)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        fields = [field for section in sections for field in section.fields]
        show("fleets that share", fields, result, Console())


if __name__ == "__main__":
    main()
