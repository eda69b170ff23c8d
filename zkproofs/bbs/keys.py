"""Keys of an issuer (section 3.4): SK a scalar, PK = W = SK·P2 in G2.

secret key   SK as a 32-byte big-endian scalar, 0 < SK < r
public key   W, 96 bytes compressed, not the identity
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group import G2, Scalar, group

MIN_KEY_MATERIAL: Final = 32
_MAX_KEY_INFO: Final = 65535


@dataclass(frozen=True, slots=True)
class PublicKey:
    """W, with its canonical encoding. Made by `SecretKey.public_key` or `from_bytes`."""

    point: G2
    encoded: bytes

    def __repr__(self) -> str:
        return f"PublicKey({self.encoded.hex()})"

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return self.encoded

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicKey:
        """Read a public key. Raises `DecodingError` unless canonical and in the subgroup."""
        return cls(group().decode_g2(data), data)


@dataclass(frozen=True, slots=True, repr=False)
class SecretKey:
    """SK and its public key. Secret: it does not show itself."""

    scalar: Scalar
    public_key: PublicKey

    def __repr__(self) -> str:
        return f"SecretKey(<secret> of {self.public_key.encoded.hex()})"

    @classmethod
    def generate(cls) -> SecretKey:
        """Make a fresh key from the operating system's randomness."""
        return cls._of(group().random_scalar())

    @classmethod
    def derive(
        cls,
        ciphersuite: Ciphersuite,
        key_material: bytes,
        key_info: bytes = b"",
        key_dst: bytes | None = None,
    ) -> SecretKey:
        """KeyGen: the key of secret ``key_material``, which must not be guessable.

        Raises `ParameterError` below 32 bytes of it, or above 65,535 of ``key_info``.
        """
        if not isinstance(key_material, bytes) or len(key_material) < MIN_KEY_MATERIAL:
            raise ParameterError(f"key material takes at least {MIN_KEY_MATERIAL} bytes")
        if not isinstance(key_info, bytes) or len(key_info) > _MAX_KEY_INFO:
            raise ParameterError(f"key info takes at most {_MAX_KEY_INFO} bytes")
        # SK = hash_to_scalar(key_material || I2OSP(length(key_info), 2) || key_info, key_dst)
        scalar = ciphersuite.hash_to_scalar(
            key_material + len(key_info).to_bytes(2, "big") + key_info,
            ciphersuite.id + b"KEYGEN_DST_" if key_dst is None else key_dst,
        )
        if not int(scalar):
            raise ParameterError("the key material gives no key")
        return cls._of(scalar)

    def to_bytes(self) -> bytes:
        """Write the layout above: the secret itself."""
        return group().encode_scalar(self.scalar)

    @classmethod
    def from_bytes(cls, data: bytes) -> SecretKey:
        """Read a secret key. Raises `DecodingError`."""
        scalar = group().decode_scalar(data)
        if not int(scalar):
            raise DecodingError("a secret key is zero")
        return cls._of(scalar)

    @classmethod
    def _of(cls, scalar: Scalar) -> SecretKey:
        point = group().g2 * scalar
        return cls(scalar, PublicKey(point, group().encode_g2(point)))
