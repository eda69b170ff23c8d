"""How the simulation is doing: once a second on /diagnostics, and all in all at the end."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from quipu_sim.publishing import Publishers
from quipu_sim.recording_gate import RecordingGate
from quipu_sim.simulation import Simulation
from quipu_sim.task import Outcome

PERIOD: Final = 1.0  # s of the wall


class Health:
    """Counts time, messages and attempts from `start` on."""

    def __init__(
        self,
        node: Any,
        simulation: Simulation,
        publishers: Publishers,
        gate: RecordingGate | None,
    ) -> None:
        self._node = node
        self._simulation = simulation
        self._publishers = publishers
        self._gate = gate
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self._started = self._looked = time.monotonic()
        self._processor = _processor_seconds()
        self._simulated = 0.0

    def look(self) -> None:
        """Publish, if it is time."""
        now = time.monotonic()
        if now - self._looked < PERIOD:
            return
        simulated = self._simulation.time_ns / 1e9
        factor = (simulated - self._simulated) / (now - self._looked)
        self._looked, self._simulated = now, simulated
        unsent = self._publishers.unsent
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if unsent else DiagnosticStatus.OK,
            name=f"{self._node.get_fully_qualified_name()}: simulation",
            message=f"{factor:.1f} times real time" + (f", {unsent} unsent" if unsent else ""),
            hardware_id=self._node.get_name(),
            values=[
                KeyValue(key=key, value=str(value))
                for key, value in {**self._counts(), "realtime_factor": f"{factor:.2f}"}.items()
            ],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def summary(self) -> dict[str, Any]:
        """Everything from the start until now."""
        seconds = time.monotonic() - self._started
        return {
            **self._counts(),
            "wall_s": round(seconds, 3),
            "realtime_factor": round(self._simulation.time_ns / 1e9 / seconds, 3),
            "processor_s": round(_processor_seconds() - self._processor, 3),
            "topics": self._publishers.sent,
        }

    def episodes(self) -> dict[str, int]:
        """How many recorders have committed, and how many they have not; with a gate alone."""
        if self._gate is None:
            return {}
        return {
            "episodes_committed": self._gate.committed,
            "episodes_failed": self._gate.failed,
        }

    def _counts(self) -> dict[str, Any]:
        outcomes = self._simulation.outcomes
        counts: dict[str, Any] = {
            "simulated_s": round(self._simulation.time_ns / 1e9, 3),
            "sent": sum(self._publishers.sent.values()),
            "unsent": self._publishers.unsent,
            **{outcome.value: outcomes[outcome] for outcome in Outcome},
        }
        return {**counts, **self.episodes()}


def _processor_seconds() -> float:
    """What all threads of this process have used."""
    times = os.times()
    return times.user + times.system
