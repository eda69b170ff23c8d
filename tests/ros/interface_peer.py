"""Two programs that use every kind of interface between them: ``serve`` and ``ask``.

``ask`` prints what it has got as JSON, for tests/ros/test_interfaces.py.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from typing import Any

import rclpy
from quipu_interfaces.action import RecordEpisode
from quipu_interfaces.msg import Checkpoint
from quipu_interfaces.srv import ProveInclusion
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

NOTE = bytes(range(256)) * 8
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
SECONDS = 60.0


class Server(Node):
    """A latched checkpoint, a service and an action."""

    def __init__(self) -> None:
        super().__init__("peer", namespace="/robot1")
        group = ReentrantCallbackGroup()
        publisher = self.create_publisher(Checkpoint, "/quipu/checkpoints", LATCHED)
        publisher.publish(
            Checkpoint(origin="example.com/robot1", size=7, node="/robot1/peer", note=NOTE)
        )
        self.create_service(ProveInclusion, "~/prove_inclusion", self.prove, callback_group=group)
        self.cancelled = threading.Event()
        self.actions = ActionServer(
            self,
            RecordEpisode,
            "~/record_episode",
            self.record,
            cancel_callback=self.cancel,
            callback_group=group,
        )

    def prove(
        self, request: ProveInclusion.Request, response: ProveInclusion.Response
    ) -> ProveInclusion.Response:
        """Entries below 7 there are."""
        if request.index < 7:
            response.proof = NOTE
        else:
            response.error_code = ProveInclusion.Response.NOT_FOUND
            response.error_msg = f"no entry {request.index}"
        return response

    def cancel(self, _goal: Any) -> CancelResponse:
        """Every episode may be cancelled."""
        self.cancelled.set()
        return CancelResponse.ACCEPT

    def record(self, goal: Any) -> RecordEpisode.Result:
        """Feedback until the goal is cancelled."""
        result = RecordEpisode.Result(ended_by=RecordEpisode.Result.ENDED_STOPPED)
        messages = 0
        while not self.cancelled.wait(0.05):
            messages += 1
            goal.publish_feedback(RecordEpisode.Feedback(messages=messages))
        result.ended_by = RecordEpisode.Result.ENDED_CANCELLED
        result.messages = messages
        result.leaf_hash = bytes(32)
        goal.canceled()
        return result


def serve() -> None:
    """Until interrupted."""
    rclpy.init()
    executor = MultiThreadedExecutor(3)
    executor.add_node(Server())
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    rclpy.try_shutdown()


def ask() -> None:
    """One of each, as JSON."""
    rclpy.init()
    node = Node("asker")
    latest: list[Checkpoint] = []
    feedback: list[int] = []
    node.create_subscription(Checkpoint, "/quipu/checkpoints", latest.append, LATCHED)
    service = node.create_client(ProveInclusion, "/robot1/peer/prove_inclusion")
    action = ActionClient(node, RecordEpisode, "/robot1/peer/record_episode")

    def result_of(future: Any) -> Any:
        rclpy.spin_until_future_complete(node, future, timeout_sec=SECONDS)
        if not future.done():
            raise TimeoutError(f"no answer in {SECONDS} s")
        return future.result()

    def until(condition: Any) -> None:
        deadline = node.get_clock().now().nanoseconds + SECONDS * 1e9
        while not condition() and node.get_clock().now().nanoseconds < deadline:
            rclpy.spin_once(node, timeout_sec=0.1)

    if not service.wait_for_service(SECONDS) or not action.wait_for_server(SECONDS):
        raise TimeoutError("the server was not discovered")
    until(lambda: latest)
    found = result_of(service.call_async(ProveInclusion.Request(index=3)))
    absent = result_of(service.call_async(ProveInclusion.Request(index=9)))
    goal = result_of(
        action.send_goal_async(
            RecordEpisode.Goal(name="a", tags=["b", "c"]),
            feedback_callback=lambda message: feedback.append(message.feedback.messages),
        )
    )
    until(lambda: len(feedback) >= 2)
    result_of(goal.cancel_goal_async())
    ended = result_of(goal.get_result_async()).result
    print(  # noqa: T201  # the answer
        json.dumps(
            {
                "origin": latest[0].origin,
                "size": latest[0].size,
                "note": bytes(latest[0].note).hex(),
                "found": [found.error_code, bytes(found.proof).hex()],
                "absent": [absent.error_code, absent.error_msg],
                "feedback": feedback,
                "ended_by": ended.ended_by,
                "messages": ended.messages,
                "leaf_hash": bytes(ended.leaf_hash).hex(),
            }
        )
    )
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]]()
