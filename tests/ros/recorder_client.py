"""Asks a recorder for episodes: ``python recorder_client.py NODE``; prints JSON.

Everything that the action and its services can answer, once.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
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
        """Of the newest goal."""

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
        """Have an episode begun, or refused; its handle, and its result to come."""
        self.feedback = heard = []
        future = self.action.send_goal_async(
            RecordEpisode.Goal(**goal), feedback_callback=lambda it: heard.append(it.feedback)
        )
        handle = self.done(future)
        coming = handle.get_result_async()
        self.until(lambda: heard or coming.done())
        return handle, coming

    def until(self, condition: Callable[[], object]) -> None:
        until = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(self.feedback)
            rclpy.spin_once(self, timeout_sec=0.1)

    def result(self, begun: Any) -> dict[str, Any]:
        answer = self.done(begun[1])
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

    def say_to_recorder(self, count: int, so_far: int = 0) -> None:
        """And wait until the episode has them all."""
        heard = self.feedback
        self.say(count)
        self.until(lambda: heard and heard[-1].messages == so_far + count)


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
    client.say_to_recorder(20)
    told = client.feedback
    second = client.begin(name="another")
    found["while_one_is_on"] = client.result(second)
    client.feedback = told
    found["mark"] = client.ask(
        client.mark, has_success=True, success=True, has_reward=True, reward=0.5, reward_source=2
    )
    found["mark_no_source"] = client.ask(client.mark, has_reward=True, reward=0.5)
    found["mark_no_such_source"] = client.ask(
        client.mark, has_reward=True, reward=0.5, reward_source=77
    )
    client.say_to_recorder(20, 20)
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
    client.say_to_recorder(10)
    client.done(cancelled[0].cancel_goal_async())
    found["cancelled"] = client.result(cancelled)
    timed = client.begin(name="timed", max_duration_s=3.0)
    client.say(10)
    found["timed"] = client.result(timed)
    empty = client.begin(name="empty", max_duration_s=0.3)
    found["empty"] = client.result(empty)
    client.say(30)
    found["trigger"] = client.ask(client.trigger)
    found["trigger_again"] = client.ask(client.trigger)
    last_one = client.begin(name="at the end")
    client.say_to_recorder(10)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    # The recorder is now asked to end, in the middle of an episode.
    sys.stdout.write(json.dumps(client.result(last_one)) + "\n")
    sys.stdout.flush()
    client.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
