"""Robots in network namespaces of their own, joined by a bridge that can be cut.

::

    hub:  bridge yard0 ─ port0, port1, ...      no way out of it
    each robot: its own namespace, lo and eth0, 10.77.0.(n + 1)/24

Everything is in namespaces made here; the machine's own network is not touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import pytest


class SeparateNetworks:
    """Namespaces for ``count`` robots; a context manager that takes them down."""

    def __init__(self, count: int) -> None:
        tag = os.getpid()
        self._hub = f"qy{tag}hub"
        self.names = tuple(f"qy{tag}r{number}" for number in range(count))

    @classmethod
    def require(cls, count: int) -> SeparateNetworks:
        """Namespaces, or a loud skip where we may not make them."""
        if shutil.which("ip") is None:
            pytest.skip("SKIPPED: no `ip` here (Debian, Ubuntu: iproute2)")
        made = cls(count)
        try:
            made._make()
        except PermissionError as error:
            made._take_down()
            pytest.skip(f"SKIPPED: network namespaces are not permitted here: {error}")
        return made

    @classmethod
    def permitted(cls) -> bool:
        """Whether `require` would give some."""
        try:
            with cls.require(0):
                return True
        except pytest.skip.Exception:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._take_down()

    def prefix(self, number: int) -> list[str]:
        """What to run a robot's command with."""
        return ["ip", "netns", "exec", self.names[number]]

    def cut(self, number: int) -> None:
        """Unplug a robot."""
        ip("-n", self._hub, "link", "set", f"port{number}", "down")

    def heal(self, number: int) -> None:
        """Plug it in again."""
        ip("-n", self._hub, "link", "set", f"port{number}", "up")

    def _make(self) -> None:
        ip("netns", "add", self._hub)
        ip("-n", self._hub, "link", "add", "yard0", "type", "bridge")
        ip("-n", self._hub, "link", "set", "yard0", "up")
        for number, name in enumerate(self.names):
            ip("netns", "add", name)
            port = f"port{number}"
            pair = ("type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", self._hub, "link", "add", port, *pair)
            ip("-n", self._hub, "link", "set", port, "master", "yard0", "up")
            ip("-n", name, "address", "add", f"10.77.0.{number + 1}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                ip("-n", name, "link", "set", link, "up")
            ip("-n", name, "route", "add", "default", "dev", "eth0")

    def _take_down(self) -> None:
        for name in (*self.names, self._hub):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def ip(*words: str) -> None:
    """Run ``ip``; `PermissionError` with what it said if it fails."""
    command: Sequence[str] = ("ip", *words)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"{' '.join(command)}: {done.stderr.strip()}")
