"""Sealing units, one key each.

::

    secret_i = HKDF-Expand(sale key, "quipu/stream-secret/v1" || u64be(i), 32)
    key_i    = HKDF-Expand(unit key of the session, "quipu/stream-unit/v1" || secret_i, 32)
    sealed_i = AES-256-GCM(key_i, nonce = 0, aad = grant || u64be(i) || u64be(n), unit_i)

The sale key is 32 random bytes for one grant, and the session's key another for each
opening, so no key seals two units. Revealing secret_i tells nothing about the others.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import VerificationError
from ledger.exchange.grant import Grant
from ledger.exchange.session import Session
from ledger.experience.content_root import chunk_length
from ledger.experience.disclosure import SALT_SIZE
from ledger.experience.keyed_hash import keyed_hash

SECRET_SIZE: Final = 32
TAG_SIZE: Final = 16
_SECRET_LABEL: Final = b"quipu/stream-secret/v1"
_UNIT_LABEL: Final = b"quipu/stream-unit/v1"
_NONCE: Final = bytes(12)


def unit_secret(sale_key: bytes, index: int) -> bytes:
    """What is revealed once unit ``index`` is paid, 32 bytes."""
    # HKDF-Expand (RFC 5869, section 2.3), one block: HMAC(PRK, info || 0x01)
    return keyed_hash(sale_key, _SECRET_LABEL + index.to_bytes(8, "big") + b"\x01")


def sealed_size(grant: Grant, index: int) -> int:
    """Bytes of unit ``index`` when sealed."""
    return SALT_SIZE + chunk_length(index, grant.content_size) + TAG_SIZE


class UnitCipher:
    """Seals and opens the units of one grant in one session."""

    __slots__ = ("_count", "_grant", "_key", "_opened")

    def __init__(self, grant: Grant, session: Session) -> None:
        self._grant: Final = grant.grant
        self._count: Final = grant.count.to_bytes(8, "big")
        self._key: Final = session.unit_key
        self._opened = memoryview(b"")

    def seal(self, index: int, secret: bytes, unit: bytes | memoryview) -> bytes:
        """The sealed unit."""
        return self._cipher(secret).encrypt(_NONCE, unit, self._bound(index))

    def open(self, index: int, secret: bytes, sealed: bytes) -> memoryview:
        """The unit, in a buffer that the next call fills again.

        Raises VerificationError for a secret that does not open it.
        """
        size = len(sealed) - TAG_SIZE
        if size < 0:
            raise VerificationError(f"{len(sealed)} bytes are no sealed unit {index}")
        if size > len(self._opened):
            self._opened = memoryview(bytearray(size))
        unit = self._opened[:size]
        try:
            self._cipher(secret).decrypt_into(_NONCE, sealed, self._bound(index), unit)
        except InvalidTag:
            raise VerificationError(f"the secret does not open unit {index}") from None
        return unit

    def _cipher(self, secret: bytes) -> AESGCM:
        # HKDF-Expand(unit key, "quipu/stream-unit/v1" || secret_i, 32), one block
        return AESGCM(keyed_hash(self._key, _UNIT_LABEL + secret + b"\x01"))

    def _bound(self, index: int) -> bytes:
        # grant || u64be(i) || u64be(n)
        return self._grant + index.to_bytes(8, "big") + self._count
