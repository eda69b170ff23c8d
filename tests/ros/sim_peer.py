"""Programs beside the simulator, for tests/ros/test_sim_node.py; each prints JSON.

``graph SECONDS``              what the node /simulator says and hears, and how often
``take ROBOT...``              counts and digests of all topics until nothing comes any more
``drive ROBOT SPEED SECONDS``  sends commands for so long, or until the robot is far away
``record ROBOT EPISODES``      a recorder that commits nothing; what it is asked
``dawdle ROBOT``               one that accepts an episode and does not begin, until it is cancelled
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import threading
import time
from collections import Counter
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from quipu_interfaces.action import RecordEpisode
from quipu_interfaces.srv import MarkEpisode
from quipu_sim.contract import read_contract
from quipu_sim.publishing import message_type
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

DISCOVERY = 60.0  # s
STEADY = 1.5  # s without a new endpoint
QUIET = 3.0  # s without a message
FAR_M = 0.6
TAKING = QoSProfile(depth=5000, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
COMMANDS = QoSProfile(depth=10)
ROS_OWN = ("/rosout", "/parameter_events", "/diagnostics")


def endpoints(node: Node) -> dict[str, dict[str, dict[str, str]]]:
    """Topics of /simulator, by what it does on them."""
    sides = {
        "publishers": (
            node.get_publisher_names_and_types_by_node,
            node.get_publishers_info_by_topic,
        ),
        "subscriptions": (
            node.get_subscriber_names_and_types_by_node,
            node.get_subscriptions_info_by_topic,
        ),
    }
    found: dict[str, dict[str, dict[str, str]]] = {}
    for side, (names, details) in sides.items():
        found[side] = {}
        for topic, types in names("simulator", "/"):
            if topic in ROS_OWN:
                continue
            info = next((i for i in details(topic) if i.node_name == "simulator"), None)
            if info is None:
                continue  # not all of it is discovered
            found[side][topic] = {
                "type": types[0],
                "reliability": info.qos_profile.reliability.name.lower(),
                "durability": info.qos_profile.durability.name.lower(),
            }
    return found


def settled(node: Node) -> dict[str, Any]:
    """Topics of /simulator, once no new ones come."""
    wait_until(lambda: "simulator" in node.get_node_names())
    found = endpoints(node)
    since = time.monotonic()
    while not any(found.values()) or time.monotonic() - since < STEADY:
        time.sleep(0.1)
        now = endpoints(node)
        if now != found:
            found, since = now, time.monotonic()
    return found


class Ear:
    """Subscriptions that are emptied by hand: an executor is too slow for so many."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._subscriptions: dict[str, Any] = {}
        self.counts: Counter[str] = Counter()
        self.digests: dict[str, Any] = {}
        self.last: dict[str, bytes] = {}
        self.heard_at = 0.0

    def listen(self, topic: str, kind: str) -> None:
        profile = LATCHED if topic == "/tf_static" else TAKING
        self._subscriptions[topic] = self._node.create_subscription(
            message_type(kind), topic, lambda _: None, profile, raw=True
        )

    def take(self) -> None:
        """Everything that has come."""
        for topic, subscription in self._subscriptions.items():
            handle = subscription.handle
            with handle:
                while taken := handle.take_message(subscription.msg_type, True):
                    data = taken[0]
                    self.counts[topic] += 1
                    self.digests.setdefault(topic, hashlib.sha256()).update(data)
                    self.last[topic] = data
                    self.heard_at = time.monotonic()

    def take_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.take()
            time.sleep(0.01)

    def simulated(self) -> float:
        """Seconds on /clock."""
        clock = deserialize_message(self.last["/clock"], Clock).clock
        return float(clock.sec + clock.nanosec / 1e9)


def graph(seconds: float) -> dict[str, Any]:
    node = rclpy.create_node("observer")
    found = settled(node)
    ear = Ear(node)
    for topic, what in found["publishers"].items():
        ear.listen(topic, what["type"])
    ear.take_for(1.0)
    found["before"] = dict(ear.counts)
    ear.counts.clear()
    began = ear.simulated()
    ear.take_for(seconds)
    passed = ear.simulated() - began
    found["rates"] = {topic: count / passed for topic, count in ear.counts.items()}
    return found


def take(robots: list[str]) -> dict[str, Any]:
    ear = Ear(rclpy.create_node("taker_" + robots[0]))
    topics = read_contract().topics.values()
    for name, kind in {t.full_name(robot): t.type for t in topics for robot in robots}.items():
        if name != "/clock":
            ear.listen(name, kind)
    while not ear.counts["/tf"] or time.monotonic() - ear.heard_at < QUIET:
        ear.take_for(0.1)
    return {
        topic: {"count": ear.counts[topic], "digest": digest.hexdigest()}
        for topic, digest in ear.digests.items()
    }


def drive(robot: str, speed: float, seconds: float) -> dict[str, Any]:
    node = rclpy.create_node("driver")
    places: list[tuple[float, float]] = []

    def heard(message: Any) -> None:
        places.append((message.pose.pose.position.x, message.pose.pose.position.y))

    node.create_subscription(Odometry, f"/{robot}/odom", heard, TAKING)
    commands = node.create_publisher(Twist, f"/{robot}/cmd_vel", COMMANDS)
    wait_until(lambda: commands.get_subscription_count() > 0)
    command = Twist()
    command.linear.x = speed
    command.angular.z = 0.3
    end = time.monotonic() + seconds
    metres = 0.0
    while time.monotonic() < end and metres < FAR_M:
        commands.publish(command)
        spin_for(node, 0.1)
        metres = math.dist(places[0], places[-1]) if places else 0.0
    return {"metres": metres}


