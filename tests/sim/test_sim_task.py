from __future__ import annotations

import math

import numpy as np
import pytest
from quipu_sim.arena import Arena, make_arena
from quipu_sim.bodies import Bodies
from quipu_sim.control import COMMAND_TIMEOUT, STILL, Controller, Driver, Gate, OpenGate, Step
from quipu_sim.navigation import Drive
from quipu_sim.pose import Pose
from quipu_sim.sensors import BEAMS, RANGE_MAX
from quipu_sim.task import (
    ARRIVAL_REWARD,
    FAILURE_REWARD,
    LEGS,
    OBSERVATION_SIZE,
    TIME_LIMIT,
    Attempt,
    GoalTask,
    Outcome,
    observation,
)

ARENA = Arena(12.0, 12.0, ())
START = Pose(0.0, 0.0, 0.0)
FREE = np.full(BEAMS, np.inf)


def begun() -> GoalTask:
    task = GoalTask(ARENA, seed=1, robot=0)
    task.begin(START, 10.0)
    return task


def towards(task: GoalTask, metres: float) -> Pose:
    """A pose so far on the way from the start to the goal."""
    share = metres / math.dist((0, 0), task.goal)
    return Pose(task.goal[0] * share, task.goal[1] * share, 0.0)


def test_goals_are_at_a_distance_and_come_from_seed_and_robot() -> None:
    goals = []
    for seed, robot in ((1, 0), (1, 0), (2, 0), (1, 1)):
        task = GoalTask(ARENA, seed=seed, robot=robot)
        task.begin(START, 0.0)
        goals.append(task.goal)
        assert LEGS[0] < math.dist((0, 0), task.goal) < LEGS[1]
    assert goals[0] == goals[1]
    assert len(set(goals)) == 3


def test_metres_won_are_rewarded_and_metres_lost_cost() -> None:
    task = begun()
    won = task.judge(towards(task, 0.5), 10.1, touched=False, lost=False)
    assert won.reward == pytest.approx(0.5)
    assert won.ended is None
    lost = task.judge(towards(task, 0.2), 10.2, touched=False, lost=False)
    assert lost.reward == pytest.approx(-0.3)


def test_arriving_ends_it_well() -> None:
    task = begun()
    task.judge(towards(task, 1.0), 10.1, touched=False, lost=False)
    whole = math.dist((0, 0), task.goal)
    last = task.judge(Pose(*task.goal, 0.0), 11.0, touched=False, lost=False)
    assert last.reward == pytest.approx(whole - 1.0 + ARRIVAL_REWARD)
    assert last.ended == Attempt(1, Outcome.ARRIVED, pytest.approx(whole + ARRIVAL_REWARD), 1.0)
    assert last.ended.outcome.success


@pytest.mark.parametrize(
    ("touched", "lost", "time", "outcome", "reward"),
    [
        (True, False, 11.0, Outcome.COLLIDED, FAILURE_REWARD),
        (False, True, 11.0, Outcome.LOST, FAILURE_REWARD),
        (True, True, 11.0, Outcome.LOST, FAILURE_REWARD),
        (False, False, 10.0 + TIME_LIMIT, Outcome.TIME_UP, 0.0),
    ],
)
def test_it_ends_badly(
    touched: bool, lost: bool, time: float, outcome: Outcome, reward: float
) -> None:
    judged = begun().judge(START, time, touched=touched, lost=lost)
    assert judged.ended is not None
    assert judged.ended.outcome is outcome
    assert not outcome.success
    assert judged.reward == judged.ended.reward == reward


