"""A credential: a BBS signature on attributes and on a nym that only its holder knows.

    B = P1 + domain·Q_1 + Σ attributeᵢ·Hᵢ + nym·H_nym,   A = B / (SK + e)

It stays with the robot; what others see are presentations of it.

    version (1) || attributes (140) || nym (32) || signature (80)      253 bytes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.bbs import Signature
from zkproofs.bbs.signature import SIGNATURE_SIZE, core_verify
from zkproofs.credential.attributes import ATTRIBUTES_SIZE, Attributes
from zkproofs.credential.encoding import open_version
from zkproofs.credential.issuer import Issuer
from zkproofs.errors import DecodingError
from zkproofs.group import SCALAR_SIZE, Scalar, group

CREDENTIAL_VERSION: Final = 1
CREDENTIAL_SIZE: Final = 1 + ATTRIBUTES_SIZE + SCALAR_SIZE + SIGNATURE_SIZE


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What a robot holds. Secret: whoever has it is the robot. It does not show itself."""

    issuer: Issuer
    attributes: Attributes
    nym: Scalar
    signature: Signature

    def __repr__(self) -> str:
        return "Credential(<secret>)"

    @property
    def messages(self) -> tuple[Scalar, ...]:
        """All that is signed, in order. Secret."""
        return (*self.attributes.scalars(self.issuer.credentials.interface), self.nym)

    def verify(self) -> None:
        """Raise `VerificationError` unless the issuer signed just this."""
        core_verify(self.issuer.credentials, self.signature, self.messages)

    def to_bytes(self) -> bytes:
        """Write the layout above: the secret itself."""
        return (
            bytes([CREDENTIAL_VERSION])
            + self.attributes.to_bytes()
            + group().encode_scalar(self.nym)
            + self.signature.to_bytes()
        )

    @classmethod
    def from_bytes(cls, data: bytes, issuer: Issuer) -> Credential:
        """Read `to_bytes`; whether it is signed is for `verify` to say. `DecodingError`."""
        reader = open_version(data, CREDENTIAL_VERSION, CREDENTIAL_SIZE, "a credential")
        attributes = Attributes.from_bytes(reader.take(ATTRIBUTES_SIZE))
        nym = group().decode_scalar(reader.take(SCALAR_SIZE))
        if not int(nym):
            raise DecodingError("a nym is zero")
        return cls(issuer, attributes, nym, Signature.from_bytes(reader.take(SIGNATURE_SIZE)))
