"""A home with everything in it, built once and copied for every test that damages it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.experience.access import ExperienceWriter
from ledger.experience.content_store import StoreMode
from ledger.experience.erasure import erase
from ledger.experience.ingest import IngestOptions, ingest, ingest_all
from ledger.experience.kinds import Pruning
from ledger.experience.pending import PendingRemoval
from ledger.experience.readers.recording import RangeRef, Recording, RecordingFile
from ledger.experience.removal import remove
from ledger.fsck import AuditReport, AuditRequest, Depth, FindingKind
from ledger.fsck.audit import audit_in_process
from ledger.fsck.findings import AuditTrail
from ledger.log import Log
from ledger.log_reader import TILE_KEY, U64
from ledger.note import NoteSigner, VerifierKey
from ledger.published import PublishedCheckpoint
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage

ORIGIN = "robot.example/log"
SIGNER = NoteSigner(ORIGIN, PrivateKey.from_seed(b"\x07" * 32))
CHUNK = 262_144
EARLY_ENTRIES = 260
LATE_ENTRIES = 250

Found = tuple[FindingKind, int | None]


@dataclass
class SampleHome:
    """A home on disk, its records by name as (index, record id, content root)."""

    root: Path
    published: Path
    records: dict[str, tuple[int, bytes, bytes]]
    early_size: int
    size: int
    early_checkpoint: bytes = field(repr=False)

    def copy(self, folder: Path) -> SampleHome:
        root, published = folder / "home", folder / "published"
        shutil.copytree(self.root, root)
        shutil.copytree(self.published, published)
        return replace(self, root=root, published=published)

    def audit(self, depth: Depth = Depth.DEEP, **options: object) -> AuditReport:
        trail = AuditTrail()
        request = AuditRequest(self.root, self.published, depth, **options)  # type: ignore[arg-type]
        audit_in_process(request, trail)
        return trail.report()

    def found(self, depth: Depth = Depth.DEEP, **options: object) -> list[Found]:
        return [(f.kind, f.entry) for f in self.audit(depth, **options).findings]

    def get(self, table: Table, key: bytes) -> bytes:
        storage = LmdbStorage.open_reader(self.root / "log")
        try:
            with storage.read() as txn:
                value = txn.get(table, key)
        finally:
            storage.close()
        assert value is not None
        return value

    def put(self, *rows: tuple[Table, bytes, bytes | None]) -> None:
        """Write rows behind the log's back; None deletes."""

        def work(txn: object) -> None:
            for table, key, value in rows:
                if value is None:
                    assert txn.delete(table, key)  # type: ignore[attr-defined]
                else:
                    txn.put(table, key, value)  # type: ignore[attr-defined]

        storage = LmdbStorage.open_writer(self.root / "log")
        try:
            storage.write(work)
        finally:
            storage.close()

    def entry(self, index: int) -> bytes:
        return self.get(Table.ENTRIES, U64.pack(index))

    def tile(self, level: int, index: int) -> bytes:
        return self.get(Table.TILES, TILE_KEY.pack(level, index))

    def folder(self, name: str) -> Path:
        root = self.records[name][2].hex()
        return self.root / "content" / root[:2] / root

    def key_file(self, name: str) -> Path:
        return self.root / "keys" / "records" / f"{self.records[name][1][:1].hex()}.keys"


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x20
    path.write_bytes(data)


def recording(root: Path, name: str, sizes: dict[str, int]) -> Recording:
    random_bytes = random.Random(name).randbytes
    files = []
    for file, size in sizes.items():
        path = root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random_bytes(size))
        files.append(RecordingFile(file, path, size))
    return Recording(root / name, name, "application/octet-stream", tuple(files))


def pointers(count: int, start: int) -> list[Recording]:
    return [
        Recording(
            Path("/"), f"episode {i}", "", (), ranges=(RangeRef("plain", "a.bin", i, i + 1, 0, 0),)
        )
        for i in range(start, start + count)
    ]


def build(
    home: Path, published: Path, sources: Path, early: int = EARLY_ENTRIES, late: int = LATE_ENTRIES
) -> SampleHome:
    for folder in ("content", "incoming", "keys/records"):
        (home / folder).mkdir(parents=True)
    storage = LmdbStorage.create(home / "log")
    remembered = PublishedCheckpoint(published, log_id(ORIGIN))
    log = Log.create(storage, ORIGIN, SIGNER.verifier_key, remembered)
    writer = ExperienceWriter(home, storage, log, SIGNER.private_key)
    records = {}

    def take(name: str, sizes: dict[str, int], options: IngestOptions | None = None) -> bytes:
        receipt = ingest(writer, recording(sources, name, sizes), options)
        records[name] = (receipt.index, receipt.record_id, receipt.content_root)
        return receipt.record_id

    take("sealed", {"s.bin": 2 * CHUNK + 77}, IngestOptions(seal=True))
    take("here", {"h.bin": CHUNK + 1}, IngestOptions(mode=StoreMode.IN_PLACE))
    take("small", {"one.bin": 1000})
    take("empty", {"nothing.bin": 0})
    erased = take("erased", {"gone.bin": CHUNK + 5}, IngestOptions(seal=True))
    pruned = take("pruned", {"old.bin": 5000})
    plain = recording(
        sources, "plain", {"a.bin": CHUNK + 100, "sub/b.bin": 50, "c.bin": 2 * CHUNK, "d.bin": 0}
    )
    receipts = list(ingest_all(writer, [plain, *pointers(early, 0)]))
    records["plain"] = (receipts[0].index, receipts[0].record_id, receipts[0].content_root)
    early_checkpoint = log.checkpoint([SIGNER])
    early_size = log.size
    erase(writer, [erased], "asked for")
    records["erasure"] = (log.size - 1, b"", b"")
    remove(writer, PendingRemoval(Pruning((pruned,), "too old"), (0,)))
    records["pruning"] = (log.size - 1, b"", b"")
    again = recording(sources, "plain", {"a.bin": 10})
    list(ingest_all(writer, [again, *pointers(late, 0)]))
    log.checkpoint([SIGNER])
    sample = SampleHome(home, published, records, early_size, log.size, early_checkpoint)
    log.close()
    return sample


@pytest.fixture(scope="session")
def sound_home(tmp_path_factory: pytest.TempPathFactory) -> SampleHome:
    """Not to be changed."""
    base = tmp_path_factory.mktemp("sound")
    return build(base / "home", base / "published", base / "sources")


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> SampleHome:
    """Not to be changed: the same with few entries."""
    base = tmp_path_factory.mktemp("tiny")
    return build(base / "home", base / "published", base / "sources", 6, 6)


@pytest.fixture
def home(sound_home: SampleHome, tmp_path: Path) -> SampleHome:
    """A copy to damage."""
    return sound_home.copy(tmp_path)


@pytest.fixture
def flip_byte() -> Callable[[Path, int], None]:
    return flip


@pytest.fixture
def signer() -> NoteSigner:
    return SIGNER


@pytest.fixture
def vkey() -> VerifierKey:
    return SIGNER.verifier_key
