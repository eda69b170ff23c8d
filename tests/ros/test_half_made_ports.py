"""What a killed program leaves half made in shared memory keeps no later test from starting."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.ros.ros_process import remove_half_made_ports


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
