"""Entry bundles (C2SP tlog-tiles, "Log entries").

"Entry bundles are sequences of big-endian uint16 length-prefixed log entries"::

    bundle = u16be(length of entry 0) || entry 0 || u16be(length of entry 1) || ...

A bundle holds the entries of one level 0 tile: 256, or fewer in a partial one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledger.errors import EntryTooLargeError, MalformedError
from ledger.merkle.tiles import TILE_WIDTH

MAX_ENTRY_SIZE: Final = 0xFFFF
"""Bytes in the largest entry a bundle can hold."""


def encode_entry_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bundle of 1 to 256 entries.

    Raises:
        EntryTooLargeError: an entry has 65,536 bytes or more.
        MalformedError: there are no entries, or more than 256.
    """
    if not 0 < len(entries) <= TILE_WIDTH:
        raise MalformedError(f"a bundle has 1 to {TILE_WIDTH} entries, not {len(entries)}")
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_SIZE:
            raise EntryTooLargeError(
                f"an entry of {len(entry)} bytes does not fit a bundle",
                hint=f"an entry has at most {MAX_ENTRY_SIZE} bytes",
            )
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_entry_bundle(bundle: bytes, width: int) -> list[bytes]:
    """Return the ``width`` entries of a bundle.

    Raises:
        MalformedError: the bundle is cut short, or does not end after ``width`` entries.
    """
    if not 0 < width <= TILE_WIDTH:
        raise MalformedError(f"a bundle has 1 to {TILE_WIDTH} entries, not {width}")
    entries = []
    start = 0
    for position in range(width):
        # A prefix cut short puts the stop beyond the end, too.
        stop = start + 2 + int.from_bytes(bundle[start : start + 2], "big")
        if stop > len(bundle):
            raise MalformedError(f"entry bundle ends within entry {position} of {width}")
        entries.append(bundle[start + 2 : stop])
        start = stop
    if start != len(bundle):
        raise MalformedError(f"entry bundle has {len(bundle) - start} bytes after its last entry")
    return entries