def test_what_the_robot_goes_by() -> None:
    ranges = np.full(BEAMS, np.inf)
    ranges[BEAMS // 2] = 1.5
    ranges[0] = 0.5
    seen = observation(Pose(1, 1, math.pi / 2), (1, 4), 0.3, -0.2, ranges)
    assert seen.shape == (OBSERVATION_SIZE,)
    assert seen[:5] == pytest.approx([3.0, 1.0, 0.0, 0.3, -0.2])
    ahead, behind = 5 + 12, 5
    assert seen[ahead] == 1.5
    assert seen[behind] == 0.5
    assert set(seen[5:]) == {0.5, 1.5, RANGE_MAX}
    to_the_left = observation(Pose(1, 1, 0), (1, 4), 0.0, 0.0, ranges)
    assert to_the_left[1:3] == pytest.approx([0.0, 1.0])


class Counting:
    """A gate that opens when told, and writes down what it hears."""

    def __init__(self) -> None:
        self.open = True
        self.asked = 0
        self.attempts: list[Attempt] = []

    def may_begin(self, robot: int) -> bool:
        self.asked += 1
        return self.open

    def ended(self, robot: int, attempt: Attempt) -> None:
        self.attempts.append(attempt)


def controller_of(
    bodies: Bodies, *, task: bool = True, driver: Driver = Driver.GOAL, gate: Gate | None = None
) -> Controller:
    return Controller(bodies, 0, seed=4, task=task, driver=driver, gate=gate or OpenGate())


def world(*poses: Pose) -> Bodies:
    starts = {f"r{number}": pose for number, pose in enumerate(poses)}
    return Bodies(make_arena(4, 1), starts, seed=4, time_step=0.01)


def cycle(controller: Controller, bodies: Bodies, *, touched: bool = False) -> Step | None:
    for _ in range(10):
        controller.drive()
        bodies.step()
    return controller.cycle(bodies.scan(0), touched=touched, lost=0 in bodies.lost())


def test_an_attempt_is_driven_to_its_end() -> None:
    bodies, gate = world(START), Counting()
    controller = controller_of(bodies, gate=gate)
    steps = [cycle(controller, bodies)]
    while not gate.attempts:
        steps.append(cycle(controller, bodies))
        assert len(steps) < 400
    known = [step for step in steps if step is not None]
    assert len(known) == len(steps)
    assert known[0].reward == 0.0
    assert [step.done for step in known] == [False] * (len(known) - 1) + [True]
    assert known[-1].action == STILL
    (attempt,) = gate.attempts
    assert attempt.outcome is Outcome.ARRIVED
    assert sum(step.reward for step in known) == pytest.approx(attempt.reward)
    assert attempt.seconds == pytest.approx(0.1 * (len(known) - 1))
    assert gate.asked == 1


def test_a_good_end_goes_on_from_there_and_a_bad_one_from_elsewhere() -> None:
    bodies, gate = world(START), Counting()
    controller = controller_of(bodies, gate=gate)
    before = bodies.true_pose(0)
    while not gate.attempts:
        before = bodies.true_pose(0)
        cycle(controller, bodies)
    cycle(controller, bodies)
    going_on = bodies.true_pose(0)
    assert math.dist((before.x, before.y), (going_on.x, going_on.y)) < 0.3
    step = cycle(controller, bodies, touched=True)
    assert step is not None
    assert step.done
    assert gate.attempts[-1].outcome is Outcome.COLLIDED
    placed = bodies.true_pose(0)
    assert math.dist((placed.x, placed.y), (going_on.x, going_on.y)) > 0.5
    assert bodies.odometry()[0][:2] == pytest.approx([placed.x, placed.y])


def test_a_closed_gate_holds_the_robot_without_steps() -> None:
    bodies, gate = world(START), Counting()
    gate.open = False
    controller = controller_of(bodies, gate=gate)
    assert [cycle(controller, bodies) for _ in range(5)] == [None] * 5
    assert controller.wanted == STILL
    assert gate.asked == 5
    gate.open = True
    assert cycle(controller, bodies) is not None


def test_commands_from_outside_last_only_so_long() -> None:
    bodies = world(START)
    controller = controller_of(bodies, task=False, driver=Driver.NONE)
    controller.hear(Drive(0.5, 0.0))
    assert cycle(controller, bodies) is None
    assert controller.wanted == Drive(0.5, 0.0)
    for _ in range(round(COMMAND_TIMEOUT / 0.1) + 1):
        cycle(controller, bodies)
    assert controller.wanted == STILL


def test_a_task_judges_a_driver_from_outside() -> None:
    bodies = world(START)
    controller = controller_of(bodies, driver=Driver.NONE)
    controller.hear(Drive(0.4, 0.1))
    step = cycle(controller, bodies)
    assert step is not None
    assert step.action == Drive(0.4, 0.1)


def test_without_a_task_only_the_lost_are_placed() -> None:
    bodies = world(Pose(40.0, 0.0, 0.0))
    controller = controller_of(bodies, task=False, driver=Driver.NONE)
    assert cycle(controller, bodies) is None
    assert not bodies.lost()
    assert ARENA.contains(*bodies.true_positions()[0])


def test_a_driver_needs_a_goal() -> None:
    with pytest.raises(ValueError, match="needs a task"):
        controller_of(world(START), task=False)
