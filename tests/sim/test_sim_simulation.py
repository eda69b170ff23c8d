from __future__ import annotations

import dataclasses
import hashlib
import math
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from quipu_sim.contract import Contract, Direction, Scope, read_contract
from quipu_sim.control import Driver
from quipu_sim.navigation import Drive
from quipu_sim.recording import TYPES
from quipu_sim.simulation import Setting, Simulation
from quipu_sim.task import TIME_LIMIT, Attempt, Outcome

ROBOTS = ("r1", "r2", "site/r10")
PACKAGE = Path(__file__).parents[2] / "ros_ws" / "src" / "quipu_sim"


class Tape:
    """Everything that a simulation sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def send(self, channel: int, data: bytearray) -> None:
        self.sent.append((channel, bytes(data)))

    def digest(self) -> str:
        whole = hashlib.sha256()
        for channel, data in self.sent:
            whole.update(channel.to_bytes(4, "big") + data)
        return whole.hexdigest()


def simulate(setting: Setting, seconds: float) -> tuple[Simulation, Tape]:
    tape = Tape()
    simulation = Simulation(setting, read_contract(), tape.send)
    simulation.begin()
    while simulation.time_ns < round(seconds * 1e9):
        simulation.tick()
    return simulation, tape


@pytest.fixture(scope="module")
def run() -> tuple[Simulation, Tape]:
    """Ten seconds of three robots."""
    return simulate(Setting(ROBOTS, seed=7), 10.0)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract()


def test_every_robot_sends_what_the_contract_says(
    run: tuple[Simulation, Tape], contract: Contract
) -> None:
    simulation, tape = run
    counts = Counter(channel for channel, _ in tape.sent)
    names = {channel.name: number for number, channel in enumerate(simulation.channels)}
    assert len(names) == len(simulation.channels)
    expected = {
        topic.full_name(robot) for robot in ROBOTS for topic in contract.topics.values()
    }  # cmd_vel too, by the driver
    assert names.keys() == expected
    for name, number in names.items():
        topic = simulation.channels[number].topic
        seconds = 10.0
        if topic.rate == 0:
            assert counts[number] == 1, name
        elif topic.of is Scope.TASK:
            # Between two attempts there is a cycle without a step.
            assert 0.9 * topic.rate * seconds <= counts[number] <= topic.rate * seconds, name
        else:
            assert counts[number] == topic.rate * seconds, name


def test_messages_are_of_their_type_in_their_frames_with_even_stamps(
    run: tuple[Simulation, Tape],
) -> None:
    simulation, tape = run
    stamps: dict[str, list[int]] = defaultdict(list)
    robot_of = {f"/{robot}/{name}": robot for robot in ROBOTS for name in ("odom", "imu", "scan")}
    transforms: set[tuple[str, str]] = set()
    for number, data in tape.sent:
        channel = simulation.channels[number]
        topic = channel.topic
        message = TYPES.deserialize_cdr(data, topic.type)
        if topic.transforms:
            for moved in message.transforms:
                transforms.add((moved.header.frame_id, moved.child_frame_id))
        if hasattr(message, "header"):
            robot = robot_of.get(channel.name, "")
            assert message.header.frame_id == (topic.frame or "").format(robot=robot)
            if topic.child_frame:
                assert message.child_frame_id == topic.child_frame.format(robot=robot)
            if topic.name == "scan":
                assert message.scan_time == pytest.approx(0.1)
            stamp = message.header.stamp
            stamps[channel.name].append(stamp.sec * 1_000_000_000 + stamp.nanosec)
        if channel.name == "/clock":
            stamps["/clock"].append(message.clock.sec * 1_000_000_000 + message.clock.nanosec)
    for name, seen in stamps.items():
        rate = 10 if name.endswith("/scan") else 50
        assert set(np.diff(seen)) == {1_000_000_000 // rate}, name
        assert seen[0] > 0, "time 0 means no time in ROS"
    assert transforms == {
        (parent.format(robot=robot), child.format(robot=robot))
        for robot in ROBOTS
        for topic in ("/tf", "/tf_static")
        for parent, child in read_contract()[topic].transforms
    }


def test_the_same_seed_gives_the_same_bits(run: tuple[Simulation, Tape]) -> None:
    _, again = simulate(Setting(ROBOTS, seed=7), 10.0)
    assert again.digest() == run[1].digest()
    _, other = simulate(Setting(ROBOTS, seed=8), 1.0)
    _, start = simulate(Setting(ROBOTS, seed=7), 1.0)
    assert other.digest() != start.digest()


def test_another_process_gives_the_same_bits(run: tuple[Simulation, Tape]) -> None:
    program = (
        "import hashlib\n"
        "from quipu_sim.contract import read_contract\n"
        "from quipu_sim.simulation import Setting, Simulation\n"
        "whole = hashlib.sha256()\n"
        "def send(channel, data): whole.update(channel.to_bytes(4, 'big') + data)\n"
        f"simulation = Simulation(Setting({ROBOTS!r}, seed=7), read_contract(), send)\n"
        "simulation.begin()\n"
        "for _ in range(500): simulation.tick()\n"
        "print(whole.hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(PACKAGE), "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == run[1].digest()


def test_steps_make_whole_episodes(run: tuple[Simulation, Tape]) -> None:
    simulation, tape = run
    for robot in ROBOTS:
        streams: dict[str, list[object]] = {}
        for name in ("observation", "action", "reward", "done"):
            wanted = f"/{robot}/{name}"
            streams[name] = [
                TYPES.deserialize_cdr(data, simulation.channels[number].topic.type).data
                for number, data in tape.sent
                if simulation.channels[number].name == wanted
            ]
        lengths = {len(stream) for stream in streams.values()}
        assert len(lengths) == 1, "one message of each a step"
        rewards = np.array(streams["reward"])
        done = streams["done"]
        # An episode begins without a reward.
        firsts = [0, *(at + 1 for at, last in enumerate(done) if last and at + 1 < len(done))]
        assert [rewards[at] for at in firsts] == [0.0] * len(firsts)


@pytest.mark.slow
def test_a_long_run_keeps_everybody_going() -> None:
    ended: list[tuple[int, Attempt]] = []

    class Witness:
        def may_begin(self, robot: int) -> bool:
            return True

        def ended(self, robot: int, attempt: Attempt) -> None:
            ended.append((robot, attempt))

    robots = tuple(f"r{number}" for number in range(8))
    simulation = Simulation(
        Setting(robots, seed=3), read_contract(), lambda channel, data: None, Witness()
    )
    for _ in range(120 * 50):
        simulation.tick()
        assert all(simulation.arena.contains(x, y) for x, y in simulation.positions())
    by_robot = Counter(robot for robot, _ in ended)
    assert all(by_robot[robot] >= 8 for robot in range(8)), by_robot
    assert all(attempt.seconds <= TIME_LIMIT for _, attempt in ended)
    assert simulation.outcomes == Counter(attempt.outcome for _, attempt in ended)
    assert simulation.outcomes[Outcome.ARRIVED] >= 0.8 * len(ended)
    for robot in range(8):
        numbers = [attempt.number for other, attempt in ended if other == robot]
        assert numbers == list(range(1, len(numbers) + 1))


def test_robots_that_drive_into_things_begin_anew() -> None:
    setting = Setting(("a", "b"), seed=2, driver=Driver.NONE)
    outcomes: Counter[int] = Counter()

    class Witness:
        def may_begin(self, robot: int) -> bool:
            return True

        def ended(self, robot: int, attempt: Attempt) -> None:
            assert attempt.outcome is Outcome.COLLIDED
            assert attempt.seconds > 0.3, "an old collision ended a new attempt"
            outcomes[robot] += 1

    simulation = Simulation(setting, read_contract(), lambda channel, data: None, Witness())
    for _ in range(60 * 50):
        # Straight on, as fast as it goes, until something is in the way.
        simulation.hear(0, Drive(1.0, 0.0))
        simulation.hear(1, Drive(1.0, 0.0))
        simulation.tick()
    assert min(outcomes[0], outcomes[1]) >= 3


def test_without_driver_and_task_only_sensors_speak(contract: Contract) -> None:
    simulation, tape = simulate(Setting(("r1",), driver=Driver.NONE, task=False), 1.0)
    names = {channel.name for channel in simulation.channels}
    assert names == {
        topic.full_name("r1")
        for topic in contract.topics.values()
        if topic.direction is Direction.OUT and topic.of is not Scope.TASK
    }
    moves = {
        data for number, data in tape.sent if simulation.channels[number].name == "/r1/joint_states"
    }
    assert len(moves) == 50


def test_commands_reach_the_robot_they_are_for() -> None:
    setting = Setting(("r1", "r2"), driver=Driver.NONE, task=False)
    simulation = Simulation(setting, read_contract(), lambda channel, data: None)
    before = simulation.positions()
    for _ in range(100):
        simulation.hear(1, Drive(0.5, 0.3))
        simulation.tick()
    (x1, y1), (x2, y2) = simulation.positions()
    assert abs(x1 - before[0][0]) + abs(y1 - before[0][1]) < 0.05
    assert abs(x2 - before[1][0]) + abs(y2 - before[1][1]) > 0.5


@pytest.mark.parametrize("speed", [math.nan, math.inf])
def test_speeds_that_are_no_numbers_are_refused(speed: float) -> None:
    setting = Setting(("r1",), driver=Driver.NONE, task=False)
    simulation = Simulation(setting, read_contract(), lambda channel, data: None)
    with pytest.raises(ValueError, match="no speeds"):
        simulation.hear(0, Drive(speed, 0.0))


def test_rates_are_those_of_the_contract(contract: Contract) -> None:
    other = {"odom": 100.0, "imu": 20.0, "joint_states": 5.0, "/tf": 25.0, "/clock": 10.0}
    topics = {
        name: dataclasses.replace(topic, rate=other.get(name, topic.rate))
        for name, topic in contract.topics.items()
    }
    tape = Tape()
    simulation = Simulation(Setting(("r1",)), Contract(topics), tape.send)
    while simulation.time_ns < 1_000_000_000:
        simulation.tick()
    counts = Counter(simulation.channels[number].name for number, _ in tape.sent)
    assert (counts["/r1/odom"], counts["/r1/scan"]) == (100, 10)
    assert (counts["/r1/imu"], counts["/r1/joint_states"]) == (20, 5)
    assert (counts["/tf"], counts["/clock"]) == (25, 10)


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="one name"):
        Simulation(Setting(("r1", "r1")), read_contract(), lambda channel, data: None)
