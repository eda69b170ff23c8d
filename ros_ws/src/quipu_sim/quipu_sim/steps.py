"""Reads the steps of attempts back out of recordings: what was observed, done and won.

The four messages of a step are sent one after the other, and each belongs to its
neighbours: ``observation``, ``action``, ``reward``, ``done``. They were recorded by four
subscriptions, so it is the stamp of sending that orders them. A recording may begin or end
within a step, or within an attempt; what is not whole is left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import make_reader

from quipu_sim import messages
from quipu_sim.recording import TYPES
from quipu_sim.rhythm import STEP_TOPICS
from quipu_sim.sensors import Floats
from quipu_sim.task import ACTION_SIZE, OBSERVATION_SIZE

_TYPES: Final = dict(
    zip(
        STEP_TOPICS,
        (messages.NUMBERS, messages.NUMBERS, messages.NUMBER, messages.FLAG),
        strict=True,
    )
)


class StepsError(ValueError):
    """A recording that cannot be read, or whose steps are not those of the task."""


@dataclass(frozen=True, slots=True)
class AttemptSteps:
    """One attempt: a row of ``observations`` and ``actions`` for each step, but its last.

    The last step decides nothing any more: its action is to stand still.
    """

    observations: Floats
    actions: Floats
    reward: float


@dataclass(frozen=True, slots=True)
class _Step:
    observation: Floats
    action: Floats
    reward: float
    done: bool


def read_attempts(recordings: Iterable[Path]) -> tuple[AttemptSteps, ...]:
    """Every whole attempt of every robot in the recordings, in a fixed order.

    A recording is an MCAP file, or a folder with such files at any depth; its files are
    segments that follow each other by name.

    Raises `StepsError` when a file is no MCAP or its steps have another shape.
    """
    attempts: list[AttemptSteps] = []
    for recording in recordings:
        files = sorted(recording.rglob("*.mcap")) if recording.is_dir() else [recording]
        if not files:
            raise StepsError(f"{recording} has no MCAP file")
        sent: dict[str, list[tuple[int, int, int, bytes]]] = defaultdict(list)
        for path in files:
            for robot, message in _messages(path):
                sent[robot].append(message)
        for robot in sorted(sent):
            attempts.extend(_attempts(_steps(sorted(sent[robot], key=lambda row: row[:3]))))
    return tuple(attempts)


def _messages(path: Path) -> Iterator[tuple[str, tuple[int, int, int, bytes]]]:
    """Of every step: the robot, and (stamp of sending, which topic, number, CDR)."""
    try:
        with path.open("rb") as stream:
            for schema, channel, message in make_reader(stream).iter_messages():
                robot, _, name = channel.topic.rpartition("/")
                if schema is not None and _TYPES.get(name) == schema.name:
                    order = STEP_TOPICS.index(name)
                    yield robot, (message.publish_time, order, message.sequence, message.data)
    except (McapError, OSError) as error:
        raise StepsError(f"{path} cannot be read: {error}") from error


def _steps(sent: Sequence[tuple[int, int, int, bytes]]) -> Iterator[_Step | None]:
    """Whole steps; None where something is missing."""
    at = 0
    while at < len(sent):
        four = sent[at : at + len(STEP_TOPICS)]
        if [order for _, order, _, _ in four] == [0, 1, 2, 3]:
            observation, action, reward, done = (
                _parse(STEP_TOPICS[order], data) for _, order, _, data in four
            )
            yield _Step(
                _row(observation, OBSERVATION_SIZE),
                _row(action, ACTION_SIZE),
                _finite(float(reward)),
                bool(done),
            )
            at += len(STEP_TOPICS)
        else:
            yield None
            at += 1


def _attempts(steps: Iterable[_Step | None]) -> Iterator[AttemptSteps]:
    """Those that are whole: each begins after the end of another, and ends."""
    going: list[_Step] | None = None
    for step in steps:
        if step is None:
            going = None
        elif step.done:
            if going:
                yield AttemptSteps(
                    np.array([each.observation for each in going]),
                    np.array([each.action for each in going]),
                    sum(each.reward for each in going) + step.reward,
                )
            going = []
        elif going is not None:
            going.append(step)
        elif step.reward == 0.0:
            # Nothing was won in an attempt's first step; later ones move the robot.
            going = [step]


def _parse(name: str, data: bytes) -> Any:
    # The parser raises whatever it stumbles upon, and knows types at run time only.
    try:
        message: Any = TYPES.deserialize_cdr(data, _TYPES[name])
        return message.data
    except Exception as error:
        raise StepsError(f"a message of {name} is malformed: {error}") from error


def _row(numbers: Any, size: int) -> Floats:
    row = np.asarray(numbers, dtype=np.float64)
    if row.shape != (size,) or not np.isfinite(row).all():
        raise StepsError(f"{row.size} numbers where the task has {size} finite ones")
    return row


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise StepsError(f"a reward of {number}")
    return number
