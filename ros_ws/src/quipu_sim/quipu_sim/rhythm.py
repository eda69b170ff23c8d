"""Ticks: how often the world moves on, and which message is due at which tick."""

from __future__ import annotations

import math
from typing import Final

from quipu_sim.contract import Contract, ContractError, Scope

CONTROL: Final = "scan"
"""A robot decides whenever it has looked around."""

STEP_TOPICS: Final = ("observation", "action", "reward", "done")
"""One message of each a step of an attempt, in this order."""


class Rhythm:
    """The rates of a contract in ticks; a tick is one period of the fastest topic.

    Raises `ContractError` for rates that are no whole part of the fastest, and where
    commands or steps do not come with the scans.
    """

    def __init__(self, contract: Contract) -> None:
        rates = {topic.name: topic.rate for topic in contract.topics.values() if topic.rate}
        fastest = max(rates.values())
        self.period_ns = round(1e9 / fastest)
        self._every: dict[str, int] = {}
        for name, rate in rates.items():
            every = round(fastest / rate)
            if not math.isclose(every * rate, fastest):
                raise ContractError(f"{name}: {rate} Hz is no whole part of {fastest} Hz")
            self._every[name] = every
        for topic in contract.topics.values():
            if topic.of is Scope.TASK or topic.name == "cmd_vel":
                self._must_match(topic.name)

    def every(self, name: str) -> int:
        """How many ticks lie between two messages."""
        try:
            return self._every[name]
        except KeyError:
            raise ContractError(f"the topic contract has no rate for {name}") from None

    def seconds(self, name: str) -> float:
        """How many simulated seconds lie between two messages."""
        return self.every(name) * self.period_ns / 1e9

    def _must_match(self, name: str) -> None:
        if self.every(name) != self.every(CONTROL):
            raise ContractError(f"{name} must have the rate of {CONTROL}")
