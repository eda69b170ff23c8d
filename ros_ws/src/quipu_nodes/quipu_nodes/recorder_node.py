"""The recorder node: subscriptions in, segments out, committed while they grow.

Lifecycle: configured, it knows its parameters and where to commit; active, it records;
deactivated or shut down, what was buffered is written, sealed and committed. All that
records is in `ledger.recording`.

Services: ``~/record_episode`` (action), ``~/mark_episode``, ``~/stop_episode``,
``~/trigger`` (the black box), ``~/split`` (seal the segment and go on in a new one).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.timer import Timer
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

from ledger.errors import LedgerError
from ledger.memory.sink import RecordSink
from ledger.memory.socket_sink import SocketSink
from ledger.recording.black_box import TriggerOutcome
from ledger.recording.recorder import Recorder
from ledger.recording.settings import RecorderSettings
from quipu_nodes.episode_server import STEADY, EpisodeServer
from quipu_nodes.qos_adaptation import read_overrides
from quipu_nodes.raw_intake import RawIntake
from quipu_nodes.recorder_diagnostics import recording_status
from quipu_nodes.recorder_parameters import (
    declare_parameters,
    home_folder,
    overrides_file,
    recorder_settings,
    topic_choice,
    trigger_topics,
)
from quipu_nodes.simulated_time import SimulatedTime
from quipu_nodes.topic_choice import TopicChoice
from quipu_nodes.topic_subscriptions import TopicSubscriptions

_DIAGNOSTICS_S: Final = 1.0
_ORDER_TIMEOUT_S: Final = 10.0


@dataclass(slots=True)
class _Configured:
    """What is fixed from configuring on."""

    settings: RecorderSettings
    choice: TopicChoice
    overrides: dict[str, QoSProfile]
    sink: RecordSink
    triggers: tuple[str, ...]


@dataclass(slots=True)
class _Active:
    """What exists while it records."""

    recorder: Recorder
    intake: RawIntake
    subscriptions: TopicSubscriptions
    looking: Timer
    triggers: list[Any]


class RecorderNode(LifecycleNode):
    """Records into ``sink``, or over the control socket of the home in its parameters."""

    def __init__(self, sink: RecordSink | None = None, **node_kwargs: Any) -> None:
        super().__init__("recorder", **node_kwargs)
        declare_parameters(self)
        self._time = SimulatedTime(self)
        self._sink = sink
        self._configured: _Configured | None = None
        self._active: _Active | None = None
        self._closing = threading.Lock()
        self._lost = 0
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._saying = self.create_timer(_DIAGNOSTICS_S, self._say_how_it_is, clock=STEADY)
        self._episodes = EpisodeServer(self, self._recorder, self._settle)
        self.create_service(Trigger, "~/trigger", self._on_trigger)
        self.create_service(Trigger, "~/split", self._on_split)

    @property
    def recorder(self) -> Recorder | None:
        """The recorder, while the node is active."""
        return self._recorder()

    def close(self) -> None:
        """Write, seal and commit everything; may be called again, and from any thread."""
        with self._closing:
            active, self._active = self._active, None
        if active is not None:
            active.looking.cancel()
            active.subscriptions.close()
            active.intake.close()
            for subscription in active.triggers:
                self.destroy_subscription(subscription)
            active.recorder.close()
            self.get_logger().info("all is sealed")
        configured, self._configured = self._configured, None
        if configured is not None and self._sink is None:
            configured.sink.close()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters."""
        try:
            path = overrides_file(self)
            sink = self._sink or SocketSink(home_folder(self))
            self._configured = _Configured(
                settings=recorder_settings(self, os.environ.get("ROS_DISTRO", "")),
                choice=topic_choice(self),
                overrides=read_overrides(path) if path else {},
                sink=sink,
                triggers=trigger_topics(self),
            )
        except Exception as error:  # noqa: BLE001  rclpy would swallow it
            self.get_logger().error(f"cannot be configured: {error}")
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to record."""
        configured = self._configured
        if configured is None:
            return TransitionCallbackReturn.FAILURE
        try:
            self._start(configured)
        except Exception as error:  # noqa: BLE001  rclpy would swallow it
            self.get_logger().error(f"cannot be activated: {error}")
            self.close()
            return TransitionCallbackReturn.FAILURE
        return super().on_activate(state)

    def _start(self, configured: _Configured) -> None:
        recorder = Recorder(configured.sink, configured.settings)
        intake = RawIntake(self.context, recorder.receive, self._simulated_clock())
        subscriptions = TopicSubscriptions(
            self, configured.choice, configured.overrides, intake, recorder.add_channel
        )
        period = float(self.get_parameter("discovery_period_s").value)
        self._active = _Active(
            recorder,
            intake,
            subscriptions,
            self.create_timer(period, subscriptions.look, clock=STEADY),
            [
                self.create_subscription(Empty, topic, self._triggered_by(topic), 10)
                for topic in configured.triggers
            ],
        )
        self._lost = 0
        subscriptions.look()

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Seal what was recorded."""
        configured = self._configured
        self._configured = None  # Its sink stays open.
        self.close()
        self._configured = configured
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the parameters."""
        self.close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Seal what was recorded."""
        self.close()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        """Close first."""
        self.close()
        self._episodes.close()
        super().destroy_node()

    # Callbacks

    def _recorder(self) -> Recorder | None:
        active = self._active
        return active.recorder if active else None

    def _settle(self) -> None:
        active = self._active
        if active:
            active.intake.settle()

    def _simulated_clock(self) -> Callable[[], int] | None:
        if not self.get_parameter("use_sim_time").value:
            return None
        return lambda: int(self._time.now().nanoseconds)

    def _triggered_by(self, topic: str) -> Callable[[Any], None]:
        def trigger(_: Any) -> None:
            outcome = self._trigger(topic)
            self.get_logger().info(f"triggered by {topic}: {outcome}")

        return trigger

    def _trigger(self, reason: str) -> str:
        active = self._active
        if active is None:
            return "the recorder is not active"
        active.intake.settle()
        try:
            return active.recorder.trigger(reason, _ORDER_TIMEOUT_S).value
        except LedgerError as error:
            return str(error)

    def _on_trigger(self, request: Any, response: Any) -> Any:
        response.message = self._trigger("service")
        response.success = response.message == TriggerOutcome.WRITTEN.value
        return response

    def _on_split(self, request: Any, response: Any) -> Any:
        active = self._active
        try:
            if active is None:
                response.message = "the recorder is not active"
                return response
            active.intake.settle()
            response.success = active.recorder.split(_ORDER_TIMEOUT_S) is not None
            response.message = "" if response.success else "no segment to end, or an episode"
        except LedgerError as error:
            response.message = str(error)
        return response

    def _say_how_it_is(self) -> None:
        active = self._active
        status = active.recorder.status() if active else None
        heard = active.subscriptions.report if active else None
        lost = status.lost + heard.lost_in_middleware if status and heard else 0
        robot = self.get_namespace().strip("/")
        message = DiagnosticArray(
            status=[
                recording_status(
                    self.get_fully_qualified_name(), robot, status, heard, lost - self._lost
                )
            ]
        )
        self._lost = lost
        message.header.stamp = self._time.now().to_msg()
        self._diagnostics.publish(message)
