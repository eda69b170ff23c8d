"""What a fleet of eight costs the machine it runs on. Needs ROS 2.

``quipu fleet up`` starts eight simulated robots at 50 Hz, which record, commit every
second and cosign each other's checkpoints. Added up is the CPU time of every process of
the fleet but the simulator, the supervisor with them, in percent of one core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import mid
from benchmarks.report import Field
from benchmarks.ros_record import CHECKOUT, LOWEST_DOMAIN, PATIENCE_S, Section
from ledger.errors import LedgerError
from ledger.home import open_home

ROBOTS: Final = 8
SECONDS: Final = 30.0
TURNS: Final = 3

FIELDS = (
    Field(
        "fleet_cpu_percent",
        "8 robots, 50 Hz, recording, committing, witnessing: % of one core",
        at_most=80,
    ),
    Field("fleet_lost", "messages they dropped meanwhile", at_most=0),
)

_FLEET: Final = """\
fleet: example.com/bench
directory: {folder}/fleet
domain_id: {domain}
discovery: localhost
simulator: mujoco
simulation: {{seed: 1}}
topics: own
quorum: majority
robots:
"""

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def measure_fleet(scale: int, say: Callable[[str], None]) -> Section:
    """Measure `TURNS` stretches of one fleet's life; ``scale`` divides their length."""
    section = Section()
    say(f"{ROBOTS} robots started")
    with tempfile.TemporaryDirectory(prefix="quipu-bench-") as name, _fleet(Path(name)) as fleet:
        _wait(fleet.is_witnessed, "cosigned checkpoints of all robots")
        for turn in range(TURNS):
            seconds = SECONDS / scale
            say(f"{seconds:.0f} s of their life, turn {turn + 1} of {TURNS}")
            for process, percent in fleet.cost(seconds).items():
                section.turns.setdefault(f"fleet_{process}_cpu_percent", []).append(percent)
        section.fields["fleet_lost"] = fleet.dropped()
        section.figures["fleet_entries"] = sum(fleet.entries(robot) for robot in fleet.robots)
    total = [sum(each) for each in zip(*_without_simulator(section), strict=True)]
    section.turns["fleet_cpu_percent"] = total
    section.fields["fleet_cpu_percent"] = mid(total)
    simulator = section.turns["fleet_simulator_cpu_percent"]
    section.figures["fleet_simulator_cpu_percent"] = mid(simulator)
    return section


def _without_simulator(section: Section) -> list[list[float]]:
    return [turns for name, turns in section.turns.items() if name != "fleet_simulator_cpu_percent"]


class _Fleet:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "fleet.yaml"
        self.robots = [f"r{number}" for number in range(1, ROBOTS + 1)]
        self._homes = folder / "fleet" / "homes"
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "QUIPU_PUBLISHED": str(folder / "published"),
        }
        head = _FLEET.format(folder=folder, domain=LOWEST_DOMAIN + os.getpid() % 10)
        rows = "".join(f"  - name: {robot}\n" for robot in self.robots)
        self.file.write_text(head + rows, encoding="utf-8")

    def quipu(self, *words: str) -> dict[str, Any]:
        """What ``quipu`` says under script/ros, as JSON."""
        done = subprocess.run(
            [CHECKOUT / "script" / "ros", "quipu", *words, "--json"],
            cwd=self.file.parent,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def entries(self, robot: str) -> int:
        with open_home(self._homes / robot) as home:
            return home.log.size

    def is_witnessed(self) -> bool:
        """Whether every robot's newest checkpoint has a cosignature of another."""
        try:
            return all(self._cosignatures(robot) for robot in self.robots)
        except LedgerError:
            return False

    def _cosignatures(self, robot: str) -> int:
        with open_home(self._homes / robot) as home:
            note = home.log.latest_checkpoint() or b""
        return max(0, note.count("— ".encode()) - 1)

    def cost(self, seconds: float) -> dict[str, float]:
        """CPU of each process over the next ``seconds``, in percent of one core."""
        pids = {path.stem: int(path.read_text().split()[0]) for path in self._pid_files()}
        before = {name: _cpu_s(pid) for name, pid in pids.items()}
        started = time.perf_counter()
        time.sleep(seconds)
        took = time.perf_counter() - started
        return {name: 100 * (_cpu_s(pid) - before[name]) / took for name, pid in pids.items()}

    def dropped(self) -> int:
        """Messages that the recorders counted as lost, by what they say on /diagnostics."""
        rows = self.quipu("watch", str(self.file), "--listen", "5")["robots"]
        if any(row["dropped"] is None for row in rows):
            raise RuntimeError("a recorder does not say what it dropped")
        return sum(int(row["dropped"]) for row in rows)

    def _pid_files(self) -> list[Path]:
        found = sorted((self.file.parent / "fleet" / "run").glob("*.pid"))
        if len(found) != ROBOTS + 2:
            raise RuntimeError(f"{len(found)} processes, {ROBOTS + 2} were expected")
        return found


@contextmanager
def _fleet(folder: Path) -> Iterator[_Fleet]:
    fleet = _Fleet(folder)
    fleet.quipu("fleet", "up", str(fleet.file), "--detach")
    try:
        yield fleet
    finally:
        fleet.quipu("fleet", "down", str(fleet.file))


def _cpu_s(pid: int) -> float:
    """CPU time that a process and its threads have used, in seconds."""
    # proc(5), /proc/pid/stat: fields 14 and 15, after the name in parentheses
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {what} after {PATIENCE_S:.0f} s")
        time.sleep(0.5)


if __name__ == "__main__":
    alone = measure_fleet(1, lambda text: print(f"bench ros: {text}", file=sys.stderr))
    print(json.dumps({**alone.fields, "figures": alone.figures, "turns": alone.turns}, indent=2))
