"""Our side: the recorder node with the owner of a home in its process, as a robot runs it.

Under script/ros: ``HOME TOPIC``. It talks like `benchmarks.ros_record_bare`. What is counted is
all of it: receiving, writing, hashing, syncing, committing, diagnostics, and sealing at
the end.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import rclpy
from quipu_nodes.recorder_node import RecorderNode
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from benchmarks.ros_record_bare import listen
from benchmarks.ros_record_source import say
from benchmarks.ros_record_usage import cpu_seconds, rss_mb
from ledger.home import create_home
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink

SAMPLE_S = 1.0
WAKE_S = 0.1


def main(root: Path, topic: str) -> None:
    create_home(root, "example.com/bench")
    rclpy.init(args=[])
    with MemoryOwner.open(root) as owner:
        node = RecorderNode(
            OwnerSink(owner), parameter_overrides=[Parameter("topics", value=[topic])]
        )
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        node.trigger_configure()
        node.trigger_activate()
        begun, ended = threading.Event(), threading.Event()
        threading.Thread(target=listen, args=(begun, ended), daemon=True).start()
        say("ready")
        while not begun.is_set():
            executor.spin_once(timeout_sec=0.02)
        before = cpu_seconds()
        memory, sampled = [], 0.0
        while not ended.is_set():
            executor.spin_once(timeout_sec=WAKE_S)
            if time.monotonic() - sampled >= SAMPLE_S:
                sampled = time.monotonic()
                memory.append(round(rss_mb(), 1))
        recorder = node.recorder
        if recorder is None:
            raise RuntimeError("the recorder is not active")
        node.close()
        status = recorder.status()
    say(
        json.dumps(
            {
                "cpu_s": cpu_seconds() - before,
                "received": status.written,
                "lost": status.lost,
                "progress_entries": status.commits.progress_entries,
                "rss_mb": memory,
            }
        )
    )
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
