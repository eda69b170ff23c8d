"""What ``ledger`` logs goes where the nodes log."""

from __future__ import annotations

import logging

from rclpy.logging import get_logger


class RosHandler(logging.Handler):
    """Hands records to the ROS logger ``quipu``."""

    def __init__(self) -> None:
        super().__init__()
        self._logger = get_logger("quipu")

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record. Each level has a line of its own, as rclpy demands."""
        said = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(said)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(said)
        else:
            self._logger.info(said)


def log_to_ros() -> None:
    """From now on, in this process."""
    root = logging.getLogger("ledger")
    nodes = logging.getLogger("quipu_nodes")
    handler = RosHandler()
    for each in (root, nodes):
        each.addHandler(handler)
        each.setLevel(logging.INFO)
        each.propagate = False
