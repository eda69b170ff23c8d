"""A policy learns from recordings, from better ones better, and from nonsense nothing."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from quipu_sim import evaluation, training
from quipu_sim.attempts import record_attempts
from quipu_sim.evaluation import Evaluation, evaluate
from quipu_sim.navigation import CRUISE, TURN_MAX, Drive
from quipu_sim.policy import MAGIC, Layer, Policy, PolicyError, read_policy
from quipu_sim.sensors import Floats
from quipu_sim.steps import AttemptSteps, read_attempts
from quipu_sim.task import OBSERVATION_SIZE, Outcome
from quipu_sim.training import Lesson, TrainingError, train

SEEDS = range(1000, 1030)
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Recorded:
    """What a robot drove in an empty hall, and another among obstacles."""

    own: Path
    bought: Path

    @property
    def lesson(self) -> Lesson:
        return Lesson.of(read_attempts([self.own]))

    @property
    def both(self) -> Lesson:
        return Lesson.of(read_attempts([self.own, self.bought]))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    root = tmp_path_factory.mktemp("learning")
    own, bought = root / "own", root / "bought"
    record_attempts(own, seconds=60.0, seed=11, start_ns=START_NS, obstacles=False)
    record_attempts(bought, seconds=120.0, seed=21, start_ns=START_NS)
    return Recorded(own, bought)


@pytest.fixture(scope="module")
def before(recorded: Recorded) -> Evaluation:
    return evaluate(train(recorded.lesson).drive, SEEDS)


@pytest.fixture(scope="module")
def after(recorded: Recorded) -> Evaluation:
    return evaluate(train(recorded.both).drive, SEEDS)


def test_what_was_bought_makes_it_better(before: Evaluation, after: Evaluation) -> None:
    assert after.success >= before.success + 0.2
    assert after.reward > before.reward
    assert after.outcomes.get(Outcome.COLLIDED, 0) < before.outcomes[Outcome.COLLIDED]


def test_shuffled_actions_make_it_no_better(recorded: Recorded, before: Evaluation) -> None:
    own, both = recorded.lesson, recorded.both
    strange = both.actions[len(own.actions) :]
    assert (both.actions[: len(own.actions)] == own.actions).all()
    shuffled = np.random.default_rng(1).permutation(strange)
    lesson = Lesson(both.observations, np.concatenate((own.actions, shuffled)), both.attempts)
    assert evaluate(train(lesson).drive, SEEDS).success <= before.success


def test_more_of_its_own_kind_helps_less_than_what_it_lacked(
    recorded: Recorded, after: Evaluation, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    record_attempts(more, seconds=120.0, seed=31, start_ns=START_NS, obstacles=False)
    lesson = Lesson.of(read_attempts([recorded.own, more]))
    assert evaluate(train(lesson).drive, SEEDS).success <= after.success - 0.1


def rows(count: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    bearing = random.uniform(-np.pi, np.pi, count)
    head = (
        random.uniform(0.3, 6.0, count),
        np.cos(bearing),
        np.sin(bearing),
        random.uniform(0.0, CRUISE, count),
        random.uniform(-TURN_MAX, TURN_MAX, count),
    )
    return np.column_stack((*head, random.uniform(0.3, 8.0, (count, OBSERVATION_SIZE - 5))))


def shown(observations: Floats) -> Floats:
    """A driver that a mirror does not change: it slows down to turn."""
    sine = observations[:, 2]
    return np.column_stack((0.8 * (1 - np.abs(sine)), 1.5 * sine))


def test_a_simple_driver_is_learnt_where_it_was_not_seen() -> None:
    policy = train(Lesson(rows(1500, 1), shown(rows(1500, 1)), 1))
    fresh = rows(200, 2)
    errors = [
        (drive.linear - linear, drive.angular - angular)
        for drive, (linear, angular) in zip(map(policy.drive, fresh), shown(fresh), strict=True)
    ]
    assert np.abs(errors).mean() < 0.05


def test_the_same_data_and_seed_give_the_same_bytes(recorded: Recorded) -> None:
    lesson = recorded.lesson
    policies = [train(lesson, seed=seed, updates=50).to_bytes() for seed in (0, 0, 1)]
    assert policies[0] == policies[1] != policies[2]
    longer = train(recorded.both, updates=50).to_bytes()
    assert longer != policies[0]
    assert len(longer) == len(policies[0])


def test_attempts_that_were_worth_nothing_are_left_out() -> None:
    good, bad = (
        AttemptSteps(rows(count, count), shown(rows(count, count)), reward)
        for count, reward in ((5, 12.0), (7, -3.0))
    )
    lesson = Lesson.of([bad, good, bad])
    assert lesson.attempts == 1
    assert (lesson.observations == good.observations).all()
    with pytest.raises(TrainingError, match="none of 1 attempts"):
        Lesson.of([bad])
    with pytest.raises(TrainingError, match="none of 0 attempts"):
        Lesson.of([])


def test_everybody_who_is_compared_meets_the_same_worlds() -> None:
    def first_sights(drive: Drive) -> list[list[float]]:
        sights: list[list[float]] = []
        for seed in (1000, 1001, 1002):
            seen: list[list[float]] = []

            def decide(observation: Floats, seen: list[list[float]] = seen) -> Drive:
                seen.append(observation.tolist())
                return drive

            evaluate(decide, [seed])
            sights.append(seen[0])
        return sights

    fast, turning = first_sights(Drive(CRUISE, 0.0)), first_sights(Drive(0.5, 1.0))
    assert fast == turning
    assert fast[0] != fast[1]


def test_an_evaluation_is_the_same_again() -> None:
    policy = train(Lesson(rows(100, 1), shown(rows(100, 1)), 1), updates=100)
    seeds = SEEDS[:6]
    assert evaluate(policy.drive, seeds) == evaluate(policy.drive, seeds)


def test_who_stands_arrives_nowhere_and_the_teacher_everywhere() -> None:
    seeds = SEEDS[:6]
    standing = evaluate(lambda _: Drive(0.0, 0.0), seeds)
    assert standing.outcomes == {Outcome.TIME_UP: 6}
    assert standing.success == 0.0
    teacher = evaluate(None, seeds)
    assert teacher.outcomes == {Outcome.ARRIVED: 6}
    assert teacher.success == 1.0
    ahead = evaluate(lambda _: Drive(CRUISE, 0.0), seeds)
    assert ahead.outcomes[Outcome.COLLIDED] > 0
    with pytest.raises(ValueError, match="one attempt or more"):
        evaluate(None, [])


@pytest.fixture(scope="module")
def policy() -> Policy:
    return train(Lesson(rows(100, 1), shown(rows(100, 1)), 1), updates=5)


def test_a_policy_is_the_same_from_its_file(policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(policy.to_bytes())
    again = read_policy(path)
    assert again.to_bytes() == policy.to_bytes()
    for observation in rows(20, 5):
        assert again.drive(observation) == policy.drive(observation)


def test_it_never_drives_backwards_nor_too_fast(policy: Policy) -> None:
    wild = Policy(tuple(Layer(50 * each.weights, each.biases) for each in policy.layers))
    drives = [wild.drive(observation) for observation in rows(200, 6)]
    assert all(0.0 <= drive.linear <= CRUISE for drive in drives)
    assert all(-TURN_MAX <= drive.angular <= TURN_MAX for drive in drives)
    assert {0.0, CRUISE} <= {drive.linear for drive in drives}


@pytest.mark.parametrize("end", [0, 5, len(MAGIC), len(MAGIC) + 3, len(MAGIC) + 6, 300, -1])
def test_a_file_that_is_cut_off_is_refused(policy: Policy, end: int) -> None:
    with pytest.raises(PolicyError):
        Policy.from_bytes(policy.to_bytes()[:end])


@pytest.mark.parametrize(
    ("offset", "value", "what"),
    [
        (0, b"Q", "no policy"),
        (len(MAGIC), struct.pack("<I", 2), "2 layers"),
        (len(MAGIC) + 4, struct.pack("<I", 28), "28 inputs"),
        (len(MAGIC) + 8, struct.pack("<I", 0), "0 outputs"),
        (len(MAGIC) + 8, struct.pack("<I", 2**31), "outputs"),
        (len(MAGIC) + 12, struct.pack("<f", np.nan), "finite"),
    ],
)
def test_a_file_with_another_element_is_refused(
    policy: Policy, offset: int, value: bytes, what: str
) -> None:
    data = bytearray(policy.to_bytes())
    data[offset : offset + len(value)] = value
    with pytest.raises(PolicyError, match=what):
        Policy.from_bytes(bytes(data))


def test_nothing_may_stand_behind_a_policy(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="1 bytes behind"):
        Policy.from_bytes(policy.to_bytes() + b"x")
    with pytest.raises(PolicyError, match="no policy"):
        read_policy(tmp_path / "missing")


def test_the_commands(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [tmp_path / name for name in ("own", "both")]
    for model, recordings in zip(
        models, ([recorded.own], [recorded.own, recorded.bought]), strict=True
    ):
        training.main([str(model), *map(str, recordings)])
        said = json.loads(capsys.readouterr().out)
        assert said["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert said["steps"] == len(recorded.both.observations)
    evaluation.main([*map(str, models), "teacher", "--attempts", "6", "--first-seed", "2000"])
    table = json.loads(capsys.readouterr().out)
    assert (table["first_seed"], table["attempts"]) == (2000, 6)
    before, after, teacher = table["models"]
    assert teacher["arrived"] == 6
    assert sum(before[outcome.value] for outcome in Outcome) == 6
    expected = evaluate(read_policy(models[1]).drive, range(2000, 2006))
    assert after["success"] == expected.success


def test_the_commands_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        training.main([str(tmp_path / "model"), str(tmp_path)])
    assert "no MCAP file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluation.main([str(tmp_path / "model")])
    assert "no policy" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluation.main(["teacher", "--attempts", "0"])
    assert "one attempt or more" in capsys.readouterr().err
