"""How fast eight robots are simulated while all of it is recorded. Needs ROS 2.

``quipu fleet up`` starts eight robots' recorders, memories and witnesses; the simulator
is started beside them, as fast as it can, several times over, and once at the pace of the
wall. Everything that it sent on the robots' topics must then be in the committed entries.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import mid
from benchmarks.report import Field
from benchmarks.ros_record import CHECKOUT, LOWEST_DOMAIN, PATIENCE_S, Section
from ledger.experience.entry import Experience, parse_entry
from ledger.home import open_home

ROBOTS: Final = 8
SECONDS: Final = 60.0
PACED_SECONDS: Final = 15.0
TURNS: Final = 3

FIELDS = (
    Field(
        "sim_8_robots_realtime_factor",
        "8 robots recorded and committed, simulated seconds a second",
        at_least=4,
    ),
    Field("sim_8_robots_lost", "messages sent on the robots' topics, not committed", at_most=0),
    Field("sim_8_robots_cpu", "the simulator at the pace of the wall, % of one core"),
)

_FLEET: Final = """\
fleet: example.com/bench
directory: {folder}/fleet
domain_id: {domain}
discovery: localhost
simulator: none
topics: own
robots:
"""

_DOMAINS: Final = 10


def measure_sim(scale: int, say: Callable[[str], None]) -> Section:
    """Measure `TURNS` runs and a paced one; ``scale`` divides their length."""
    section = Section()
    seconds = SECONDS / scale
    sent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="quipu-bench-") as name:
        bench = _Bench(Path(name))
        say(f"{ROBOTS} robots, {seconds:.0f} simulated seconds, nobody listens")
        alone = bench.simulate(duration_s=seconds, paced=False, wait_for_readers=0)
        section.figures["sim_alone_realtime_factor"] = alone["realtime_factor"]
        say("their recorders started")
        with bench.recorders():
            for turn in range(TURNS):
                say(f"{seconds:.0f} simulated seconds, recorded, turn {turn + 1} of {TURNS}")
                before = bench.processor_seconds()
                run = bench.simulate(duration_s=seconds, paced=False, wait_for_readers=1)
                after = bench.processor_seconds()
                _note(section, "sim_8_robots_realtime_factor", run["realtime_factor"])
                _note(section, "sim_simulator_cpu_s", run["processor_s"] / seconds)
                _note(section, "sim_recorders_cpu_s", (after - before) / seconds)
                sent.update(run["topics"])
            say(f"{PACED_SECONDS / scale:.0f} s at the pace of the wall, recorded")
            run = bench.simulate(duration_s=PACED_SECONDS / scale, paced=True, wait_for_readers=1)
            sent.update(run["topics"])
            section.fields["sim_8_robots_cpu"] = 100 * run["processor_s"] / run["wall_s"]
        committed = bench.committed()
    ours = {topic: count for topic, count in sent.items() if topic.split("/")[1] in bench.robots}
    section.fields["sim_8_robots_lost"] = sum((Counter(ours) - committed).values())
    # Volatile: what was said before a recorder listened is not lost.
    section.figures["sim_tf_unheard"] = ROBOTS * sent["/tf"] - committed["/tf"]
    section.figures["sim_messages"] = sum(ours.values())
    for name in ("sim_simulator_cpu_s", "sim_recorders_cpu_s"):
        section.figures[f"{name}_a_simulated_s"] = mid(section.turns[name])
    section.fields["sim_8_robots_realtime_factor"] = mid(
        section.turns["sim_8_robots_realtime_factor"]
    )
    return section


def _note(section: Section, name: str, value: float) -> None:
    section.turns.setdefault(name, []).append(value)


class _Bench:
    """A fleet without a simulator, and a simulator beside it."""

    def __init__(self, folder: Path) -> None:
        self.robots = [f"r{number}" for number in range(1, ROBOTS + 1)]
        domain = LOWEST_DOMAIN + os.getpid() % _DOMAINS
        self._file = folder / "fleet.yaml"
        self._homes = folder / "fleet" / "homes"
        self._run = folder / "fleet" / "run"
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "QUIPU_PUBLISHED": str(folder / "published"),
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        head = _FLEET.format(folder=folder, domain=domain)
        rows = "".join(f"  - name: {robot}\n" for robot in self.robots)
        self._file.write_text(head + rows, encoding="utf-8")

    @contextmanager
    def recorders(self) -> Iterator[None]:
        """Everything but a simulator; at the end all is sealed and committed."""
        self._quipu("fleet", "up", str(self._file), "--detach")
        try:
            yield
        finally:
            self._quipu("fleet", "down", str(self._file))

    def processor_seconds(self) -> float:
        """CPU time that the robots' processes and their supervisor have used."""
        pids = [int(path.read_text().split()[0]) for path in self._run.glob("*.pid")]
        if len(pids) != ROBOTS + 1:
            raise RuntimeError(f"{len(pids)} processes, {ROBOTS + 1} were expected")
        return sum(_processor_seconds(pid) for pid in pids)

    def simulate(self, **parameters: float) -> dict[str, Any]:
        """Run the simulator for so long; its summary."""
        words = [str(CHECKOUT / "script" / "ros"), "python", "-m", "quipu_sim.node", "--ros-args"]
        for name, value in {"robots": self.robots, "seed": 1, **parameters}.items():
            words += ["-p", f"{name}:={json.dumps(value)}"]
        process = subprocess.Popen(
            words, env=self._environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            said, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        if process.returncode:
            raise RuntimeError(f"the simulator ended with {process.returncode}")
        summary: dict[str, Any] = json.loads(said)
        return summary

    def committed(self) -> Counter[str]:
        """Messages by topic in the entries of all robots."""
        counts: Counter[str] = Counter()
        for robot in self.robots:
            with open_home(self._homes / robot) as home:
                for encoded in home.log.entries():
                    kind = parse_entry(encoded).kind
                    if isinstance(kind, Experience):
                        counts.update({topic.name: topic.count for topic in kind.topics})
        return counts

    def _quipu(self, *words: str) -> None:
        subprocess.run(
            [CHECKOUT / "script" / "ros", "quipu", *words, "--json"],
            cwd=self._file.parent,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )


def _processor_seconds(pid: int) -> float:
    # proc(5), /proc/pid/stat: fields 14 and 15, after the name in parentheses
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    alone = measure_sim(1, lambda text: print(f"bench ros: {text}", file=sys.stderr))
    print(json.dumps({**alone.fields, "figures": alone.figures, "turns": alone.turns}, indent=2))
