"""A report is written whole, and over nothing but an older report; the command writes one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import RefusedError, StorageError
from ledger.report.file import check_place, write_report
from ledger.report.page import OPENING
from tests.ledger.report.traded import COAST, Traded

_COMMAND = "from ledger.cli.main import main; main()"
TEXT = f"{OPENING}<html></html>\n"


def test_it_is_written_and_written_again(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_report(file, TEXT)
    write_report(file, TEXT + "again\n")
    assert file.read_text() == TEXT + "again\n"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("content", ["my thesis", "<!doctype html>\n<p>mine", OPENING[:-2]])
def test_what_is_no_report_stays(tmp_path: Path, content: str) -> None:
    file = tmp_path / "report.html"
    file.write_text(content)
    for attempt in (lambda: check_place(file), lambda: write_report(file, TEXT)):
        with pytest.raises(RefusedError, match="no audit report"):
            attempt()
    assert file.read_text() == content


def test_places_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="a folder"):
        check_place(tmp_path)
    with pytest.raises(RefusedError, match="no folder"):
        check_place(tmp_path / "nowhere" / "report.html")
    (tmp_path / "mine").write_text("x")
    (tmp_path / "report.html").symlink_to(tmp_path / "mine")
    with pytest.raises(RefusedError, match="symbolic link"):
        check_place(tmp_path / "report.html")
    (tmp_path / "empty").touch()
    check_place(tmp_path / "empty")


def test_an_older_report_outlives_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.html"
    write_report(file, TEXT)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError):
        write_report(file, TEXT + "again\n")
    assert file.read_text() == TEXT
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def quipu(traded: Traded, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _COMMAND, *map(str, arguments)],
        env={**os.environ, "QUIPU_PUBLISHED": str(traded.published), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_tells_of_a_chain_and_its_robots(traded: Traded) -> None:
    file = traded.root / "report.html"
    robots = [word for home in traded.homes.values() for word in ("--robot", home)]
    done = quipu(traded, "--json", "audit", "--chain", traded.chain, *robots, "--report", file)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["ok"], told["report"], told["acquisitions"]) == (True, str(file), 3)
    assert file.read_text().startswith(OPENING)
    assert "Everything holds." in file.read_text()

    shutil.rmtree(traded.homes["sellers.example/husky"] / "content")
    done = quipu(traded, "audit", "--chain", traded.chain, *robots, "--report", file)
    assert done.returncode == 1
    assert "offer-wrong" in done.stdout
    assert "1 thing is wrong." in file.read_text()


def test_the_command_tells_of_a_single_home(traded: Traded) -> None:
    file = traded.root / "report.html"
    done = quipu(traded, "--home", traded.homes[COAST], "audit", "--deep", "--report", file)
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert "Everything holds." in text
    assert "deliver-parcels 2" in text
    assert "chunks rehashed" in text


def test_the_command_refuses_before_it_works(traded: Traded) -> None:
    file = traded.root / "thesis.html"
    file.write_text("mine")
    done = quipu(traded, "audit", "--chain", traded.chain, "--report", file)
    assert done.returncode not in (0, 1)
    assert "no audit report" in done.stderr
    assert file.read_text() == "mine"


def test_a_damaged_chain_is_told_of_too(traded: Traded) -> None:
    data = traded.chain / "log" / "data.mdb"
    with data.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * 4096 * 6)
    report = traded.root / "report.html"
    done = quipu(traded, "audit", "--chain", traded.chain, "--report", report)
    assert done.returncode == 1
    assert "wrong." in report.read_text()
