"""Unsigned LEB128 of the fewest bytes: seven bits a byte, lowest first."""

from __future__ import annotations

from typing import Final

from ledger.errors import MalformedError

MAX_BYTES: Final = 5
"""A length of this format is below 2^35; more bytes are refused unread."""


def encode_varint(number: int) -> bytes:
    """Write a number that is not negative."""
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def decode_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number at offset ``at``; it and the offset after it.

    Raises MalformedError if it is cut short, longer than `MAX_BYTES`, or not minimal.
    """
    number = 0
    for place in range(MAX_BYTES):
        if at + place >= len(data):
            raise MalformedError("a varint is cut short")
        byte = data[at + place]
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if place and not byte:
                raise MalformedError("a varint is longer than it need be")
            return number, at + place + 1
    raise MalformedError(f"a varint of more than {MAX_BYTES} bytes")


_ONE_BYTE: Final = tuple(bytes([number]) for number in range(0x80))
