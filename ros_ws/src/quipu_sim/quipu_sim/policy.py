"""A small policy: what a robot observes in, what it should do out.

Two hidden layers of hyperbolic tangents over the task's observation, in numpy:

    action = limits * (tanh(tanh(f W1 + b1) W2 + b2) W3 + b3), f = features(observation)

As a file: the line ``quipu policy 1``; the number of layers; for each layer its inputs
and outputs, its weights row by row, and its biases. Integers are of four bytes, numbers
are IEEE 754 of four bytes, little-endian all. The same weights give the same bytes, so a
policy is known by its SHA-256.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from quipu_sim.navigation import CRUISE, TURN_MAX, Drive
from quipu_sim.sensors import Floats
from quipu_sim.task import ACTION_SIZE, OBSERVATION_SIZE

MAGIC: Final = b"quipu policy 1\n"
LIMITS: Final[Floats] = np.array((CRUISE, TURN_MAX))
"""m/s and rad/s: the built-in driver goes no faster."""

_LAYERS: Final = 3
_WIDEST: Final = 1024
_FAR: Final = 3.0  # m; how far beyond this a goal lies does not matter
_COUNT = struct.Struct("<I")
_SHAPE = struct.Struct("<II")


class PolicyError(ValueError):
    """A file that is no policy."""


@dataclass(frozen=True, slots=True)
class Layer:
    """``weights`` [inputs, outputs] and ``biases`` [outputs]."""

    weights: Floats
    biases: Floats


@dataclass(frozen=True, slots=True)
class Policy:
    """Three layers of weights, all representable in four bytes."""

    layers: tuple[Layer, ...]

    @classmethod
    def rounded(cls, layers: Sequence[Layer]) -> Self:
        """A policy of the nearest weights that a file can hold."""
        return cls(tuple(Layer(_round(layer.weights), _round(layer.biases)) for layer in layers))

    def drive(self, observation: Floats) -> Drive:
        """What to do: never backwards, and never faster than `LIMITS`."""
        wanted = LIMITS * forward(self.layers, features(observation[np.newaxis]))[-1][0]
        linear = min(max(float(wanted[0]), 0.0), CRUISE)
        return Drive(linear, min(max(float(wanted[1]), -TURN_MAX), TURN_MAX))

    def to_bytes(self) -> bytes:
        """The policy as a file."""
        parts = [MAGIC, _COUNT.pack(len(self.layers))]
        for layer in self.layers:
            parts.append(_SHAPE.pack(*layer.weights.shape))
            parts.append(layer.weights.astype("<f4").tobytes())
            parts.append(layer.biases.astype("<f4").tobytes())
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a file's bytes.

        Raises `PolicyError` for anything that `to_bytes` does not write.
        """
        if not data.startswith(MAGIC):
            raise PolicyError("this file is no policy")
        reading = _Reading(data, len(MAGIC))
        (count,) = _COUNT.unpack(reading.take(_COUNT.size))
        if count != _LAYERS:
            raise PolicyError(f"a policy of {count} layers, not {_LAYERS}")
        layers: list[Layer] = []
        inputs = feature_count()
        for number in range(count):
            rows, columns = _SHAPE.unpack(reading.take(_SHAPE.size))
            last = number == count - 1
            if rows != inputs or not (columns == ACTION_SIZE if last else 0 < columns <= _WIDEST):
                raise PolicyError(f"layer {number} has {rows} inputs and {columns} outputs")
            weights = reading.numbers(rows * columns).reshape(rows, columns)
            layers.append(Layer(weights, reading.numbers(columns)))
            inputs = columns
        if reading.at != len(data):
            raise PolicyError(f"{len(data) - reading.at} bytes behind the policy")
        return cls(tuple(layers))


def read_policy(path: Path) -> Policy:
    """Read a policy's file.

    Raises `PolicyError` when it is missing or is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"no policy: {error}") from error
    return Policy.from_bytes(data)


def features(observations: Floats) -> Floats:
    """What the network sees of `OBSERVATION_SIZE` numbers a row, each about one in size.

    Near things matter most: of a range r (m) it sees 2 exp(-r) - 1/2.
    """
    seen: Floats = observations.copy()
    seen[:, 0] = np.minimum(seen[:, 0], _FAR) / _FAR
    seen[:, 4] /= TURN_MAX
    seen[:, 5:] = 2.0 * np.exp(-seen[:, 5:]) - 0.5
    return seen


def feature_count() -> int:
    """How many numbers `features` gives a row."""
    return OBSERVATION_SIZE


def forward(layers: Sequence[Layer], rows: Floats) -> list[Floats]:
    """What comes out of each layer; all but the last go through tanh."""
    outputs: list[Floats] = []
    for number, layer in enumerate(layers):
        rows = rows @ layer.weights + layer.biases
        if number < len(layers) - 1:
            rows = np.tanh(rows)
        outputs.append(rows)
    return outputs


class _Reading:
    """A place in bytes."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + size]
        if len(taken) != size:
            raise PolicyError("the policy's file is cut off")
        self.at += size
        return taken

    def numbers(self, count: int) -> Floats:
        numbers = np.frombuffer(self.take(4 * count), dtype="<f4").astype(np.float64)
        if not np.isfinite(numbers).all():
            raise PolicyError("a weight is no finite number")
        return numbers


def _round(numbers: Floats) -> Floats:
    return numbers.astype("<f4").astype(np.float64)
