"""Damage to record tables, key files and content is named with its file and bytes."""

from __future__ import annotations

import shutil
from hashlib import sha256

import pytest

from ledger.experience.kinds import Erasure
from ledger.experience.pending import PendingNotes, PendingRemoval
from ledger.experience.record_keys import RecordKeys, RecordKeyStore
from ledger.experience.records import ContentState, Presence, state_row
from ledger.fsck import Depth, FindingKind
from ledger.log_reader import U64
from ledger.storage import Table

K = FindingKind
CHUNK = 262_144
SEALED_CHUNK = CHUNK + 16


@pytest.fixture
def home(tiny_home, tmp_path):
    return tiny_home.copy(tmp_path)


def one(home, **options):
    (finding,) = home.audit(**options).findings
    return finding


@pytest.mark.parametrize(
    ("file", "position", "start", "end"),
    [
        ("a.bin", 0, 0, CHUNK),
        ("a.bin", CHUNK - 1, 0, CHUNK),
        ("c.bin", 2 * CHUNK - 151, CHUNK - 150, 2 * CHUNK - 150),
        ("c.bin", 2 * CHUNK - 150, 2 * CHUNK - 150, 2 * CHUNK),
        ("c.bin", 2 * CHUNK - 1, 2 * CHUNK - 150, 2 * CHUNK),
    ],
)
def test_changed_byte_of_plain_content(home, flip_byte, file, position, start, end):
    path = home.folder("plain") / file
    flip_byte(path, position)
    finding = one(home)
    assert (finding.kind, finding.entry) == (K.CONTENT_CHANGED, home.records["plain"][0])
    assert (finding.file, finding.start, finding.end) == (str(path), start, end)
    assert home.audit(Depth.LOG).ok


def test_chunk_that_lies_in_three_files(home, flip_byte):
    """Bytes 262144 to 524287 are the end of a.bin, all of sub/b.bin, the start of c.bin."""
    folder = home.folder("plain")
    flip_byte(folder / "sub/b.bin", 49)
    findings = home.audit().findings
    assert [(f.kind, f.file, f.start, f.end) for f in findings] == [
        (K.CONTENT_CHANGED, str(folder / "a.bin"), CHUNK, CHUNK + 100),
        (K.CONTENT_CHANGED, str(folder / "sub/b.bin"), 0, 50),
        (K.CONTENT_CHANGED, str(folder / "c.bin"), 0, CHUNK - 150),
    ]


@pytest.mark.parametrize(
    ("position", "start", "end"),
    [
        (0, 0, SEALED_CHUNK),
        (SEALED_CHUNK - 1, 0, SEALED_CHUNK),
        (SEALED_CHUNK, SEALED_CHUNK, 2 * SEALED_CHUNK),
        (2 * SEALED_CHUNK + 92, 2 * SEALED_CHUNK, 2 * SEALED_CHUNK + 93),
    ],
)
def test_changed_byte_of_sealed_content(home, flip_byte, position, start, end):
    path = home.folder("sealed") / "sealed"
    flip_byte(path, position)
    finding = one(home)
    assert (finding.kind, finding.file) == (K.CONTENT_CHANGED, str(path))
    assert (finding.start, finding.end) == (start, end)


def test_content_left_in_place_changed(home, tiny_home, flip_byte):
    path = tiny_home.root.parent / "sources" / "here" / "h.bin"
    before = path.read_bytes()
    try:
        flip_byte(path, CHUNK)
        finding = one(home)
        assert (finding.kind, finding.file) == (K.CONTENT_CHANGED, str(path))
        assert (finding.start, finding.end) == (CHUNK, CHUNK + 1)
        path.unlink()
        assert one(home, depth=Depth.LOG).kind is K.CONTENT_MISSING
    finally:
        path.write_bytes(before)


def test_missing_file(home):
    path = home.folder("plain") / "sub/b.bin"
    path.unlink()
    finding = one(home, depth=Depth.LOG)
    assert (finding.kind, finding.file) == (K.CONTENT_MISSING, str(path))


