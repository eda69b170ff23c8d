"""What killed programs and killed test runs leave behind is in no later test's way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.ros.ros_process import END_WITH_PARENT, domains_spoken_on, remove_half_made_ports

SLEEPER = """
import os, subprocess, sys
command = [sys.executable, sys.argv[1], str(os.getpid()), "/bin/sleep", "600"]
print(subprocess.Popen(command, stdout=subprocess.DEVNULL).pid, flush=True)
sys.stdin.read()
"""


def test_only_old_empty_ports_go(tmp_path: Path) -> None:
    old = time.time() - 60
    kept = {
        "fastrtps_port7400": b"a segment",
        "fastrtps_port7400_el": b"",
        "fastrtps_port7400_sl": b"",
        "fastrtps_0062542d": b"",
    }
    for name, content in {**kept, "fastrtps_port7006": b""}.items():
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (old, old))
    (tmp_path / "fastrtps_port7008").touch()  # somebody is about to give it its size
    remove_half_made_ports(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {*kept, "fastrtps_port7008"}


def test_programs_end_with_the_run_that_started_them_and_its_domain_is_free_again() -> None:
    domain = 230  # beyond those of tests
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER, END_WITH_PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
        text=True,
    ) as run:
        assert run.stdout is not None
        program = Path("/proc", run.stdout.readline().strip())
        deadline = time.monotonic() + 30
        while "sleep" not in (program / "cmdline").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert domain in domains_spoken_on()
        run.kill()
    while domain in domains_spoken_on():
        assert time.monotonic() < deadline, "it runs on"
        time.sleep(0.01)
