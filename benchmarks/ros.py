"""Robots measured: recorders beside a bare one, a fleet, and the simulator that moves it.

``python -m benchmarks.ros [--json] [--scale N] [--only SECTION]``: progress goes to
standard error, the result to standard output, as one JSON object or as a table. Each
section has a module of its own, ``ros_record`` and so on; all of them need ROS 2, which
`script/bootstrap` brings where it can.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

from rich.console import Console

from benchmarks import ros_fleet, ros_record, ros_sim
from benchmarks.machine import machine_facts
from benchmarks.report import Field
from benchmarks.ros_record import CHECKOUT, Section
from benchmarks.tables import show

MEASURES: Final[Mapping[str, Callable[[int, Callable[[str], None]], Section]]] = {
    "record": ros_record.measure_record,
    "sim": ros_sim.measure_sim,
    "fleet": ros_fleet.measure_fleet,
}

FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    "record": ros_record.FIELDS,
    "sim": ros_sim.FIELDS,
    "fleet": ros_fleet.FIELDS,
}


def run(scale: int, sections: tuple[str, ...]) -> dict[str, object]:
    """Measure ``sections``; the JSON object of the run."""
    started = perf_counter()

    def say(text: str) -> None:
        print(f"bench ros {perf_counter() - started:6.1f} s: {text}", file=sys.stderr)

    whole = Section()
    for name in sections:
        section = MEASURES[name](scale, say)
        whole.fields |= section.fields
        whole.figures |= section.figures
        whole.turns |= section.turns
    fields = fields_of(sections)
    judged = {field.name: field.judge(whole.fields[field.name]) for field in fields}
    with tempfile.TemporaryDirectory() as folder:
        machine = machine_facts(Path(folder))
    return {
        **{field.name: whole.fields[field.name] for field in fields},
        "scale": scale,
        "bounds": {name: verdict for name, verdict in judged.items() if verdict is not None},
        "figures": whole.figures,
        "turns": whole.turns,
        "machine": machine,
    }


def fields_of(sections: tuple[str, ...]) -> tuple[Field, ...]:
    """The fields of these sections, in order."""
    return tuple(field for name in sections for field in FIELDS[name])


def require_ros() -> None:
    """End with one line where there is no ROS 2."""
    done = subprocess.run([CHECKOUT / "script" / "ros", "true"], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(prog="script/bench ros", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="1/N of full length")
    parser.add_argument("--only", choices=MEASURES, action="append", help="only this section")
    options = parser.parse_args()
    if options.scale < 1:
        parser.error("--scale is 1 or more")
    require_ros()
    sections = tuple(options.only or MEASURES)
    result = run(options.scale, sections)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show("robots", fields_of(sections), result, Console())


if __name__ == "__main__":
    main()
