"""A recorder in a process of its own: ``python -m quipu_nodes.recorder --ros-args ...``.

It commits over the control socket of the home, which a memory node owns. SIGINT and
SIGTERM end it in good order: what is buffered is sealed and committed.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

import rclpy
import rclpy.lifecycle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from quipu_nodes.recorder_node import RecorderNode

_WAKE_S = 0.2
_LAST_ROUNDS = 20


def main(arguments: list[str] | None = None) -> int:
    """Record until told to stop."""
    # Handlers of our own: rclpy's would end the context while messages are still in it.
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    node = RecorderNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if not _started(node):
            return 1
        while not stopped.is_set():
            executor.spin_once(timeout_sec=_WAKE_S)
    except ExternalShutdownException:
        pass
    finally:
        node.close()
        for _ in range(_LAST_ROUNDS):  # results of what has just been sealed
            executor.spin_once(timeout_sec=0)
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _started(node: RecorderNode) -> bool:
    success = rclpy.lifecycle.TransitionCallbackReturn.SUCCESS
    return all(step() == success for step in (node.trigger_configure, node.trigger_activate))


if __name__ == "__main__":
    sys.exit(main())
