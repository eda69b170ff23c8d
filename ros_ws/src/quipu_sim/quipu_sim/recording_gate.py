"""Has the attempts of each robot recorded as episodes, by that robot's recorder.

An episode is one attempt, or so many. Its first attempt begins when the recorder has begun
it, and that of the next when it is sealed and committed; in between the robot stands, or, where
nothing is in a hurry, the world (`RecordingGate.waits`). Robots without a recorder drive all the
same. Nothing here knows ROS: a `RecorderPort` does.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from quipu_sim.task import Attempt

ANSWER_TIME: Final = 3.0  # s of the wall for a recorder to begin
COMMIT_TIME: Final = 10.0  # s of the wall for it to end and commit
LINGER: Final = 0.1  # s of the wall between the last step and the end: it is on its way
LONGEST_LINGER: Final = 5.0  # s of the wall, where it has not been heard for so long

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Score:
    """What the task says of an episode: success if all attempts were, all rewards together."""

    success: bool
    reward: float

    def with_another(self, attempt: Attempt) -> Score:
        """The score of one attempt more."""
        return Score(self.success and attempt.outcome.success, self.reward + attempt.reward)


_NOTHING: Final = Score(success=True, reward=0.0)


class RecorderPort(Protocol):
    """A robot's recorder. No call waits; both answers are None until they are known."""

    def is_there(self) -> bool:
        """Whether it answers at all."""

    def start(self, name: str) -> None:
        """Ask for an episode of this name to begin."""

    def started(self) -> bool | None:
        """Whether it has begun."""

    def has_heard(self) -> bool:
        """Whether all that the robot has said is there."""

    def finish(self, score: Score | None) -> None:
        """Mark the episode, if there is a score, and end it."""

    def finished(self) -> bool | None:
        """Whether it is committed."""

    def forget(self) -> None:
        """Do not wait for answers any more; an episode that begins after all is ended."""


class _State(enum.Enum):
    IDLE = enum.auto()
    ASKED = enum.auto()
    RECORDING = enum.auto()
    LINGERING = enum.auto()
    FINISHING = enum.auto()


class _Robot:
    """One robot's recorder, and how far its episode is."""

    def __init__(
        self, name: str, port: RecorderPort, attempts: int, warn: Warn, clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._port = port
        self._wanted = attempts
        self._warn = warn
        self._clock = clock
        self._ended = 0
        self._sum = _NOTHING
        self._state = _State.IDLE
        self._until = 0.0
        self._score: Score | None = None
        self.committed = 0
        self.failed = 0

    @property
    def idle(self) -> bool:
        return self._state is _State.IDLE

    @property
    def absent(self) -> bool:
        return not self._port.is_there()

    @property
    def waits(self) -> bool:
        if self._state is _State.ASKED:
            return self._port.started() is None and not self._late()
        return self._state in (_State.LINGERING, _State.FINISHING)

    def may_begin(self, name: str) -> bool:
        """Go on as far as possible; whether an attempt may begin now."""
        self.go_on()
        if self._state is _State.IDLE and self._port.is_there():
            self._port.start(name)
            self._enter(_State.ASKED, ANSWER_TIME)
        if self._state is _State.ASKED:
            begun = self._port.started()
            if begun:
                self._ended, self._sum = 0, _NOTHING
                self._enter(_State.RECORDING)
            elif begun is not None or self._late():
                self._fail("did not begin an episode")
        return self._state in (_State.IDLE, _State.RECORDING)

    def ended(self, attempt: Attempt) -> None:
        """An attempt is over, and the episode with its last."""
        self._ended += 1
        self._sum = self._sum.with_another(attempt)
        if self._ended >= self._wanted:
            self.end(self._sum)

    def end(self, score: Score | None) -> None:
        """The episode is over, or will never begin."""
        if self._state is _State.RECORDING:
            self._score = score
            self._enter(_State.LINGERING, LINGER)
        elif self._state is _State.ASKED:
            self._port.forget()
            self._enter(_State.IDLE)

    def go_on(self) -> None:
        """Take the end of an episode as far as it goes."""
        if self._state is _State.LINGERING and self._lingered():
            self._port.finish(self._score)
            self._enter(_State.FINISHING, COMMIT_TIME)
        if self._state is _State.FINISHING:
            done = self._port.finished()
            if done:
                self.committed += 1
                self._enter(_State.IDLE)
            elif done is not None or self._late():
                self._fail("did not commit an episode")

    def _fail(self, what: str) -> None:
        self._warn(f"the recorder of {self._name} {what}")
        self.failed += 1
        self._port.forget()
        self._enter(_State.IDLE)

    def _enter(self, state: _State, seconds: float = 0.0) -> None:
        self._state = state
        self._until = self._clock() + seconds

    def _late(self, seconds: float = 0.0) -> bool:
        return self._clock() >= self._until + seconds

    def _lingered(self) -> bool:
        if not self._late():
            return False
        return self._port.has_heard() or self._late(LONGEST_LINGER - LINGER)


class RecordingGate:
    """A `quipu_sim.control.Gate` that keeps attempts and episodes together."""

    def __init__(
        self,
        ports: Mapping[str, RecorderPort],
        prefix: str,
        warn: Warn,
        clock: Callable[[], float] = time.monotonic,
        attempts: int = 1,
    ) -> None:
        """Take a port for each robot, in order, by the robot's name.

        Episodes, each of so many ``attempts``, are called ``prefix``, a dash, and the number
        of their first, which counts for each robot.
        """
        self._prefix = prefix
        self._names = tuple(ports)
        self._robots = [_Robot(name, port, attempts, warn, clock) for name, port in ports.items()]
        self._attempts = [0] * len(ports)

    @property
    def committed(self) -> int:
        """Episodes that recorders have committed."""
        return sum(robot.committed for robot in self._robots)

    @property
    def failed(self) -> int:
        """Episodes that recorders have not begun, or not committed."""
        return sum(robot.failed for robot in self._robots)

    def absent(self) -> list[str]:
        """The robots whose recorders have not been seen."""
        return [name for name, robot in zip(self._names, self._robots, strict=True) if robot.absent]

    def may_begin(self, robot: int) -> bool:
        """Whether the recorder is recording, or there is none."""
        name = f"{self._prefix}-{self._attempts[robot] + 1:04}"
        if not self._robots[robot].may_begin(name):
            return False
        self._attempts[robot] += 1
        return True

    def ended(self, robot: int, attempt: Attempt) -> None:
        """Have the episode marked and committed, if this was its last attempt."""
        self._robots[robot].ended(attempt)

    def waits(self) -> bool:
        """Whether a recorder is still to begin, or to commit, what it was asked to."""
        for robot in self._robots:
            robot.go_on()
        return any(robot.waits for robot in self._robots)

    def close(self) -> None:
        """End every episode in progress, without a score."""
        for robot in self._robots:
            robot.end(None)

    def settled(self) -> bool:
        """Whether no episode is in progress; call it until it is so."""
        for robot in self._robots:
            robot.go_on()
        return all(robot.idle for robot in self._robots)
