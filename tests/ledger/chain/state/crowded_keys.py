"""Keys whose paths begin alike, so that a few of them fill buckets and tiles."""

from __future__ import annotations

from functools import cache
from hashlib import sha256


@cache
def crowd(bits: int, count: int, start: int = 0) -> tuple[bytes, ...]:
    """The first ``count`` keys whose paths begin with so many bits of one path."""
    like = int.from_bytes(sha256(b"crowd").digest(), "big") >> 256 - bits
    keys, number = [], start
    while len(keys) < count:
        key = b"%d" % number
        if int.from_bytes(sha256(key).digest(), "big") >> 256 - bits == like:
            keys.append(key)
        number += 1
    return tuple(keys)


def mixed_keys() -> tuple[bytes, ...]:
    """Keys that share 12 bits, 6 bits, none: tiles of three levels come and go."""
    scattered = tuple(b"scattered %d" % number for number in range(16))
    return crowd(12, 20) + crowd(6, 20, 1 << 20) + scattered
