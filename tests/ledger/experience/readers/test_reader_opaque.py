from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.errors import RecordingError
from ledger.experience.readers import read_recording
from tests.ledger.experience.readers.recording_writers import make_mcap, read_one


def test_a_file_of_unknown_kind(tmp_path: Path) -> None:
    file = tmp_path / "notes.xyz"
    file.write_bytes(b"12345")
    recording = read_one(file)
    assert (recording.name, recording.media_type) == ("notes.xyz", "application/octet-stream")
    assert [(file.name, file.size) for file in recording.files] == [("notes.xyz", 5)]
    assert (recording.start_ns, recording.end_ns, recording.topics) == (0, 0, ())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.h5", "application/x-hdf5"),
        ("a.HDF5", "application/x-hdf5"),
        ("droid-train.tfrecord-00000-of-00010", "application/x-tfrecord"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a", "application/octet-stream"),
    ],
)
def test_media_type_by_suffix(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).touch()
    assert read_one(tmp_path / name).media_type == kind
    assert read_one(tmp_path).media_type == kind


def test_rlds(tmp_path: Path) -> None:
    for name in ("dataset_info.json", "features.json", "x-train.tfrecord-00000-of-00001"):
        (tmp_path / name).write_text("{}")
    assert read_one(tmp_path).media_type == "application/x-rlds"


def test_files_are_in_the_byte_order_of_their_paths(tmp_path: Path) -> None:
    names = ["B", "a", "a-b", "a/b", "a0", "é", "z/1", "z/1/2"]
    wanted = sorted(["B", "a-b", "a/b", "a0", "é", "z/1"], key=str.encode)
    for name in wanted:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [file.name for file in read_one(tmp_path).files] == wanted
    assert len(names) > len(wanted)


def test_force_opaque_reads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "cut.mcap"
    file.write_bytes(make_mcap()[:-1])
    (recording,) = read_recording(file, force_opaque=True)
    assert recording.media_type == "application/vnd.mcap"
    assert recording.message_count == 0


@pytest.mark.parametrize("force_opaque", [False, True])
def test_a_symlink_loop_is_refused(tmp_path: Path, force_opaque: bool) -> None:
    (tmp_path / "data.txt").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(RecordingError, match="loop is a symbolic link") as caught:
        list(read_recording(tmp_path, force_opaque=force_opaque))
    assert "cp -rL" in str(caught.value.hint)


def test_a_path_that_is_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(RecordingError) as caught:
        list(read_recording(tmp_path / "a"))
    assert caught.value.hint


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "pipe", tmp_path / "socket", tmp_path, Path("/dev/null")):
            with pytest.raises(RecordingError, match="not a regular file"):
                list(read_recording(path))


@pytest.mark.parametrize("path", ["absent", "absent/below", "file/below", "nul\0"])
def test_a_missing_path(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError) as caught:
        list(read_recording(tmp_path / path))
    assert caught.value.hint


def test_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "empty" / "below").mkdir(parents=True)
    with pytest.raises(RecordingError, match="holds no file"):
        list(read_recording(tmp_path / "empty"))


def test_an_empty_file_is_content_of_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty.log").touch()
    assert read_one(tmp_path / "empty.log").size == 0


@contextmanager
def without_privilege() -> Iterator[None]:
    """Root may read everything: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("force_opaque", [False, True])
def test_an_unreadable_file_and_folder(force_opaque: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "file.mcap").touch(mode=0o000)
        (root / "closed").mkdir(mode=0o000)
        (root / "outer").mkdir()
        (root / "outer/inner").mkdir(mode=0o000)
        names = ["closed", "closed/below", "outer", *([] if force_opaque else ["file.mcap"])]
        for name in names:
            with (
                without_privilege(),
                pytest.raises(RecordingError, match="permission denied") as caught,
            ):
                list(read_recording(root / name, force_opaque=force_opaque))
            assert caught.value.hint


def test_an_error_of_the_file_system_is_ours(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="file name too long"):
        list(read_recording(tmp_path / ("x" * 300)))


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/\xff.log")).touch()
    except OSError:
        pytest.skip("SKIPPED: this file system takes UTF-8 names only")
    with pytest.raises(RecordingError, match="not UTF-8"):
        list(read_recording(tmp_path))
