"""Keys of the state in words, for people: ``account 1f0e...``, ``robot example.com/husky-7``.

The words are the ones that `quipu chain query` takes.
"""

from __future__ import annotations

from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.chain.state_keys import GOVERNORS_KEY, PARAMETERS_KEY

_NAMES: Final = {
    1: "account",
    2: "asset",
    3: "cap",
    0x10: "fleet",
    0x11: "robot",
    0x12: "key",
    0x20: "anchor",
    0x30: "channel",
    0x40: "consent",
    0x41: "withdrawn",
    0x50: "contract",
    0x51: "offer",
    0x52: "terms",
    0x60: "grant",
    0x61: "nullifier",
    0x70: "sale",
    0x62: "anonymous-fees",
    0x80: "model",
}
_TEXT: Final = frozenset({0x11, 0x20})
_ASSET_BYTES: Final = 4
RECORD_ID_SIZE: Final = 16
"""Bytes in the id of a robot's record."""


def describe_key(key: bytes) -> str:
    """A key in words; one of no family that is known, in hex."""
    if key in (PARAMETERS_KEY, GOVERNORS_KEY):
        return key[1:].decode("ascii")
    name = _NAMES.get(key[0]) if key else None
    rest = key[1:]
    if name is None:
        return f"key {key.hex()}"
    if key[0] in _TEXT:
        return f"{name} {rest.decode('utf-8', 'replace')}"
    if name == "asset":
        return f"{name} {int.from_bytes(rest, 'big')}"
    if name == "cap":
        asset = int.from_bytes(rest[ID_SIZE:], "big")
        return f"{name} {rest[:ID_SIZE].hex()} of asset {asset}"
    if name == "terms":
        version = int.from_bytes(rest[ID_SIZE:], "big")
        return f"{name} of contract {rest[:ID_SIZE].hex()}, version {version}"
    if name == "withdrawn":
        origin = rest[RECORD_ID_SIZE:].decode("utf-8", "replace")
        return f"{name} {origin} {rest[:RECORD_ID_SIZE].hex()}"
    return f"{name} {rest.hex()}"
