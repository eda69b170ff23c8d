"""A node that looks at the graph for a test: commands on stdin, answers on stdout, JSON a line.

Bytes go as hex. Run under script/ros; see `tests.ros.graph.Graph`.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.action import ActionClient
from rclpy.action.graph import get_action_names_and_types
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

LATCHED = QoSProfile(
    depth=500,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
LIVE = QoSProfile(depth=500)


def imported(name: str) -> Any:
    package, kind, type_name = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), type_name)


def as_json(value: Any) -> Any:
    if hasattr(value, "get_fields_and_field_types"):
        return {name: as_json(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if type(value).__name__ == "array" and value.typecode == "B":
        return bytes(value).hex()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)) or type(value).__name__ == "array":
        return [as_json(each) for each in value]
    return value


def fill(message: Any, fields: dict[str, Any]) -> Any:
    for name, value in fields.items():
        current = getattr(message, name)
        if hasattr(current, "get_fields_and_field_types"):
            fill(current, value)
        elif message.get_fields_and_field_types()[name] == "sequence<uint8>":
            setattr(message, name, bytes.fromhex(value))
        else:
            setattr(message, name, value)
    return message


class Peer:
    """What the commands do."""

    def __init__(self) -> None:
        self.node = Node("looker", namespace="/test_peer")
        self.heard: dict[str, list[Any]] = {}
        self.made: dict[str, Any] = {}
        self.goals: dict[str, Any] = {}

    def listen(self, topic: str, kind: str, latched: bool = True) -> None:
        heard = self.heard.setdefault(topic, [])
        qos = LATCHED if latched else LIVE
        self.made[f"s{topic}"] = self.node.create_subscription(
            imported(kind), topic, lambda message: heard.append(as_json(message)), qos
        )

    def messages(self, topic: str) -> list[Any]:
        return list(self.heard[topic])

    def publish(self, topic: str, kind: str, fields: dict[str, Any], latched: bool = True) -> None:
        if f"p{topic}" not in self.made:
            qos = LATCHED if latched else LIVE
            self.made[f"p{topic}"] = self.node.create_publisher(imported(kind), topic, qos)
        self.made[f"p{topic}"].publish(fill(imported(kind)(), fields))

    def matched(self, topic: str) -> int:
        return int(self.made[f"p{topic}"].get_subscription_count())

    def call(self, service: str, kind: str, fields: dict[str, Any], wait_s: float = 10.0) -> Any:
        new = f"c{service}" not in self.made
        if new:
            self.made[f"c{service}"] = self.node.create_client(imported(kind), service)
        client = self.made[f"c{service}"]
        if not client.wait_for_service(wait_s):
            return None
        if new:
            time.sleep(0.3)  # the server may not know yet who is to have the answer
        return as_json(client.call(fill(imported(kind).Request(), fields), timeout_sec=wait_s))

    def send_goal(
        self, action: str, kind: str, fields: dict[str, Any], wait_s: float = 30.0
    ) -> str:
        if f"a{action}" not in self.made:
            self.made[f"a{action}"] = ActionClient(self.node, imported(kind), action)
        client, heard = self.made[f"a{action}"], []
        if not client.wait_for_server(wait_s):
            raise TimeoutError(f"nobody serves {action}")
        sent = self.in_executor(
            client.send_goal_async,
            fill(imported(kind).Goal(), fields),
            lambda message: heard.append(as_json(message.feedback)),
        )
        handle = self.waited(sent, wait_s)
        goal = bytes(handle.goal_id.uuid).hex()
        self.goals[goal] = handle, self.in_executor(handle.get_result_async), heard
        return goal

    def feedback(self, goal: str) -> list[Any]:
        return list(self.goals[goal][2])

    def cancel(self, goal: str, wait_s: float = 30.0) -> None:
        self.waited(self.in_executor(self.goals[goal][0].cancel_goal_async), wait_s)

    def result(self, goal: str) -> Any:
        coming = self.goals[goal][1]
        return as_json(coming.result().result) if coming.done() else None

    def in_executor(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        """What asking returns. An `ActionClient` is not asked in another thread than that which
        takes answers: one that comes before the question is noted is thrown away.
        """
        return self.waited(self.node.executor.create_task(ask, *arguments), 30.0)

    def waited(self, coming: Any, wait_s: float) -> Any:
        until = time.monotonic() + wait_s
        while not coming.done():
            if time.monotonic() > until:
                raise TimeoutError("no answer")
            time.sleep(0.01)
        return coming.result()

    def speakers(self, topic: str) -> list[list[str]]:
        """Who publishes on a topic of DDS: node's name, and the participant's GUID prefix."""
        found = self.node.get_publishers_info_by_topic(topic, no_mangle=True)
        return [[each.node_name, bytes(each.endpoint_gid[:12]).hex()] for each in found]

    def nodes(self) -> list[str]:
        names = self.node.get_node_names_and_namespaces()
        return sorted(f"{space.rstrip('/')}/{name}" for name, space in names)

    def services(self) -> dict[str, list[str]]:
        return dict(self.node.get_service_names_and_types())

    def actions(self) -> dict[str, list[str]]:
        return dict(get_action_names_and_types(self.node))

    def topics(self) -> dict[str, list[str]]:
        return dict(self.node.get_topic_names_and_types())


def main() -> None:
    rclpy.init()
    peer = Peer()
    executor = SingleThreadedExecutor()
    executor.add_node(peer.node)
    threading.Thread(target=executor.spin, daemon=True).start()
    time.sleep(0.1)
    for line in sys.stdin:
        command, arguments = json.loads(line)
        try:
            answer = {"answer": getattr(peer, command)(**arguments)}
        except Exception as error:  # noqa: BLE001 - the test is told
            answer = {"error": repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