def test_link_in_the_place_of_content(home):
    path = home.folder("small") / "one.bin"
    target = home.root / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    assert one(home).kind is K.CONTENT_MISSING


@pytest.mark.parametrize("size", [0, 999, 1001])
def test_content_of_another_size(home, size):
    path = home.folder("small") / "one.bin"
    with path.open("r+b") as file:
        file.truncate(size)
    finding = one(home, depth=Depth.LOG)
    assert (finding.kind, finding.file) == (K.CONTENT_SIZE, str(path))
    assert (finding.start, finding.end) == (min(size, 1000), max(size, 1000))


def test_deleted_chunk_list(home):
    index, record_id, _ = home.records["plain"]
    home.put((Table.CHUNKS, record_id, None))
    finding = one(home)
    assert (finding.kind, finding.entry) == (K.CHUNKS_ROW, index)


def test_changed_chunk_list_is_not_blamed_on_the_content(home, flip_byte):
    _, record_id, _ = home.records["plain"]
    leaves = home.get(Table.CHUNKS, record_id)
    home.put((Table.CHUNKS, record_id, leaves[:-1] + bytes([leaves[-1] ^ 1])))
    assert one(home).kind is K.CHUNKS_ROW
    flip_byte(home.folder("plain") / "a.bin", 1)
    findings = home.audit().findings
    assert [f.kind for f in findings] == [K.CHUNKS_ROW, K.CONTENT_CHANGED]
    assert findings[1].file is None


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (Table.RECORDS, K.RECORD_ROW),
        (Table.CONTENT, K.CONTENT_ROW),
        (Table.CHUNKS, K.CHUNKS_ROW),
    ],
)
def test_row_without_an_entry(home, table, kind):
    home.put((table, b"\xee" * 16, U64.pack(3)))
    finding = one(home)
    assert finding.kind is kind
    assert "ee" * 16 in finding.subject


def test_copy_of_no_record(home):
    home.put((Table.COPIES, b"\xee" * 20, b""))
    assert one(home).kind is K.COPY_ROW


def test_lost_place_of_content_left_in_place(home):
    _, record_id, _ = home.records["here"]
    home.put((Table.COPIES, record_id + bytes(4), None))
    assert one(home).kind is K.COPY_ROW


@pytest.mark.parametrize("name", ["here", "small"])
def test_damaged_copy_row(home, name):
    index, record_id, _ = home.records[name]
    home.put((Table.COPIES, record_id + bytes(4), b"\xff"))
    assert home.found() == [(K.COPY_ROW, index)]


def test_lost_record_row(home):
    index, record_id, _ = home.records["small"]
    home.put((Table.RECORDS, record_id, None))
    assert (K.RECORD_ROW, index) in home.found()


def test_record_row_that_leads_elsewhere(home):
    index, record_id, _ = home.records["small"]
    home.put((Table.RECORDS, record_id, U64.pack(index + 1)))
    assert (K.RECORD_ROW, index) in home.found()


def test_lost_and_damaged_state(home):
    index, record_id, _ = home.records["small"]
    home.put((Table.CONTENT, record_id, b"\xff"))
    assert home.found() == [(K.CONTENT_ROW, index)]
    home.put((Table.CONTENT, record_id, None))
    assert home.found() == [(K.CONTENT_ROW, index)]


@pytest.mark.parametrize(
    ("name", "presence", "removed_by"),
    [
        ("small", Presence.EMPTY, 0),
        ("small", Presence.PRUNED, 0),
        ("small", Presence.ERASED, None),
        ("erased", Presence.STORED, 0),
        ("pruned", Presence.IN_PLACE, 0),
        ("pruned", Presence.ERASED, None),
    ],
)
def test_state_that_no_entry_bears_out(home, name, presence, removed_by):
    index, record_id, _ = home.records[name]
    by = home.records["erasure"][0] if removed_by is None else removed_by
    home.put(state_row(record_id, ContentState(presence, removed_by=by)))
    entries = {entry for kind, entry in home.found() if kind is K.CONTENT_ROW}
    assert entries & {index, home.records["erasure"][0], home.records["pruning"][0]}