class Recorder(Node):
    """Begins, marks and ends episodes, and writes down what it was asked and heard."""

    def __init__(self, robot: str, wanted: int) -> None:
        super().__init__("recorder", namespace=f"/{robot}")
        group = ReentrantCallbackGroup()
        self.wanted = wanted
        self.episodes: list[dict[str, Any]] = []
        self.enough = threading.Event()
        self.stopped = threading.Event()
        self.last_done = False
        self.told = threading.Event()
        self.create_subscription(Bool, f"/{robot}/done", self.heard, TAKING, callback_group=group)
        self.create_subscription(DiagnosticArray, "/diagnostics", self.diagnosed, TAKING)
        self.create_service(MarkEpisode, "~/mark_episode", self.mark, callback_group=group)
        self.create_service(Trigger, "~/stop_episode", self.stop, callback_group=group)
        self.server = ActionServer(
            self,
            RecordEpisode,
            "~/record_episode",
            self.record,
            goal_callback=self.answer,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )

    def answer(self, _goal: Any) -> GoalResponse:
        return GoalResponse.REJECT if len(self.episodes) == self.wanted else GoalResponse.ACCEPT

    def heard(self, message: Any) -> None:
        self.last_done = message.data
        if self.episodes:  # the simulator may have begun before we were there
            self.episodes[-1]["steps"] += 1

    def diagnosed(self, message: Any) -> None:
        values = {each.key: each.value for status in message.status for each in status.values}
        if values.get("episodes_committed") == str(self.wanted):
            self.told.set()

    def mark(self, request: Any, response: Any) -> Any:
        episode = self.episodes[-1]
        episode["success"] = request.success if request.has_success else None
        episode["reward"] = request.reward if request.has_reward else None
        episode["by_task"] = request.reward_source == MarkEpisode.Request.SOURCE_TASK
        return response

    def stop(self, _request: Any, response: Any) -> Any:
        self.episodes[-1]["done_was_heard"] = self.last_done
        self.stopped.set()
        response.success = True
        return response

    def record(self, goal: Any) -> Any:
        asked = goal.request
        self.episodes.append(
            {"name": asked.name, "task": asked.task, "tags": list(asked.tags), "steps": 0}
        )
        self.stopped.clear()
        while not self.stopped.wait(0.1):
            goal.publish_feedback(RecordEpisode.Feedback())
        goal.succeed()
        result = RecordEpisode.Result(ended_by=RecordEpisode.Result.ENDED_STOPPED)
        result.entry_index = len(self.episodes)
        if len(self.episodes) == self.wanted:
            self.enough.set()
        return result


class Dawdler(Recorder):
    """Accepts one episode, and never says that it has begun."""

    def __init__(self, robot: str) -> None:
        super().__init__(robot, 1)

    def record(self, goal: Any) -> Any:
        self.episodes.append({"name": goal.request.name, "steps": 0})
        while not goal.is_cancel_requested:
            time.sleep(0.05)
        goal.canceled()
        self.enough.set()
        return RecordEpisode.Result(ended_by=RecordEpisode.Result.ENDED_CANCELLED)


def dawdle(robot: str) -> list[str]:
    recorder = Dawdler(robot)
    executor = MultiThreadedExecutor(4)
    executor.add_node(recorder)
    threading.Thread(target=spin, args=(executor,), daemon=True).start()
    if not recorder.enough.wait(60.0):
        raise TimeoutError(f"{len(recorder.episodes)} episodes, and none is cancelled")
    return [each["name"] for each in recorder.episodes]


def record(robot: str, episodes: int) -> list[dict[str, Any]]:
    recorder = Recorder(robot, episodes)
    executor = MultiThreadedExecutor(4)
    executor.add_node(recorder)
    threading.Thread(target=spin, args=(executor,), daemon=True).start()
    if not recorder.enough.wait(60.0):
        raise TimeoutError(f"only {len(recorder.episodes)} episodes")
    if not recorder.told.wait(30.0):
        raise TimeoutError("the simulator does not say that they are committed")
    return recorder.episodes


def spin(executor: Any) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        return


def spin_for(node: Node, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        rclpy.spin_once(node, timeout_sec=left)


def wait_until(true: Any) -> None:
    end = time.monotonic() + DISCOVERY
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("the simulator has not been discovered")
        time.sleep(0.05)


def main() -> None:
    rclpy.init()
    verb, *given = sys.argv[1:]
    answer: Any
    if verb == "graph":
        answer = graph(float(given[0]))
    elif verb == "take":
        answer = take(given)
    elif verb == "drive":
        answer = drive(given[0], float(given[1]), float(given[2]))
    elif verb == "dawdle":
        answer = dawdle(given[0])
    else:
        answer = record(given[0], int(given[1]))
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # rclpy's threads may be in the middle of something


if __name__ == "__main__":
    main()
