"""The rule: how keys and values become one root of 32 bytes.

::

    path(k)     = SHA256(k)                    bit 0 is the top bit of byte 0
    leaf(k, v)  = SHA256(0x02 || varint(len k) || k || varint(len v) || v)
    inner       = SHA256(0x03 || bit || left || right)
    empty map   = 32 zero bytes

An inner node stands where the paths below it first differ: ``bit`` is the index of
that bit, one byte, and ``left`` has those with 0. One key alone is its leaf. So the
root depends on what is in the map, and never on how it came there.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ledger.chain.state.varint import encode_varint
from ledger.errors import MalformedError

HASH_SIZE: Final = 32
PATH_BITS: Final = 256
EMPTY_ROOT: Final = bytes(HASH_SIZE)
"""Root of the map without keys."""

MAX_KEY_BYTES: Final = 1_024
MAX_VALUE_BYTES: Final = 1 << 20

INNER_PREFIX: Final = tuple(b"\x03" + bytes([bit]) for bit in range(PATH_BITS))
"""What stands before ``left || right`` in the hash of an inner node, by its bit."""


def path_of(key: bytes) -> bytes:
    """Return the path of a key: where in the trie it is, or would be."""
    # path(k) = SHA256(k)
    return sha256(key).digest()


def leaf_preimage(key: bytes, value: bytes) -> bytes:
    """Return what a leaf hashes after its prefix.

    Raises MalformedError for a key of no or too many bytes, or too long a value.
    """
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise MalformedError(f"a key of {len(key)} bytes; keys are 1 to {MAX_KEY_BYTES}")
    if len(value) > MAX_VALUE_BYTES:
        raise MalformedError(f"a value of {len(value)} bytes; {MAX_VALUE_BYTES} at most")
    # varint(len k) || k || varint(len v) || v
    if len(key) < 0x80 > len(value):
        return b"%c%b%c%b" % (len(key), key, len(value), value)  # nearly always, and faster
    return encode_varint(len(key)) + key + encode_varint(len(value)) + value


def leaf_hash(key: bytes, value: bytes) -> bytes:
    """Return the hash of a key with its value. Raises as `leaf_preimage`."""
    # leaf = SHA256(0x02 || varint(len k) || k || varint(len v) || v)
    return sha256(b"\x02" + leaf_preimage(key, value)).digest()


def inner_hash(bit: int, left: bytes, right: bytes) -> bytes:
    """Return the hash of the node whose subtrees first differ at ``bit``."""
    # inner = SHA256(0x03 || bit || left || right)
    return sha256(INNER_PREFIX[bit] + left + right).digest()


def bit_of(path: bytes, bit: int) -> int:
    """Return one bit of a path; bit 0 is the most significant of byte 0."""
    return path[bit >> 3] >> (~bit & 7) & 1
