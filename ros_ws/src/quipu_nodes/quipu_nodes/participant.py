"""A DDS participant beside the process's own: a context of its own, and one bare node.

The node offers no parameters, no log and no type descriptions, so that what it says of
itself is a name and the services that are made on it. What it makes is never taken up by an
executor.
"""

from __future__ import annotations

import secrets
from typing import Final

from rclpy.context import Context
from rclpy.exceptions import NotInitializedException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ledger.errors import StorageError

ENCLAVE: Final = "/exchange"
"""Under SROS2: what these participants may say and hear."""

_NAME_BYTES: Final = 8


class Participant:
    """Open from its making until `close`. Raises StorageError where DDS gives none."""

    def __init__(self, domain: int | None, name: str) -> None:
        """On a ``ROS_DOMAIN_ID``; None is the environment's."""
        self.context: Final = Context()
        try:
            self.context.init(
                args=["--ros-args", "--enclave", ENCLAVE, "--"],
                initialize_logging=False,
                domain_id=domain,
            )
            self.node: Final = Node(
                name,
                context=self.context,
                use_global_arguments=False,
                enable_rosout=False,
                start_parameter_services=False,
                parameter_overrides=[Parameter("start_type_description_service", value=False)],
            )
        except (RuntimeError, NotInitializedException) as error:
            self.context.try_shutdown()
            raise StorageError(f"no DDS participant can be made: {error}") from error

    def close(self) -> None:
        """Leave the domain."""
        self.node.destroy_node()
        self.context.try_shutdown()


def random_name() -> str:
    """A node name that nobody has had, and that tells nothing."""
    return f"q{secrets.token_hex(_NAME_BYTES)}"
