"""The same blocks give the same app hash at every height, wherever and by whatever they run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ledger.chain.machine import chain_runner

ROOT = Path(__file__).resolve().parents[4]
RUNNER = Path(chain_runner.__file__)
OTHER_PYTHON = "QUIPU_OTHER_PYTHON"
"""Names an interpreter of another version which has what the chain needs."""
PROBE = """
import sys, cryptography, google.protobuf, lmdb
from zkproofs.group import group
group()
print(sys.version_info[:2])
"""

KNOWN = {
    "frozen": [block["app_hash"] for block in json.loads(chain_runner.FROZEN.read_text())["blocks"]]
}


def run(interpreter: str, *options: str, **environment: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [interpreter, *options, RUNNER],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, list[str]] = {"frozen": [], "random": []}
    for line in done.stdout.splitlines():
        name, height, app_hash = line.split()
        said[name].append(app_hash)
        assert int(height) == len(said[name])
    return said


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What this process comes to."""
    folder = tmp_path_factory.mktemp("chains")
    return {
        "frozen": [each.hex() for each in chain_runner.frozen_chain(folder / "frozen")],
        "random": [each.hex() for each in chain_runner.random_chain(folder / "random")],
    }


def test_the_frozen_chain_is_what_it_was(here: dict[str, list[str]]) -> None:
    assert here["frozen"] == KNOWN["frozen"]
    assert len(set(here["random"])) == 6


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        ((), {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Kathmandu"}),
        ((), {"PYTHONHASHSEED": "4242", "LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns"}),
        (("-O",), {"PYTHONHASHSEED": "0", "LANG": "de_DE.UTF-8", "PYTHONUTF8": "0"}),
        (("-X", "dev"), {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}),
    ],
    ids=["nepal", "turkish", "optimised", "other-protobuf"],
)
def test_nothing_but_the_blocks_counts(
    here: dict[str, list[str]], options: tuple[str, ...], environment: dict[str, str]
) -> None:
    assert run(sys.executable, *options, **environment) == here


def test_another_version_of_python_comes_to_the_same(here: dict[str, list[str]]) -> None:
    found = other_python()
    if found is None:
        pytest.skip(
            "no other Python with this package's dependencies was found:"
            f" name one in ${OTHER_PYTHON} to compare with it"
        )
    assert run(found, PYTHONHASHSEED="7") == here


def other_python() -> str | None:
    """An interpreter of another version that can run a chain."""
    names = [os.environ.get(OTHER_PYTHON, ""), "python3.12", "python3.13", "python3.14"]
    for name in filter(None, names):
        path = shutil.which(name)
        if path is None:
            continue
        done = subprocess.run(
            [path, "-c", PROBE],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0 and done.stdout.strip() != str(sys.version_info[:2]):
            return path
        if name == names[0]:
            pytest.fail(f"${OTHER_PYTHON} is no other Python that can run a chain: {done.stderr}")
    return None
