"""Progress that is not true is found, with its entry, its file and its bytes."""

from __future__ import annotations

import random
import shutil
import threading
from dataclasses import dataclass, replace

import pytest

from ledger.checkpoint import log_id
from ledger.experience.access import ExperienceWriter
from ledger.experience.content_root import CHUNK_SIZE, chunk_leaf, chunk_salt
from ledger.experience.content_store import StoreMode
from ledger.experience.entry import encode_entry, parse_entry
from ledger.experience.erasure import erase
from ledger.experience.growing import abandon_record, commit_progress
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.experience.ingest import IngestOptions
from ledger.experience.kinds import Erasure, Progress
from ledger.experience.pending import Abandoning, PendingNotes
from ledger.experience.record_keys import RecordKeys, RecordKeyStore
from ledger.experience.records import ContentState, Presence, progress_row, state_row
from ledger.experience.recovery import recover
from ledger.experience.retention import prune
from ledger.fsck import AuditRequest, Depth, FindingKind, audit_home
from ledger.log import Log
from ledger.log_reader import U64
from ledger.published import PublishedCheckpoint
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.experience.growing_record import CONTENT, METADATA, GrowingRecord
from tests.ledger.fsck.conftest import ORIGIN, SIGNER, SampleHome, flip

K = FindingKind
ENDS = (1_000, CHUNK_SIZE, CHUNK_SIZE + 10, CHUNK_SIZE + 20, 600_000)


@dataclass
class Recorded:
    """A home with records of every state that growing ones have."""

    home: SampleHome
    ids: dict[str, bytes]
    entries: dict[str, list[int]]

    def copy(self, folder):
        return replace(self, home=self.home.copy(folder))

    def found(self, depth: Depth = Depth.DEEP):
        return [
            (finding.kind, finding.entry, finding.start, finding.end)
            for finding in self.home.audit(depth).findings
        ]

    def folder(self, name):
        root = self.home.records[name][2].hex()
        return self.home.root / "content" / root[:2] / root


def open_writer(root, published):
    storage = LmdbStorage.open_writer(root / "log")
    log = Log.open(storage, PublishedCheckpoint(published, log_id(ORIGIN)))
    return ExperienceWriter(root, storage, log, SIGNER.private_key)


