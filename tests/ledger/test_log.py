"""Appending, reading, proving and signing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import log_id, open_checkpoint
from ledger.errors import (
    CorruptStoreError,
    EntryTooLargeError,
    KeyStoreError,
    MalformedError,
    NotFoundError,
    RefusedError,
    StorageError,
    StorageFullError,
)
from ledger.log import Log
from ledger.log_reader import TILE_KEY, U64, LogReader
from ledger.merkle.consistency import verify_consistency
from ledger.merkle.entry_bundle import MAX_ENTRY_SIZE
from ledger.merkle.hashing import EMPTY_ROOT, leaf_hash, leaf_hashes
from ledger.merkle.inclusion import verify_inclusion
from ledger.merkle.tiles import encode_block
from ledger.note import KeyKind, SignedNote, VerifierKey
from ledger.published import PublishedCheckpoint
from ledger.storage import Table, WriteTransaction
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

T = TypeVar("T")


@pytest.fixture
def sample(tmp_path: Path) -> SampleLog:
    return SampleLog.create(tmp_path)


# Creating


def test_a_new_log_is_empty(sample: SampleLog) -> None:
    log = sample.log
    assert (log.size, log.origin, log.log_id) == (0, ORIGIN, log_id(ORIGIN))
    assert log.first_vkey == SIGNER.verifier_key.encode()
    assert log.active_vkeys == (SIGNER.verifier_key.encode(),)
    assert log.root(0) == EMPTY_ROOT
    assert log.latest_checkpoint() is None
    assert list(log.entries()) == []
    assert list(log.checkpoints()) == []


def test_a_store_holds_one_log(sample: SampleLog) -> None:
    with pytest.raises(RefusedError, match="has a log"):
        Log.create(sample.storage, ORIGIN, SIGNER.verifier_key, sample.published)


def test_the_first_key_carries_the_origin(tmp_path: Path) -> None:
    storage = MemoryStorage()
    with pytest.raises(RefusedError, match="must not sign"):
        Log.create(storage, ORIGIN, STRANGER.verifier_key, published_in(tmp_path))
    with pytest.raises(CorruptStoreError, match="no log"):
        Log.open(storage, published_in(tmp_path))


def test_a_witness_key_starts_no_log(tmp_path: Path) -> None:
    witness = VerifierKey(ORIGIN, KeyKind.COSIGNATURE_V1, SIGNER.private_key.public_key)
    with pytest.raises(RefusedError):
        Log.create(MemoryStorage(), ORIGIN, witness, published_in(tmp_path))


@pytest.mark.parametrize("origin", ["", "two\nlines", "control\x07"])
def test_an_origin_no_checkpoint_can_carry(tmp_path: Path, origin: str) -> None:
    with pytest.raises(MalformedError):
        Log.create(MemoryStorage(), origin, SIGNER.verifier_key, published_in(tmp_path))


def test_published_checkpoints_of_another_log_are_refused(tmp_path: Path) -> None:
    other = PublishedCheckpoint(tmp_path, log_id("other"))
    with pytest.raises(RefusedError, match="another log"):
        Log.create(MemoryStorage(), ORIGIN, SIGNER.verifier_key, other)


# Appending and reading


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(st.integers(0, 600), max_size=6), data=st.data())
def test_any_batches_make_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], data: st.DataObject
) -> None:
    sample = SampleLog.create(tmp_path_factory.mktemp("log"))
    log = sample.log
    size = 0
    for batch in batches:
        assert log.append(entries(size, size + batch)) == range(size, size + batch)
        size += batch
        if data.draw(st.booleans(), label="reopen"):
            if data.draw(st.booleans(), label="checkpoint"):
                log.checkpoint([SIGNER])
            log = sample.reopened()
    everything = entries(0, size)
    assert log.size == size
    assert list(log.entries()) == everything
    assert log.root(size) == root_of(everything) == sample.signed().root
    # Blocks are those of the whole tree, however it grew (level 0 shows it).
    hashes = leaf_hashes(everything)
    for index in range(0, size, 256):
        block = sample.row(Table.TILES, TILE_KEY.pack(0, index // 256))
        assert block == encode_block(hashes[index : index + 256])


def test_proofs_verify_at_every_size(sample: SampleLog) -> None:
    size = 70
    everything = entries(0, size)
    sample.log.append(everything[:33])
    sample.log.append(everything[33:])
    for tree in range(1, size + 1):
        root = root_of(everything[:tree])
        for index in {0, 1, tree // 2, tree - 1} & set(range(tree)):
            proof = sample.log.prove_inclusion(index, tree)
            verify_inclusion(leaf_hash(everything[index]), index, tree, proof, root)
        for old in {1, tree // 2, tree - 1, tree} - {0}:
            old_root = root_of(everything[:old])
            proof = sample.log.prove_consistency(old, tree)
            verify_consistency(old, tree, old_root, root, proof)


def test_a_tall_tree(sample: SampleLog) -> None:
    everything = entries(0, 66_000)
    sample.log.append(everything)
    root = root_of(everything)
    assert sample.signed().root == root
    log = sample.reopened()
    for index in (0, 255, 256, 65_535, 65_536, 65_999):
        proof = log.prove_inclusion(index, 66_000)
        verify_inclusion(leaf_hash(everything[index]), index, 66_000, proof, root)


def test_what_is_not_there_is_not_found(sample: SampleLog) -> None:
    sample.log.append(entries(0, 5))
    for ask in (
        lambda: sample.log.entry(5),
        lambda: sample.log.entry(-1),
        lambda: sample.log.entries(0, 6),
        lambda: sample.log.entries(-1, 2),
        lambda: sample.log.entries(3, 2),
        lambda: sample.log.prove_inclusion(0, 6),
        lambda: sample.log.prove_inclusion(5, 5),
        lambda: sample.log.prove_consistency(1, 6),
        lambda: sample.log.prove_consistency(4, 3),
        lambda: sample.log.root(6),
        lambda: sample.log.root(-1),
        lambda: sample.log.record_index(b"r" * 16),
        lambda: sample.log.record_index(b""),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_a_slice_of_entries(sample: SampleLog) -> None:
    everything = entries(0, 1500)
    sample.log.append(everything)
    assert list(sample.log.entries(100, 1200)) == everything[100:1200]
    assert list(sample.log.entries(1400)) == everything[1400:]
    assert list(sample.log.entries(1500)) == []


def test_entries_are_read_while_the_log_grows(sample: SampleLog) -> None:
    sample.log.append(entries(0, 600))
    for count, _ in enumerate(sample.log.entries()):
        if count % 100 == 0:
            sample.log.append([b"more"])
    assert (count + 1, sample.log.size) == (600, 606)


def test_a_reader_beside_the_writer(sample: SampleLog) -> None:
    reader = LogReader(sample.storage)
    assert reader.size == 0
    sample.log.append(entries(0, 3), [(Table.RECORDS, b"r" * 16, U64.pack(2))])
    assert reader.size == 3
    assert reader.entry(2) == entries(2, 3)[0]
    assert reader.record_index(b"r" * 16) == 2
    assert reader.root(3) == root_of(entries(0, 3))


def test_records_are_written_with_no_entry_too(sample: SampleLog) -> None:
    assert sample.log.append([], [(Table.CONTENT, b"r", b"state")]) == range(0)
    assert sample.row(Table.CONTENT, b"r") == b"state"


def test_the_largest_entry(sample: SampleLog) -> None:
    sample.log.append([b"x" * MAX_ENTRY_SIZE])
    with pytest.raises(EntryTooLargeError, match="65536"):
        sample.log.append([b"fits", b"x" * (MAX_ENTRY_SIZE + 1)])
    assert sample.log.size == 1


def test_many_threads_append(sample: SampleLog) -> None:
    taken: list[int] = []

    def run() -> None:
        for _ in range(20):
            taken.extend(sample.log.append([b"entry"] * 3))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == list(range(240))
    assert sample.signed().root == root_of([b"entry"] * 240)


class FailingStorage(MemoryStorage):
    """Fails before or after the next write took effect."""

    before = after = False

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        if self.before:
            self.before = False
            raise StorageFullError("no space is left")
        result = super().write(work)
        if self.after:
            self.after = False
            raise StorageError("input/output error, after all was written")
        return result


@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_a_failed_write_the_log_reads_what_was_kept(tmp_path: Path, moment: str) -> None:
    storage = FailingStorage()
    sample = SampleLog.create(tmp_path, storage)
    sample.log.append([b"a"])
    setattr(storage, moment, True)
    with pytest.raises(StorageError):
        sample.log.append([b"b"])
    kept = [b"a"] if moment == "before" else [b"a", b"b"]
    sample.log.append([b"c"])
    assert list(sample.log.entries()) == [*kept, b"c"]
    assert sample.signed().root == root_of([*kept, b"c"])


def test_a_log_that_changed_under_its_writer(sample: SampleLog) -> None:
    other = Log.open(sample.storage, sample.published)
    other.append([b"x"])
    with pytest.raises(CorruptStoreError, match="changed under"):
        sample.log.append([b"y"])
    sample.log.append([b"z"])
    assert list(sample.log.entries()) == [b"x", b"z"]


# Checkpoints


def test_a_checkpoint_signs_size_and_root(sample: SampleLog) -> None:
    sample.log.append(entries(0, 300))
    checkpoint = sample.signed()
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 300)
    assert checkpoint.root == root_of(entries(0, 300))


def test_every_checkpoint_is_kept_and_the_newest_published(sample: SampleLog) -> None:
    notes = []
    for size in range(0, 1200, 2):
        notes.append((size, sample.log.checkpoint([SIGNER])))
        sample.log.append([b"entry"] * 2)
    assert list(sample.log.checkpoints()) == notes
    assert sample.log.latest_checkpoint() == notes[-1][1] == sample.published.latest()


def test_the_same_size_gives_the_same_note(sample: SampleLog) -> None:
    sample.log.append([b"a"])
    note = sample.log.checkpoint([SIGNER])
    assert sample.log.checkpoint([SIGNER]) == note
    assert sample.reopened().checkpoint([SIGNER]) == note


def test_a_new_key_adds_its_signature_to_the_same_checkpoint(sample: SampleLog) -> None:
    log = sample.log
    keys = [SIGNER.verifier_key, NEW_SIGNER.verifier_key]
    log.append([b"rotation"], log.vkey_rows(keys))
    assert log.active_vkeys == tuple(key.encode() for key in keys)
    first = log.checkpoint([SIGNER])
    both = log.checkpoint([NEW_SIGNER])
    assert SignedNote.parse(both).signatures[0] == SignedNote.parse(first).signatures[0]
    for key in keys:
        opened = open_checkpoint(both, [key])
        assert opened.checkpoint.root == root_of([b"rotation"])
    assert log.checkpoint([SIGNER, NEW_SIGNER]) == both == log.latest_checkpoint()
    assert sample.published.latest() == both


def test_after_the_old_key_retired_its_checkpoints_still_open_the_log(sample: SampleLog) -> None:
    log = sample.log
    log.append([b"rotation"], log.vkey_rows([SIGNER.verifier_key, NEW_SIGNER.verifier_key]))
    log.checkpoint([SIGNER])
    log.append([b"retirement"], log.vkey_rows([NEW_SIGNER.verifier_key]))
    log = sample.reopened()
    assert log.active_vkeys == (NEW_SIGNER.verifier_key.encode(),)
    log.checkpoint([NEW_SIGNER])
    assert sample.reopened().size == 2


def test_a_key_the_log_does_not_know_signs_nothing(sample: SampleLog) -> None:
    sample.log.append([b"a"])
    with pytest.raises(RefusedError, match="must not sign"):
        sample.log.checkpoint([STRANGER])
    with pytest.raises(KeyStoreError, match="does not know"):
        sample.log.checkpoint([NEW_SIGNER])
    with pytest.raises(KeyStoreError, match="does not know"):
        sample.log.checkpoint([SIGNER, NEW_SIGNER])
    with pytest.raises(KeyStoreError, match="no key"):
        sample.log.checkpoint([])
    assert sample.log.latest_checkpoint() is None
    assert sample.published.latest() is None


def test_signing_keys_need_the_origin(sample: SampleLog) -> None:
    with pytest.raises(RefusedError):
        sample.log.vkey_rows([])
    with pytest.raises(RefusedError):
        sample.log.vkey_rows([STRANGER.verifier_key])
