"""Make the files of ``v1/``: ``python -m tests.frozen.generate NEW_FOLDER``.

They are frozen: this program shows how they came to be and that today's code still writes
the same bytes. It does not overwrite a file. Seeds, salts, record ids and times are fixed.

::

    first.vkey second.vkey witness.vkey     who signs
    entries.bin                             u16be length || entry, every kind, at its limits
    log/                                    tlog-tiles of 300 entries, with a checkpoint
    before.checkpoint                       at 100 entries, signed by the first key
    during.checkpoint                       at 200, signed by both: the rotation is entry 150
    after.checkpoint                        at 300, signed by the second: entry 250 retires
                                            the first
    cosigned.checkpoint                     the last one with a witness's cosignature
    add-checkpoint                          the request that this witness answered
    *.tlog-proof                            proof files; see `proofs`
    recording/                              the two files of the record of entry 0
    sealed                                  the same, sealed
    <hh>.keys                               record key file with the keys of both records
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.experience.content_root import (
    CHUNK_SIZE,
    content_root_of_leaves,
    disclose_chunk,
    leaves_of_chunks,
    rechunk,
)
from ledger.experience.disclosure import ChunkDisclosure, Disclosure, encode_disclosure
from ledger.experience.entry import (
    Commitment,
    CommitmentKind,
    ContentRange,
    Erasure,
    Experience,
    File,
    KeyRetirement,
    Kind,
    Pruning,
    RewardSource,
    Tag,
    Topic,
    encode_entry,
)
from ledger.experience.key_history import rotate_to
from ledger.experience.record_keys import CommitmentOpening, RecordKeys, RecordKeyStore
from ledger.experience.sealing import ChunkSealer
from ledger.log import Log
from ledger.merkle.entry_bundle import encode_entry_bundle
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.note import CosignatureSigner, NoteSigner
from ledger.published import PublishedCheckpoint
from ledger.storage.memory import MemoryStorage
from ledger.tlog_proof import TlogProof
from ledger.witness import AddCheckpointRequest, cosign_checkpoint

ORIGIN = "frozen.example/v1"
START_NS = 1_750_000_000_000_000_000
MINUTE_NS = 60_000_000_000
UINT64, INT64 = 2**64 - 1, 2**63 - 1

FIRST = NoteSigner(ORIGIN, PrivateKey.from_seed(bytes([1] * 32)))
SECOND = NoteSigner(ORIGIN, PrivateKey.from_seed(bytes([2] * 32)))
WITNESS = CosignatureSigner("frozen.example/witness", PrivateKey.from_seed(bytes([3] * 32)))
COSIGNED_S = 1_750_030_000

BEFORE, ROTATION, DURING, RETIREMENT, SIZE = 100, 150, 200, 250, 300
SIGNERS = {BEFORE: [FIRST], DURING: [FIRST, SECOND], SIZE: [SECOND]}

# BLS12-381's G1 generator, compressed.
POINT = bytes.fromhex(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58"
    "6c55e83ff97a1aeffb3af00adb22c6bb"
)


def noise(label: str, length: int) -> bytes:
    return hashlib.shake_256(f"quipu/frozen/v1 {label}".encode()).digest(length)


SMALL_FILES = {"metadata.yaml": noise("metadata", 300), "data/0.mcap": noise("data", 3_000)}
"""The record of entry 0, on disk as ``recording`` and, sealed, as ``sealed``."""
LARGE_CONTENT = noise("large", 2 * CHUNK_SIZE + 1_000)
"""The record of entry 1, three chunks; too large to be kept, so it is computed."""

SMALL_KEYS = RecordKeys(
    b"\xc5" + noise("small id", 15), noise("small salt", 32), noise("small content key", 32)
)
LARGE_KEYS = RecordKeys(
    b"\xc5" + noise("large id", 15),
    noise("large salt", 32),
    openings=(
        CommitmentOpening(CommitmentKind.REWARD, RewardSource.TASK, 1500, noise("blinding", 32)),
        CommitmentOpening(CommitmentKind.LENGTH, RewardSource.UNSPECIFIED, -7, bytes(32)),
    ),
)


def leaves_of(keys: RecordKeys, content: bytes) -> list[bytes]:
    return leaves_of_chunks(keys.salt_key, rechunk([content]))


def small_experience() -> Experience:
    content = b"".join(SMALL_FILES.values())
    return Experience(
        record_id=SMALL_KEYS.record_id,
        start_ns=START_NS,
        end_ns=START_NS + MINUTE_NS,
        content_root=content_root_of_leaves(leaves_of(SMALL_KEYS, content)),
        content_size=len(content),
        files=tuple(File(name, len(data)) for name, data in SMALL_FILES.items()),
        media_type="application/x-rosbag2",
        name="morning round",
        topics=(Topic("/odom", "nav_msgs/msg/Odometry", 1_200), Topic("/scan", "", 0)),
        tags=(Tag("site", "Zürich"), Tag("site", "上海")),
        message_count=1_200,
    )


def large_experience() -> Experience:
    return Experience(
        record_id=LARGE_KEYS.record_id,
        start_ns=START_NS + MINUTE_NS,
        end_ns=START_NS + 2 * MINUTE_NS,
        content_root=content_root_of_leaves(leaves_of(LARGE_KEYS, LARGE_CONTENT)),
        content_size=len(LARGE_CONTENT),
        files=(File("a/b/c.mcap", CHUNK_SIZE), File("z.mcap", CHUNK_SIZE + 1_000)),
        media_type="application/mcap",
        name="three chunks",
        commitments=(
            Commitment(CommitmentKind.REWARD, RewardSource.TASK, POINT, -500, 1_000),
            Commitment(CommitmentKind.LENGTH, RewardSource.UNSPECIFIED, POINT, 7, 1),
        ),
    )


def episode(index: int) -> Experience:
    """An entry without content of its own: a part of the large record."""
    part = ContentRange(LARGE_KEYS.record_id, "z.mcap", index, index + 10, 0, MINUTE_NS)
    return Experience(
        record_id=noise(f"episode {index}", 16),
        start_ns=START_NS + index * MINUTE_NS,
        end_ns=START_NS + (index + 1) * MINUTE_NS,
        content_root=b"",
        content_size=0,
        files=(),
        media_type="",
        name=f"episode {index}",
        ranges=(part,),
    )


def kind_at(index: int, origin_id: bytes) -> Kind:
    """What entry ``index`` of the log says."""
    match index:
        case 0:
            return small_experience()
        case 1:
            return large_experience()
        case 2:
            return Pruning((LARGE_KEYS.record_id,), "older than 30 days")
        case 3:
            return Erasure((noise("episode 4", 16),))
        case _ if index == ROTATION:
            return rotate_to(SECOND.private_key, origin_id, index, FIRST.private_key.public_key)
        case _ if index == RETIREMENT:
            return KeyRetirement(bytes(FIRST.private_key.public_key))
        case _:
            return episode(index)


def limits(origin_id: bytes) -> list[Kind]:
    """Every kind of entry at the limits of its fields, in a log of its own."""
    ids = tuple(sorted(noise(f"erased {i}", 16) for i in range(100)))
    empty = Experience(
        bytes(16), 0, 0, EMPTY_ROOT, 0, (File("nothing", 0), File("x" * 255, 0)), "", ""
    )
    largest = Experience(
        record_id=bytes([255] * 16),
        start_ns=UINT64,
        end_ns=UINT64,
        content_root=bytes([255] * 32),
        content_size=UINT64,
        files=(File("a", UINT64 - 1), File("b/c/d", 1)),
        media_type="\x01",
        name="\U0010ffff",
        topics=(Topic("", "", UINT64), Topic("", "a", 0), Topic("\uffff", "", 1)),
        tags=(Tag("a", ""), Tag("a", "\x7f"), Tag("\U00010000", "")),
        commitments=(
            Commitment(CommitmentKind.REWARD, RewardSource.SELF, POINT, -INT64 - 1, UINT64),
            Commitment(CommitmentKind.SUCCESS, RewardSource.OPERATOR, POINT, INT64, 1),
            Commitment(CommitmentKind.LENGTH, RewardSource.SELF, POINT, 0, 1),
        ),
        contract_id=bytes([255] * 32),
        ranges=(
            ContentRange(bytes(16), "a", 0, UINT64, -INT64 - 1, INT64),
            ContentRange(bytes(16), "a", 0, 0, 0, 0),
        ),
        message_count=UINT64,
    )
    old, new = FIRST.private_key, SECOND.private_key
    return [
        empty,
        largest,
        Pruning((bytes(16),)),
        Erasure(ids, "asked for"),
        rotate_to(new, origin_id, 4, old.public_key),
        KeyRetirement(bytes(new.public_key)),
        Pruning((bytes(16),), "r" * 65_401),  # 65,535 bytes of entry, the longest
    ]


def entries_at_limits() -> list[bytes]:
    origin_id = log_id(f"{ORIGIN}/limits")
    return [
        encode_entry(origin_id, index, kind, FIRST.private_key)
        for index, kind in enumerate(limits(origin_id))
    ]


def fill(log: Log) -> dict[int, bytes]:
    """Write the log's entries; its checkpoints by size."""
    notes = {}
    for index in range(SIZE):
        key = SECOND if index > ROTATION else FIRST
        entry = encode_entry(log.log_id, index, kind_at(index, log.log_id), key.private_key)
        changed = {ROTATION: (FIRST, SECOND), RETIREMENT: (SECOND,)}.get(index, ())
        log.append([entry], log.vkey_rows([k.verifier_key for k in changed]) if changed else ())
        if signers := SIGNERS.get(log.size):
            notes[log.size] = log.checkpoint(signers)
    return notes


