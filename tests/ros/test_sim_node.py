"""The simulator as a process, and what others hear of it."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from quipu_sim.contract import Direction, Scope, read_contract

from tests.ros.ros_process import ROOT, Ros, Running, is_log

PEER = ROOT / "tests" / "ros" / "sim_peer.py"
ROBOTS = ["r1", "r2"]


def parameters(**given: Any) -> Iterator[str]:
    yield "--ros-args"
    for name, value in {"robots": ROBOTS, "seed": 7, **given}.items():
        yield from ("-p", f"{name}:={json.dumps(value)}")


@contextlib.contextmanager
def simulator(ros: Ros, **given: Any) -> Iterator[Running]:
    with ros.start("python", "-m", "quipu_sim.node", *parameters(**given)) as running:
        yield running


def ask(ros: Ros, *request: object, timeout: float = 120.0) -> Any:
    return json.loads(ros.run("python", PEER, *map(str, request), timeout=timeout))


def summary_of(running: Running, code: int = 0) -> Any:
    assert running.wait(60.0) == code, running.output
    return json.loads(running.output[running.output.index("{") :])


class Answer:
    """A peer that runs beside the simulator; ask for ``value`` when it is over."""

    def __init__(self, ros: Ros, *request: object) -> None:
        self._value: Any = None
        self._thread = threading.Thread(target=self._run, args=(ros, *request))
        self._thread.start()

    def _run(self, ros: Ros, *request: object) -> None:
        try:
            self._value = ask(ros, *request, timeout=150.0)
        except Exception as error:  # noqa: BLE001 - shown where it is asked for
            self._value = error

    @property
    def value(self) -> Any:
        self._thread.join()
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


def test_it_keeps_the_topic_contract(ros: Ros) -> None:
    with simulator(ros) as running:
        found = ask(ros, "graph", 4.0)
        running.process.send_signal(signal.SIGINT)
        summary = summary_of(running)
    expected: dict[str, dict[str, str]] = {}
    contract = read_contract()
    for topic in contract.topics.values():
        for robot in ROBOTS:
            expected[topic.full_name(robot)] = {
                "type": topic.type,
                "reliability": topic.quality.reliability.value,
                "durability": topic.quality.durability.value,
            }
    assert found["publishers"] == expected, "with the built-in driver cmd_vel is said, not heard"
    assert found["subscriptions"] == {}
    for topic in contract.topics.values():
        for robot in ROBOTS:
            name = topic.full_name(robot)
            if topic.rate:
                # Attempts are a cycle apart, and a busy machine drops a paced message or two.
                assert 0.8 * topic.rate < found["rates"][name] < 1.1 * topic.rate, name
            else:
                assert found["before"][name] == 1, "latched: heard by who comes late"
                assert name not in found["rates"]
    assert summary["realtime_factor"] < 1.05, "it runs ahead of the wall"
    assert summary["unsent"] == 0


def test_it_is_driven_by_others(ros: Ros) -> None:
    with simulator(ros, driver="none", task=False) as running:
        found = ask(ros, "graph", 1.0)
        driven = ask(ros, "drive", "r2", 0.5, 30.0)
        refused = ask(ros, "drive", "r1", "nan", 1.0)
        running.process.send_signal(signal.SIGTERM)
        summary_of(running)
        assert "cmd_vel: nan m/s" in running.output
    assert driven["metres"] > 0.5
    assert refused["metres"] < 0.1
    wanted = {
        topic.full_name(robot): topic
        for topic in read_contract().topics.values()
        for robot in ROBOTS
        if topic.of is not Scope.TASK
    }
    outwards = {name for name, topic in wanted.items() if topic.direction is Direction.OUT}
    assert found["publishers"].keys() == outwards
    assert found["subscriptions"].keys() == wanted.keys() - outwards
    for name, heard in found["subscriptions"].items():
        assert heard["type"] == wanted[name].type
        assert heard["reliability"] == wanted[name].quality.reliability.value


def test_as_fast_as_it_can_nothing_is_lost_and_all_is_repeatable(ros: Ros) -> None:
    def once() -> tuple[Any, Any]:
        taking = Answer(ros, "take", *ROBOTS)
        with simulator(ros, paced=False, duration_s=20.0, wait_for_readers=1) as running:
            heard = taking.value
            return heard, summary_of(running)

    heard, summary = once()
    for topic in read_contract().topics.values():
        for robot in ROBOTS:
            name = topic.full_name(robot)
            if topic.of is Scope.BODY:
                assert heard[name]["count"] == topic.rate * 20, name
            elif topic.of is Scope.TASK:
                assert heard[name]["count"] == heard[f"/{robot}/done"]["count"] > 150
            if topic.of is not Scope.WORLD:
                assert heard[name]["count"] == summary["topics"][name], name
    assert summary["simulated_s"] == 20.0
    assert summary["realtime_factor"] > 1.05, "it did not run ahead of the wall"
    assert summary["topics"]["/clock"] < 120 * summary["wall_s"], "nobody drowns"
    assert summary["unsent"] == 0
    again, _ = once()
    for name in heard.keys() - {"/tf"}:  # nobody waits for the first transforms to be heard
        assert again[name] == heard[name], name


def test_a_recorder_is_told_how_an_attempt_went(ros: Ros) -> None:
    recording = Answer(ros, "record", "r1", 1)
    with simulator(ros, episodes=True) as running:
        (episode,) = recording.value
        running.process.send_signal(signal.SIGINT)
        summary = summary_of(running)
    assert episode["name"].startswith("goal-")
    assert episode["task"] == "drive to a goal among obstacles"
    assert "seed=7" in episode["tags"]
    assert episode["by_task"]
    assert episode["success"] is (episode["reward"] > 5)
    assert episode["steps"] > 5
    assert episode["done_was_heard"], "the last step comes before the end"
    assert summary["episodes_committed"] == 1
    assert summary["topics"]["/r2/done"] > 5, "the robot without a recorder drives all the same"


def test_an_episode_that_does_not_begin_in_time_is_cancelled(ros: Ros) -> None:
    dawdling = Answer(ros, "dawdle", "r1")
    with simulator(ros, episodes=True) as running:
        (name,) = dawdling.value
        running.process.send_signal(signal.SIGINT)
        summary = summary_of(running)
        assert "the recorder of r1 did not begin an episode" in running.output
    assert name.startswith("goal-")
    assert summary["episodes_failed"] >= 1


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"driver": "me"}, "driver: 'me' is not one of goal, none"),
        ({"task": False}, "the driver needs a task"),
        ({"robots": ["r-1"]}, "r-1"),
        ({"contract": "/nowhere.yaml"}, "no topic contract"),
        ({"seed": "seven"}, "seed"),
    ],
)
def test_nonsense_is_refused_in_one_line(ros: Ros, given: Any, complaint: str) -> None:
    with simulator(ros, **given) as running:
        assert running.wait(60.0) == 2, running.output
        lines = [line for line in running.output.splitlines() if not is_log(line)]
        assert len(lines) == 1, running.output
        assert complaint in lines[0]
