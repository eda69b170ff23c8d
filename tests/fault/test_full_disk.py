"""A disk that fills up: a clear error, nothing lost, and on it goes once there is room."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.fault.private_mount import ROOT, run_with_tmpfs

FILL = """
    import pathlib, resource, sys
    from ledger.errors import StorageFullError
    from tests.fault.crash_writer import SIGNER, log_directory, open_log, published_in
    from tests.fault.log_checker import check_log

    home = pathlib.Path(sys.argv[1])

    def check(entries):
        checked = check_log(log_directory(home), published_in(home).path)
        assert not checked.problems, checked.problems
        assert len(checked.leaf_hashes) == entries, (len(checked.leaf_hashes), entries)

    def fill(log, batch):
        # Appends until the disk is full; the error, once and again.
        kept = log.size
        try:
            while True:
                log.append(batch)
                kept += len(batch)
        except StorageFullError as error:
            assert "no space" in error.message and "make room" in error.hint
        assert log.size == kept
        return kept
"""


def run(tail: str) -> str:
    return textwrap.dedent(FILL) + textwrap.dedent(tail)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    # Python ignores SIGXFSZ, so writes beyond RLIMIT_FSIZE fail with EFBIG.
    code = run("""
        log = open_log(home)
        log.append([b"before"])
        log.checkpoint([SIGNER])
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        for limit in (300_001, 1_000_000, 2_345_678):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
            for batch in ([bytes(20_000)] * 30, [bytes(5000)] * 3, [b"small"]):
                kept = fill(log, batch)
            try:
                log.checkpoint([SIGNER])
            except StorageFullError:
                pass
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            log.checkpoint([SIGNER])
            log.append([b"room again"])
        kept = log.size
        log.close()
        check(kept)
        log = open_log(home)
        log.append([b"reopened"])
        log.checkpoint([SIGNER])
        log.close()
        check(kept + 1)
        print("done", kept)
    """)
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.startswith("done"), ran.stderr
    assert not list((tmp_path / "log").glob("*.probe"))


def test_a_full_file_system(tmp_path: Path) -> None:
    printed = run_with_tmpfs(
        tmp_path,
        "1m",
        run("""
        log = open_log(home)
        log.append([b"before"])
        log.checkpoint([SIGNER])
        filler = home / "filler"
        for size in (400_000, 300_000):
            filler.write_bytes(bytes(size))
            for batch in ([bytes(20_000)] * 5, [bytes(3000)] * 3, [b"small"]):
                kept = fill(log, batch)
            filler.unlink()
            log.checkpoint([SIGNER])
            log.append([b"room again"])
        kept = log.size
        log.close()
        check(kept)
        log = open_log(home)
        log.checkpoint([SIGNER])
        log.close()
        check(kept)
        print("done", kept)
    """),
    )
    assert printed.startswith("done")


def test_no_room_for_the_published_checkpoint(tmp_path: Path) -> None:
    printed = run_with_tmpfs(
        tmp_path,
        "1m",
        run("""
        import os, tempfile
        from tests.fault import crash_writer
        from ledger.published import PublishedCheckpoint
        # The log has room elsewhere; the place of published checkpoints has none.
        full = home
        home = pathlib.Path(tempfile.mkdtemp())
        log = open_log(home)
        log._published = PublishedCheckpoint(full, log.log_id)
        filler = open(full / "filler", "wb", buffering=0)
        log.append([b"a"])
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
        for _ in range(2):
            try:
                log.checkpoint([SIGNER])
            except StorageFullError as error:
                assert str(full) in error.message
            else:
                raise SystemExit("a checkpoint left the robot unpublished")
        filler.close()
        os.unlink(full / "filler")
        note = log.checkpoint([SIGNER])
        assert log._published.latest() == note
        log.close()
        import shutil
        shutil.rmtree(home)
        print("done")
    """),
    )
    assert printed.startswith("done")


def test_creating_a_log_without_room(tmp_path: Path) -> None:
    printed = run_with_tmpfs(
        tmp_path,
        "64k",
        run("""
        filler = home / "filler"
        with open(filler, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(4096))
            except OSError:
                pass
        try:
            open_log(home)
        except StorageFullError:
            pass
        else:
            raise SystemExit("a log was made without room")
        assert not log_directory(home).exists()
        print("done")
    """),
    )
    assert printed.startswith("done")
