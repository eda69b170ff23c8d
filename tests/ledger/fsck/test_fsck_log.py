"""Damage to entries, tiles and checkpoints is named exactly, on a real LMDB store."""

from __future__ import annotations

import pytest

from ledger.checkpoint import Checkpoint, log_id, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.experience.entry import encode_entry, parse_entry
from ledger.experience.key_history import rotate_to
from ledger.experience.kinds import KeyRetirement
from ledger.fsck import Depth, FindingKind
from ledger.log import Log
from ledger.log_reader import ACTIVE_VKEYS, FIRST_VKEY, KNOWN_VKEYS, ORIGIN, SIZE, TILE_KEY, U64
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.tiles import block_offset, encode_block
from ledger.note import NoteSigner
from ledger.published import PublishedCheckpoint
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage

K = FindingKind


def log_findings(home, **options):
    return home.audit(Depth.LOG, **options).findings


def changed(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@pytest.mark.parametrize("index", [0, 1, 255, 256, 299, 511, 512, -2, -1])
def test_changed_entry(home, index):
    index %= home.size
    entry = home.entry(index)
    home.put((Table.ENTRIES, U64.pack(index), changed(entry, len(entry) // 2)))
    findings = log_findings(home)
    assert [(f.kind, f.entry) for f in findings] == [(K.ENTRY_CHANGED, index)]


def test_swapped_entries(home):
    one, other = home.entry(20), home.entry(400)
    home.put((Table.ENTRIES, U64.pack(20), other), (Table.ENTRIES, U64.pack(400), one))
    findings = log_findings(home)
    assert [(f.kind, f.entry) for f in findings] == [(K.ENTRY_CHANGED, 20), (K.ENTRY_CHANGED, 400)]
    assert "says that it is entry 400" in findings[0].message


def test_missing_entry(home):
    home.put((Table.ENTRIES, U64.pack(300), None))
    assert [(f.kind, f.entry) for f in log_findings(home)] == [(K.ENTRY_MISSING, 300)]


def test_log_cut_short(home):
    home.put(*[(Table.ENTRIES, U64.pack(i), None) for i in range(home.size - 5, home.size)])
    found = {(f.kind, f.entry) for f in log_findings(home)}
    assert (K.META_WRONG, None) in found
    assert (K.ENTRY_MISSING, home.size - 5) in found
    assert (K.CHECKPOINT_AHEAD, None) in found


def test_log_rolled_back_whole_is_behind_its_published_checkpoint(sound_home, home, tmp_path):
    """Everything consistent, as a restored backup is: only what was published shows it."""
    home.put(
        (Table.CHECKPOINTS, U64.pack(home.size), None),
        *[(Table.ENTRIES, U64.pack(i), None) for i in range(home.size - 1, home.size)],
        (Table.META, SIZE, U64.pack(home.size - 1)),
    )
    found = [f.kind for f in log_findings(home)]
    assert K.CHECKPOINT_AHEAD in found
    assert K.CHECKPOINT_MISSING in found


def test_extra_entry_row(home):
    home.put((Table.ENTRIES, U64.pack(1 << 60), b"?"))
    found = [(f.kind, f.entry) for f in log_findings(home)]
    assert (K.ENTRY_EXTRA, 1 << 60) in found


@pytest.mark.parametrize("size", [0, 1, 599, 1 << 62])
def test_wrong_size_in_meta(home, size):
    home.put((Table.META, SIZE, U64.pack(size)))
    report = home.audit(Depth.LOG)
    assert K.META_WRONG in {f.kind for f in report.findings}
    assert report.counters.entries == home.size


@pytest.mark.parametrize(
    ("level", "index", "height", "position"),
    [(0, 0, 0, 0), (0, 0, 0, 255), (0, 1, 3, 31), (0, 1, 7, 1), (0, 2, 0, 5), (1, 0, 0, 1)],
)
def test_changed_tile(home, level, index, height, position):
    block = home.tile(level, index)
    width = {1: 2}.get(level, 256 if index < 2 else home.size - 512)
    at = block_offset(height, position, width) + 9
    home.put((Table.TILES, TILE_KEY.pack(level, index), changed(block, at)))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.tile) == (K.TILE_CHANGED, (level, index))
    assert (finding.start, finding.end) == (at, at + 1)


@pytest.mark.parametrize(("level", "index"), [(0, 0), (0, 2), (1, 0)])
def test_deleted_tile(home, level, index):
    home.put((Table.TILES, TILE_KEY.pack(level, index), None))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.tile) == (K.TILE_MISSING, (level, index))


def test_narrow_tile(home):
    block = home.tile(0, 1)
    tile = [block[at : at + 32] for at in range(0, 255 * 32, 32)]
    home.put((Table.TILES, TILE_KEY.pack(0, 1), encode_block(tile)))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.tile) == (K.TILE_CHANGED, (0, 1))
    assert "255 hashes wide, not 256" in finding.message


def test_extra_tile(home):
    home.put((Table.TILES, TILE_KEY.pack(2, 0), home.tile(1, 0)))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.tile) == (K.TILE_EXTRA, (2, 0))


