"""Units under a sale's key.

::

    k_i = HKDF-SHA256(ikm = k, salt = sale id, info = "quipu/sale-unit/v1" || u64be(i), 32)
    z_i = u_i XOR AES-256-CTR(k_i, counter block 0)                u_i = salt_i || chunk_i

Counter mode has no tag, on purpose: any z_i opens to something under any key, so a dispute
always has an answer (`complaint`). No k_i is used twice: sale and index are in it.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from ledger.errors import MalformedError
from ledger.experience.content_root import chunk_length
from ledger.experience.disclosure import SALT_SIZE

_UNIT_LABEL: Final = b"quipu/sale-unit/v1"
_COUNTER: Final = bytes(16)


def unit_size(index: int, content_size: int) -> int:
    """Bytes of unit ``index``, masked or not. Raises NotFoundError for none of that index."""
    return SALT_SIZE + chunk_length(index, content_size)


class UnitMask:
    """Masks the units of one sale, and unmasks them: both are the same."""

    __slots__ = ("_prk",)

    def __init__(self, sale: bytes, key: bytes) -> None:
        """``sale`` and ``key`` are 32 bytes each. Raises MalformedError."""
        if len(sale) != 32 or len(key) != 32:
            raise MalformedError("a sale's id and key are 32 bytes each")
        # RFC 5869, section 2.2: PRK = HMAC(salt, IKM)
        self._prk: Final = hmac.digest(sale, key, "sha256")

    def apply(self, index: int, unit: bytes | memoryview) -> bytes:
        """z_i of u_i, or u_i of z_i."""
        # RFC 5869, section 2.3, one block: T(1) = HMAC(PRK, info || 0x01)
        info = _UNIT_LABEL + index.to_bytes(8, "big")
        unit_key = hmac.digest(self._prk, info + b"\x01", "sha256")
        return Cipher(AES(unit_key), CTR(_COUNTER)).encryptor().update(unit)
