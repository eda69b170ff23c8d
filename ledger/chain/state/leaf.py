"""The row a leaf is stored in, under its path.

::

    leaf hash, 32 bytes || varint(len k) || k || varint(len v) || v

The hash is kept so that a neighbour's change does not cost hashing this leaf again;
what follows is what a proof carries.
"""

from __future__ import annotations

from hashlib import sha256

from ledger.chain.state.hashing import HASH_SIZE, leaf_preimage
from ledger.chain.state.varint import decode_varint
from ledger.errors import CorruptStoreError, MalformedError


def encode_leaf(key: bytes, value: bytes) -> bytes:
    """Return the row of a key. Raises MalformedError as `hashing.leaf_preimage`."""
    preimage = leaf_preimage(key, value)
    return sha256(b"\x02" + preimage).digest() + preimage


def decode_leaf(row: bytes) -> tuple[bytes, bytes]:
    """Return key and value of a row. Raises CorruptStoreError; its hash is not checked."""
    try:
        return decode_preimage(row, HASH_SIZE)
    except MalformedError as error:
        raise CorruptStoreError(f"a leaf of the state is damaged: {error.message}") from error


def decode_preimage(data: bytes, start: int) -> tuple[bytes, bytes]:
    """Return key and value of a preimage that runs from ``start`` to the end of ``data``.

    Raises MalformedError for any bytes that `hashing.leaf_preimage` does not write.
    """
    size, at = decode_varint(data, start)
    key = data[at : at + size]
    length, value_at = decode_varint(data, at + size)
    value = data[value_at:]
    if len(value) != length:
        raise MalformedError("a leaf is cut short, or has bytes after its end")
    if data[start:] != leaf_preimage(key, value):
        raise MalformedError("a leaf is not in its one form")
    return key, value