def proofs(log: Log, notes: dict[int, bytes]) -> dict[str, TlogProof]:
    """Of which entry, under the checkpoint of which size, disclosing what."""
    leaves = leaves_of(LARGE_KEYS, LARGE_CONTENT)

    def chunk(index: int) -> ChunkDisclosure:
        return disclose_chunk(leaves, LARGE_KEYS.salt_key, index)

    wanted = {
        "plain": (SIZE - 1, SIZE, Disclosure(log.entry(SIZE - 1))),
        "first-key": (0, SIZE, Disclosure(log.entry(0))),
        "both-keys": (ROTATION, DURING, Disclosure(log.entry(ROTATION))),
        "recording": (0, BEFORE, Disclosure(log.entry(0), SMALL_KEYS.salt_key)),
        "chunks": (1, BEFORE, Disclosure(log.entry(1), chunks=(chunk(0), chunk(2)))),
    }
    return {
        name: TlogProof(
            index, log.prove_inclusion(index, size), notes[size], encode_disclosure(disclosed)
        )
        for name, (index, size, disclosed) in wanted.items()
    }


def key_file() -> tuple[str, bytes]:
    """The name and the bytes of the record key file that holds both records' keys."""
    with tempfile.TemporaryDirectory() as folder:
        RecordKeyStore(Path(folder, "records")).add([SMALL_KEYS, LARGE_KEYS])
        (path,) = Path(folder, "records").iterdir()
        return path.name, path.read_bytes()


