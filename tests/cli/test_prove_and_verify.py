"""A stranger with a proof file and a key, and nothing else."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

from ledger.experience.content_root import CHUNK_SIZE
from tests.cli.robot import REPOSITORY, Robot


def test_an_empty_directory_a_proof_and_a_key_are_enough(veteran: Robot, tmp_path: Path) -> None:
    veteran.did("prove", 0, "-o", tmp_path / "claim")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "claim").write_bytes((tmp_path / "claim").read_bytes())
    # A Python of its own, with no home at all: nothing of the robot is in reach.
    done = subprocess.run(
        [sys.executable, "-m", "ledger.cli.main", "verify", "claim", "--key", veteran.vkey()],
        cwd=empty,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(empty)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified entry: in the log example.com/husky-7 of 6 entries\n")
    assert [path.name for path in empty.iterdir()] == ["claim"]


def test_what_is_disclosed_is_what_was_asked_for(
    veteran: Robot, nobody: Robot, recordings: Path
) -> None:
    vkey = veteran.vkey()
    bag = recordings / "husky_ros1" / "husky.bag"
    entry, recording, chunk = (nobody.work / name for name in ("entry", "recording", "chunk"))
    veteran.did("prove", 0, "-o", entry)
    veteran.did("prove", 0, "--recording", "-o", recording)
    veteran.did("prove", 0, "--chunk", 3, "--chunk", 5, "-o", chunk)
    assert entry.stat().st_mode & 0o777 == 0o644
    assert recording.stat().st_mode & 0o777 == chunk.stat().st_mode & 0o777 == 0o600

    told = nobody.told("verify", recording, "--key", vkey, "--recording", bag)
    assert told["checked"] == ["entry", "recording"]
    assert told["entry"]["name"] == "husky.bag"
    assert nobody.told("verify", recording, "--key", vkey, "--recording", bag.parent)["ok"] is True
    content = bag.read_bytes()
    for index in (3, 5):
        piece = content[index * CHUNK_SIZE : (index + 1) * CHUNK_SIZE]
        (nobody.work / f"piece-{index}").write_bytes(piece)
        told = nobody.told("verify", chunk, "--key", vkey, "--chunk", index, f"piece-{index}")
        assert told["checked"] == ["entry", f"chunk {index}"]

    # Without the salt, nothing can be said about the content.
    assert "discloses no" in nobody.refused(
        "verify", entry, "--key", vkey, "--recording", bag, code=1
    )
    assert "does not disclose chunk 2" in nobody.refused(
        "verify", chunk, "--key", vkey, "--chunk", 2, "piece-3", code=1
    )
    # One flipped bit, and another chunk.
    altered = bytearray(content)
    altered[700_000] ^= 1
    (nobody.work / "altered.bag").write_bytes(altered)
    nobody.refused("verify", recording, "--key", vkey, "--recording", "altered.bag", code=1)
    (nobody.work / "other").write_bytes(content[:CHUNK_SIZE])
    nobody.refused("verify", chunk, "--key", vkey, "--chunk", 3, "other", code=1)
    nobody.refused("verify", chunk, "--key", vkey, "--chunk", 5, "piece-3", code=1)
    nobody.refused("verify", recording, "--key", vkey, "--recording", "missing", code=3)
    nobody.refused("verify", chunk, "--key", vkey, "--chunk", 3, "missing", code=3)


def test_a_segment_is_verified_in_its_folder(veteran: Robot, bags: Path) -> None:
    veteran.did("prove", 1, "--recording", "-o", "claim")
    vkey, split = veteran.vkey(), bags / "rosbag2_py_mcap_wbag"
    veteran.did("verify", "claim", "--key", vkey, "--recording", split)
    only = split / "wbag_0.mcap"
    assert "2 files" in veteran.refused(
        "verify", "claim", "--key", vkey, "--recording", only, code=5
    )
    (veteran.work / "part").mkdir()
    (veteran.work / "part" / "wbag_0.mcap").write_bytes(only.read_bytes())
    assert "metadata.yaml is missing" in veteran.refused(
        "verify", "claim", "--key", vkey, "--recording", "part", code=3
    )


def test_another_key_and_any_tampering_are_refused(
    veteran: Robot, nobody: Robot, bags: Path
) -> None:
    vkey = veteran.vkey()
    veteran.did("prove", 2, "--recording", "-o", nobody.work / "claim")
    other = nobody.told("init", "--origin", "example.com/husky-7")["vkey"]
    stranger = nobody.told("init", "--home", "second", "--origin", "example.com/x")["vkey"]
    for key in (other, stranger):
        line = nobody.refused("verify", "claim", "--key", key, code=1)
        assert "not signed by any known key" in line
    # The right key among others, and in a file.
    nobody.did("verify", "claim", "--key", other, "--key", vkey)
    (nobody.work / "vkeys").write_text(f"{other}\n{vkey}\n")
    nobody.did("verify", "claim", "--key", "vkeys")

    segment = bags / "rosbag2_py_mcap_wbag" / "wbag_1.mcap"
    nobody.did("verify", "claim", "--key", vkey, "--recording", segment)
    claim = (nobody.work / "claim").read_bytes()
    draw = random.Random(7)
    for tamper in (*([_flip] * 24), _cut, _double, _swap_lines):
        altered = tamper(claim, draw)
        assert altered != claim
        (nobody.work / "altered").write_bytes(altered)
        # With the recording: a disclosed salt is checked by nothing else.
        outcome = nobody.run("verify", "altered", "--key", vkey, "--recording", segment)
        assert outcome.code in {1, 3}, outcome
        assert re.match(r"quipu: (altered|/.*wbag_1.mcap): ", outcome.err), outcome
        assert outcome.err.count("\n") == 1
        assert outcome.out == ""


def _flip(claim: bytes, draw: random.Random) -> bytes:
    altered = bytearray(claim)
    altered[draw.randrange(len(claim))] ^= 1 << draw.randrange(8)
    return bytes(altered)


def _cut(claim: bytes, _draw: random.Random) -> bytes:
    return claim[:-1]


def _double(claim: bytes, _draw: random.Random) -> bytes:
    return claim + claim


def _swap_lines(claim: bytes, _draw: random.Random) -> bytes:
    first, second, third, rest = claim.split(b"\n", 3)
    return b"\n".join([first, third, second, rest])


def test_tiles_are_exported_again_when_the_log_has_grown(veteran: Robot) -> None:
    assert veteran.told("export-tiles", "tiles") == {
        "ok": True,
        "folder": "tiles",
        "size": 6,
        "previous_size": 0,
        "files": 2,
    }
    before = (veteran.work / "tiles" / "checkpoint").read_bytes()
    assert veteran.told("export-tiles", "tiles")["files"] == 0
    assert (veteran.work / "tiles" / "checkpoint").read_bytes() == before
    # Not signed yet, not exported.
    (veteran.work / "more.log").write_text("more")
    veteran.did("ingest", "more.log")
    assert veteran.told("export-tiles", "tiles")["files"] == 0
    veteran.did("checkpoint")
    told = veteran.told("export-tiles", "tiles")
    assert (told["size"], told["previous_size"], told["files"]) == (7, 6, 2)
    names = sorted(p.relative_to(veteran.work / "tiles").as_posix() for p in _files(veteran.work))
    assert names == [
        "checkpoint",
        "tile/0/000.p/6",
        "tile/0/000.p/7",
        "tile/entries/000.p/6",
        "tile/entries/000.p/7",
    ]
    # Another log's export is not written over.
    veteran.did("init", "--home", "second", "--origin", "example.com/other")
    veteran.did("checkpoint", "--home", "second")
    line = veteran.refused("export-tiles", "tiles", "--home", "second", code=5)
    assert "holds an export of example.com/husky-7 at 7 entries" in line


def _files(work: Path) -> list[Path]:
    return [path for path in (work / "tiles").rglob("*") if path.is_file()]


def test_a_proof_is_written_where_it_is_asked_for(veteran: Robot) -> None:
    """Into a pipe and through a link: neither is replaced by a file."""
    work = veteran.work
    veteran.did("prove", 0, "-o", "claim")
    claim = (work / "claim").read_bytes()
    os.mkfifo(work / "pipe")
    with veteran.start("prove", "0", "-o", "pipe") as process:
        assert (work / "pipe").read_bytes() == claim
        assert process.wait(60) == 0
    assert (work / "pipe").is_fifo()
    (work / "link").symlink_to("target")
    veteran.did("prove", 0, "-o", "link")
    assert (work / "link").is_symlink()
    assert (work / "target").read_bytes() == claim
