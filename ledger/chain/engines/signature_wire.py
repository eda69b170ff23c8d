"""What goes between an engine and the processes that check its signatures.

::

    request  = u32be(bytes that follow) || claim...
    claim    = u32be(length of message) || key, 32 bytes || signature, 64 bytes || message
    answer   = u32be(bytes that follow) || a byte for each claim: 1 it is true, 0 not
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import BinaryIO, Final

from ledger.chain.transaction import SignatureClaim
from ledger.ed25519 import KEY_SIZE, SIGNATURE_SIZE
from ledger.errors import MalformedError

_LENGTH: Final = Struct(">I")
_HEAD: Final = _LENGTH.size + KEY_SIZE + SIGNATURE_SIZE


def encode_claims(claims: Sequence[SignatureClaim]) -> bytes:
    """Return a request. Keys and signatures have their sizes."""
    parts: list[bytes] = [b""]
    for key, signature, message in claims:
        parts += (_LENGTH.pack(len(message)), key, signature, message)
    parts[0] = _LENGTH.pack(sum(map(len, parts)))
    return b"".join(parts)


def decode_claims(body: bytes) -> list[SignatureClaim]:
    """Read what follows the length of a request. Raises MalformedError."""
    claims, at = [], 0
    while at < len(body):
        start = at + _HEAD
        if start > len(body):
            raise MalformedError("a claim is cut short")
        (length,) = _LENGTH.unpack_from(body, at)
        key = body[at + _LENGTH.size : at + _LENGTH.size + KEY_SIZE]
        signature = body[start - SIGNATURE_SIZE : start]
        at = start + length
        claims.append(SignatureClaim(key, signature, body[start:at]))
    if at != len(body):
        raise MalformedError("a claim is cut short")
    return claims


def encode_verdicts(verdicts: Iterable[bool]) -> bytes:
    """Return an answer."""
    body = bytes(verdicts)
    return _LENGTH.pack(len(body)) + body


def read_message(stream: BinaryIO) -> bytes | None:
    """What follows the next length; None where the stream ends. May raise OSError."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None
