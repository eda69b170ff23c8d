"""Recordings that leave: offloaded, pruned, erased, and what is left of them."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.robot import Robot
from tests.cli.test_ingest_and_get import same


def test_offload_prune_and_get_from_the_offloaded_copy(veteran: Robot, recordings: Path) -> None:
    told = veteran.told("offload", "shelf")
    assert [record["copied"] for record in told["records"]] == [True] * 6
    assert not any(record["copied"] for record in veteran.told("offload", "shelf")["records"])
    pruned = veteran.told("prune", "--larger-than", "1M", "--reason", "the disk is full")
    assert (len(pruned["pruned"]), pruned["freed_bytes"]) == (1, 1_470_835)
    shown = veteran.told("show", pruned["entries"][0])
    assert (shown["kind"], shown["reason"]) == ("pruning", "the disk is full")
    assert not any(path.name == "husky.bag" for path in (veteran.home / "content").rglob("*"))
    veteran.did("get", 0, "back")
    assert same(veteran.work / "back", recordings / "husky_ros1")
    report = veteran.is_whole()
    assert report["records_pruned"] == 1

    # The proof of what is not here any more.
    veteran.did("prove", 0, "--recording", "-o", "claim")
    bag = recordings / "husky_ros1" / "husky.bag"
    veteran.did("verify", "claim", "--key", veteran.vkey(), "--recording", bag)

    # A bit flipped on the shelf is noticed on the way back, and nothing is written.
    (shelved,) = (veteran.work / "shelf").rglob("husky.bag")
    data = bytearray(shelved.read_bytes())
    data[1_000_000] ^= 4
    shelved.write_bytes(data)
    line = veteran.refused("get", 0, "again", code=1)
    assert "husky.bag bytes 786432 to 1048575" in line
    assert list((veteran.work / "again").rglob("*")) == []


def test_what_was_never_offloaded_is_kept_unless_forced(robot: Robot) -> None:
    names = ["a.log", "b.log", "c.log", "d.log"]
    for name in names:
        (robot.work / name).write_bytes(os.urandom(30_000))
    robot.did("ingest", *names)
    assert "offload them first" in robot.refused("prune", 0, code=5)
    robot.did("offload", "shelf", 0)
    told = robot.told("prune", "--larger-than", "0")
    assert (len(told["pruned"]), len(told["refused"])) == (1, 3)
    assert "none of 3" in robot.refused("prune", "--larger-than", "29K", code=5)
    assert len(robot.told("prune", 1, "--force")["pruned"]) == 1
    # The original is in reach still; then nothing is.
    robot.did("get", 1, "back")
    for path in (robot.work / "b.log", robot.work / "back" / "b.log"):
        path.unlink()
    assert "was pruned by entry 5" in robot.refused("get", 1, "again", code=5)
    # The oldest goes first; recordings without a known time are never too old.
    assert robot.told("prune", "--older-than", "0", "--force")["pruned"] == []
    told = robot.told("prune", "--keep-at-most", "30KiB", "--force")
    assert told["pruned"] == [robot.told("show", 2)["record_id"]]
    assert robot.is_whole()["records_pruned"] == 3


def test_sealed_recordings_stay_sealed_on_the_shelf(robot: Robot) -> None:
    secret = b"where the owner keeps the key" * 10_000
    (robot.work / "day.log").write_bytes(secret)
    robot.did("ingest", "day.log", "--encrypt")
    assert robot.told("offload", "shelf")["records"][0]["sealed"] is True
    for path in (robot.work / "shelf").rglob("*"):
        assert path.is_dir() or b"the owner" not in path.read_bytes()
    robot.did("prune", 0)
    robot.did("get", 0, "back")
    assert (robot.work / "back" / "day.log").read_bytes() == secret
    # Erased: the sealed copy on the shelf says nothing to anybody now.
    (robot.work / "day.log").unlink()
    (robot.work / "back" / "day.log").unlink()
    told = robot.told("erase", 0, "--yes")
    assert told["still_readable"] is False
    assert "was erased by entry 2" in robot.refused("get", 0, "again", code=5)
    robot.is_whole()


def test_erasing_leaves_no_byte_and_names_every_copy(robot: Robot) -> None:
    marker = os.urandom(24).hex().encode()
    original = robot.work / "private.log"
    original.write_bytes(b"x" * 300_000 + marker)
    robot.did("ingest", original, "--link")
    robot.did("ingest", original)
    robot.did("checkpoint")
    for index in (0, 1):
        robot.did("prove", index, "--recording", "-o", f"claim-{index}")
    robot.did("get", 1, "export")
    robot.did("offload", "shelf", 1)
    stray = robot.folder / "stray"
    (linked,) = [
        path for path in (robot.home / "content").rglob("*.log") if path.stat().st_nlink == 2
    ]
    os.link(linked, stray)

    assert "confirm it with --yes" in robot.refused("erase", 0, 1, code=5)
    told = robot.told("erase", 0, 1, "--yes", "--reason", "asked by the owner")
    assert told["still_readable"] is True
    assert told["stray_links"] == 1
    named = {(file["kind"], Path(file["path"])) for file in told["surviving"]}
    record = robot.told("show", 1)["record_id"]
    assert named == {
        ("hard_link", original),
        ("original", original),
        ("export", robot.work / "export" / "private.log"),
        ("offload", robot.work / "shelf" / record / "private.log"),
    }
    for _, path in named:
        path.unlink(missing_ok=True)
    stray.unlink()
    text = robot.did("erase", 0, 1, "--yes")
    assert "private.log" not in text
    for path in robot.home.rglob("*"):
        assert path.is_dir() or marker not in path.read_bytes(), path

    # The log is whole, and says what was done; the entry is still provable, its content not.
    assert robot.told("show", 2)["reason"] == "asked by the owner"
    assert robot.is_whole()["records_erased"] == 2
    robot.did("verify", "claim-0", "--key", robot.vkey())
    assert "no keys are kept" in robot.refused("prove", 1, "--recording", code=3)
    assert "was erased by entry 2" in robot.refused("get", 0, code=5)
    robot.refused("offload", "shelf", 0, code=5)
    assert robot.told("offload", "shelf")["records"] == []
