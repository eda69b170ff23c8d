"""What the memory and the witness node have in common: life cycle, time, diagnostics."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ledger.errors import LedgerError
from quipu_nodes.parameters import COMMON, Declared, ParameterError, declare
from quipu_nodes.simulated_time import SimulatedTime

DIAGNOSTICS_PERIOD_S: Final = 1.0

Facts = Mapping[str, object]


class ManagedNode(LifecycleNode):
    """A lifecycle node whose steps are methods that may raise.

    A step that raises `LedgerError` or `ParameterError` fails, with a line in the log; the
    node stays in the state it was in. rclpy would swallow the exception.
    """

    subject: str
    """What its diagnostic status is about."""

    def __init__(self, name: str, parameters: Mapping[str, Declared], **node_kwargs: Any) -> None:
        super().__init__(name, **node_kwargs)
        self.time: Final = SimulatedTime(self)
        declare(self, {**COMMON, **parameters})
        self._step = threading.Lock()
        self._says = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._saying = self.create_timer(
            DIAGNOSTICS_PERIOD_S, self._say_how_it_is, clock=self._steady
        )

    @abstractmethod
    def configure(self) -> None:
        """Read the parameters and open what is needed. May raise; `release` follows then."""

    @abstractmethod
    def activate(self) -> None:
        """Begin to work. May raise; `deactivate` follows then."""

    @abstractmethod
    def deactivate(self) -> None:
        """End work in good order; nothing happens when there is none."""

    @abstractmethod
    def release(self) -> None:
        """Close what `configure` opened; nothing happens when nothing is."""

    @abstractmethod
    def diagnose(self) -> tuple[bytes, str, Facts]:
        """Level, a sentence, and the values of the diagnostic status."""

    def hurry(self) -> None:
        """The process is to end: what waits for others shall wait for seconds, not for ever."""

    def close(self) -> None:
        """End in good order, from whatever state; may be called again, and from any thread."""
        with self._step:
            self.deactivate()
            self.release()

    def destroy_node(self) -> None:
        """Close first."""
        self.close()
        super().destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `configure`."""
        return self._attempt(self.configure, self.release)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `activate`."""
        return self._attempt(self.activate, self.deactivate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `deactivate`."""
        return self._attempt(self.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `release`."""
        return self._attempt(self.release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `close`."""
        return self._attempt(self._abandon)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        return self._attempt(self._abandon)

    def _abandon(self) -> None:
        self.deactivate()
        self.release()

    def _attempt(
        self, step: Callable[[], None], undo: Callable[[], None] | None = None
    ) -> TransitionCallbackReturn:
        with self._step:
            try:
                step()
            except (LedgerError, ParameterError) as error:
                self.get_logger().error(f"{step.__name__}: {error}")
            except Exception as error:  # noqa: BLE001 - rclpy would not even tell
                self.get_logger().error(f"{step.__name__} failed: {type(error).__name__}: {error}")
            else:
                return TransitionCallbackReturn.SUCCESS
            if undo is not None:
                undo()
            return TransitionCallbackReturn.FAILURE

    def _say_how_it_is(self) -> None:
        level, message, facts = self.diagnose()
        status = DiagnosticStatus(
            level=level,
            name=f"{self.get_fully_qualified_name()}: {self.subject}",
            message=message,
            hardware_id=self.get_namespace().strip("/"),
            values=[KeyValue(key=key, value=str(value)) for key, value in facts.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.time.now().to_msg()
        self._says.publish(array)
