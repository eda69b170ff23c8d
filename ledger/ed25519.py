"""Ed25519 keys and signatures (RFC 8032), with the checks that the library leaves out.

`cryptography` hands a public key to OpenSSL without looking at it, and OpenSSL then
accepts, for example, the all-zero-but-one signature under the identity key for *any*
message. A `PublicKey` therefore exists only if its 32 bytes are

1. canonical: y < p, and no sign bit where x = 0 (RFC 8032, section 5.1.3, steps 1 and 4);
2. a point of the curve (step 3);
3. not one of the eight points of small order, for which signatures are forgeable
   (section 8.4 of RFC 8032 and section 2 of "Taming the many EdDSAs", 2020).

Signatures are checked without cofactor, as OpenSSL and Go do, and S >= L is refused
(section 5.1.7, step 1), so a valid signature cannot be turned into another one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.errors import KeyStoreError, MalformedError, VerificationError

KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

# RFC 8032, section 5.1: p = 2^255 - 19, d = -121665/121666.
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P

# The y of the points of order 8, a root of d y^4 + 2 y^2 - 1 = 0; the other is -y.
_Y_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826

# Orders 1, 2, 4 and 8. Both signs of x are refused, so y alone decides.
_SMALL_ORDER_Y: Final = frozenset({1, _P - 1, 0, _Y_ORDER_8, _P - _Y_ORDER_8})


def check_public_key(encoded: bytes) -> None:
    """Refuse bytes that are no key, as the module says, without loading it.

    Raises `MalformedError`.
    """
    if len(encoded) != KEY_SIZE:
        raise MalformedError(f"Ed25519 public key of {len(encoded)} bytes, {KEY_SIZE} expected")
    # RFC 8032, section 5.1.2: y little-endian in 255 bits, the sign of x in bit 255.
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    if y >= _P:
        raise MalformedError("Ed25519 public key is not canonical: y >= p")
    if y in _SMALL_ORDER_Y:
        # y = 1 and y = -1 are the only points with x = 0: this covers the stray sign bit too.
        raise MalformedError("Ed25519 public key is a point of small order; anyone can sign for it")
    # Section 5.1.3: x^2 = (y^2 - 1) / (d y^2 + 1) must be a square (Euler's criterion on u*v,
    # which is a square exactly when u/v is).
    u, v = y * y - 1, _D * y * y + 1
    if pow(u * v % _P, (_P - 1) // 2, _P) != 1:
        raise MalformedError("Ed25519 public key is not a point of the curve")


@lru_cache(maxsize=256)
def _load_public_key(encoded: bytes) -> Ed25519PublicKey:
    """Check and load a key; remembered, for a log's entries mostly share one."""
    check_public_key(encoded)
    try:
        return Ed25519PublicKey.from_public_bytes(encoded)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("Ed25519 public key is refused by OpenSSL") from error


class PublicKey:
    """A checked Ed25519 public key. Raises `MalformedError` for bytes that are none."""

    __slots__ = ("_encoded", "_key")

    def __init__(self, encoded: bytes) -> None:
        self._encoded = bytes(encoded)
        self._key = _load_public_key(self._encoded)

    def __bytes__(self) -> bytes:
        """The 32-byte encoding of RFC 8032, section 5.1.2."""
        return self._encoded

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return self._encoded == other._encoded

    def __hash__(self) -> int:
        return hash(self._encoded)

    def __repr__(self) -> str:
        return f"PublicKey({self._encoded.hex()})"

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check ``signature`` (64 bytes, R || S) over ``message``.

        Raises `VerificationError` if it is not this key's.
        """
        if len(signature) != SIGNATURE_SIZE:
            raise VerificationError(
                f"Ed25519 signature of {len(signature)} bytes, {SIGNATURE_SIZE} expected"
            )
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise VerificationError(
                f"Ed25519 signature is not by key {self._encoded.hex()[:16]}..."
            ) from None


def is_signed(checked_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` is of a key that `check_public_key` has passed before.

    For ledgers that have checked a key when they first wrote it down: the check costs as
    much as the signature. Bytes that are no key give False.
    """
    try:
        Ed25519PublicKey.from_public_bytes(checked_key).verify(signature, message)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


class PrivateKey:
    """An Ed25519 private key. Neither ``repr`` nor any error shows the secret."""

    __slots__ = ("_key", "public_key")

    public_key: PublicKey

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> PrivateKey:
        """Make a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> PrivateKey:
        """Make the key of a 32-byte seed (the "private key" of RFC 8032).

        Raises `MalformedError` for another length.
        """
        if len(seed) != KEY_SIZE:
            raise MalformedError(f"Ed25519 seed of {len(seed)} bytes, {KEY_SIZE} expected")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> PrivateKey:
        """Read an unencrypted PKCS #8 PEM file (RFC 8410).

        Raises `KeyStoreError` if it holds no Ed25519 private key.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
            # InternalError: a key of a length that is not its algorithm's. Not chained: the
            # cause could quote the file.
            raise KeyStoreError("not a PKCS #8 PEM private key without password") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyStoreError("PEM file holds a private key that is not Ed25519")
        return cls(key)

    def to_pem(self) -> bytes:
        """The secret as unencrypted PKCS #8 PEM (RFC 8410), for a file of mode 0600."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``: 64 bytes, the same each time (RFC 8032, section 5.1.6)."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public_key!r})"
