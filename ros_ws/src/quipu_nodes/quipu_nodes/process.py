"""A process of lifecycle nodes: started, spun by one executor, ended in good order.

SIGINT and SIGTERM end it. rclpy's own handlers would end the context while messages
are still in it, so they are not installed: the nodes are closed first, the last one
first, while the executor still answers; then comes the end of the context.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from quipu_nodes.parameters import COMMON, declare
from quipu_nodes.ros_logging import log_to_ros

_LOG: Final = logging.getLogger(__name__)

DONE: Final = 0
NOT_STARTED: Final = 1
USAGE: Final = 2

_LAST_WORDS_S: Final = 0.1
_LOOK_S: Final = 1.0
_PATIENCE_S: Final = 5.0


def words_of(arguments: list[str] | None = None) -> tuple[str, ...]:
    """The words of a command line that are for us: all before ``--ros-args``."""
    given = sys.argv[1:] if arguments is None else arguments
    end = given.index("--ros-args") if "--ros-args" in given else len(given)
    return tuple(given[:end])


def run(make: Callable[[], Sequence[LifecycleNode]], arguments: list[str] | None = None) -> int:
    """Run the nodes that ``make`` makes, in that order, until a signal; the exit status."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    log_to_ros()
    try:
        try:
            nodes = make()
        except (InvalidParameterValueException, InvalidParameterTypeException) as error:
            rclpy.logging.get_logger("quipu").fatal(str(error))
            return USAGE
        return _run(nodes, stopped)
    finally:
        rclpy.try_shutdown()


def _run(nodes: Sequence[LifecycleNode], stopped: threading.Event) -> int:
    started = all(_start(node) for node in nodes)
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    ended = threading.Event()
    spinning = threading.Thread(target=_spin, args=(executor, ended), name="quipu-ros", daemon=True)
    spinning.start()
    # Not for ever: a signal to a process that was stopped (SIGSTOP) may come to any of its
    # threads, and then wakes none of the others.
    while started and not stopped.wait(_LOOK_S):
        continue
    for node in nodes:
        with suppress(AttributeError):
            node.hurry()
    for node in reversed(nodes):
        node.close()
    stopped.wait(0 if stopped.is_set() else _LAST_WORDS_S)
    ended.set()
    executor.shutdown()
    # An interpreter that ends under a thread inside rclpy aborts.
    spinning.join(_PATIENCE_S)
    for node in reversed(nodes):
        node.destroy_node()
    return DONE if started else NOT_STARTED


def _start(node: Any) -> bool:
    """Configure and activate a node, unless a manager is to do that."""
    declare(node, COMMON)
    if not node.get_parameter("autostart").value:
        return True
    success = TransitionCallbackReturn.SUCCESS
    return bool(node.trigger_configure() == success and node.trigger_activate() == success)


def _spin(executor: SingleThreadedExecutor, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            executor.spin()
            return
        except ExternalShutdownException:
            return
        except _rclpy.InvalidHandle:
            # Another thread has destroyed what was about to be waited for.
            continue
        except Exception:  # noqa: BLE001 - one callback must not make the robot deaf
            _LOG.exception("a callback failed")
