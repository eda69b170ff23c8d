"""HMAC-SHA256, for what is computed several times a chunk.

``hmac.digest`` has OpenSSL look its hash up by name in every call, which costs some four
times the hashing of so short a message. This is the same function over ``hashlib.sha256``.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

_BLOCK_SIZE: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def keyed_hash(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 of a short message, 32 bytes."""
    # RFC 2104: H((K xor opad) || H((K xor ipad) || message)), K filled up with zeros
    block = (key if len(key) <= _BLOCK_SIZE else sha256(key).digest()).ljust(_BLOCK_SIZE, b"\x00")
    inner = sha256(block.translate(_INNER) + message).digest()
    return sha256(block.translate(_OUTER) + inner).digest()
