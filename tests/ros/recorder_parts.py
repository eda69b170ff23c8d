"""The recorder node's parts that need ROS, tried one by one: prints JSON for the test."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from quipu_nodes.message_definitions import (
    TypeNotInstalledError,
    full_definition,
    message_type,
)
from quipu_nodes.qos_adaptation import OverridesError, adapted, hears, read_overrides, reasons
from quipu_nodes.recorder_diagnostics import recording_status
from quipu_nodes.topic_choice import TopicChoice
from quipu_nodes.topic_subscriptions import HearingReport
from rclpy.qos import QoSProfile

from ledger.recording.channel import LATCHED, QosProfile
from ledger.recording.commit_status import CommitStatus
from ledger.recording.status import RecorderState, RecorderStatus

TYPES = (
    "std_msgs/msg/String",
    "sensor_msgs/msg/Imu",
    "nav_msgs/msg/Odometry",
    "tf2_msgs/msg/TFMessage",
    "rcl_interfaces/msg/ParameterEvent",
    "quipu_interfaces/msg/Checkpoint",
    "diagnostic_msgs/msg/DiagnosticArray",
    "visualization_msgs/msg/MarkerArray",
    "quipu_interfaces/action/RecordEpisode_FeedbackMessage",
    "nobody_msgs/msg/Nothing",
)
NAMES = ("../msg/X", "std_msgs/String", "std_msgs/msg/No Such", "std_msgs/msg/__name__", "a/b/c")
OVERRIDES = {
    "good": "/a:\n  history: keep_all\n  reliability: best_effort\n  durability: volatile\n"
    "  deadline: {sec: 1, nsec: 5}\n  liveliness: manual_by_topic\n"
    "  liveliness_lease_duration: {sec: 3}\n  avoid_ros_namespace_conventions: true\n"
    "/b: {depth: 7}\n",
    "empty": "",
    "list": "- a\n",
    "no_profile": "/a: 7\n",
    "bad_word": "/a: {reliability: perhaps}\n",
    "bad_key": "/a: {colour: red}\n",
    "bad_depth": "/a: {depth: -1}\n",
    "bad_duration": "/a: {deadline: {days: 1}}\n",
    "no_yaml": "{[",
}


def policies(profile: QoSProfile) -> dict[str, Any]:
    return {
        "history": profile.history.name,
        "depth": profile.depth,
        "reliability": profile.reliability.name,
        "durability": profile.durability.name,
        "deadline_ns": profile.deadline.nanoseconds,
        "liveliness": profile.liveliness.name,
    }


def overrides() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in OVERRIDES.items():
            path = Path(folder) / f"{name}.yaml"
            path.write_text(text)
            try:
                profiles = read_overrides(path)
                found[name] = {topic: policies(each) for topic, each in profiles.items()}
            except OverridesError as error:
                found[name] = str(error).replace(f"{path}", "FILE")
    return found


def adaptation() -> list[dict[str, Any]]:
    reliable, best_effort = QosProfile(), QosProfile(reliability="best_effort")
    latched = QosProfile(durability=LATCHED)
    cases = ([reliable], [best_effort], [reliable, best_effort], [latched], [latched, reliable], [])
    found = []
    for offers in cases:
        asked = adapted(offers)
        found.append({**policies(asked), "heard": [hears(asked, offer) for offer in offers]})
    strict = QoSProfile(depth=1, durability=adapted([latched]).durability)
    found.append({"why": reasons(strict, [best_effort, latched])})
    return found


def diagnostics() -> list[dict[str, Any]]:
    def status(state: RecorderState, **commits: Any) -> RecorderStatus:
        return RecorderStatus(
            state=state, received=9, written=7, written_bytes=70, repeated=1,
            lost_in_queue={"/a": 1}, lost_on_disk={"/a": 2}, queued_bytes=5, buffered_bytes=0,
            disk_free_bytes=10**9, segment="s", segment_bytes=80, uncommitted_s=0.5,
            episode=None, commits=CommitStatus(**commits),
        )  # fmt: skip

    well, odd = HearingReport(topics={"/a": "x/msg/Y"}), HearingReport()
    odd.uncovered["/b"] = "no/msg/Type"
    odd.unheard["/c"] = ["offers best_effort, volatile; asked for reliable, volatile"]
    cases = (
        (None, None, 0),
        (status(RecorderState.RECORDING), well, 0),
        (status(RecorderState.RECORDING), well, 3),
        (status(RecorderState.RECORDING), odd, 0),
        (status(RecorderState.DISK_FULL), well, 0),
        (status(RecorderState.LEDGER_BEHIND, last_error="the ledger is gone"), well, 0),
        (status(RecorderState.RECORDING, damaged=("/x",)), well, 0),
    )
    found = []
    for state, heard, lost in cases:
        message = recording_status("/r1/recorder", "r1", state, heard, lost)
        values = {each.key: each.value for each in message.values}
        found.append(
            {
                "name": message.name,
                "robot": message.hardware_id,
                "level": message.level[0],
                "message": message.message,
                "values": values,
            }
        )
    return found


def installed(name: str) -> bool:
    try:
        return isinstance(message_type(name), type)
    except TypeNotInstalledError:
        return False


def main() -> None:
    choice = TopicChoice(
        frozenset({"/one", "/_hidden/x", "/not/this"}), ("^/robot/", "camera"), ("raw$", "^/not/")
    )
    topics = ("/one", "/two", "/robot/a", "/robot/_a", "/x/camera/y", "/x/camera/raw", "/_hidden/x",
              "/not/this", "/robot/raw")  # fmt: skip
    json.dump(
        {
            "definitions": {name: full_definition(name) for name in TYPES},
            "installed": {name: installed(name) for name in (*TYPES, *NAMES)},
            "overrides": overrides(),
            "adaptation": adaptation(),
            "diagnostics": diagnostics(),
            "chosen": [topic for topic in topics if choice.takes(topic)],
            "everything": [topic for topic in topics if TopicChoice(everything=True).takes(topic)],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
