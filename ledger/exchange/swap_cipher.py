"""The units of an atomic sale on their way: hidden from everybody but the buyer.

::

    part_key = HKDF-Expand(unit key of the session, "quipu/swap-part/v1" || u8 kind || u64be(i), 32)
    sealed   = AES-256-GCM(part_key, nonce = 0, aad = sale id || u64be(n), part)
    kind     = 1: leaves, page i     2: z_i

The sale's key is on the chain in the end, and opens every z_i. So z_i are sealed once more
under secrets that stay with the two sides.
"""

from __future__ import annotations

import hmac
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import VerificationError
from ledger.exchange.session import Session

TAG_SIZE: Final = 16
_PART_LABEL: Final = b"quipu/swap-part/v1"
_NONCE: Final = bytes(12)


class Part(IntEnum):
    """What is sealed."""

    LEAVES = 1
    UNIT = 2


class SwapCipher:
    """Seals and opens the parts of one sale in one session."""

    __slots__ = ("_bound", "_key")

    def __init__(self, session: Session, sale: bytes, count: int) -> None:
        self._key: Final = session.unit_key
        # sale id || u64be(n)
        self._bound: Final = sale + count.to_bytes(8, "big")

    def seal(self, part: Part, index: int, content: bytes) -> bytes:
        """The sealed part."""
        return self._cipher(part, index).encrypt(_NONCE, content, self._bound)

    def open(self, part: Part, index: int, sealed: bytes) -> bytes:
        """The part. Raises VerificationError for one that the other side did not seal so."""
        try:
            return self._cipher(part, index).decrypt(_NONCE, sealed, self._bound)
        except InvalidTag:
            raise VerificationError(
                f"{part.name.lower()} {index} is not sealed for this sale"
            ) from None

    def _cipher(self, part: Part, index: int) -> AESGCM:
        # HKDF-Expand (RFC 5869, section 2.3), one block: HMAC(PRK, info || 0x01)
        info = _PART_LABEL + bytes([part]) + index.to_bytes(8, "big")
        return AESGCM(hmac.digest(self._key, info + b"\x01", "sha256"))
