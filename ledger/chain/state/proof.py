"""What is in a state and what is not, proved to someone who has only its root.

A proof is the way from the root to one leaf: at every inner node its bit and the
hash of the side not taken. At each the verifier goes to the side that the path *of
the key it asks about* has at that bit. If the leaf at the end is that key's, the key
is in the map; if it is another's, and that one's path has the same bits at every node
passed, the way would have led to the key, were it there: it is not.

As bytes::

    u8 version, 1
    varint number of steps, at most 256
    a step: u8 bit || 32 bytes sibling; bits strictly increase
    u8 0, and no steps: the map is empty
    u8 1 || varint(len k) || k || varint(len v) || v: the leaf

Key and root are the verifier's own; nothing of either is taken from the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from ledger.chain.state.hashing import (
    EMPTY_ROOT,
    HASH_SIZE,
    INNER_PREFIX,
    PATH_BITS,
    leaf_hash,
    leaf_preimage,
    path_of,
)
from ledger.chain.state.leaf import decode_preimage
from ledger.chain.state.varint import decode_varint, encode_varint
from ledger.errors import MalformedError, VerificationError

VERSION: Final = 1
MAX_STEPS: Final = PATH_BITS
_STEP_BYTES: Final = 1 + HASH_SIZE


@dataclass(frozen=True, slots=True)
class StateProof:
    """The way to one leaf. Raises MalformedError for what its bytes cannot say."""

    steps: tuple[tuple[int, bytes], ...]
    """(bit, sibling hash) from the root down."""
    leaf: tuple[bytes, bytes] | None
    """Key and value at the end; None in an empty map."""

    def __post_init__(self) -> None:
        if len(self.steps) > MAX_STEPS:
            raise MalformedError(f"a state proof of {len(self.steps)} steps; {MAX_STEPS} at most")
        last = -1
        for bit, sibling in self.steps:
            if not last < bit < PATH_BITS:
                raise MalformedError("the bits of a state proof do not increase up to 255")
            if len(sibling) != HASH_SIZE:
                raise MalformedError(f"a sibling is {len(sibling)} bytes, not {HASH_SIZE}")
            last = bit
        if self.leaf is None:
            if self.steps:
                raise MalformedError("a state proof with steps has no leaf")
        else:
            leaf_preimage(*self.leaf)

    def to_bytes(self) -> bytes:
        """Write the proof."""
        parts = [bytes([VERSION]), encode_varint(len(self.steps))]
        for bit, sibling in self.steps:
            parts += (bytes([bit]), sibling)
        parts += (b"\x00",) if self.leaf is None else (b"\x01", leaf_preimage(*self.leaf))
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> StateProof:
        """Read exactly what `to_bytes` writes. Raises MalformedError."""
        if not data or data[0] != VERSION:
            raise MalformedError("not a state proof of version 1")
        count, at = decode_varint(data, 1)
        if count > MAX_STEPS:
            raise MalformedError(f"a state proof of {count} steps; {MAX_STEPS} at most")
        end = at + count * _STEP_BYTES
        kind = data[end : end + 1]
        steps = tuple(
            (data[step], data[step + 1 : step + _STEP_BYTES])
            for step in range(at, end, _STEP_BYTES)
            if step < len(data)
        )
        if len(steps) != count or kind not in (b"\x00", b"\x01"):
            raise MalformedError("a state proof is cut short, or ends in an unknown kind of leaf")
        if kind == b"\x01":
            return cls(steps, decode_preimage(data, end + 1))
        if len(data) != end + 1:
            raise MalformedError("bytes follow a state proof")
        return cls(steps, None)


def verify_membership(
    root: bytes, key: bytes, proof: StateProof, value: bytes | None = None
) -> bytes:
    """Check that ``key`` is in the map with this root; return its value.

    With ``value``, check that it has this one. Raises VerificationError, or
    MalformedError for a root or key that cannot be one.
    """
    path = _path(root, key)
    if proof.leaf is None or proof.leaf[0] != key:
        raise VerificationError("the state proof is of another key")
    if value is not None and proof.leaf[1] != value:
        raise VerificationError("the key has another value")
    _verify_way(root, path, proof.steps, leaf_hash(*proof.leaf))
    return proof.leaf[1]


def verify_absence(root: bytes, key: bytes, proof: StateProof) -> None:
    """Check that ``key`` is not in the map with this root.

    Raises VerificationError, or MalformedError for a root or key that cannot be one.
    """
    path = _path(root, key)
    if proof.leaf is None:
        if root != EMPTY_ROOT:
            raise VerificationError("the map with this root is not empty")
        return
    other, value = proof.leaf
    if other == key:
        raise VerificationError("the state proof shows that the key is there")
    apart = int.from_bytes(path, "big") ^ int.from_bytes(path_of(other), "big")
    if any(apart >> PATH_BITS - 1 - bit & 1 for bit, _ in proof.steps):
        raise VerificationError("the way to the other key is not the way to this one")
    _verify_way(root, path, proof.steps, leaf_hash(other, value))


def _path(root: bytes, key: bytes) -> bytes:
    if len(root) != HASH_SIZE:
        raise MalformedError(f"a state root is {HASH_SIZE} bytes, not {len(root)}")
    leaf_preimage(key, b"")
    return path_of(key)


def _verify_way(
    root: bytes, path: bytes, steps: tuple[tuple[int, bytes], ...], node: bytes
) -> None:
    bits = int.from_bytes(path, "big")
    for bit, sibling in reversed(steps):
        # inner = SHA256(0x03 || bit || left || right), left has 0
        right = bits >> PATH_BITS - 1 - bit & 1
        pair = sibling + node if right else node + sibling
        node = sha256(INNER_PREFIX[bit] + pair).digest()
    if node != root:
        raise VerificationError("the state proof does not lead to the root")
