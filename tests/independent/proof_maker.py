"""Makes Quipu logs, records and proof files by hand, from docs/format.md alone.

Nothing here imports the ledger: what this module writes and the verifier accepts is what the
page describes, whatever the ledger does. Every part can be replaced by a wrong one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORIGIN = "example.org/robots/arm-7"
CHUNK = 262_144  # bytes


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def integer(number: int, value: int) -> bytes:
    """The field, also where its value is the default and a canonical message has none."""
    return varint(number << 3) + varint(value)


def uint(number: int, value: int) -> bytes:
    return integer(number, value) if value else b""


def blob(number: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def root_of(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01", root_of(leaves[:k]), root_of(leaves[k:]))


def path_to(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if index < k:
        return [*path_to(index, leaves[:k]), root_of(leaves[k:])]
    return [*path_to(index - k, leaves[k:]), root_of(leaves[:k])]


@dataclass(frozen=True, slots=True)
class Signer:
    private: Ed25519PrivateKey
    name: str = ORIGIN
    kind: int = 1

    @property
    def raw(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def typed(self) -> bytes:
        return bytes([self.kind]) + self.raw

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode(), b"\n", self.typed)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64(self.typed)}"

    def line(self, text: str) -> str:
        return f"— {self.name} {b64(self.key_id + self.private.sign(text.encode()))}\n"


def signer(seed: int, name: str = ORIGIN) -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), name)


ROBOT = signer(1)
OTHER = signer(2)


def log_id(origin: str = ORIGIN) -> bytes:
    return sha256(b"quipu/log/v1\0", origin.encode())


def entry(
    kind: bytes,
    sequence: int,
    robot: Signer = ROBOT,
    version: int = 1,
    more: bytes = b"",
    origin: str = ORIGIN,
) -> bytes:
    """`kind` is the encoded field 8..12; `more` is appended to the body."""
    body = uint(1, version) + blob(2, robot.raw) + uint(3, sequence) + kind + more
    signature = robot.private.sign(b"quipu/entry/v1\0" + log_id(origin) + body)
    return blob(1, body) + blob(2, signature)


def checkpoint(leaves: list[bytes], by: Signer = ROBOT, origin: str = ORIGIN) -> str:
    text = f"{origin}\n{len(leaves)}\n{b64(root_of(leaves))}\n"
    return f"{text}\n{by.line(text)}"


def proof_text(extra: bytes, index: int | str, path: list[bytes], note: str) -> str:
    hashes = "".join(f"{b64(h)}\n" for h in path)
    return f"c2sp.org/tlog-proof@v1\nextra {b64(extra)}\nindex {index}\n{hashes}\n{note}"


@dataclass(frozen=True, slots=True)
class Record:
    """A recording of several files, its keys and the experience that describes it."""

    files: tuple[tuple[str, bytes], ...]
    salt_key: bytes = bytes(range(32))

    @property
    def content(self) -> bytes:
        return b"".join(data for _, data in self.files)

    @property
    def chunks(self) -> list[bytes]:
        content = self.content
        return [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)]

    def salt(self, i: int) -> bytes:
        label = b"quipu/chunk-salt/v1" + i.to_bytes(8, "big")
        return hmac.new(self.salt_key, label, hashlib.sha256).digest()

    @property
    def leaves(self) -> list[bytes]:
        return [sha256(b"\0", self.salt(i), chunk) for i, chunk in enumerate(self.chunks)]

    def fields(self) -> dict[int, bytes]:
        """The fields of the experience by number, each already encoded."""
        files = (blob(6, blob(1, name) + uint(2, len(data))) for name, data in self.files)
        out = {1: blob(1, b"r" * 16), 2: uint(2, 1_700_000_000_000_000_000)}
        out |= {3: uint(3, 1_700_000_009_000_000_000), 4: blob(4, root_of(self.leaves))}
        out |= {5: uint(5, len(self.content)), 6: b"".join(files), 7: blob(7, "application/mcap")}
        out[8] = blob(8, blob(1, "/odom") + blob(2, "nav_msgs/msg/Odometry") + uint(3, 900))
        out[8] += blob(8, blob(1, "/scan") + blob(2, "sensor_msgs/msg/LaserScan") + uint(3, 40))
        out[9] = blob(9, blob(1, "task") + blob(2, "fold the towel"))
        out |= {13: blob(13, "morning run"), 14: uint(14, 940)}
        return out

    def kind(self, **changed: bytes) -> bytes:
        """Field 8 of a body; `f5=...` replaces field 5 by other bytes."""
        fields = self.fields() | {int(name[1:]): value for name, value in changed.items()}
        return blob(8, b"".join(value for _, value in sorted(fields.items())))

    def disclosed_chunk(self, i: int) -> bytes:
        path = b"".join(blob(3, h) for h in path_to(i, self.leaves))
        return blob(3, uint(1, i) + blob(2, self.salt(i)) + path)


def noise(length: int, seed: bytes) -> bytes:
    return hashlib.shake_256(seed).digest(length)


RECORD = Record(
    (
        ("data/a.mcap", noise(300_000, b"a")),
        ("b.json", noise(77, b"b")),
        ("c", noise(300_000, b"c")),
    )
)
SMALL = Record((("data/a.mcap", noise(900, b"a")), ("b.json", noise(77, b"b"))))
AT = 4  # the index of the record in the log of seven entries


def log_with(leaf_entry: bytes, index: int = AT, size: int = 7) -> list[bytes]:
    """Entries of a log: `leaf_entry` at `index` among erasures."""
    erasure = blob(9, blob(1, b"x" * 16) + blob(2, "asked for"))
    return [leaf_entry if i == index else entry(erasure, i) for i in range(size)]


def proof_of(leaf_entry: bytes, disclosed: bytes = b"", index: int = AT, size: int = 7) -> str:
    leaves = [sha256(b"\0", e) for e in log_with(leaf_entry, index, size)]
    extra = blob(1, leaf_entry) + disclosed
    return proof_text(extra, index, path_to(index, leaves), checkpoint(leaves))


def save(record: Record, folder: Path) -> Path:
    for name, data in record.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


PLAIN = proof_of(entry(RECORD.kind(), AT))
WITH_KEY = proof_of(entry(RECORD.kind(), AT), blob(2, RECORD.salt_key))
WITH_CHUNKS = proof_of(
    entry(RECORD.kind(), AT), RECORD.disclosed_chunk(0) + RECORD.disclosed_chunk(2)
)

ROTATION_CLAIM = b"quipu/rotation/v1\0" + log_id() + AT.to_bytes(8, "big") + ROBOT.raw + OTHER.raw
KINDS = {
    "erasure": blob(9, blob(1, b"x" * 16) + blob(1, b"y" * 16) + blob(2, "asked for")),
    "pruning": blob(10, blob(1, b"x" * 16)),
    "rotation": blob(11, blob(1, OTHER.raw) + blob(2, OTHER.private.sign(ROTATION_CLAIM))),
    "retirement": blob(12, blob(1, OTHER.raw)),
    "progress": blob(
        13, blob(1, b"x" * 16) + blob(3, b"r" * 32) + integer(4, 5) + blob(5, b"t" * 32)
    ),
    "acquisition": blob(
        14,
        blob(1, b"x" * 16)
        + b"".join(blob(number, bytes([number]) * 32) for number in range(2, 6))
        + uint(6, 1)
        + blob(7, "seller.example/log")
        + blob(8, b"l" * 32)
        + blob(9, b"r" * 32),
    ),
    "training": blob(15, blob(1, b"x" * 16) + blob(2, "policy") + blob(3, b"y" * 16)),
}
