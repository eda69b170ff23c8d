"""Verify a proof about a chain's state: a second implementation, from docs/format.md alone.

Usage: verify_state.py ROOT-HEX KEY-HEX PROOF. It says the key's value, or that the key is absent.
"""

import sys
from hashlib import sha256
from itertools import pairwise
from pathlib import Path


def need(condition: object, why: str) -> None:
    if not condition:
        raise ValueError(why)


class Reader:
    """Bytes from front to back; nothing may be missing, nothing left over."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        need(size <= len(self.data), "the proof is cut short")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def varint(self) -> int:
        number = shift = 0
        while True:
            (byte,) = self.take(1)
            number |= byte % 128 << shift
            shift += 7
            if byte < 128:
                need(byte or shift == 7, "a varint is not minimal")
                return number
            need(shift < 35, "a varint is too long")


def check(root: bytes, key: bytes, proof: bytes) -> bytes | None:
    """The value that the proof shows, None for absence. Raises ValueError if it shows neither."""
    reader = Reader(proof)
    need(reader.take(1) == b"\1", "not a state proof of version 1")
    count = reader.varint()
    need(count <= 256 and len(root) == 32 and 0 < len(key) <= 1024, "out of bounds")
    steps = [(reader.take(1)[0], reader.take(32)) for _ in range(count)]
    need(all(a < b for (a, _), (b, _) in pairwise(steps)), "bits do not rise")
    kind = reader.take(1)
    if kind == b"\0":
        need(not steps and not reader.data and root == bytes(32), "the map is not empty")
        return None
    need(kind == b"\1", "an unknown kind of leaf")
    leaf = reader.data
    found = reader.take(reader.varint())
    value = reader.take(reader.varint())
    need(0 < len(found) <= 1024 and len(value) <= 1 << 20 and not reader.data, "no leaf")

    asked, other = (f"{int(sha256(k).hexdigest(), 16):0256b}" for k in (key, found))
    node = sha256(b"\2" + leaf).digest()
    for bit, sibling in reversed(steps):
        need(asked[bit] == other[bit], "the way leads elsewhere")
        pair = node + sibling if asked[bit] == "0" else sibling + node
        node = sha256(bytes([3, bit]) + pair).digest()
    need(node == root, "the root is another")
    return value if found == key else None


if __name__ == "__main__":
    try:
        found = check(*map(bytes.fromhex, sys.argv[1:3]), Path(sys.argv[3]).read_bytes())
    except ValueError as error:
        sys.exit(f"REFUSED: {error}")
    sys.stdout.write("absent\n" if found is None else f"present: {found.hex()}\n")
