"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import subprocess
from pathlib import Path

import lmdb

from benchmarks.pymerkle_log import PYMERKLE_VERSION


def machine_facts(folder: Path) -> dict[str, object]:
    """Hardware and versions; ``folder`` is where the files of the benchmark are."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "filesystem": _filesystem(folder),
        "python": platform.python_version(),
        "lmdb": ".".join(map(str, lmdb.version())),
        "lmdb_binding": lmdb.__version__,
        "pymerkle": PYMERKLE_VERSION,
        "openssl": _openssl_command(),
        "openssl_in_python": ssl.OPENSSL_VERSION,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _filesystem(folder: Path) -> str | None:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return None
    found, kind = Path("/"), None
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, name, *_ = line.split(" ")
        place = Path(point.replace("\\040", " "))
        if folder.resolve().is_relative_to(place) and len(place.parts) >= len(found.parts):
            found, kind = place, name
    return kind


def _openssl_command() -> str | None:
    path = shutil.which("openssl")
    if path is None:
        return None
    done = subprocess.run([path, "version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()
