"""Copies of what was bought: whole or not there, and remembered before they are made."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ledger.errors import NotFoundError, RefusedError, StorageFullError
from ledger.market import placing
from ledger.market.placing import place, placed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An acquisition's, with two files."""
    made = tmp_path / "acquisition"
    (made / "files" / "deep").mkdir(parents=True)
    (made / "files" / "metadata.yaml").write_bytes(b"about")
    (made / "files" / "deep" / "drive_0.mcap").write_bytes(os.urandom(3_000_000))
    return made


def test_files_are_copied_and_the_place_is_remembered(folder: Path, tmp_path: Path) -> None:
    assert placed(folder) == ()
    target = tmp_path / "a drive\nof ours"
    made = place(folder, target)
    assert [path.relative_to(target).as_posix() for path in made] == [
        "deep/drive_0.mcap",
        "metadata.yaml",
    ]
    for path in made:
        assert path.read_bytes() == (folder / "files" / path.relative_to(target)).read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    place(folder, tmp_path / "again")
    assert placed(folder) == (target, tmp_path / "again")
    assert sorted(tmp_path.iterdir()) == sorted([folder, target, tmp_path / "again"])


def test_what_is_there_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("taken", "link"):
        with pytest.raises(RefusedError, match="is there already"):
            place(folder, tmp_path / name)
    with pytest.raises(NotFoundError, match="there is no folder"):
        place(folder, tmp_path / "missing" / "target")
    assert (tmp_path / "taken").read_text() == "mine"
    assert placed(folder) == ()
    with pytest.raises(NotFoundError, match="no files yet"):
        place(tmp_path, tmp_path / "target")


def test_a_copy_that_is_cut_short_leaves_nothing_but_the_memory_of_its_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(placing.shutil, "copyfileobj", full)
    with pytest.raises(StorageFullError):
        place(folder, tmp_path / "target")
    assert sorted(tmp_path.iterdir()) == [folder]
    assert placed(folder) == (tmp_path / "target",)
