"""The fleet authority's key, and the two interfaces that it signs under.

    credential   ciphersuite_id || "H2G_QUIPU_FLEET_CREDENTIAL_V1_"    6 messages
    gap          ciphersuite_id || "H2G_QUIPU_REVOCATION_GAP_V1_"      4 messages

with ciphersuite_id = "BBS_BLS12381G1_XMD:SHA-256_SSWU_RO_". The standard interfaces hash
every message, so nothing could be proven of a number; ours sign numbers as scalars. The
api_id goes into every generator, every domain and every hash, so that one key may sign
under all of them: nothing of one interface verifies under another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.bbs import Ciphersuite, Domain, Interface, PublicKey, SecretKey
from zkproofs.credential.attributes import Attribute
from zkproofs.group import G1

CREDENTIAL_INTERFACE: Final = Interface(Ciphersuite.SHA_256, b"H2G_QUIPU_FLEET_CREDENTIAL_V1_")
GAP_INTERFACE: Final = Interface(Ciphersuite.SHA_256, b"H2G_QUIPU_REVOCATION_GAP_V1_")
NYM_INDEX: Final = len(Attribute)
"""Where the nym stands among a credential's messages."""
_CREDENTIAL_MESSAGES: Final = NYM_INDEX + 1
_GAP_MESSAGES: Final = 4


@dataclass(frozen=True, slots=True, repr=False)
class Issuer:
    """What holders and verifiers need of a fleet authority. Make it once and keep it."""

    public_key: PublicKey
    credentials: Domain
    """of signatures on credentials"""
    gaps: Domain
    """of signatures on revocation gaps"""

    def __repr__(self) -> str:
        return f"Issuer({self.public_key.encoded.hex()})"

    @classmethod
    def of(cls, public_key: PublicKey) -> Issuer:
        """The issuer with this key."""
        return cls(
            public_key,
            Domain.of(CREDENTIAL_INTERFACE, public_key, b"", _CREDENTIAL_MESSAGES),
            Domain.of(GAP_INTERFACE, public_key, b"", _GAP_MESSAGES),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Issuer:
        """The issuer of an encoded public key. Raises `DecodingError`."""
        return cls.of(PublicKey.from_bytes(data))

    def to_bytes(self) -> bytes:
        """The public key, 96 bytes."""
        return self.public_key.to_bytes()

    @property
    def nym_point(self) -> G1:
        """H_nym, which the nym multiplies in a signature."""
        return self.credentials.message_points[NYM_INDEX]


@dataclass(frozen=True, slots=True, repr=False)
class IssuerKey:
    """A fleet authority's secret key. It does not show itself."""

    secret_key: SecretKey
    issuer: Issuer

    def __repr__(self) -> str:
        return f"IssuerKey(<secret> of {self.issuer!r})"

    @classmethod
    def generate(cls) -> IssuerKey:
        """Make a fresh key from the operating system's randomness."""
        return cls.of(SecretKey.generate())

    @classmethod
    def of(cls, secret_key: SecretKey) -> IssuerKey:
        """The issuer that signs with this key."""
        return cls(secret_key, Issuer.of(secret_key.public_key))

    def to_bytes(self) -> bytes:
        """The secret itself, 32 bytes."""
        return self.secret_key.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> IssuerKey:
        """Read `to_bytes`. Raises `DecodingError`."""
        return cls.of(SecretKey.from_bytes(data))
