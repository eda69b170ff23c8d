"""Asks a recorder for episodes: ``python recorder_client.py NODE``; prints JSON.

Everything that the action and its services can answer, once.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import rclpy
from quipu_interfaces.action import RecordEpisode
from quipu_interfaces.srv import MarkEpisode
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

SECONDS = 60.0


class Client(Node):
    """Publishes, and asks."""

    def __init__(self, recorder: str) -> None:
        super().__init__("episode_client")
        self.publisher = self.create_publisher(
            String, f"{recorder.rpartition('/')[0]}/chatter", 100
        )
        self.action = ActionClient(self, RecordEpisode, f"{recorder}/record_episode")
        self.mark = self.create_client(MarkEpisode, f"{recorder}/mark_episode")
        self.stop = self.create_client(Trigger, f"{recorder}/stop_episode")
        self.split = self.create_client(Trigger, f"{recorder}/split")
        self.trigger = self.create_client(Trigger, f"{recorder}/trigger")
        self.feedback: list[Any] = []

    def done(self, future: Future) -> Any:
        rclpy.spin_until_future_complete(self, future, timeout_sec=SECONDS)
        return future.result()

    def ask(self, client: Any, **values: Any) -> dict[str, Any]:
        if not client.wait_for_service(SECONDS):
            raise TimeoutError(client.srv_name)
        answer = None
        while answer is None:  # the first answer can be lost while the two still find each other
            future = client.call_async(client.srv_type.Request(**values))
            rclpy.spin_until_future_complete(self, future, timeout_sec=3.0)
            answer = future.result()
        return {name: getattr(answer, name) for name in answer.get_fields_and_field_types()}

    def begin(self, **goal: Any) -> Any:
        future = self.action.send_goal_async(
            RecordEpisode.Goal(**goal),
            feedback_callback=lambda it: self.feedback.append(it.feedback),
        )
        handle = self.done(future)
        time.sleep(0.3)
        return handle

    def result(self, handle: Any) -> dict[str, Any]:
        answer = self.done(handle.get_result_async())
        result = answer.result
        return {
            "status": answer.status,
            "error_code": result.error_code,
            "error_msg": result.error_msg,
            "ended_by": result.ended_by,
            "entry_index": result.entry_index,
            "leaf_hash": bytes(result.leaf_hash).hex(),
            "bytes": result.bytes,
            "messages": result.messages,
        }

    def say(self, count: int) -> None:
        for number in range(count):
            self.publisher.publish(String(data=f"message {number}"))
            rclpy.spin_once(self, timeout_sec=0.01)


def main() -> None:
    rclpy.init(args=[])
    client = Client(sys.argv[1])
    if not client.action.wait_for_server(SECONDS):
        raise TimeoutError("no recorder")
    while not client.publisher.get_subscription_count():
        time.sleep(0.05)
    time.sleep(0.3)
    found: dict[str, Any] = {"mark_without": client.ask(client.mark, has_success=True)}
    found["stop_without"] = client.ask(client.stop)
    first = client.begin(name="pick/up", task="pick up the cup", tags=["kitchen"])
    client.say(20)
    second = client.begin(name="another")
    found["while_one_is_on"] = client.result(second)
    found["mark"] = client.ask(
        client.mark, has_success=True, success=True, has_reward=True, reward=0.5, reward_source=2
    )
    found["mark_no_source"] = client.ask(client.mark, has_reward=True, reward=0.5)
    found["mark_no_such_source"] = client.ask(
        client.mark, has_reward=True, reward=0.5, reward_source=77
    )
    client.say(20)
    until = time.monotonic() + SECONDS
    while not (client.feedback and client.feedback[-1].messages == 40):
        if time.monotonic() > until:
            raise TimeoutError(client.feedback)
        rclpy.spin_once(client, timeout_sec=0.1)
    found["stop"] = client.ask(client.stop)
    found["stopped"] = client.result(first)
    last = client.feedback[-1]
    found["feedback"] = {
        "messages": last.messages,
        "bytes": last.bytes,
        "dropped": last.dropped,
        "marked": last.marked,
        "elapsed_s": last.elapsed_s,
    }
    cancelled = client.begin(name="cancelled")
    client.say(10)
    client.done(cancelled.cancel_goal_async())
    found["cancelled"] = client.result(cancelled)
    timed = client.begin(name="timed", max_duration_s=0.6)
    client.say(10)
    found["timed"] = client.result(timed)
    empty = client.begin(name="empty", max_duration_s=0.3)
    found["empty"] = client.result(empty)
    client.say(30)
    found["trigger"] = client.ask(client.trigger)
    found["trigger_again"] = client.ask(client.trigger)
    last_one = client.begin(name="at the end")
    client.say(10)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    # The recorder is now asked to end, in the middle of an episode.
    sys.stdout.write(json.dumps(client.result(last_one)) + "\n")
    sys.stdout.flush()
    client.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
