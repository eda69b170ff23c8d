"""What docs/networks.md says of domains, discovery servers and containers, line by line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.ros.ros_process import ROOT, SCRIPT_ROS, Ros, Running, next_domain, require_ros

PEER = ROOT / "tests/ros/network_peer.py"
FOUND = {"discovered": True, "received": True}
LOST = {"discovered": False, "received": False}
LONG_S, SHORT_S = "15", "3"


@contextmanager
def talker(ros: Ros, *variables: str) -> Iterator[Running]:
    with ros.start("env", *variables, "python", PEER, "talk") as running:
        end = time.monotonic() + 20
        while "talking" not in running.output:
            assert time.monotonic() < end, running.output
            time.sleep(0.05)
        yield running


def heard(ros: Ros, seconds: str, *variables: str) -> dict[str, bool]:
    said = ros.run("env", *variables, "python", PEER, "listen", seconds)
    found: dict[str, bool] = json.loads(said.splitlines()[-1])
    return found


def test_domains_do_not_meet_and_off_meets_nobody(ros: Ros) -> None:
    with talker(ros), ThreadPoolExecutor() as listeners:
        found = listeners.submit(heard, ros, LONG_S)
        apart = listeners.submit(heard, Ros(next_domain()), SHORT_S)
        off = listeners.submit(heard, ros, SHORT_S, "ROS_AUTOMATIC_DISCOVERY_RANGE=OFF")
        assert found.result() == FOUND
        assert apart.result() == LOST
        assert off.result() == LOST


def test_participants_meet_at_a_discovery_server_whatever_their_domain(ros: Ros) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    knows = f"ROS_DISCOVERY_SERVER=127.0.0.1:{port}"
    with (
        ros.start("fast-discovery-server", "-i", "0", "-l", "127.0.0.1", "-p", str(port)) as server,
        talker(ros, knows),
    ):
        if "Server is running" not in server.output:
            pytest.skip(f"SKIPPED: no discovery server of Fast DDS here: {server.output[:200]}")
        with ThreadPoolExecutor() as listeners:
            here = listeners.submit(heard, ros, LONG_S, knows)
            elsewhere = listeners.submit(heard, Ros(next_domain()), LONG_S, knows)
            nobody = listeners.submit(heard, ros, SHORT_S)
            assert here.result() == FOUND
            assert elsewhere.result() == FOUND
            assert nobody.result() == LOST


# Two "containers": a network of their own that both share, and a /dev/shm each.
CONTAINERS = """
set -e
ip link set lo up
ip link set lo multicast on
ip route add 224.0.0.0/4 dev lo
box() { unshare -m sh -c 'mount -t tmpfs none /dev/shm && exec "$@"' box "$@"; }
box "$ROS" python "$PEER" talk > /dev/null 2>&1 &
box "$ROS" python "$PEER" listen "$SECONDS_TO_LISTEN"
"""


def heard_from_container(seconds: str, **variables: str) -> dict[str, bool]:
    namespace = ["unshare", "-n", "-p", "-f", "--kill-child"]
    try:
        allowed = not subprocess.run(
            [*namespace, "sh", "-c", "ip link set lo up && unshare -m true"],
            capture_output=True,
            timeout=20,
        ).returncode
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("SKIPPED: namespaces like a container's need root, unshare and ip")
    done = subprocess.run(
        [*namespace, "sh", "-c", CONTAINERS],
        env={
            **os.environ,
            "ROS": str(SCRIPT_ROS),
            "PEER": str(PEER),
            "SECONDS_TO_LISTEN": seconds,
            "ROS_DOMAIN_ID": str(next_domain()),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_containers_with_a_shm_each_meet_and_hear_nothing_until_shared_memory_is_off() -> None:
    require_ros()
    silent = {"discovered": True, "received": False}
    subnet = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    local = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    udp = {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}
    with ThreadPoolExecutor() as containers:
        shared_memory = containers.submit(heard_from_container, "5", **subnet)
        by_udp = containers.submit(heard_from_container, LONG_S, **subnet, **udp)
        localhost = containers.submit(heard_from_container, "5", **local, **udp)
        assert shared_memory.result() == silent
        assert by_udp.result() == FOUND
        assert localhost.result() == silent