def test_entry_changed_together_with_its_tile(home):
    """Who rewrites an entry and everything above it in the store meets the checkpoints."""
    entry = changed(home.entry(30), 40)
    block = home.tile(0, 0)
    tile = [block[at : at + 32] for at in range(0, 256 * 32, 32)]
    tile[30] = leaf_hash(entry)
    home.put(
        (Table.ENTRIES, U64.pack(30), entry),
        (Table.TILES, TILE_KEY.pack(0, 0), encode_block(tile)),
    )
    findings = log_findings(home)
    kinds = {f.kind for f in findings}
    assert K.CHECKPOINT_ROOT in kinds
    assert K.ENTRY_MALFORMED in kinds or K.ENTRY_SIGNATURE in kinds
    assert (K.TILE_CHANGED, (0, 0)) in {(f.kind, f.tile) for f in findings}


def test_replaced_checkpoint(home, signer):
    forged = sign_checkpoint(Checkpoint(signer.name, home.early_size, bytes(32)), [signer])
    home.put((Table.CHECKPOINTS, U64.pack(home.early_size), forged))
    (finding,) = log_findings(home)
    assert finding.kind is K.CHECKPOINT_ROOT
    assert str(home.early_size) in finding.subject


def test_checkpoint_kept_under_another_size(home):
    home.put((Table.CHECKPOINTS, U64.pack(17), home.early_checkpoint))
    (finding,) = log_findings(home)
    assert finding.kind is K.CHECKPOINT_MALFORMED


def test_checkpoint_by_another_key(home, signer):
    stranger = NoteSigner(signer.name, PrivateKey.generate())
    checkpoint = Checkpoint.parse(home.early_checkpoint.decode().partition("\n\n")[0] + "\n")
    home.put(
        (Table.CHECKPOINTS, U64.pack(home.early_size), sign_checkpoint(checkpoint, [stranger]))
    )
    (finding,) = log_findings(home)
    assert finding.kind is K.CHECKPOINT_SIGNATURE


def test_every_byte_of_a_checkpoint_matters(home):
    note = home.early_checkpoint
    for position in range(0, len(note), 17):
        home.put((Table.CHECKPOINTS, U64.pack(home.early_size), changed(note, position)))
        kinds = {f.kind for f in log_findings(home)}
        assert kinds & {K.CHECKPOINT_MALFORMED, K.CHECKPOINT_SIGNATURE, K.CHECKPOINT_ROOT}


def test_published_checkpoint_of_another_root(home, signer):
    (path,) = home.published.glob("*.checkpoint")
    path.write_bytes(sign_checkpoint(Checkpoint(signer.name, home.size, bytes(32)), [signer]))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.subject) == (K.CHECKPOINT_ROOT, "published checkpoint")


def test_lost_checkpoint_row(home):
    home.put((Table.CHECKPOINTS, U64.pack(home.size), None))
    (finding,) = log_findings(home)
    assert finding.kind is K.CHECKPOINT_MISSING


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (ORIGIN, b"another.example"),
        (ORIGIN, None),
        (FIRST_VKEY, b"nonsense"),
        (ACTIVE_VKEYS, None),
        (KNOWN_VKEYS, b"\xff"),
        (SIZE, b"short"),
    ],
)
def test_wrong_meta(home, name, value, vkey):
    home.put((Table.META, name, value))
    for pinned in ((), (vkey,)):
        kinds = {f.kind for f in log_findings(home, pinned=pinned)}
        assert K.META_WRONG in kinds


def test_log_of_another_key_than_the_pinned_one(home):
    stranger = NoteSigner("robot.example/log", PrivateKey.generate()).verifier_key
    (finding,) = log_findings(home, pinned=(stranger,))
    assert finding.kind is K.META_WRONG


class Rewriter:
    """Appends entries of any bytes with a tree that fits them, as a thief of the store could."""

    def __init__(self, home, signer):
        self.home, self.signer = home, signer
        self.log_id = log_id(signer.name)

    def append(self, *entries):
        storage = LmdbStorage.open_writer(self.home.root / "log")
        try:
            log = Log.open(storage, PublishedCheckpoint(self.home.published, self.log_id))
            log.append(entries)
        finally:
            storage.close()


