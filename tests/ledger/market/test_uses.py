"""Uses are taken once, whoever takes them, and given back when nothing came of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.errors import CorruptStoreError
from ledger.market.uses import Uses

ONE, OTHER = b"1" * 32, b"2" * 32
NAMES = [bytes([each]) * 16 for each in range(64)]


def uses(tmp_path: Path) -> Uses:
    return Uses(MemberFile(tmp_path / "member"))


def test_each_acquisition_has_its_own(tmp_path: Path) -> None:
    file = uses(tmp_path)
    taken = [file.choose(ONE, 3, name) for name in NAMES[:3]]
    assert sorted(each for each in taken if each is not None) == [0, 1, 2]
    assert file.choose(ONE, 3, NAMES[3]) is None
    # It has the one that it had, also after a restart; another contract is another matter.
    assert [uses(tmp_path).choose(ONE, 3, name) for name in NAMES[:3]] == taken
    assert file.choose(OTHER, 1, NAMES[0]) == 0
    assert file.path.stat().st_mode & 0o077 == 0
    file.release(NAMES[1])
    assert file.choose(ONE, 3, NAMES[3]) == taken[1]


def test_what_the_chain_has_is_never_free_again(tmp_path: Path) -> None:
    file = uses(tmp_path)
    use = file.choose(ONE, 2, NAMES[0])
    assert use is not None
    file.is_made(ONE, use)
    file.release(NAMES[0])
    file.take(ONE, use, NAMES[1])
    file.release(NAMES[1])
    assert file.choose(ONE, 2, NAMES[2]) == 1 - use
    assert file.choose(ONE, 2, NAMES[3]) is None


def test_one_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    file = uses(tmp_path)
    file.take(ONE, 0, NAMES[0])
    assert file.choose(ONE, 2, NAMES[1]) == 1
    file.release(NAMES[0])
    assert file.choose(ONE, 1, NAMES[2]) == 0


def test_uses_are_chosen_by_chance(tmp_path: Path) -> None:
    first = {Uses(MemberFile(tmp_path / str(turn))).choose(ONE, 4, NAMES[0]) for turn in range(200)}
    assert first == {0, 1, 2, 3}


def test_threads_take_no_use_twice(tmp_path: Path) -> None:
    taken: list[int | None] = []

    def take(name: bytes) -> None:
        taken.append(uses(tmp_path).choose(ONE, 10, name))

    threads = [threading.Thread(target=take, args=(name,)) for name in NAMES[:12]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each for each in taken if each is not None) == list(range(10))
    assert taken.count(None) == 2


@pytest.mark.parametrize("content", [b"\xff", b"00 1\n", b"zz 1 -\n", b"00 one -\n"], ids=repr)
def test_a_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    file = uses(tmp_path)
    file.path.write_bytes(content)
    with pytest.raises(CorruptStoreError, match="damaged"):
        file.choose(ONE, 1, NAMES[0])
