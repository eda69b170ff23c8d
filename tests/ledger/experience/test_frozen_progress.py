"""Progress signed once verifies for ever, by the equations of the format alone."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256

from ledger.checkpoint import log_id
from ledger.experience.entry import Experience, Progress, parse_entry, verify_entry
from tests.ledger.experience.frozen import generate, generate_progress

FROZEN = json.loads(generate_progress.FROZEN.read_text())
KINDS = [parse_entry(bytes.fromhex(entry)).kind for entry in FROZEN["entries"]]
CHUNK = 262_144


def leaf(index: int, data: bytes) -> bytes:
    label = b"quipu/chunk-salt/v1" + index.to_bytes(8, "big")
    salt = hmac.digest(bytes.fromhex(FROZEN["salt_key"]), label, "sha256")
    return sha256(b"\0" + salt + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def test_frozen_progress_verifies() -> None:
    for encoded in FROZEN["entries"]:
        verify_entry(parse_entry(bytes.fromhex(encoded)), log_id(FROZEN["origin"]))
    content = generate.content()
    leaves = [leaf(i, content[i * CHUNK : (i + 1) * CHUNK]) for i in range(3)]
    roots = [sha256().digest(), leaves[0], node(leaves[0], leaves[1])]
    *progress, sealed = KINDS
    assert [kind.length for kind in progress] == FROZEN["lengths"]
    for kind in progress:
        assert isinstance(kind, Progress)
        count, tail = divmod(kind.length, CHUNK)
        assert (kind.leaf_count, kind.root) == (count, roots[count])
        start = count * CHUNK
        assert kind.tail_hash == (leaf(count, content[start : start + tail]) if tail else b"")
    assert isinstance(sealed, Experience)
    assert sealed.content_root == node(roots[2], leaves[2])


def test_we_still_write_the_same_bytes() -> None:
    assert json.loads(json.dumps(generate_progress.build())) == FROZEN
