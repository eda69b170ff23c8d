"""The simulator's client of a recorder, where answers come before questions are noted; JSON.

Between sending a question and noting it, an `ActionClient` makes the future of its answer: here
that takes so long that every answer has come by then.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
import rclpy.action.client
from quipu_sim.recorder_client import RecorderClient
from quipu_sim.recording_gate import Score
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.task import Future

from tests.ros.sim_peer import Dawdler, Recorder, spin

HESITATION_S = 0.5
PATIENCE_S = 20.0


def hesitant(*arguments: Any, **more: Any) -> Future:
    time.sleep(HESITATION_S)
    return Future(*arguments, **more)


def eventually(condition: Callable[[], object]) -> object:
    """The first answer that is not None, or what it is in the end."""
    until = time.monotonic() + PATIENCE_S
    while (found := condition()) is None and time.monotonic() < until:
        time.sleep(0.05)
    return found


def client_of(recorder: Recorder, robot: str) -> RecorderClient:
    """As in the simulator: it is called here, and an executor spins in another thread."""
    serving, asking = MultiThreadedExecutor(4), SingleThreadedExecutor()
    serving.add_node(recorder)
    node = rclpy.create_node(f"asks_{robot}")
    asking.add_node(node)
    client = RecorderClient(node, robot, ("tag",), lambda: True)
    for each in (serving, asking):
        threading.Thread(target=spin, args=(each,), daemon=True).start()
    eventually(lambda: client.is_there() or None)
    return client


def main() -> None:
    rclpy.init()
    recorder, dawdler = Recorder("r1", 1), Dawdler("r2")
    client, given_up = client_of(recorder, "r1"), client_of(dawdler, "r2")
    rclpy.action.client.Future = hesitant
    client.start("first")
    found: dict[str, object] = {"started": eventually(client.started)}
    client.finish(Score(success=True, reward=0.5))
    found["finished"] = eventually(client.finished)
    client.start("refused")
    found["refused"] = eventually(client.started)
    given_up.start("never")
    eventually(lambda: dawdler.episodes or None)
    given_up.forget()
    found["cancelled"] = dawdler.enough.wait(PATIENCE_S)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the executors are in the middle of something


if __name__ == "__main__":
    main()
