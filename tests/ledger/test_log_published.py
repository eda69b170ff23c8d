"""A log and what it published: never behind, never forked, and how to catch up."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import (
    BehindError,
    CorruptStoreError,
    ForkError,
    LedgerError,
    RefusedError,
    StorageError,
    VerificationError,
)
from ledger.log import Log
from ledger.log_reader import U64
from ledger.published import PublishedCheckpoint, published_directory
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.memory import MemoryStorage
from tests.ledger.sample_log import (
    NEW_SIGNER,
    ORIGIN,
    SIGNER,
    STRANGER,
    SampleLog,
    entries,
    published_in,
    root_of,
)


def copied(storage: MemoryStorage) -> MemoryStorage:
    """A backup."""
    backup = MemoryStorage()
    backup._tables = copy.deepcopy(storage._tables)
    return backup


@pytest.fixture
def backup(tmp_path: Path) -> SampleLog:
    """A log of 40 entries, 30 signed, restored although it had 60, 50 of them signed."""
    storage = MemoryStorage()
    sample = SampleLog.create(tmp_path, storage)
    sample.log.append(entries(0, 30))
    sample.log.checkpoint([SIGNER])
    sample.log.append(entries(30, 40))
    backup = copied(storage)
    sample.log.append(entries(40, 50))
    sample.log.checkpoint([SIGNER])
    sample.log.append(entries(50, 60))
    return SampleLog(Log.open(backup, sample.published), backup, sample.published)


def note_over(some: list[bytes], *signers: object) -> bytes:
    signing = signers or (SIGNER,)
    return sign_checkpoint(Checkpoint(ORIGIN, len(some), root_of(some)), signing)  # type: ignore[arg-type]


# Where it is kept


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"QUIPU_PUBLISHED": "/q", "XDG_STATE_HOME": "/x"}, Path("/q")),
        ({"XDG_STATE_HOME": "/x"}, Path("/x/quipu/published")),
        ({"QUIPU_PUBLISHED": "", "XDG_STATE_HOME": ""}, None),
        ({}, None),
    ],
)
def test_the_place_is_outside_the_home(environ: dict[str, str], expected: Path | None) -> None:
    assert published_directory(environ) == (
        expected or Path.home() / ".local/state/quipu/published"
    )


def test_publishing_replaces_the_note(tmp_path: Path) -> None:
    published = PublishedCheckpoint(tmp_path / "a" / "b", bytes(32))
    assert published.latest() is None
    for note in (b"first", b"second, longer", b"third"):
        published.publish(note)
        assert published.latest() == note
    assert published.path.name == "00" * 32 + ".checkpoint"
    assert list(published.directory.iterdir()) == [published.path]


def test_a_place_that_cannot_be_read_is_an_error_not_an_absence(tmp_path: Path) -> None:
    published = PublishedCheckpoint(tmp_path, bytes(32))
    published.path.mkdir()
    with pytest.raises(StorageError):
        published.latest()
    (tmp_path / "file").touch()
    nowhere = PublishedCheckpoint(tmp_path / "file", bytes(32))
    with pytest.raises(StorageError):
        nowhere.publish(b"note")
    with pytest.raises(StorageError), nowhere.exclusively():
        pass


def test_the_note_is_durable_before_it_leaves(tmp_path: Path) -> None:
    sample = SampleLog.create(tmp_path)
    sample.log.append([b"a"])

    def unwritable(note: bytes) -> None:
        assert sample.row(Table.CHECKPOINTS, U64.pack(1)) == note
        raise StorageError("no")

    sample.published.publish = unwritable  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        sample.log.checkpoint([SIGNER])
    sample.published = published_in(tmp_path)
    log = sample.reopened()
    note = log.checkpoint([SIGNER])
    assert note == log.latest_checkpoint() == sample.published.latest()


# Behind


def test_a_log_behind_its_checkpoint_opens_and_says_so(backup: SampleLog) -> None:
    assert backup.log.size == 40
    assert backup.log.behind is not None
    assert backup.log.behind.size == 50


def test_a_log_behind_neither_appends_nor_signs(backup: SampleLog) -> None:
    with pytest.raises(BehindError, match=r"40 leaves.*50") as caught:
        backup.log.append([b"other history"])
    hint = caught.value.hint or ""
    assert "backup" in hint and "40 to 49" in hint and "catch up" in hint
    with pytest.raises(BehindError):
        backup.log.checkpoint([SIGNER])
    assert backup.log.size == 40
    assert len(list(backup.log.checkpoints())) == 1


def test_a_log_behind_still_reads(backup: SampleLog) -> None:
    assert list(backup.log.entries()) == entries(0, 40)
    assert backup.log.root(40) == root_of(entries(0, 40))


def test_a_log_falls_behind_while_open(tmp_path: Path) -> None:
    # Another copy of the home publishes under the same name.
    storage = MemoryStorage()
    sample = SampleLog.create(tmp_path, storage)
    sample.log.append([b"a"])
    other = Log.open(copied(storage), sample.published)
    other.append([b"b", b"c"])
    other.checkpoint([SIGNER])
    sample.log.append([b"d"])
    with pytest.raises(BehindError):
        sample.log.checkpoint([SIGNER])
    with pytest.raises(BehindError):
        sample.log.append([b"e"])
    assert (sample.log.size, sample.log.latest_checkpoint()) == (2, None)


def test_a_log_made_anew_under_a_name_that_published(tmp_path: Path) -> None:
    SampleLog.create(tmp_path).log.append([b"a"])
    sample = SampleLog.create(tmp_path)
    sample.log.append([b"b"])
    sample.log.checkpoint([SIGNER])
    again = SampleLog.create(tmp_path)
    with pytest.raises(BehindError):
        again.log.append([b"c"])


# Forked


def test_another_history_of_the_same_size(tmp_path: Path) -> None:
    storage = MemoryStorage()
    sample = SampleLog.create(tmp_path, storage)
    sample.log.append([b"a"])
    backup = copied(storage)
    sample.log.append([b"b"])
    sample.log.checkpoint([SIGNER])
    unknowing = Log.open(backup, published_in(tmp_path / "elsewhere"))
    unknowing.append([b"c"])
    with pytest.raises(ForkError, match="2 leaves"):
        Log.open(backup, sample.published)
    unknowing.append([b"d", b"e"])
    with pytest.raises(ForkError, match="2 leaves"):
        Log.open(backup, sample.published)


def test_a_fork_is_found_before_signing(tmp_path: Path) -> None:
    storage = MemoryStorage()
    sample = SampleLog.create(tmp_path, storage)
    sample.log.append([b"a"])
    other = Log.open(copied(storage), sample.published)
    other.append([b"b"])
    sample.log.append([b"c", b"d"])
    other.checkpoint([SIGNER])
    with pytest.raises(ForkError, match="2 leaves"):
        sample.log.checkpoint([SIGNER])
    assert sample.log.latest_checkpoint() is None


def test_a_published_note_older_than_the_newest_stored(tmp_path: Path) -> None:
    # As after a death between the store and the publication; or a published note restored.
    sample = SampleLog.create(tmp_path)
    sample.log.append(entries(0, 300))
    first = sample.log.checkpoint([SIGNER])
    sample.log.append(entries(300, 400))
    second = sample.log.checkpoint([SIGNER])
    sample.published.publish(first)
    log = sample.reopened()
    assert log.behind is None
    assert log.checkpoint([SIGNER]) == second == sample.published.latest()


@pytest.mark.parametrize("damage", [b"", b"x", b"\n", b"not a note\n\n"])
def test_a_published_note_that_cannot_be_read_stops_the_log(tmp_path: Path, damage: bytes) -> None:
    sample = SampleLog.create(tmp_path)
    sample.log.append([b"a"])
    sample.log.checkpoint([SIGNER])
    sample.published.publish(damage)
    with pytest.raises(CorruptStoreError, match="published checkpoint"):
        sample.reopened()


def test_a_published_note_of_others_stops_the_log(tmp_path: Path) -> None:
    sample = SampleLog.create(tmp_path)
    sample.log.append([b"a"])
    strange = sign_checkpoint(Checkpoint("robots.example/bob", 1, bytes(32)), [STRANGER])
    for note in (strange, note_over([b"a"], NEW_SIGNER)):
        sample.published.publish(note)
        with pytest.raises(CorruptStoreError, match="published checkpoint"):
            sample.reopened()
    sample.published.publish(note_over([b"a"], NEW_SIGNER))
    log = Log.open(sample.storage, sample.published, [NEW_SIGNER.verifier_key])
    assert log.behind is None


# Catching up


def test_catching_up_with_the_published_checkpoint(backup: SampleLog) -> None:
    note = backup.published.latest()
    assert note is not None
    record = (Table.RECORDS, b"r" * 16, U64.pack(45))
    assert backup.log.catch_up(entries(40, 50), note, [record]) == range(40, 50)
    assert backup.log.behind is None
    assert backup.log.latest_checkpoint() == note == backup.published.latest()
    assert backup.log.record_index(b"r" * 16) == 45
    backup.log.append([b"new"])
    assert backup.signed().root == root_of([*entries(0, 50), b"new"])
    backup.reopened()


def test_catching_up_beyond_the_published_checkpoint(backup: SampleLog) -> None:
    # A peer holds a newer checkpoint than this machine remembers.
    newer = note_over(entries(0, 60))
    backup.log.catch_up(entries(40, 60), newer)
    assert backup.log.latest_checkpoint() == newer == backup.published.latest()
    assert backup.signed().size == 60


@pytest.mark.parametrize("wrong", range(10))
def test_one_wrong_entry_catches_nothing_up(backup: SampleLog, wrong: int) -> None:
    note = backup.published.latest()
    assert note is not None
    given = entries(40, 50)
    given[wrong] += b"!"
    with pytest.raises(VerificationError, match="root"):
        backup.log.catch_up(given, note)
    assert backup.log.size == 40
    with pytest.raises(BehindError):
        backup.log.append([b"x"])


def test_too_few_or_too_many_entries_catch_nothing_up(backup: SampleLog) -> None:
    note = backup.published.latest()
    assert note is not None
    for given in (entries(40, 49), entries(40, 51), entries(41, 50), []):
        with pytest.raises(RefusedError):
            backup.log.catch_up(given, note)
    assert backup.log.size == 40


def test_checkpoints_that_do_not_help(backup: SampleLog) -> None:
    for note, given in (
        (note_over(entries(0, 45)), entries(40, 45)),  # signed, but still behind
        (note_over(entries(0, 50), NEW_SIGNER), entries(40, 50)),  # by no key of the log
        (b"no note", entries(40, 50)),
        (note_over([*entries(0, 40), *entries(40, 60, b"!")]), entries(40, 60, b"!")),  # a fork
    ):
        with pytest.raises(LedgerError) as caught:
            backup.log.catch_up(given, note)
        assert not isinstance(caught.value, StorageError)
        assert backup.log.size == 40
        assert backup.log.behind


def test_catching_up_with_nothing_missing_changes_nothing(tmp_path: Path) -> None:
    sample = SampleLog.create(tmp_path)
    sample.log.append(entries(0, 10))
    note = sample.log.checkpoint([SIGNER])
    assert sample.log.catch_up([], note) == range(10, 10)
    assert sample.log.latest_checkpoint() == note


def test_a_home_restored_from_an_old_backup(tmp_path: Path) -> None:
    """The same with directories: copy, go on, restore."""
    path, published = tmp_path / "log", published_in(tmp_path)
    log = Log.create(LmdbStorage.create(path), ORIGIN, SIGNER.verifier_key, published)
    log.append(entries(0, 20))
    log.checkpoint([SIGNER])
    log.close()
    shutil.copytree(path, tmp_path / "backup")
    log = Log.open(LmdbStorage.open_writer(path), published)
    log.append(entries(20, 35))
    note = log.checkpoint([SIGNER])
    log.close()
    shutil.rmtree(path)
    shutil.copytree(tmp_path / "backup", path)

    log = Log.open(LmdbStorage.open_writer(path), published)
    with pytest.raises(BehindError, match="restored from an old backup"):
        log.append([b"fork"])
    with pytest.raises(BehindError):
        log.checkpoint([SIGNER])
    log.catch_up(entries(20, 35), note)
    log.append([b"onwards"])
    log.checkpoint([SIGNER])
    assert log.root(36) == root_of([*entries(0, 35), b"onwards"])
    log.close()
