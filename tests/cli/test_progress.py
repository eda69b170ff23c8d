"""Progress of a record that is being written, as ``quipu`` tells it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledger.home import open_home_to_write
from tests.cli.robot import Robot
from tests.ledger.experience.growing_record import GrowingRecord


@pytest.fixture
def recording(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> Robot:
    """Two records at once, one sealed and one open; and a file before them."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(robot.published))
    (robot.work / "notes.txt").write_text("before")
    robot.did("ingest", "notes.txt")
    with open_home_to_write(robot.home) as home:
        one, other = GrowingRecord(home.experiences), GrowingRecord(home.experiences)
        for second in range(3):
            for record in (one, other):
                record.write("run_0.mcap", bytes([second]) * 100_000)
                record.commit()
        one.write("metadata.yaml", b"{}")
        one.seal()
        other.write("run_0.mcap", b"more" * 5)
        other.commit()
    return robot


def lines(text: str) -> list[list[str]]:
    """The listed entries: index and what."""
    rows = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    return [[row[0], row[3]] for row in rows if row[0].isdecimal()]


def test_a_run_of_progress_is_one_line_a_record(recording: Robot) -> None:
    told = recording.did("log")
    assert lines(told) == [
        ["0", "notes.txt"],
        ["5", "progress (3 entries)"],
        ["6", "progress (3 entries)"],
        ["7", "run"],
        ["8", "progress"],
    ]
    assert "earlier entries" not in told
    assert lines(recording.did("log", "-n", "2")) == [["7", "run"], ["8", "progress"]]
    assert "7 earlier entries" in recording.did("log", "-n", "2")
    assert "3 earlier entries" not in recording.did("log", "-n", "4")
    assert "1 earlier entries" in recording.did("log", "-n", "4")
    every = lines(recording.did("log", "--all"))
    assert [index for index, _ in every] == [str(index) for index in range(9)]


def test_json_lists_every_entry(recording: Robot) -> None:
    entries = recording.told("log")["entries"]
    assert [entry["kind"] for entry in entries[1:7]] == ["progress"] * 6
    assert entries[5]["length"] == 300_000
    assert entries[5]["leaf_count"] == 1
    assert len(entries[5]["tail_hash"]) == len(entries[5]["root"]) == 64
    assert entries[5]["record_id"] == entries[7]["record_id"]


def test_one_entry_of_progress(recording: Robot) -> None:
    shown = recording.did("show", "5")
    assert re.search(r"entry 5 +progress +293\.0 KiB of record [0-9a-f]{8}", shown)
    assert re.search(r"committed +300000 bytes, 1 chunks", shown)
    assert re.search(r"tail +[0-9a-f]{64}", shown)
    assert "entry 5 is not a recording" in recording.refused("get", "5", "back", code=5)


def test_progress_is_proved_and_verified_like_any_entry(recording: Robot) -> None:
    recording.did("checkpoint")
    recording.did("prove", "5", "-o", "progress.tlog-proof")
    key = recording.did("key", "show").strip()
    told = recording.told("verify", "progress.tlog-proof", "--key", key)
    assert told["entry"]["kind"] == "progress"
    assert told["entry"]["length"] == 300_000


def test_audit_and_doctor_say_what_is_open(recording: Robot) -> None:
    told = recording.told("audit", "--deep")
    assert told["ok"] is True
    assert ["is still being recorded: 300020 bytes" in note for note in told["notes"]] == [True]
    examined = recording.told("doctor")["examined"]
    (found,) = [each for each in examined if each["what"] == "recording"]
    assert found["state"] == "note"
    assert "is open, 293.0 KiB of it committed" in found["message"]


def test_a_tampered_recording_is_named_by_bytes(recording: Robot) -> None:
    (path,) = Path(recording.home, "content").rglob("run_0.mcap")
    data = bytearray(path.read_bytes())
    data[150_000] ^= 1
    path.write_bytes(data)
    told = recording.told("audit", "--deep", code=1)
    narrow = [each for each in told["findings"] if each["kind"] == "progress-contradicted"]
    assert [(each["entry"], each["bytes"]) for each in narrow] == [(3, [100_000, 200_000])]
    assert narrow[0]["file"] == str(path)


def test_an_unfinished_recording_can_be_given_up(recording: Robot) -> None:
    refused = recording.refused("erase", "5", "--yes", code=5)
    assert refused.endswith("entry 5 is progress of a recording (erase 7)")
    told = recording.told("erase", "8", "--yes", "--reason", "its recorder is no more")
    assert list(told["erased"].values()) == [9]
    assert (told["surviving"], told["still_readable"]) == ([], False)
    assert recording.told("show", "9")["reason"] == "its recorder is no more"
    assert recording.told("erase", "6", "--yes")["erased"] == told["erased"]
    assert list((recording.home / "recording").iterdir()) == []
    report = recording.told("audit", "--deep")
    assert (report["ok"], report["notes"]) == (True, [])
    assert all(each["what"] != "recording" for each in recording.told("doctor")["examined"])


def test_giving_up_names_what_somebody_else_wrote(
    robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(robot.published))
    with open_home_to_write(robot.home) as home:
        record = GrowingRecord(home.experiences, robot.work / "bag")
        record.write("run_0.mcap", b"elsewhere")
        record.commit()
    told = robot.told("erase", "0", "--yes")
    assert [file["path"] for file in told["surviving"]] == [str(robot.work / "bag" / "run_0.mcap")]
    assert told["still_readable"] is True
    assert (robot.work / "bag" / "run_0.mcap").exists()