def sealed() -> bytes:
    content = b"".join(SMALL_FILES.values())
    assert SMALL_KEYS.content_key is not None
    return ChunkSealer(SMALL_KEYS.record_id, SMALL_KEYS.content_key, 1).seal(0, content)


def build() -> dict[str, bytes]:
    """Every file by its path."""
    with tempfile.TemporaryDirectory() as folder:
        published = PublishedCheckpoint(Path(folder), log_id(ORIGIN))
        log = Log.create(MemoryStorage(), ORIGIN, FIRST.verifier_key, published)
        notes = fill(log)
    after = notes[SIZE]
    grown = log.prove_consistency(BEFORE, SIZE)
    keys_name, keys_bytes = key_file()
    vkeys = {"first": FIRST.verifier_key, "second": SECOND.verifier_key}
    vkeys["witness"] = WITNESS.verifier_key
    return {
        **{f"{name}.vkey": f"{vkey}\n".encode() for name, vkey in vkeys.items()},
        "entries.bin": encode_entry_bundle(entries_at_limits()),
        **{f"log/{path}": data for path, data in log.export_tiles(SIZE)},
        "log/checkpoint": after,
        "before.checkpoint": notes[BEFORE],
        "during.checkpoint": notes[DURING],
        "after.checkpoint": after,
        "cosigned.checkpoint": cosign_checkpoint(after, WITNESS, COSIGNED_S),
        "add-checkpoint": AddCheckpointRequest(BEFORE, grown, after).encode(),
        **{f"{name}.tlog-proof": proof.encode() for name, proof in proofs(log, notes).items()},
        **{f"recording/{name}": data for name, data in SMALL_FILES.items()},
        "sealed": sealed(),
        keys_name: keys_bytes,
    }


def write(folder: Path) -> None:
    """Write every file under ``folder``, which must not exist."""
    folder.mkdir()
    for name, data in build().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
