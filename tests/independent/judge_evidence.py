"""Judge evidence of a fork: a second implementation, written from docs/format.md alone.

Usage: judge_evidence.py EVIDENCE VKEY. It exits with 0 if the key's log has forked.
"""

import base64
import hashlib
import re
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EVIDENCE = re.compile(
    rb"quipu/fork-evidence/v1\nnotes (0|[1-9][0-9]{0,18}) (0|[1-9][0-9]{0,18})\n"
    rb"((?:[A-Za-z0-9+/]{43}=\n){0,64})\n(.*)",
    re.DOTALL,
)
NUMBER = r"(0|[1-9][0-9]{0,18})"
NOTE = re.compile(rf"((.+)\n{NUMBER}\n(\S+)\n)\n((?:— [^\s+\0-\x1f]+ \S+\n){{1,64}})")
MOST = 2_004_096


def need(condition: object, why: str) -> None:
    if not condition:
        raise ValueError(why)


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def open_checkpoint(note: bytes, vkey: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the key has signed (section 2)."""
    name, key_id, encoded = vkey.split("+", 2)
    kind, key = unbase64(encoded)[:1], unbase64(encoded)[1:]
    need(kind == b"\1" and len(key) == 32, "no verifier key of a log")
    need(hashlib.sha256(name.encode() + b"\n\1" + key).digest()[:4].hex() == key_id, "key id")
    m = NOTE.fullmatch(note.decode())
    if m is None or m[2] != name or len(note) > 1_000_000:
        raise ValueError("no checkpoint of this log")
    lines = [line.split(" ") for line in m[5].splitlines()]
    signatures = [(signer, unbase64(text)) for _, signer, text in lines]
    need(all(len(data) > 4 for _, data in signatures), "a signature line is too short")
    own = [data[4:] for signer, data in signatures if (signer, data[:4].hex()) == (name, key_id)]
    need(own, "the key has not signed a checkpoint")
    for signature in own:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, m[1].encode())
    size, root = int(m[3]), unbase64(m[4])
    need(size < 2**63 and len(root) == 32, "size or root")
    return size, root


def follow(n1: int, n2: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a path leads to: one node after another, from the last complete
    subtree of the first n1 leaves up to the root of n2.
    """
    hashes = iter(path)
    first = second = next(hashes, b"")
    level = (n1 & -n1).bit_length() - 1
    index, width = (n1 >> level) - 1, -(-n2 >> level)  # nodes in this row, a ragged one counted
    inside = index  # of the older tree's own last node in this row
    while width > 1:
        if index & 1:  # a sibling on the left, which both trees have
            sibling = next(hashes, b"")
            second = node(sibling, second)
            if inside & 1:
                first = node(sibling, first)
        elif index + 1 < width:  # on the right, of the newer tree alone
            second = node(second, next(hashes, b""))
        index, inside, width = index >> 1, inside >> 1, (width + 1) >> 1
    need(next(hashes, None) is None and len(first) == len(second) == 32, "a wrong length")
    return first, second


def judge(evidence: bytes, vkey: str) -> str:
    m = EVIDENCE.fullmatch(evidence)
    if m is None or len(evidence) > MOST or len(m[4]) != int(m[1]) + int(m[2]):
        raise ValueError("no evidence of a fork, version 1")
    n1, r1 = open_checkpoint(m[4][: int(m[1])], vkey)
    n2, r2 = open_checkpoint(m[4][int(m[1]) :], vkey)
    path = [unbase64(line) for line in m[3].decode().split()]
    need((n1, r1) <= (n2, r2), "the checkpoints are in the wrong order")
    if n1 == n2:
        need(not path and r1 != r2, "nothing contradicts")
        return f"forked: two roots of {n1} leaves"
    need(n1 > 0 and path, "no path")
    first, second = follow(n1, n2, path)
    need(second == r2 and first != r1, "nothing contradicts")
    return f"forked: {n2} leaves did not grow from {n1}"


if __name__ == "__main__":
    try:
        sys.stdout.write(judge(Path(sys.argv[1]).read_bytes(), sys.argv[2]) + "\n")
    except (ValueError, InvalidSignature) as error:
        sys.exit(f"no evidence: {error or 'a signature is wrong'}")
