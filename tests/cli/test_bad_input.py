"""Input that is not what it should be: one line, the right exit status, nothing changed."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcap.writer import Writer

from tests.cli.robot import Robot


@contextmanager
def unchanged(robot: Robot) -> Iterator[None]:
    """Check that the log and the content folders are afterwards as they were before."""

    def state() -> tuple[int, list[str], list[str]]:
        content = sorted(str(path) for path in (robot.home / "content").rglob("*"))
        incoming = sorted(str(path) for path in (robot.home / "incoming").rglob("*"))
        return robot.told("log")["size"], content, incoming

    before = state()
    yield
    assert state() == before
    robot.is_whole()


@pytest.fixture
def talker(robot: Robot, bags: Path) -> Path:
    """A copy of a small bag."""
    return Path(shutil.copytree(bags / "rosbag2_py_mcap_talker", robot.work / "talker"))


def test_cut_and_flipped_mcap(robot: Robot, talker: Path) -> None:
    whole = (talker / "talker.mcap").read_bytes()
    bare = robot.work / "bare.mcap"
    draw = random.Random(2)
    with unchanged(robot):
        for size in (0, 1, 8, 300, len(whole) // 2, len(whole) - 9, len(whole) - 1):
            bare.write_bytes(whole[:size])
            line = robot.refused("ingest", bare, code=3)
            assert "bare.mcap" in line
            (talker / "talker.mcap").write_bytes(whole[:size])
            robot.refused("ingest", talker, code=3)
        bare.write_bytes(whole + b"more")
        robot.refused("ingest", bare, code=3)
    survived = 0
    for _ in range(40):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        bare.write_bytes(flipped)
        outcome = robot.run("ingest", bare)
        assert outcome.code in {0, 3}, outcome
        assert outcome.err.count("\n") == (outcome.code == 3)
        survived += outcome.code == 0
    assert robot.is_whole()["entries"] == survived
    # Kept as it is, when that is what its owner wants.
    robot.did("ingest", "--opaque", bare)


def test_empty_and_incomplete_bags(robot: Robot, talker: Path) -> None:
    empty = robot.work / "empty"
    empty.mkdir()
    for name in ("none.mcap", "none.bag"):
        (robot.work / name).touch()
    metadata = (talker / "metadata.yaml").read_text()
    with unchanged(robot):
        assert "holds no file" in robot.refused("ingest", empty, code=3)
        for name in ("none.mcap", "none.bag"):
            assert name in robot.refused("ingest", name, code=3)
        (talker / "talker.mcap").rename(talker / "elsewhere")
        assert "talker.mcap is missing" in robot.refused("ingest", talker, code=3)
        (talker / "elsewhere").rename(talker / "talker.mcap")
        for text in (
            "rosbag2_bagfile_information: [",
            "rosbag2_bagfile_information: 7",
            metadata.replace("message_count: 20", "message_count: 21"),
            metadata.replace("talker.mcap", "../talker.mcap"),
            metadata.replace("storage_identifier: mcap", "storage_identifier: tape"),
        ):
            (talker / "metadata.yaml").write_text(text)
            robot.refused("ingest", talker, code=3)


def test_a_database_that_is_still_being_written(robot: Robot, bags: Path) -> None:
    bag = shutil.copytree(bags / "rosbag2_py_sqlite3_talker", robot.work / "bag")
    writer = sqlite3.connect(bag / "talker.db3")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (1, 2, x'00')")
    writer.commit()
    try:
        assert (bag / "talker.db3-wal").stat().st_size > 0
        with unchanged(robot):
            for path in (bag, bag / "talker.db3"):
                line = robot.refused("ingest", path, code=3)
                assert "talker.db3" in line
            (bag / "metadata.yaml").rename(robot.work / "metadata.yaml")
            robot.refused("ingest", bag, code=3)
    finally:
        writer.close()


def test_links_are_not_followed_round_in_circles(robot: Robot) -> None:
    folder = robot.work / "folder"
    folder.mkdir()
    (folder / "a.log").write_text("a")
    (folder / "self").symlink_to(folder)
    (robot.work / "one").symlink_to("two")
    (robot.work / "two").symlink_to("one")
    os.mkfifo(robot.work / "pipe")
    with unchanged(robot):
        assert "symbolic link" in robot.refused("ingest", folder, code=3)
        robot.refused("ingest", "one", code=3)
        assert "not a regular file" in robot.refused("ingest", "pipe", code=3)
        robot.refused("ingest", "/dev/null", code=3)
    # A link to a recording is that recording.
    (robot.work / "latest").symlink_to(folder / "a.log")
    assert robot.told("ingest", "latest")["entries"][0]["name"] == "a.log"


@pytest.mark.parametrize("how", [(), ("--in-place",), ("--encrypt",), ("--link",)])
def test_a_file_that_grows_while_it_is_read(robot: Robot, how: tuple[str, ...]) -> None:
    growing = robot.work / "growing.log"
    growing.touch()
    os.truncate(growing, 32 << 20)  # so that it takes a while
    done = threading.Event()

    def grow() -> None:
        with growing.open("ab", buffering=0) as file:
            while not done.wait(0.0005):
                file.write(b"more")

    robot.did("checkpoint")
    growth = threading.Thread(target=grow)
    growth.start()
    try:
        with unchanged(robot):
            outcome = robot.run("ingest", growing, *how)
    finally:
        done.set()
        growth.join()
    assert outcome.code == 3, outcome
    assert "growing.log" in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith(")\n")
    # Once it is at rest it can be taken in.
    robot.did("ingest", growing, *how)
    robot.is_whole()


def test_entries_that_would_be_too_large(robot: Robot) -> None:
    folder = robot.work / "many"
    folder.mkdir()
    for number in range(1_200):
        (folder / f"{number:04}-{'x' * 60}").touch()
    (folder / "content").write_bytes(bytes(1000))
    bag = robot.work / "topics.mcap"
    with bag.open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        schema = writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data")
        for number in range(3_000):
            writer.register_channel(f"/robot/sensor_{number}/state", "cdr", schema)
        writer.finish()  # type: ignore[no-untyped-call]
    with unchanged(robot):
        for path in (folder, bag):
            line = robot.refused("ingest", path, code=3)
            assert "65535" in line
        assert "--opaque" in robot.refused("ingest", bag, code=3)
        tag = f"note={'n' * 70_000}"
        (robot.work / "small").write_text("small")
        assert "65535" in robot.refused("ingest", "small", "--tag", tag, code=3)
    robot.did("ingest", "--opaque", bag)


def test_what_is_no_home(nobody: Robot) -> None:
    verbs: list[tuple[object, ...]] = [
        ("ingest", __file__),
        ("log",),
        ("show", 0),
        ("get", 0),
        ("checkpoint",),
        ("prove", 0),
        ("audit",),
        ("export-tiles", "tiles"),
        ("erase", 0, "--yes"),
        ("offload", "shelf"),
        ("prune", 0),
        ("key", "show"),
        ("key", "rotate"),
        ("key", "retire"),
    ]
    data = nobody.home / "log" / "data.mdb"
    for arguments in verbs:
        assert "quipu init" in nobody.refused(*arguments, code=4)
    # Something else is there: a file, an empty folder, a database that is none.
    nobody.home.write_text("not a folder")
    nobody.refused("log", code=4)
    nobody.refused("init", code=4)
    nobody.home.unlink()
    data.parent.mkdir(parents=True)
    for content in (b"", b"garbage" * 5_000, bytes(1 << 16)):
        data.write_bytes(content)
        for arguments in (("log",), ("checkpoint",), ("prove", 0), ("key", "show")):
            nobody.refused(*arguments, code=4)
        outcome = nobody.run("audit")
        assert outcome.code in {1, 4}, outcome
        assert data.read_bytes() == content
    assert nobody.told("doctor", code=4)["ok"] is False
    nobody.refused("init", code=5)
    # The stranger's commands made nothing.
    assert [path.name for path in nobody.home.iterdir()] == ["log"]


def test_garbage_where_a_proof_or_a_key_should_be(veteran: Robot) -> None:
    draw = random.Random(3)
    veteran.did("prove", 0, "-o", "claim")
    claim, vkey = (veteran.work / "claim").read_bytes(), veteran.vkey()
    garbage = veteran.work / "garbage"
    for content in (
        b"",
        b"\n",
        b"\xff" * 100,
        draw.randbytes(5_000),
        b"c2sp.org/tlog-proof@v1\n",
        claim + b"\x00",
        claim.replace(b"\n", b"\r\n"),
        claim.replace(b"extra ", b"extra  "),
    ):
        garbage.write_bytes(content)
        veteran.refused("verify", garbage, "--key", vkey, code=3)
    # In place of a key: text, and files of it.
    for key in ("", "+", "a+b+c", vkey[:-1], vkey + "A", vkey.replace("+A", "+B"), "é" * 300):
        veteran.refused("verify", "claim", "--key", key, code=3)
    veteran.refused("verify", "claim", "--key", "x" * 5_000, code=3)
    for content in (b"", b"# nothing\n", b"\x00\xff\n", vkey.encode()[:-2], draw.randbytes(300)):
        garbage.write_bytes(content)
        veteran.refused("verify", "claim", "--key", garbage, code=3)
        veteran.refused("audit", "--key", garbage, code=3)
        veteran.refused("verify", "claim", "--key", vkey, "--witness", garbage, code=3)
        veteran.refused("audit", "--since", garbage, code=3)
        veteran.refused("key", "restore", garbage, "--passphrase-file", "claim", code=3)
    veteran.refused("verify", "claim", "--key", "/dev/null", code=3)
    veteran.refused("verify", "/dev/zero", "--key", vkey, code=3)
    # A tile export that is none.
    (veteran.work / "tiles").mkdir()
    (veteran.work / "tiles" / "checkpoint").write_bytes(b"garbage")
    veteran.refused("export-tiles", "tiles", code=3)
    veteran.refused("doctor", "--catch-up", "tiles", code=3)
    veteran.is_whole()


def test_numbers_beyond_all_measure(veteran: Robot) -> None:
    huge = "9" * 5_000
    for arguments in (("show", huge), ("show", "²"), ("show", "-1"), ("get", "٣")):
        outcome = veteran.run(*arguments)
        assert outcome.code in {2, 3}, outcome
    veteran.refused("show", huge, code=3)
    veteran.refused("log", "-n", huge, code=2)
    veteran.refused("prune", "--larger-than", huge, code=2)
    veteran.refused("prove", 0, "--chunk", "9" * 30, code=3)
    assert veteran.told("log", "-n", "9" * 30)["size"] == 6
    assert veteran.told("prune", "--older-than", "9" * 30)["pruned"] == []
    veteran.did("prove", 0, "-o", "claim")
    key = veteran.vkey()
    veteran.refused("verify", "claim", "--key", key, "--chunk", "9" * 30, "claim", code=3)
    veteran.refused("verify", "claim", "--key", key, "--threshold", "9" * 30, code=5)
