"""Has a robot buy an offer, under script/ros: ``python ask_exchange.py /ROBOT OFFER PURPOSE``.

Sends the goal to the robot's exchange node, and prints each feedback and the result as a line
of JSON. Ending it does not end the purchase: the same goal goes on with that.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import rclpy
from quipu_interfaces.action import AcquireExperience
from rclpy.action import ActionClient

PATIENCE_S = 30.0


def names(message: type[Any], least: int, most: int) -> dict[int, str]:
    """The constants of a message in a range of values."""
    return {
        value: name
        for name in dir(message)
        if name.isupper()
        and isinstance(value := getattr(message, name), int)
        and least <= value <= most
    }


def tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


def main() -> int:
    robot, offer, purpose = sys.argv[1:4]
    rclpy.init()
    node = rclpy.create_node("buyers_terminal")
    client = ActionClient(node, AcquireExperience, f"{robot}/exchange/acquire_experience")
    stages = names(AcquireExperience.Feedback, 1, 10)
    outcomes = names(AcquireExperience.Result, 1, 9)
    if not client.wait_for_server(PATIENCE_S):
        print(f"{robot} has no exchange node", file=sys.stderr)
        return 1

    def heard(message: Any) -> None:
        said = message.feedback
        tell(
            stage=stages.get(said.stage, str(said.stage)),
            kept=said.kept,
            chunks=said.chunks,
            kept_bytes=said.kept_bytes,
            bytes=said.bytes,
            paid=said.paid,
        )

    goal = AcquireExperience.Goal(offer=list(bytes.fromhex(offer)), purpose=purpose)
    sent = client.send_goal_async(goal, feedback_callback=heard)
    rclpy.spin_until_future_complete(node, sent)
    ended = sent.result().get_result_async()
    rclpy.spin_until_future_complete(node, ended)
    result = ended.result().result
    tell(
        outcome=outcomes.get(result.outcome, str(result.outcome)),
        error=result.error_msg,
        entry_index=result.entry_index,
        paid=result.paid,
    )
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