def build(base) -> Recorded:
    root, published = base / "home", base / "published"
    for folder in ("content", "incoming", "keys/records"):
        (root / folder).mkdir(parents=True)
    remembered = PublishedCheckpoint(published, log_id(ORIGIN))
    storage = LmdbStorage.create(root / "log")
    log = Log.create(storage, ORIGIN, SIGNER.verifier_key, remembered)
    writer = ExperienceWriter(root, storage, log, SIGNER.private_key)
    made = {}
    for name in ("sealed", "encrypted", "pruned", "erased", "given up", "open"):
        made[name] = GrowingRecord(writer).grow(ends=ENDS)
    made["in place"] = GrowingRecord(writer, base / "bag").grow(ends=ENDS)
    records = {}
    for name, record in made.items():
        if name in ("given up", "open"):
            continue
        mode = StoreMode.IN_PLACE if name == "in place" else StoreMode.REFLINK_OR_COPY
        receipt = record.seal(IngestOptions(mode=mode, seal=name == "encrypted"))
        records[name] = (receipt.index, record.id, receipt.content_root)
    prune(writer, [made["pruned"].id], force=True)
    erase(writer, [made["erased"].id])
    abandon_record(writer, made["given up"].id, "no use")
    note = log.checkpoint([SIGNER])
    home = SampleHome(root, published, records, 0, log.size, note)
    log.close()
    return Recorded(
        home,
        {name: record.id for name, record in made.items()},
        {name: record.entries for name, record in made.items()},
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Recorded:
    """Not to be changed."""
    return build(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def recorded(sound, tmp_path) -> Recorded:
    return sound.copy(tmp_path)


def append(recorded: Recorded, name: str, mark: ProgressMark) -> int:
    """A Progress entry behind the back of `commit_progress`; its index."""
    writer = open_writer(recorded.home.root, recorded.home.published)
    record_id = recorded.ids[name]
    kind = Progress(record_id, mark.leaf_count, mark.root, mark.length, mark.tail_hash)
    try:
        return writer.append([kind], lambda at: [progress_row(record_id, at.start)]).start
    finally:
        writer.log.close()


def mark_of(recorded: Recorded, name: str, length: int, content: bytes = CONTENT) -> ProgressMark:
    keys = RecordKeyStore(recorded.home.root / "keys" / "records").get(recorded.ids[name])
    growing = GrowingContent(keys.salt_key)
    growing.update((content + METADATA)[:length])
    return growing.mark()


@pytest.mark.parametrize("depth", list(Depth))
def test_sound_progress_has_no_finding(sound, depth):
    report = sound.home.audit(depth)
    assert report.ok, report.findings
    (note,) = report.notes
    assert note == (
        f"record {sound.ids['open'].hex()} is still being recorded:"
        " 600000 bytes of it are committed"
    )


@pytest.mark.parametrize(
    ("position", "bad"),
    [
        (0, (0, 0, 1_000)),
        (999, (0, 0, 1_000)),
        (1_000, None),  # the next mark ends with the chunk, and has no tail
        (CHUNK_SIZE, (2, CHUNK_SIZE, CHUNK_SIZE + 10)),
        (CHUNK_SIZE + 10, (3, CHUNK_SIZE + 10, CHUNK_SIZE + 20)),
        (CHUNK_SIZE + 20, None),
        (2 * CHUNK_SIZE, (4, 2 * CHUNK_SIZE, 600_000)),
        (600_000, None),
    ],
)
def test_a_tampered_prefix_is_named_to_the_byte(recorded, position, bad):
    path = recorded.folder("sealed") / "run_0.mcap"
    flip(path, position)
    index = recorded.home.records["sealed"][0]
    start = position // CHUNK_SIZE * CHUNK_SIZE
    found = recorded.found()
    assert found[0] == (K.CONTENT_CHANGED, index, start, min(start + CHUNK_SIZE, len(CONTENT)))
    # The last chunk reaches into metadata.yaml, which may be what changed.
    several = [(kind, entry) for kind, entry, *_ in found if kind is K.CONTENT_CHANGED]
    assert several == [(K.CONTENT_CHANGED, index)] * (1 + (start == 2 * CHUNK_SIZE))
    narrow = [each for each in found if each[0] is K.PROGRESS_CONTRADICTED]
    if bad is None:
        assert narrow == []
    else:
        entry = recorded.entries["sealed"][bad[0]]
        assert narrow == [(K.PROGRESS_CONTRADICTED, entry, bad[1], bad[2])]
    assert recorded.home.audit(Depth.LOG).ok


def test_the_file_is_named_too(recorded):
    path = recorded.folder("sealed") / "run_0.mcap"
    flip(path, CHUNK_SIZE + 15)
    finding = recorded.home.audit().findings[-1]
    assert finding.file == str(path)
    assert finding.message == (
        f"bytes [{CHUNK_SIZE + 10}, {CHUNK_SIZE + 20}) of it are not what entry"
        f" {recorded.entries['sealed'][3]} committed"
    )


def test_a_tampered_prefix_left_in_place(recorded, sound):
    path = sound.home.root.parent / "bag" / "run_0.mcap"
    flip(path, 5)
    try:
        kinds = [kind for kind, *_ in recorded.found()]
        assert kinds == [K.CONTENT_CHANGED, K.PROGRESS_CONTRADICTED]
    finally:
        flip(path, 5)


def test_a_tampered_encrypted_chunk_is_the_content_s_to_name(recorded):
    flip(recorded.folder("encrypted") / "sealed", 100)
    assert [kind for kind, *_ in recorded.found()] == [K.CONTENT_CHANGED]


@pytest.mark.parametrize("name", ["sealed", "encrypted", "in place"])
@pytest.mark.parametrize("length", [500, CHUNK_SIZE + 15, 600_001])
def test_a_tail_that_never_was_is_found_though_every_chunk_is_sound(sound, tmp_path, name, length):
    """The robot had committed to other bytes: then it replaced them, and sealed."""
    other = bytearray(CONTENT)
    other[length - 1] ^= 1
    recorded = sealed_after(tmp_path, bytes(other), length, name)
    (finding,) = recorded.home.audit().findings
    entry = recorded.entries["late"][0]
    assert (finding.kind, finding.entry) == (K.PROGRESS_CONTRADICTED, entry)
    start = length // CHUNK_SIZE * CHUNK_SIZE
    if name == "encrypted":
        assert finding.file is None
        assert f"bytes [{start}, {length}) of it" in finding.message
    else:
        assert (finding.start, finding.end) == (start, length)
    assert recorded.home.audit(Depth.LOG).ok  # without bytes nobody can tell


def sealed_after(folder, other, length, name) -> Recorded:
    root, published = folder / "home", folder / "published"
    for each in ("content", "incoming", "keys/records"):
        (root / each).mkdir(parents=True)
    storage = LmdbStorage.create(root / "log")
    remembered = PublishedCheckpoint(published, log_id(ORIGIN))
    log = Log.create(storage, ORIGIN, SIGNER.verifier_key, remembered)
    writer = ExperienceWriter(root, storage, log, SIGNER.private_key)
    record = GrowingRecord(writer, folder / "bag" if name == "in place" else None)
    false = GrowingContent(record.record.salt_key)
    false.update(other[:length])
    record.entries.append(commit_progress(writer, record.id, false.mark()))
    record.grow(ends=())
    mode = StoreMode.IN_PLACE if name == "in place" else StoreMode.REFLINK_OR_COPY
    record.seal(IngestOptions(mode=mode, seal=name == "encrypted"))
    home = SampleHome(root, published, {}, 0, log.size, log.checkpoint([SIGNER]))
    log.close()
    return Recorded(home, {"late": record.id}, {"late": record.entries})


@pytest.mark.parametrize("depth", list(Depth))
def test_progress_after_the_seal(recorded, depth):
    for name in ("sealed", "given up", "erased"):
        mark = mark_of(recorded, "sealed", 650_000)
        index = append(recorded, name, mark)
        kinds = [kind for kind, entry, *_ in recorded.found(depth) if entry == index]
        assert K.PROGRESS_LATE in kinds, name


def test_progress_that_shrinks_or_has_another_root(recorded):
    last = mark_of(recorded, "open", 600_000)
    for wrong in (
        mark_of(recorded, "open", 599_999),
        replace(mark_of(recorded, "open", 600_001), root=bytes(32)),
        replace(last, tail_hash=bytes(32)),
    ):
        index = append(recorded, "open", wrong)
        assert recorded.found(Depth.LOG)[-1][:2] == (K.PROGRESS_CONTRADICTED, index)


@pytest.mark.parametrize("depth", list(Depth))
def test_sealed_with_another_root_or_shorter_than_its_progress(sound, tmp_path, depth):
    """Written behind the back of `seal_record`, which would refuse."""
    recorded = sound.copy(tmp_path)
    record_id = recorded.ids["sealed"]
    seal = recorded.home.records["sealed"][0]
    growing = GrowingContent(bytes(32))
    growing.update(CONTENT + CONTENT)
    for mark, message in (
        (growing.mark(), "1400000 bytes were committed, and it has 700042"),
        (
            ProgressMark(2, b"r" * 32, 2 * CHUNK_SIZE, b""),
            "its first 2 chunks are not what was committed",
        ),
    ):
        home = recorded.copy(tmp_path / message[:3])
        index = insert_before_seal(home, record_id, seal, mark)
        findings = [f for f in home.home.audit(depth).findings if message in f.message]
        assert [(f.kind, f.entry) for f in findings] == [(K.PROGRESS_CONTRADICTED, index)]


def insert_before_seal(recorded, record_id, seal, mark) -> int:
    """Sign the log anew with a false mark in the place of the record's last true one."""
    index = recorded.entries["sealed"][-1]
    assert index < seal
    storage = LmdbStorage.open_reader(recorded.home.root / "log")
    with storage.read() as txn:
        rows = {
            table: list(txn.scan(table))
            for table in StoreKind.LOG.tables
            if table.name not in ("TILES", "META")
        }
    storage.close()
    shutil.rmtree(recorded.home.root / "log")
    shutil.rmtree(recorded.home.published)
    kind = Progress(record_id, mark.leaf_count, mark.root, mark.length, mark.tail_hash)
    entries = [entry for _, entry in rows[Table.ENTRIES]]
    assert isinstance(parse_entry(entries[index]).kind, Progress)
    entries[index] = encode_entry(log_id(ORIGIN), index, kind, SIGNER.private_key)
    storage = LmdbStorage.create(recorded.home.root / "log")
    remembered = PublishedCheckpoint(recorded.home.published, log_id(ORIGIN))
    log = Log.create(storage, ORIGIN, SIGNER.verifier_key, remembered)
    kept = [
        (table, key, value)
        for table, found in rows.items()
        if table not in (Table.ENTRIES, Table.CHECKPOINTS)
        for key, value in found
    ]
    log.append(entries, kept)
    log.close()
    return index


@pytest.mark.parametrize("depth", list(Depth))
def test_a_record_that_is_neither_sealed_nor_recorded(recorded, depth):
    note = recorded.home.root / "incoming" / f"{recorded.ids['open'].hex()}.pending"
    note.unlink()
    (finding,) = recorded.home.audit(depth).findings
    assert (finding.kind, finding.entry) == (
        K.PROGRESS_UNSEALED,
        recorded.entries["open"][-1],
    )


def test_a_damaged_note_is_no_note(recorded):
    note = recorded.home.root / "incoming" / f"{recorded.ids['open'].hex()}.pending"
    note.write_bytes(b"\xff")
    report = recorded.home.audit(Depth.LOG)
    assert [finding.kind for finding in report.findings] == [K.PROGRESS_UNSEALED]
    assert any("could not be read" in text for text in report.notes)


def test_an_open_record_whose_keys_are_gone(recorded):
    RecordKeyStore(recorded.home.root / "keys" / "records").destroy([recorded.ids["open"]])
    (finding,) = recorded.home.audit(Depth.LOG).findings
    assert (finding.kind, finding.entry) == (K.KEY_MISSING, recorded.entries["open"][-1])


def test_keys_of_a_record_that_was_given_up(recorded):
    record_id = recorded.ids["given up"]
    store = RecordKeyStore(recorded.home.root / "keys" / "records")
    store.add([RecordKeys(record_id, bytes(32))])
    report = recorded.home.audit(Depth.LOG)
    assert [finding.kind for finding in report.findings] == [K.KEY_REMAINS]


def test_lost_and_stray_rows(recorded):
    record_id, index = recorded.ids["sealed"], recorded.entries["sealed"][2]
    row = progress_row(record_id, index)
    recorded.home.put((row[0], row[1], None))
    assert recorded.found(Depth.LOG) == [(K.PROGRESS_ROW, index, None, None)]
    stray = progress_row(record_id, recorded.home.records["sealed"][0])
    recorded.home.put(row, stray)
    (finding,) = recorded.home.audit(Depth.LOG).findings
    assert finding.kind is K.PROGRESS_ROW
    assert record_id.hex() in finding.subject
    recorded.home.put((Table.PROGRESS, stray[1], None))
    assert recorded.home.audit(Depth.LOG).ok
    for key in (b"\xee" * 24, b"\xee" * 5, b"\xee" * 40):
        recorded.home.put((Table.PROGRESS, key, b""))
        assert [f.kind for f in recorded.home.audit(Depth.LOG).findings] == [K.PROGRESS_ROW]
        recorded.home.put((Table.PROGRESS, key, None))


def test_the_state_of_a_record_that_was_given_up(recorded):
    record_id = recorded.ids["given up"]
    recorded.home.put((Table.CONTENT, record_id, None))
    assert K.CONTENT_ROW in {kind for kind, *_ in recorded.found(Depth.LOG)}
    recorded.home.put(state_row(record_id, ContentState(Presence.ERASED, removed_by=0)))
    assert K.CONTENT_ROW in {kind for kind, *_ in recorded.found(Depth.LOG)}
    recorded.home.put(state_row(record_id, ContentState(Presence.STORED)))
    assert K.CONTENT_ROW in {kind for kind, *_ in recorded.found(Depth.LOG)}


def test_every_progress_entry_is_bound_by_the_tree(recorded):
    """A flipped byte of an entry is the entry's finding, and no false word of its record."""
    chance = random.Random(3)
    for index in (recorded.entries["sealed"][1], recorded.entries["open"][4]):
        entry = recorded.home.entry(index)
        for position in chance.sample(range(len(entry)), 12):
            changed = bytearray(entry)
            changed[position] ^= 1 << chance.randrange(8)
            recorded.home.put((Table.ENTRIES, U64.pack(index), bytes(changed)))
            found = recorded.found(Depth.LOG)
            assert (K.ENTRY_CHANGED, index, None, None) in found
            assert {entry for _, entry, *_ in found} == {index}
        recorded.home.put((Table.ENTRIES, U64.pack(index), entry))
    assert recorded.home.audit(Depth.LOG).ok


def test_erasing_says_no_more_of_the_tails(recorded):
    """The tail is hidden by the salt that went with the key."""
    key = RecordKeyStore(recorded.home.root / "keys" / "records")
    assert recorded.ids["erased"] not in key._read(key._path(recorded.ids["erased"]))
    salt = chunk_salt(bytes(32), 0)
    entry = recorded.home.entry(recorded.entries["erased"][0])
    assert chunk_leaf(salt, CONTENT[:1_000]) not in entry


def test_a_record_given_up_meanwhile_is_not_judged(recorded):
    """Its note says so until the entry is there."""
    record_id = recorded.ids["open"]
    pending = PendingNotes(recorded.home.root / "incoming")
    note, work = pending.recording(record_id)
    pending.replace(note, replace(work, step=Abandoning("now")))
    RecordKeyStore(recorded.home.root / "keys" / "records").destroy([record_id])
    assert recorded.home.audit(Depth.LOG).ok
    writer = open_writer(recorded.home.root, recorded.home.published)
    recover(writer)
    assert Erasure((record_id,), "now") in [parse_entry(e).kind for e in writer.log.entries()]
    writer.log.close()
    assert recorded.home.audit(Depth.LOG).ok


def test_writer_at_work_is_not_taken_for_damage(recorded):
    """Records come, grow, are sealed and given up, while audits run beside."""
    writer = open_writer(recorded.home.root, recorded.home.published)
    done = threading.Event()

    def work():
        while not done.is_set():
            GrowingRecord(writer).grow(CONTENT[:3_000], (100, 2_000)).seal()
            record = GrowingRecord(writer).grow(CONTENT[:3_000], (100, 2_000))
            abandon_record(writer, record.id, "")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for depth in (Depth.LOG, Depth.DEEP, Depth.LOG, Depth.DEEP):
            request = AuditRequest(recorded.home.root, recorded.home.published, depth)
            report = audit_home(request)
            assert report.ok, report.findings
    finally:
        done.set()
        thread.join()
        writer.log.close()
