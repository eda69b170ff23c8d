"""One flipped byte anywhere, and the audit names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.robot import Robot


def _flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


@pytest.mark.parametrize(
    ("offset", "span"),
    [(0, [0, 262_144]), (700_000, [524_288, 786_432]), (1_470_834, [1_310_720, 1_470_835])],
)
def test_a_flipped_byte_of_a_recording_is_named(
    veteran: Robot, offset: int, span: list[int]
) -> None:
    (stored,) = (veteran.home / "content").rglob("husky.bag")
    _flip(stored, offset)
    assert veteran.told("audit")["ok"] is True, "without --deep no content is read"
    report = veteran.told("audit", "--deep", code=1)
    assert report["ok"] is False
    (finding,) = report["findings"]
    assert finding["kind"] == "content-changed"
    assert finding["entry"] == 0
    assert Path(finding["file"]) == stored
    assert finding["bytes"] == span
    text = veteran.run("audit", "--deep")
    assert (text.code, text.err) == (1, "")
    assert f"[{span[0]}, {span[1]})" in text.out
    assert str(stored) in text.out
    # Nor is it handed out.
    line = veteran.refused("get", 0, "back", code=1)
    assert f"husky.bag bytes {span[0]} to {span[1] - 1}" in line
    assert list((veteran.work / "back").iterdir()) == []


def test_a_missing_and_a_cut_file_are_named(veteran: Robot) -> None:
    (stored,) = (veteran.home / "content").rglob("husky.bag")
    stored.write_bytes(stored.read_bytes()[:-1])
    (finding,) = veteran.told("audit", code=1)["findings"]
    assert (finding["kind"], finding["entry"]) == ("content-size", 0)
    stored.unlink()
    (finding,) = veteran.told("audit", code=1)["findings"]
    assert (finding["kind"], finding["entry"]) == ("content-missing", 0)


def test_a_flipped_byte_of_the_store_is_named(veteran: Robot) -> None:
    """Where an entry lies in data.mdb is found by what is in it."""
    data = veteran.home / "log" / "data.mdb"
    for index, name in ((0, b"husky.bag"), (3, b"wbag_2.mcap")):
        content = data.read_bytes()
        places = [i for i in range(len(content)) if content.startswith(name, i)]
        assert places
        for place in places:  # pages that are free by now hold old copies
            _flip(data, place + 2)
        report = veteran.told("audit", code=1)
        changed = [f for f in report["findings"] if f["kind"] == "entry-changed"]
        assert [finding["entry"] for finding in changed] == [index], report
        text = veteran.run("audit")
        assert text.code == 1
        assert "entry-changed" in text.out
        assert f"entry {index}" in text.out
        data.write_bytes(content)
    veteran.is_whole()


def test_since_a_checkpoint_only_what_came_after_is_read(veteran: Robot, nobody: Robot) -> None:
    veteran.did("checkpoint", "-o", "six")
    for number in range(300):
        (veteran.work / "segments").mkdir(exist_ok=True)
        (veteran.work / "segments" / f"{number}.log").touch()
    veteran.did("ingest", *sorted((veteran.work / "segments").iterdir()))
    veteran.did("checkpoint", "-o", "later")
    report = veteran.told("audit", "--since", "later")
    assert report["ok"] is True
    assert report["entries"] < 306
    assert veteran.told("audit", "--since", "six")["ok"] is True
    assert veteran.told("audit")["entries"] == 306

    # A checkpoint of another log, and a damaged one.
    nobody.did("init", "--origin", "example.com/other")
    nobody.did("checkpoint", "-o", veteran.work / "other")
    veteran.refused("audit", "--since", "other", code=1)
    damaged = (veteran.work / "six").read_text().replace("\n6\n", "\n7\n")
    (veteran.work / "damaged").write_text(damaged)
    veteran.refused("audit", "--since", "damaged", code=1)
    # Pinned to a key that never signed here.
    report = veteran.told("audit", "--key", nobody.vkey(), code=1)
    assert report["findings"][0]["kind"] == "meta-wrong"