@pytest.fixture
def rewriter(home, signer):
    return Rewriter(home, signer)


def last_kind(home, index=3):
    return parse_entry(home.entry(index)).kind


def test_appended_garbage(home, rewriter):
    rewriter.append(b"\x00\x01\x02")
    (finding,) = log_findings(home)
    assert (finding.kind, finding.entry) == (K.ENTRY_MALFORMED, home.size)


def test_entry_replayed_at_another_index(home, rewriter):
    rewriter.append(home.entry(3))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.entry) == (K.ENTRY_SEQUENCE, home.size)


def test_entry_by_a_key_that_is_not_the_logs(home, rewriter):
    stranger = PrivateKey.generate()
    rewriter.append(encode_entry(rewriter.log_id, home.size, last_kind(home), stranger))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.entry) == (K.ENTRY_KEY, home.size)


def test_entry_of_another_log(home, rewriter, signer):
    rewriter.append(encode_entry(log_id("x"), home.size, last_kind(home), signer.private_key))
    (finding,) = log_findings(home)
    assert (finding.kind, finding.entry) == (K.ENTRY_SIGNATURE, home.size)


def test_record_claimed_twice(home, rewriter, signer):
    rewriter.append(
        encode_entry(rewriter.log_id, home.size, last_kind(home, 2), signer.private_key)
    )
    (finding,) = log_findings(home)
    assert (finding.kind, finding.entry) == (K.RECORD_REPEATED, home.size)


def test_keys_are_followed(home, rewriter, signer):
    """Rotation and retirement: each key signs only while it is valid."""
    new, log, size = PrivateKey.generate(), rewriter.log_id, home.size
    old = signer.private_key
    rotation = rotate_to(new, log, size, old.public_key)
    retirement = KeyRetirement(bytes(old.public_key))
    rewriter.append(
        encode_entry(log, size, rotation, old),
        encode_entry(log, size + 1, retirement, new),
        encode_entry(log, size + 2, KeyRetirement(bytes(new.public_key)), new),
        encode_entry(log, size + 3, retirement, old),
    )
    found = [(f.kind, f.entry) for f in log_findings(home)]
    assert found == [
        (K.ENTRY_KEY, size + 2),  # the only key left
        (K.ENTRY_KEY, size + 3),  # retired
        (K.META_WRONG, None),  # active keys
        (K.META_WRONG, None),  # known keys
    ]


def test_since_leaves_out_what_was_audited(home):
    report = home.audit(Depth.LOG, since=home.early_checkpoint)
    assert report.ok, report.findings
    first = home.early_size - home.early_size % 256
    assert report.counters.entries == home.size - first
    old = home.entry(3)
    home.put((Table.ENTRIES, U64.pack(3), changed(old, 50)))
    assert home.audit(Depth.LOG, since=home.early_checkpoint).ok
    assert home.found(Depth.LOG) == [(K.ENTRY_CHANGED, 3)]


def test_since_finds_later_damage(home):
    entry = home.entry(400)
    home.put((Table.ENTRIES, U64.pack(400), changed(entry, 50)))
    assert home.found(Depth.LOG, since=home.early_checkpoint) == [(K.ENTRY_CHANGED, 400)]


def test_since_checks_the_hashes_that_it_builds_on(home):
    """Level 1 holds what the prefix amounts to: a change there sends the audit back to 0."""
    block = home.tile(1, 0)
    home.put((Table.TILES, TILE_KEY.pack(1, 0), changed(block, 3)))
    report = home.audit(Depth.LOG, since=home.early_checkpoint)
    assert [f.kind for f in report.findings] == [K.CHECKPOINT_ROOT, K.TILE_CHANGED]
    assert report.findings[1].tile == (1, 0)
    assert report.counters.entries == home.size


def test_since_with_an_entry_of_its_last_tile_changed(home):
    index = home.early_size - 1
    home.put((Table.ENTRIES, U64.pack(index), changed(home.entry(index), 50)))
    report = home.audit(Depth.LOG, since=home.early_checkpoint)
    assert [(f.kind, f.entry) for f in report.findings] == [
        (K.CHECKPOINT_ROOT, None),
        (K.ENTRY_CHANGED, index),
    ]


def test_since_beyond_the_log(home, signer):
    note = sign_checkpoint(Checkpoint(signer.name, home.size + 1, bytes(32)), [signer])
    assert home.found(Depth.LOG, since=note) == [(K.CHECKPOINT_AHEAD, None)]
