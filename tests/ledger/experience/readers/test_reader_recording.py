from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import RecordingError
from ledger.experience.readers import Recording, RecordingFile, RecordingTag, RecordingTopic
from ledger.experience.readers.recording import UINT64_MAX, check_file_name

ROOT = Path("/recordings")


def recording(**changes: Any) -> Recording:
    fields: dict[str, Any] = {"root": ROOT, "name": "n", "media_type": "m", "files": ()}
    return Recording(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"start_ns": 2, "end_ns": 1},
        {"start_ns": -1},
        {"end_ns": UINT64_MAX + 1},
        {"message_count": 1},
        {"message_count": 1, "topics": (RecordingTopic("/a", "t", 2),)},
        {
            "message_count": 0,
            "topics": (RecordingTopic("/a", "t", -1), RecordingTopic("/b", "t", 1)),
        },
        {"topics": (RecordingTopic("/b", "t", 0), RecordingTopic("/a", "t", 0))},
        {"tags": (RecordingTag("b", ""), RecordingTag("a", ""))},
        {"tags": (RecordingTag("a", "x\0"),)},
        {"name": "\udcff"},
        {"files": (RecordingFile("a", ROOT, 1), RecordingFile("a", ROOT, 1))},
        {"files": (RecordingFile("../a", ROOT, 1),)},
    ],
)
def test_values_that_no_entry_can_hold(changes: dict[str, Any]) -> None:
    with pytest.raises(RecordingError) as caught:
        recording(**changes)
    assert caught.value.hint


def test_size_is_that_of_all_files() -> None:
    files = (RecordingFile("a", ROOT / "a", 3), RecordingFile("b/c", ROOT / "b/c", 4))
    assert recording(files=files).size == 7


@pytest.mark.parametrize(
    "name",
    ["", "/", "/a", "..", "../a", "a/../b", "a/..", ".", "./a", "a//b", "a/", "a\0b", "\udc80"],
)
def test_file_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(RecordingError):
        check_file_name(name)


@given(st.lists(st.text("abc.é -", min_size=1), min_size=1, max_size=4))
def test_an_accepted_name_stays_inside(parts: list[str]) -> None:
    name = "/".join(parts)
    try:
        check_file_name(name)
    except RecordingError:
        assert any(part in (".", "..") for part in parts)
    else:
        assert (ROOT / name).resolve().is_relative_to(ROOT)


def test_importing_the_readers_imports_no_heavy_package() -> None:
    script = (
        "import sys, ledger.experience.readers\n"
        "heavy = {'numpy', 'pyarrow', 'rosbags', 'ruamel', 'mcap', 'zstandard', 'lz4'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