def test_damaged_key_file(home, flip_byte):
    for name in ("plain", "sealed"):
        path = home.key_file(name)
        size = path.stat().st_size
        for position in (0, size // 2, size - 1):
            flip_byte(path, position)
            finding = one(home, depth=Depth.LOG)
            assert (finding.kind, finding.file) == (K.KEY_FILE, str(path))
            flip_byte(path, position)
    assert home.audit().ok


def test_key_file_that_others_can_read(home):
    home.key_file("plain").chmod(0o640)
    assert one(home).kind is K.KEY_FILE


def replace_keys(home, name, **changes):
    store = RecordKeyStore(home.root / "keys" / "records")
    record_id = home.records[name][1]
    keys = store.get(record_id)
    store.destroy([record_id])
    store.add(
        [
            RecordKeys(
                record_id,
                changes.get("salt_key", keys.salt_key),
                changes.get("content_key", keys.content_key),
            )
        ]
    )


@pytest.mark.parametrize(
    ("name", "change"), [("plain", "salt_key"), ("sealed", "salt_key"), ("sealed", "content_key")]
)
def test_wrong_key(home, name, change):
    replace_keys(home, name, **{change: b"\x01" * 32})
    finding = one(home)
    assert (finding.kind, finding.entry) == (K.KEY_WRONG, home.records[name][0])
    assert finding.file == str(home.key_file(name))


def test_missing_keys(home):
    store = RecordKeyStore(home.root / "keys" / "records")
    store.destroy([home.records["plain"][1]])
    finding = one(home, depth=Depth.LOG)
    assert (finding.kind, finding.entry) == (K.KEY_MISSING, home.records["plain"][0])


def test_sealed_content_without_its_key(home):
    replace_keys(home, "sealed", content_key=None)
    assert one(home).kind is K.KEY_MISSING


def test_erased_record_that_has_keys_or_content(home):
    _, record_id, root = home.records["erased"]
    RecordKeyStore(home.root / "keys" / "records").add([RecordKeys(record_id, b"\1" * 32)])
    shutil.copytree(home.folder("small"), home.folder("erased"))
    assert [f.kind for f in home.audit().findings] == [K.KEY_REMAINS, K.CONTENT_REMAINS]
    assert home.folder("erased").name == root.hex()


def test_removal_under_way_is_not_judged(home):
    _, record_id, _ = home.records["small"]
    note = PendingNotes(home.root / "incoming").begin(PendingRemoval(Erasure((record_id,)), (0,)))
    shutil.rmtree(home.folder("small"))
    report = home.audit()
    assert report.ok
    assert record_id.hex() in report.notes[0]
    note.unlink()
    assert not home.audit().ok


def test_orphans_are_notes(home):
    store = RecordKeyStore(home.root / "keys" / "records")
    store.add([RecordKeys(b"\xee" * 16, b"\1" * 32)])
    shutil.copytree(home.folder("small"), home.root / "content" / "ee" / ("ee" * 32))
    report = home.audit(Depth.LOG)
    assert report.ok
    assert len(report.notes) == 2
    assert all("ee" * 16 in note for note in report.notes)


def test_no_secret_is_in_the_report(home, flip_byte):
    keys = RecordKeyStore(home.root / "keys" / "records").get(home.records["plain"][1])
    path = home.key_file("plain")
    data = path.read_bytes()
    broken = data[:-32] + b"\x08"
    path.write_bytes(broken + sha256(broken).digest())
    text = str(home.audit().to_json())
    assert "key-file" in text
    assert keys.salt_key.hex() not in text
    assert repr(keys.salt_key) not in text
