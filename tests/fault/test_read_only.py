"""A log that may be read but not written: by a read-only mount, or by its modes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.crash_writer import SIGNER, log_directory, open_log
from tests.fault.private_mount import ROOT, run_with_tmpfs

READ = """
    import os, pathlib, subprocess, sys
    from ledger.errors import ReadOnlyError
    from ledger.log_reader import LogReader
    from ledger.storage.lmdb import LmdbStorage
    from ledger.merkle.inclusion import verify_inclusion
    from ledger.merkle.hashing import leaf_hash
    from tests.fault.crash_writer import SIGNER, log_directory, open_log

    home = pathlib.Path(sys.argv[1])

    def expect_reading_only():
        for attempt in (open_log, lambda _: LmdbStorage.create(home / "another")):
            try:
                attempt(home)
            except ReadOnlyError as error:
                assert error.hint, error
            else:
                raise SystemExit("a writer opened it")
        log = LogReader(LmdbStorage.open_reader(log_directory(home)))
        assert list(log.entries()) == [b"a", b"b"]
        verify_inclusion(leaf_hash(b"b"), 1, 2, log.prove_inclusion(1, 2), log.root(2))
        assert log.latest_checkpoint()
        print("done")
"""


def test_a_read_only_mount(tmp_path: Path) -> None:
    printed = run_with_tmpfs(
        tmp_path,
        "2m",
        textwrap.dedent(READ)
        + textwrap.dedent("""
        log = open_log(home)
        log.append([b"a", b"b"])
        log.checkpoint([SIGNER])
        log.close()
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        expect_reading_only()
    """),
    )
    assert printed == "done\n"


@pytest.fixture
def foreign_home() -> Iterator[Path]:
    """A home in which everything is readable and nothing writable."""
    home = Path(tempfile.mkdtemp(prefix="quipu-read-only-"))
    log = open_log(home)
    log.append([b"a", b"b"])
    log.checkpoint([SIGNER])
    log.close()
    for path in [home, *home.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield home
    for path in (home, log_directory(home), home / "published"):
        path.chmod(0o755)
    shutil.rmtree(home)


def test_a_home_of_another_user(foreign_home: Path) -> None:
    # Modes do not bind root: as root, the child becomes nobody first.
    become_nobody = (
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n" if os.getuid() == 0 else ""
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(READ) + become_nobody + "expect_reading_only()\n",
            foreign_home,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout == "done\n", ran.stderr
