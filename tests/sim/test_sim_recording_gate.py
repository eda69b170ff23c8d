from __future__ import annotations

import pytest
from quipu_sim.pacing import LONGEST_LAG, Pacer
from quipu_sim.recording_gate import (
    ANSWER_TIME,
    COMMIT_TIME,
    LINGER,
    LONGEST_LINGER,
    RecordingGate,
    Score,
)
from quipu_sim.task import Attempt, Outcome

ARRIVED = Attempt(1, Outcome.ARRIVED, 12.5, 4.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class Port:
    """A recorder that answers as it is told to, and writes down what it is asked."""

    def __init__(self) -> None:
        self.there = True
        self.begun: bool | None = None
        self.committed: bool | None = None
        self.heard = True
        self.asked: list[object] = []

    def is_there(self) -> bool:
        return self.there

    def start(self, name: str) -> None:
        self.asked.append(name)

    def started(self) -> bool | None:
        return self.begun

    def has_heard(self) -> bool:
        return self.heard

    def finish(self, score: Score | None) -> None:
        self.asked.append(score)

    def finished(self) -> bool | None:
        return self.committed

    def forget(self) -> None:
        self.asked.append("forget")


class Scene:
    def __init__(self, attempts: int = 1) -> None:
        self.clock = Clock()
        self.port = Port()
        self.warnings: list[str] = []
        self.gate = RecordingGate(
            {"r1": self.port}, "drive", self.warnings.append, self.clock, attempts
        )

    def may_begin(self) -> bool:
        return self.gate.may_begin(0)

    def record_one(self) -> None:
        self.port.begun = True
        assert self.may_begin()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_episode_from_end_to_end(scene: Scene) -> None:
    assert not scene.may_begin()
    assert not scene.may_begin(), "the recorder has not answered"
    scene.record_one()
    assert scene.port.asked == ["drive-0001"], "asked once"
    scene.gate.ended(0, ARRIVED)
    assert not scene.may_begin()
    assert scene.port.asked == ["drive-0001"], "the last step is still on its way"
    scene.clock.now += LINGER
    assert not scene.may_begin()
    assert scene.port.asked == ["drive-0001", Score(success=True, reward=12.5)]
    scene.port.begun, scene.port.committed = None, True
    assert not scene.may_begin()
    assert scene.port.asked[2:] == ["drive-0002"]
    assert (scene.gate.committed, scene.gate.failed) == (1, 0)
    assert not scene.warnings


def test_it_waits_while_a_recorder_has_something_to_do(scene: Scene) -> None:
    assert not scene.gate.waits(), "nothing was asked"
    scene.may_begin()
    assert scene.gate.waits()
    scene.record_one()
    assert not scene.gate.waits(), "it records"
    scene.gate.ended(0, ARRIVED)
    assert scene.gate.waits(), "the last step is on its way"
    scene.clock.now += LINGER
    assert scene.gate.waits(), "it is asked to commit"
    assert scene.port.asked == ["drive-0001", Score(success=True, reward=12.5)]
    scene.port.committed = True
    assert not scene.gate.waits()
    assert scene.gate.committed == 1


def test_it_waits_for_no_recorder_longer_than_for_its_answer(scene: Scene) -> None:
    scene.may_begin()
    scene.clock.now += ANSWER_TIME
    assert not scene.gate.waits()
    assert scene.may_begin(), "without it"
    scene.may_begin()
    assert scene.gate.waits(), "the next attempt is asked for again"
    scene.record_one()
    scene.gate.ended(0, ARRIVED)
    scene.clock.now += LINGER
    assert scene.gate.waits()
    scene.clock.now += COMMIT_TIME
    assert not scene.gate.waits()
    assert scene.gate.failed == 2


def test_an_episode_ends_when_its_last_step_was_heard(scene: Scene) -> None:
    scene.may_begin()
    scene.record_one()
    scene.gate.ended(0, ARRIVED)
    scene.port.heard = False
    scene.clock.now += 0.9 * LONGEST_LINGER
    assert not scene.may_begin()
    assert scene.port.asked == ["drive-0001"]
    scene.port.heard = True
    assert not scene.may_begin()
    assert scene.port.asked == ["drive-0001", Score(success=True, reward=12.5)]


def test_nobody_waits_for_ever_for_a_last_step_to_be_heard(scene: Scene) -> None:
    scene.may_begin()
    scene.record_one()
    scene.gate.ended(0, ARRIVED)
    scene.port.heard = False
    scene.clock.now += 1.01 * LONGEST_LINGER
    assert not scene.may_begin()
    assert scene.port.asked == ["drive-0001", Score(success=True, reward=12.5)]


def test_an_episode_of_several_attempts() -> None:
    scene = Scene(attempts=3)
    scene.may_begin()
    scene.record_one()
    for attempt in (ARRIVED, Attempt(2, Outcome.COLLIDED, -2.0, 3.0)):
        scene.gate.ended(0, attempt)
        scene.clock.now += LINGER
        assert scene.may_begin(), "the episode goes on"
    assert scene.port.asked == ["drive-0001"]
    scene.gate.ended(0, ARRIVED)
    scene.clock.now += LINGER
    assert not scene.may_begin()
    assert scene.port.asked[1:] == [Score(success=False, reward=23.0)]
    scene.port.begun, scene.port.committed = None, True
    assert not scene.may_begin()
    assert scene.port.asked[2:] == ["drive-0004"]
    # What the one before was worth is not in the next.
    scene.record_one()
    for _ in range(3):
        scene.gate.ended(0, ARRIVED)
    scene.clock.now += LINGER
    scene.may_begin()
    assert scene.port.asked[3] == Score(success=True, reward=37.5)


def test_without_a_recorder_robots_drive_all_the_same(scene: Scene) -> None:
    scene.port.there = False
    assert scene.may_begin()
    scene.gate.ended(0, ARRIVED)
    assert scene.may_begin()
    assert scene.port.asked == []
    scene.gate.ended(0, ARRIVED)
    scene.port.there = True
    assert not scene.may_begin()
    assert scene.port.asked == ["drive-0003"]


def test_whose_recorder_is_absent_is_known(scene: Scene) -> None:
    assert scene.gate.absent() == []
    scene.port.there = False
    assert scene.gate.absent() == ["r1"]


def test_a_refusal_costs_a_recording_and_no_drive(scene: Scene) -> None:
    scene.port.begun = False
    assert scene.may_begin()
    assert scene.gate.failed == 1
    assert scene.warnings == ["the recorder of r1 did not begin an episode"]
    scene.gate.ended(0, ARRIVED)
    scene.record_one()
    assert scene.port.asked == ["drive-0001", "forget", "drive-0002"]


def test_nobody_waits_for_ever_for_a_beginning(scene: Scene) -> None:
    assert not scene.may_begin()
    scene.clock.now += 0.9 * ANSWER_TIME
    assert not scene.may_begin()
    scene.clock.now += 0.2 * ANSWER_TIME
    assert scene.may_begin()
    assert scene.port.asked[-1] == "forget"


@pytest.mark.parametrize("answer", [None, False])
def test_nobody_waits_for_ever_for_a_commit(scene: Scene, answer: bool | None) -> None:
    scene.record_one()
    scene.gate.ended(0, ARRIVED)
    scene.clock.now += LINGER
    assert not scene.may_begin()
    scene.port.there = False
    scene.port.committed = answer
    scene.clock.now += COMMIT_TIME
    assert scene.may_begin()
    assert (scene.gate.committed, scene.gate.failed) == (0, 1)
    assert scene.warnings == ["the recorder of r1 did not commit an episode"]


def test_closing_ends_what_is_recorded_without_a_score(scene: Scene) -> None:
    scene.record_one()
    scene.gate.close()
    assert not scene.gate.settled()
    scene.clock.now += LINGER
    assert not scene.gate.settled()
    assert scene.port.asked == ["drive-0001", None]
    scene.port.committed = True
    assert scene.gate.settled()


def test_closing_takes_back_what_has_not_begun(scene: Scene) -> None:
    scene.may_begin()
    scene.gate.close()
    assert scene.gate.settled()
    assert scene.port.asked == ["drive-0001", "forget"]


def test_ticks_keep_to_the_wall() -> None:
    clock = Clock()
    pacer = Pacer(0.02, clock, clock.sleep)
    for _ in range(50):
        clock.now += 0.005
        pacer.wait()
    assert clock.now == pytest.approx(101.0)
    clock.now += 0.1
    for _ in range(50):
        pacer.wait()
    assert clock.now == pytest.approx(102.0), "a short delay is made up for"
    assert pacer.lost == 0.0


def test_a_long_delay_is_not_made_up_for() -> None:
    clock = Clock()
    pacer = Pacer(0.02, clock, clock.sleep)
    clock.now += 5.0
    pacer.wait()
    assert pacer.lost == pytest.approx(4.98)
    for _ in range(50):
        pacer.wait()
    assert clock.now == pytest.approx(106.0)
    assert LONGEST_LAG < 1.0
