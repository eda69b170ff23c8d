"""The map by its definition alone: no tiles, no buckets, every hash computed each time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256

Items = list[tuple[str, bytes, bytes]]


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number % 128 + 128]) + varint(number // 128)


@cache
def bits_of(key: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in sha256(key).digest())


def items_of(state: Mapping[bytes, bytes]) -> Items:
    return [(bits_of(key), key, value) for key, value in state.items()]


def leaf(key: bytes, value: bytes) -> bytes:
    return sha256(b"\x02" + varint(len(key)) + key + varint(len(value)) + value).digest()


def parted(items: Items) -> tuple[int, Items, Items]:
    """Where two items or more first differ, and the two sides."""
    first = items[0][0]
    bit = next(i for i in range(256) if any(path[i] != first[i] for path, _, _ in items))
    return (
        bit,
        [item for item in items if item[0][bit] == "0"],
        [item for item in items if item[0][bit] == "1"],
    )


def root_of_items(items: Items) -> bytes:
    if not items:
        return bytes(32)
    if len(items) == 1:
        return leaf(*items[0][1:])
    bit, left, right = parted(items)
    return sha256(b"\x03" + bytes([bit]) + root_of_items(left) + root_of_items(right)).digest()


def root_of(state: Mapping[bytes, bytes]) -> bytes:
    return root_of_items(items_of(state))


def proof_of(state: Mapping[bytes, bytes], key: bytes) -> bytes:
    """The bytes of the proof for a key, present or not."""
    items, steps = items_of(state), b""
    count = 0
    while len(items) > 1:
        bit, left, right = parted(items)
        own, other = (left, right) if bits_of(key)[bit] == "0" else (right, left)
        steps += bytes([bit]) + root_of_items(other)
        items, count = own, count + 1
    if not items:
        return b"\x01\x00\x00"
    _, found, value = items[0]
    end = varint(len(found)) + found + varint(len(value)) + value
    return b"\x01" + varint(count) + steps + b"\x01" + end
