"""Trains a policy on recordings: ``python -m quipu_sim.training MODEL RECORDING...``.

Behaviour cloning: of all attempts that were worth something, the network learns to do what
the driver did. Attempts with a negative reward teach nothing worth doing, and are left out.
Whatever was seen is shown mirrored too: to the left is as to the right.

    minimise sum |network(features(o)) - a / limits|^2 / 2 over steps (o, a), by Adam
    (Kingma and Ba, 2015) with batches drawn by the seed and a rate that falls to zero

The same recordings and seed give the same bytes on the same machine with the same numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from quipu_sim.policy import LIMITS, Layer, Policy, feature_count, features, forward
from quipu_sim.sensors import Floats
from quipu_sim.steps import AttemptSteps, StepsError, read_attempts
from quipu_sim.task import ACTION_SIZE

UPDATES: Final = 3000
SEED: Final = 0

_HIDDEN = 64
_BATCH = 64
_RATE = 3e-3
_FIRST, _SECOND = 0.9, 0.999  # how slowly both moments forget
_TINY = 1e-8


class TrainingError(ValueError):
    """Nothing to learn from."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a policy is trained on: a row of ``observations`` and ``actions`` for each step."""

    observations: Floats
    actions: Floats
    attempts: int

    @classmethod
    def of(cls, attempts: Sequence[AttemptSteps]) -> Lesson:
        """The steps of all attempts whose reward is positive.

        Raises `TrainingError` when there are none.
        """
        good = [attempt for attempt in attempts if attempt.reward > 0]
        if not good:
            raise TrainingError(f"none of {len(attempts)} attempts was worth anything")
        return cls(
            np.concatenate([attempt.observations for attempt in good]),
            np.concatenate([attempt.actions for attempt in good]),
            len(good),
        )


def train(lesson: Lesson, *, seed: int = SEED, updates: int = UPDATES) -> Policy:
    """A policy that does as the lesson shows."""
    random = np.random.default_rng((seed, 0x1E))
    observations, actions = _with_mirrored(lesson)
    inputs, wanted = features(observations), actions / LIMITS
    weights = _begin(random)
    first = [np.zeros_like(each) for each in weights]
    second = [np.zeros_like(each) for each in weights]
    for update in range(1, updates + 1):
        chosen = random.integers(0, len(inputs), _BATCH)
        slopes = _slopes(weights, inputs[chosen], wanted[chosen])
        rate = _RATE * (1 - (update - 1) / updates)
        for number, slope in enumerate(slopes):
            first[number] = _FIRST * first[number] + (1 - _FIRST) * slope
            second[number] = _SECOND * second[number] + (1 - _SECOND) * slope * slope
            mean = first[number] / (1 - _FIRST**update)
            spread = np.sqrt(second[number] / (1 - _SECOND**update)) + _TINY
            weights[number] = weights[number] - rate * mean / spread
    return Policy.rounded(_layers(weights))


def _with_mirrored(lesson: Lesson) -> tuple[Floats, Floats]:
    """All steps, and all steps as they would look in a mirror along the robot's x."""
    seen, done = lesson.observations.copy(), lesson.actions.copy()
    seen[:, (2, 4)] *= -1  # bearing's sine, turning
    seen[:, 5:] = seen[:, :4:-1]
    done[:, 1] *= -1
    observations = np.concatenate((lesson.observations, seen))
    return observations, np.concatenate((lesson.actions, done))


def _begin(random: np.random.Generator) -> list[Floats]:
    """Weights and biases in turn; small at the end, so that it begins by doing little."""
    sizes = (feature_count(), _HIDDEN, _HIDDEN, ACTION_SIZE)
    weights: list[Floats] = []
    for inputs, outputs in itertools.pairwise(sizes):
        scale = 0.1 if outputs == ACTION_SIZE else 1 / math.sqrt(inputs)
        weights += [random.normal(0.0, scale, (inputs, outputs)), np.zeros(outputs)]
    return weights


def _layers(weights: Sequence[Floats]) -> list[Layer]:
    return [Layer(weights[at], weights[at + 1]) for at in range(0, len(weights), 2)]


def _slopes(weights: Sequence[Floats], inputs: Floats, wanted: Floats) -> list[Floats]:
    """Of the error of one batch, for every weight and bias, by back-propagation."""
    outputs = forward(_layers(weights), inputs)
    slopes: list[Floats] = []
    error: Floats = (outputs[-1] - wanted) / len(inputs)
    for number in reversed(range(len(outputs))):
        before = outputs[number - 1] if number else inputs
        slopes[:0] = [before.T @ error, error.sum(axis=0)]
        if number:
            error = (error @ weights[2 * number].T) * (1 - before * before)
    return slopes


def main(arguments: list[str] | None = None) -> None:
    """The command: train, write the model, and print as JSON what it was trained on."""
    parser = argparse.ArgumentParser(prog="python -m quipu_sim.training", description=__doc__)
    parser.add_argument("model", type=Path, help="the file to write")
    parser.add_argument("recordings", type=Path, nargs="+", help="bags, or MCAP files")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of what is drawn ({SEED})")
    given = parser.parse_args(arguments)
    try:
        attempts = read_attempts(given.recordings)
        lesson = Lesson.of(attempts)
    except (StepsError, TrainingError) as error:
        parser.error(str(error))
    data = train(lesson, seed=given.seed).to_bytes()
    try:
        given.model.write_bytes(data)
    except OSError as error:
        parser.error(f"the model cannot be written: {error}")
    summary = {
        "model": str(given.model),
        "sha256": hashlib.sha256(data).hexdigest(),
        "attempts": len(attempts),
        "learnt_from": lesson.attempts,
        "steps": len(lesson.observations),
        "seed": given.seed,
    }
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
