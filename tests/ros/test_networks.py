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

from tests.ros.ros_process import ROOT, SCRIPT_ROS, Ros, Running, require_ros

PEER = ROOT / "tests/ros/network_peer.py"
FOUND = {"discovered": True, "received": True}
LOST = {"discovered": False, "received": False}
SILENT = {"discovered": True, "received": False}
# Seconds to be found within, and then to be heard within.
UNTIL_IT_COMES, BRIEFLY, IN_VAIN = ("60", "60"), ("3", "3"), ("60", "3")


def wait_for(running: Running, word: str) -> None:
    end = time.monotonic() + 60
    while word not in running.output:
        assert time.monotonic() < end, running.output
        assert running.process.poll() is None, running.output
        time.sleep(0.05)


@contextmanager
def talker(ros: Ros, *variables: str) -> Iterator[Running]:
    with ros.start("env", *variables, "python", PEER, "talk") as running:
        wait_for(running, "talking")
        yield running


def heard(ros: Ros, patience: tuple[str, str], *variables: str) -> dict[str, bool]:
    said = ros.run("env", *variables, "python", PEER, "listen", *patience, timeout=150)
    found: dict[str, bool] = json.loads(said.splitlines()[-1])
    return found


def test_domains_do_not_meet_and_off_meets_nobody(ros: Ros, elsewhere: Ros) -> None:
    with talker(ros), ThreadPoolExecutor() as listeners:
        found = listeners.submit(heard, ros, UNTIL_IT_COMES)
        apart = listeners.submit(heard, elsewhere, BRIEFLY)
        off = listeners.submit(heard, ros, BRIEFLY, "ROS_AUTOMATIC_DISCOVERY_RANGE=OFF")
        assert found.result() == FOUND
        assert apart.result() == LOST
        assert off.result() == LOST


def test_participants_meet_at_a_discovery_server_whatever_their_domain(
    ros: Ros, elsewhere: Ros
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    knows = f"ROS_DISCOVERY_SERVER=127.0.0.1:{port}"
    words = ("-i", "0", "-l", "127.0.0.1", "-p", str(port))
    with ros.start("fast-discovery-server", *words) as server:
        try:
            wait_for(server, "Server is running")
        except AssertionError:
            pytest.skip(f"SKIPPED: no discovery server of Fast DDS here: {server.output[:200]}")
        with talker(ros, knows), ThreadPoolExecutor() as listeners:
            here = listeners.submit(heard, ros, UNTIL_IT_COMES, knows)
            apart = listeners.submit(heard, elsewhere, UNTIL_IT_COMES, knows)
            nobody = listeners.submit(heard, ros, BRIEFLY)
            assert here.result() == FOUND
            assert apart.result() == FOUND
            assert nobody.result() == LOST


# Two "containers": a network of their own that both share, and a /dev/shm each.
CONTAINERS = """
set -e
ip link set lo up
ip link set lo multicast on
ip route add 224.0.0.0/4 dev lo
box() { unshare -m sh -c 'mount -t tmpfs none /dev/shm && exec "$@"' box "$@"; }
box "$ROS" python "$PEER" talk > /dev/null 2>&1 &
box "$ROS" python "$PEER" listen $PATIENCE
"""


def heard_from_container(patience: tuple[str, str], **variables: str) -> dict[str, bool]:
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
            "PATIENCE": " ".join(patience),
            "ROS_DOMAIN_ID": "0",  # of a network that is nobody else's
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_containers_with_a_shm_each_meet_and_hear_nothing_until_shared_memory_is_off() -> None:
    require_ros()
    subnet = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    local = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    udp = {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}
    with ThreadPoolExecutor() as containers:
        shared_memory = containers.submit(heard_from_container, IN_VAIN, **subnet)
        by_udp = containers.submit(heard_from_container, UNTIL_IT_COMES, **subnet, **udp)
        localhost = containers.submit(heard_from_container, IN_VAIN, **local, **udp)
        assert shared_memory.result() == SILENT
        assert by_udp.result() == FOUND
        assert localhost.result() == SILENT
