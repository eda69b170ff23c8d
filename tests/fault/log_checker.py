"""An independent check of a log on disk: everything rebuilt from the entries.

Shares no code with ``ledger``: LMDB, SHA-256 and Ed25519 straight from the
libraries, the tree by a stack of complete subtrees, the tiles by slices.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass, field
from pathlib import Path

import lmdb
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass
class CheckedLog:
    """What the entries on disk amount to, and what contradicts them."""

    leaf_hashes: list[bytes] = field(default_factory=list)
    checkpoints: dict[int, bytes] = field(default_factory=dict)
    """Size -> root of every stored checkpoint whose signature is good."""
    problems: list[str] = field(default_factory=list)


def check_log(directory: Path, published: Path, store_format: bytes = b"quipu/1") -> CheckedLog:
    """Check every row of a log and the note published from it."""
    found = CheckedLog()
    with (
        lmdb.open(str(directory), max_dbs=16, readonly=True, map_size=1 << 30) as env,
        env.begin() as txn,
    ):
        meta, entries, tiles, checkpoints = (
            dict(txn.cursor(env.open_db(name, txn=txn, create=False)))
            for name in (b"meta", b"entries", b"tiles", b"checkpoints")
        )
    if meta.get(b"format") != store_format:
        found.problems.append("format")
    if b"size" not in meta:
        # Killed between the store and the log: there is nothing in it yet.
        if entries or tiles or checkpoints:
            found.problems.append("rows without a log")
        return found
    size = struct.unpack(">Q", meta[b"size"])[0]
    if sorted(entries) != [struct.pack(">Q", index) for index in range(size)]:
        found.problems.append(f"{len(entries)} entries for size {size}")
        return found
    found.leaf_hashes = [
        hashlib.sha256(b"\0" + entries[struct.pack(">Q", index)]).digest() for index in range(size)
    ]
    roots = _roots(found.leaf_hashes)
    if tiles != _tiles(found.leaf_hashes):
        found.problems.append("tiles")
    vkey = meta[b"first_vkey"].decode()
    for key, note in checkpoints.items():
        _check_note(found, note, vkey, roots, struct.unpack(">Q", key)[0])
    if published.exists():
        _check_note(found, published.read_bytes(), vkey, roots, None)
    return found


def _check_note(
    found: CheckedLog, note: bytes, vkey: str, roots: list[bytes], key: int | None
) -> None:
    text, _, signatures = note.partition(b"\n\n")
    origin, size, root = text.decode().split("\n")
    name, _, key64 = vkey.split("+", 2)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key64)[1:])
    signature = base64.b64decode(signatures.split(b" ")[2])[4:]
    try:
        public.verify(signature, text + b"\n")
    except InvalidSignature:
        found.problems.append(f"signature at {size}")
        return
    if origin != name or int(size) >= len(roots) or roots[int(size)] != base64.b64decode(root):
        found.problems.append(f"{'published' if key is None else 'stored'} checkpoint at {size}")
    if key is None:
        if int(size) not in found.checkpoints:
            found.problems.append(f"published but not stored: checkpoint at {size}")
    elif int(size) != key:
        found.problems.append(f"checkpoint at {size} stored at {key}")
    else:
        found.checkpoints[key] = base64.b64decode(root)


def _roots(leaf_hashes: list[bytes]) -> list[bytes]:
    """The root of every prefix, the empty one first."""
    roots = [hashlib.sha256().digest()]
    stack: list[tuple[int, bytes]] = []
    for leaf in leaf_hashes:
        level, node = 0, leaf
        while stack and stack[-1][0] == level:
            node = hashlib.sha256(b"\1" + stack.pop()[1] + node).digest()
            level += 1
        stack.append((level, node))
        root = stack[-1][1]
        for _, left in reversed(stack[:-1]):
            root = hashlib.sha256(b"\1" + left + root).digest()
        roots.append(root)
    return roots


def _tiles(leaf_hashes: list[bytes]) -> dict[bytes, bytes]:
    tiles = {}
    level, row = 0, leaf_hashes
    while row:
        above = []
        for index in range(0, len(row), 256):
            heights = [row[index : index + 256]]
            while len(heights) < 9:
                below = heights[-1]
                heights.append(
                    [
                        hashlib.sha256(b"\1" + below[at] + below[at + 1]).digest()
                        for at in range(0, len(below) - 1, 2)
                    ]
                )
            above += heights[8]
            block = b"".join(b"".join(height) for height in heights[:8])
            tiles[struct.pack(">BQ", level, index // 256)] = block
        level, row = level + 1, above
    return tiles
