"""Robots as processes, and a peer that looks at them, for tests of the nodes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.home import create_home
from ledger.note import VerifierKey
from ledger.witnessing.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness
from ledger.witnessing.witness_key import WitnessKey
from tests.ros.ros_process import ROOT, SCRIPT_ROS, Ros, Running, is_log

PATIENCE_S = 90.0


def eventually(condition: Callable[[], Any], what: Callable[[], object] = lambda: "") -> Any:
    """The first value of ``condition`` that is true."""
    until = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"it did not come to pass: {what()}")
        time.sleep(0.05)
    return found


class Graph:
    """The peer of `tests.ros.graph_peer`."""

    def __init__(self, ros: Ros) -> None:
        self._process = subprocess.Popen(
            [SCRIPT_ROS, "python", ROOT / "tests/ros/graph_peer.py"],
            env=ros.environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def ask(self, command: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        while is_log(line := self._process.stdout.readline()):
            pass
        answer = json.loads(line)
        assert "error" not in answer, answer
        return answer["answer"]

    def listen(self, topic: str, kind: str, *, latched: bool = True) -> None:
        self.ask("listen", topic=topic, kind=kind, latched=latched)

    def heard(self, topic: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.ask("messages", topic=topic)
        return messages

    def call(self, service: str, kind: str, /, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] | None = eventually(
            lambda: self.ask("call", service=service, kind=kind, fields=fields),
            lambda: f"no answer from {service}",
        )
        assert answer is not None
        return answer

    def state(self, node: str) -> str:
        label: str = self.call(f"{node}/get_state", "lifecycle_msgs/srv/GetState")["current_state"][
            "label"
        ]
        return label

    def change(self, node: str, transition: str) -> bool:
        fields = {"transition": {"label": transition}}
        answer = self.call(f"{node}/change_state", "lifecycle_msgs/srv/ChangeState", **fields)
        return bool(answer["success"])


@dataclass
class RobotHome:
    """A robot that a test starts: its home, keys, parameters."""

    folder: Path
    name: str
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        os.environ.setdefault("QUIPU_PUBLISHED", "")
        self.vkey: VerifierKey = create_home(self.home, f"example.com/{self.name}")
        witness = WitnessKey(self.home / "keys" / "witness").create(f"{self.vkey.name}/witness")
        self.witness_vkey: VerifierKey = witness.verifier_key

    @property
    def home(self) -> Path:
        return self.folder / self.name / "home"

    def parameter_file(self) -> Path:
        values: dict[str, dict[str, Any]] = {
            "memory": {"home": str(self.home), "checkpoint_period_s": 0.3},
            "recorder": {"progress_period_s": 0.2, "topics": ["/nothing"]},
            "witness": {},
        }
        for node, more in self.parameters.items():
            values[node] |= more
        path = self.folder / self.name / "parameters.yaml"
        files = {f"/**/{node}": {"ros__parameters": each} for node, each in values.items()}
        path.write_text(json.dumps(files))
        return path

    @contextmanager
    def start(
        self, ros: Ros, *arguments: str, process: str = "robot", namespace: str = ""
    ) -> Iterator[Running]:
        """The robot's process, with its nodes active."""
        space = namespace or f"/{self.name}"
        command = ["python", "-m", f"quipu_nodes.{process}", "--ros-args", "-r", f"__ns:={space}"]
        with ros.start(
            *command, "--params-file", str(self.parameter_file()), *arguments
        ) as running:
            yield running


def write_policy(path: Path, robots: Sequence[RobotHome], needed: int) -> None:
    """A policy of all these logs and witnesses, ``needed`` of which make the quorum."""
    names = tuple(robot.name for robot in robots)
    policy = Policy(
        tuple(PolicyLog(robot.vkey) for robot in robots),
        tuple(PolicyWitness(robot.name, robot.witness_vkey) for robot in robots),
        (PolicyGroup("fleet", needed, names),),
        "fleet",
    )
    path.write_bytes(policy.encode())


@contextmanager
def fleet(ros: Ros, robots: Sequence[RobotHome]) -> Iterator[list[Running]]:
    """All of them, running."""
    with ExitStack() as stack:
        yield [stack.enter_context(robot.start(ros)) for robot in robots]


def ended(running: Running, signal_number: int, timeout: float = 60.0) -> int:
    """Send a signal; the exit status."""
    running.process.send_signal(signal_number)
    return running.wait(timeout)
