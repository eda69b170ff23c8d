"""The restart rule: what changed in the store since it was written must not get signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import CorruptStoreError
from ledger.log import Log
from ledger.log_reader import TILE_KEY, U64
from ledger.merkle.tiles import block_offset, block_width
from ledger.note import SignedNote
from ledger.storage import Table
from tests.ledger.sample_log import NEW_SIGNER, ORIGIN, SIGNER, SampleLog, entries, root_of

SIGNED, SIZE = 300, 330


@pytest.fixture
def sample(tmp_path: Path) -> SampleLog:
    """A log of 330 entries, of which 300 are signed."""
    sample = SampleLog.create(tmp_path)
    sample.log.append(entries(0, SIGNED))
    sample.log.checkpoint([SIGNER])
    sample.log.append(entries(SIGNED, SIZE))
    return sample


def assert_refused(sample: SampleLog, match: str) -> None:
    published = sample.published.latest()
    with pytest.raises(CorruptStoreError, match=match) as caught:
        sample.reopened()
    assert caught.value.hint
    assert sample.published.latest() == published


def test_an_untouched_log_goes_on(sample: SampleLog) -> None:
    log = sample.reopened()
    log.append([b"more"])
    assert sample.signed().root == root_of([*entries(0, SIZE), b"more"])


@pytest.mark.parametrize("index", [i for i in range(SIGNED, SIZE) if i % 40])
def test_a_bit_flipped_in_an_entry_not_yet_signed(sample: SampleLog, index: int) -> None:
    length = len(sample.row(Table.ENTRIES, U64.pack(index)))
    for bit in (0, 8 * length // 2, 8 * length - 1):
        sample.flip(Table.ENTRIES, U64.pack(index), bit)
        assert_refused(sample, "level 0")
        sample.flip(Table.ENTRIES, U64.pack(index), bit)
    sample.reopened()


def test_an_entry_not_yet_signed_made_longer(sample: SampleLog) -> None:
    key = U64.pack(SIZE - 1)
    sample.change(Table.ENTRIES, key, sample.row(Table.ENTRIES, key) + b"\0")
    assert_refused(sample, "entries from 256 on")


def test_a_bit_flipped_anywhere_in_the_right_edge(sample: SampleLog) -> None:
    # Every hash of the partial blocks, inner ones too: they are stored again, wider,
    # by the next append, and handed out in proofs.
    for place in (TILE_KEY.pack(0, 1), TILE_KEY.pack(1, 0)):
        length = len(sample.row(Table.TILES, place))
        for start in range(0, length, 32):
            bit = 8 * start + start // 32 % 256
            sample.flip(Table.TILES, place, bit)
            assert_refused(sample, "differ|root that was signed")
            sample.flip(Table.TILES, place, bit)
    sample.reopened()


def test_a_bit_flipped_in_a_tile_filled_after_the_checkpoint(tmp_path: Path) -> None:
    sample = SampleLog.create(tmp_path)
    sample.log.append(entries(0, 10))
    sample.log.checkpoint([SIGNER])
    sample.log.append(entries(10, 1000))
    for index in range(4):
        place = TILE_KEY.pack(0, index)
        width = block_width(sample.row(Table.TILES, place))
        for height in range(8):
            if width >> height:
                bit = 8 * block_offset(height, (width >> height) - 1, width)
                sample.flip(Table.TILES, place, bit)
                assert_refused(sample, f"tile block {index} of level 0|root that was signed")
                sample.flip(Table.TILES, place, bit)
    sample.reopened()


@pytest.mark.parametrize("place", [(0, 1), (1, 0)])
def test_a_missing_or_cut_block(sample: SampleLog, place: tuple[int, int]) -> None:
    key = TILE_KEY.pack(*place)
    block = sample.row(Table.TILES, key)
    for damaged in (None, block[:-1], block[:-32], b"", block + bytes(32)):
        sample.change(Table.TILES, key, damaged)
        assert_refused(sample, "block")
        sample.change(Table.TILES, key, block)
    sample.reopened()


@pytest.mark.parametrize("index", [0, 150, SIGNED, SIZE - 1])
def test_a_missing_entry(sample: SampleLog, index: int) -> None:
    sample.change(Table.ENTRIES, U64.pack(index), None)
    assert_refused(sample, "not as many entries")


@pytest.mark.parametrize("size", [0, SIGNED, SIZE - 1, SIZE + 1])
def test_a_size_that_is_not_that_of_the_entries(sample: SampleLog, size: int) -> None:
    sample.change(Table.META, b"size", U64.pack(size))
    assert_refused(sample, "not as many entries")


@pytest.mark.parametrize("row", [b"size", b"origin", b"first_vkey"])
def test_a_missing_row_about_the_log(sample: SampleLog, row: bytes) -> None:
    sample.change(Table.META, row, None)
    assert_refused(sample, "no log|missing")


def test_a_checkpoint_with_a_wrong_signature(sample: SampleLog) -> None:
    note = sample.row(Table.CHECKPOINTS, U64.pack(SIGNED))
    parsed = SignedNote.parse(note)
    line = parsed.signatures[0]
    for changed in (
        note.replace(b"\n300\n", b"\n299\n"),
        note.replace(ORIGIN.encode(), b"robots.example/eve"),
        note[:-10],
        b"",
        SignedNote(parsed.text, (type(line)(line.name, line.key_id, bytes(64)),)).encode(),
        SignedNote(parsed.text, (NEW_SIGNER.sign(parsed.text),)).encode(),
    ):
        sample.change(Table.CHECKPOINTS, U64.pack(SIGNED), changed)
        assert_refused(sample, "checkpoint is not good")


def test_a_checkpoint_stored_at_another_size(sample: SampleLog) -> None:
    note = sample.row(Table.CHECKPOINTS, U64.pack(SIGNED))
    sample.change(Table.CHECKPOINTS, U64.pack(SIZE), note)
    assert_refused(sample, "is not this log's")


def test_tiles_and_entries_changed_together_do_not_pass(tmp_path: Path) -> None:
    # An attacker who rewrites signed entries and all tiles still lacks the key.
    honest = SampleLog.create(tmp_path)
    honest.log.append(entries(0, SIGNED))
    honest.log.checkpoint([SIGNER])
    other = SampleLog.create(tmp_path / "other")
    other.log.append([*entries(0, 7), b"rewritten", *entries(8, SIGNED)])
    with other.storage.read() as txn:
        changes = [(t, k, v) for t in (Table.ENTRIES, Table.TILES) for k, v in txn.scan(t)]
    for table, key, value in changes:
        honest.change(table, key, value)
    with pytest.raises(CorruptStoreError, match="root that was signed"):
        honest.reopened()


def test_rot_behind_the_signed_edge_is_left_to_the_audit(sample: SampleLog) -> None:
    sample.flip(Table.ENTRIES, U64.pack(5), 0)
    log = sample.reopened()
    log.append([b"more"])
    assert sample.signed().root == root_of([*entries(0, SIZE), b"more"])


def test_rot_in_the_store_after_opening_is_not_signed(sample: SampleLog) -> None:
    log = sample.reopened()
    sample.flip(Table.TILES, TILE_KEY.pack(0, 1), 0)
    sample.flip(Table.ENTRIES, U64.pack(SIZE - 1), 0)
    log.append([b"more"])
    assert sample.signed().root == root_of([*entries(0, SIZE), b"more"])


def test_without_any_checkpoint_everything_is_hashed_again(tmp_path: Path) -> None:
    sample = SampleLog.create(tmp_path)
    sample.log.append(entries(0, 9000))
    sample.flip(Table.ENTRIES, U64.pack(1), 0)
    assert_refused(sample, "tile block 0 of level 0")
    sample.flip(Table.ENTRIES, U64.pack(1), 0)
    assert isinstance(sample.reopened(), Log)
    assert sample.signed().root == root_of(entries(0, 9000))
