"""A flipped byte anywhere in ``data.mdb`` is found, or changes nothing; and kills nobody."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import ledger
from ledger.errors import MalformedError, StorageError
from ledger.fsck import AuditRequest, Depth, FindingKind, audit_home, isolated
from ledger.storage.lmdb_pages import verify_meta_pages, verify_pages

FLIPS = 60
PAGE = 4096


@pytest.fixture
def scratch(tiny_home, tmp_path):
    """A copy of the tiny home, as the request that audits it."""
    copy = tiny_home.copy(tmp_path)
    return AuditRequest(copy.root, copy.published)


def likely_places(data, count, seed):
    """Bytes that are in use, and headers of pages; most others are dead space."""
    in_use = [at for at, byte in enumerate(data) if byte]
    headers = [
        page + at
        for page in range(0, len(data), PAGE)
        for at in range(200 if page < 2 * PAGE else 40)
    ]
    chosen = random.Random(seed)
    return [
        f"{chosen.choice(chosen.choice([in_use, headers]))}:{1 << chosen.randrange(8)}"
        for _ in range(count)
    ]


@pytest.mark.parametrize("depth", list(Depth))
def test_no_flipped_byte_goes_unnoticed(scratch, depth):
    data = (scratch.log / "data.mdb").read_bytes()
    places = likely_places(data, FLIPS, seed=depth.value)
    package = str(Path(ledger.__file__).parents[1])
    run = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("flip_many.py")),
            str(scratch.home),
            str(scratch.published),
            depth.value,
            *places,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": package},
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout)
    wrong = {place: what for place, what in results.items() if what.isupper()}
    assert not wrong
    assert "found" in results.values()


def test_state_before_the_last_commit_is_not_taken_for_the_newest(scratch):
    """A bit in the newer meta page makes LMDB go back by one commit, all consistent."""
    data = scratch.log / "data.mdb"
    sound = data.read_bytes()
    header = next(size for size in (16, 24) if sound[size : size + 4] == sound[PAGE + size :][:4])
    ids = [int.from_bytes(sound[page + header + 128 :][:8], sys.byteorder) for page in (0, PAGE)]
    newer = PAGE * ids.index(max(ids)) + header + 128
    assert verify_meta_pages(scratch.log) == []
    data.write_bytes(sound[:newer] + bytes(8) + sound[newer + 8 :])
    assert "do not follow" in verify_meta_pages(scratch.log)[0]
    kinds = {finding.kind for finding in audit_home(scratch).findings}
    assert FindingKind.STORE_DAMAGED in kinds


def test_damaged_page_is_named(scratch):
    data = scratch.log / "data.mdb"
    sound = data.read_bytes()
    assert verify_pages(scratch.log) == []
    for page in range(2, len(sound) // PAGE):
        data.write_bytes(sound[: page * PAGE] + b"\xff" * 64 + sound[page * PAGE + 64 :])
        problems = verify_pages(scratch.log)
        if problems:
            assert any(f"page {page}" in problem for problem in problems)
            break
    else:
        pytest.fail("no page is in use")
    report = audit_home(AuditRequest(scratch.home, scratch.published, Depth.DEEP))
    found = [f for f in report.findings if f.kind is FindingKind.STORE_DAMAGED]
    assert any(f"page {page}" in finding.message for finding in found)
    assert found[0].file == str(data)


@pytest.mark.parametrize("length", [0, 100, PAGE, 2 * PAGE, 5 * PAGE])
def test_store_cut_short(scratch, length):
    with (scratch.log / "data.mdb").open("r+b") as file:
        file.truncate(length)
    kinds = {finding.kind for finding in audit_home(scratch).findings}
    assert kinds == {FindingKind.STORE_DAMAGED}


def test_no_store_at_all(tmp_path):
    with pytest.raises(StorageError):
        audit_home(AuditRequest(tmp_path, tmp_path))


def stand_in(monkeypatch, tmp_path, script):
    """Have a script audited in the place of Python."""
    path = tmp_path / "stand-in"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(isolated.sys, "executable", str(path))


FOUND = (
    '{"finding": {"kind": "tile-missing", "subject": "tile 0/3", '
    '"message": "the block is not there", "tile": [0, 3]}}'
)


def test_death_of_the_reader_is_a_finding(scratch, monkeypatch, tmp_path):
    stand_in(monkeypatch, tmp_path, f"echo '{FOUND}'; kill -SEGV $$")
    first, second = audit_home(scratch).findings
    assert (first.kind, first.tile) == (FindingKind.TILE_MISSING, (0, 3))
    assert second.kind is FindingKind.STORE_DAMAGED
    assert "SIGSEGV" in second.message


def test_reader_that_goes_round_in_circles_is_a_finding(scratch, monkeypatch, tmp_path):
    monkeypatch.setattr(isolated, "STALL_S", 0.2)
    monkeypatch.setattr(isolated, "ENDING_S", 0.1)
    stand_in(monkeypatch, tmp_path, "exec sleep 600")
    (finding,) = audit_home(scratch).findings
    assert finding.kind is FindingKind.STORE_DAMAGED
    assert "did not come to an end" in finding.message


def test_fault_of_the_audit_itself_is_not_blamed_on_the_store(scratch, monkeypatch, tmp_path):
    stand_in(monkeypatch, tmp_path, "echo 'ValueError: oops' >&2; exit 1")
    with pytest.raises(StorageError, match="ValueError: oops"):
        audit_home(scratch)


def test_errors_of_the_child_are_raised_here(scratch):
    with pytest.raises(MalformedError):
        audit_home(AuditRequest(scratch.home, scratch.published, since=b"no note"))
