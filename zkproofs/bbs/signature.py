"""Signatures: A = B / (SK + e), which holds iff e(A, W + e·P2) = e(B, P2) (section 3.6).

    signature   A, 48 bytes compressed || e, 32 bytes      80 bytes

A is not the identity, e is not zero. Signing is deterministic.

The functions that begin with ``core_`` take messages as scalars, for any interface;
`sign` and `verify` take octets, for the core draft's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zkproofs.batch import PairingEquation, verify_equations
from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.bbs.domain import Domain
from zkproofs.bbs.interface import plain_interface
from zkproofs.bbs.keys import PublicKey, SecretKey
from zkproofs.errors import DecodingError, IssuanceError, ParameterError
from zkproofs.group import G1, G1_SIZE, SCALAR_SIZE, Scalar, group
from zkproofs.group.encoding import check_size

SIGNATURE_SIZE: Final = G1_SIZE + SCALAR_SIZE


@dataclass(frozen=True, slots=True, repr=False)
class Signature:
    """(A, e). Whoever has it can prove with it, so it does not show itself."""

    a: G1
    e: Scalar

    def __repr__(self) -> str:
        return "Signature(<secret>)"

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return group().encode_g1(self.a) + group().encode_scalar(self.e)

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        """Read a signature. Raises `DecodingError`."""
        check_size(data, SIGNATURE_SIZE, "a signature")
        e = group().decode_scalar(data[G1_SIZE:])
        if not int(e):
            raise DecodingError("a signature's e is zero")
        return cls(group().decode_g1(data[:G1_SIZE]), e)


def core_sign(secret_key: SecretKey, domain: Domain, messages: Sequence[Scalar]) -> Signature:
    """CoreSign. Raises `ParameterError` for a wrong number of messages or another's domain."""
    backend = group()
    b = domain.signed_point(messages)
    # e = hash_to_scalar(SK || msg_1 .. msg_L || domain)
    secrets = (secret_key.scalar, *messages, domain.scalar)
    return complete(secret_key, domain, b, b"".join(map(backend.encode_scalar, secrets)))


def complete(secret_key: SecretKey, domain: Domain, b: G1, e_octets: bytes) -> Signature:
    """A = B / (SK + e) with e hashed from ``e_octets``, which hold the key and what is signed.

    Raises `IssuanceError` where no signature comes out: with a probability of 2^-255.
    """
    if domain.public_key.encoded != secret_key.public_key.encoded:
        raise ParameterError("the domain is that of another key")
    e = domain.interface.hash_to_scalar(e_octets)
    if b == group().g1_identity or not int(e) or not int(secret_key.scalar + e):
        raise IssuanceError("these messages cannot be signed with this key")
    return Signature(b * group().inverse(secret_key.scalar + e), e)


def core_verify(domain: Domain, signature: Signature, messages: Sequence[Scalar]) -> None:
    """CoreVerify. Raises `VerificationError` unless the signature is of these messages."""
    verify_equations((signature_equation(domain, signature, messages),), "the signature")


def signature_equation(
    domain: Domain, signature: Signature, messages: Sequence[Scalar]
) -> PairingEquation:
    """e(A, W) · e(B - e·A, -P2) = 1, which holds iff the signature is of these messages."""
    remainder = domain.signed_point(messages) - signature.a * signature.e
    return PairingEquation(((signature.a, domain.public_key.point), (remainder, -group().g2)))


def sign(
    secret_key: SecretKey,
    messages: Sequence[bytes],
    header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> Signature:
    """Sign ``messages`` and ``header`` (Sign, section 3.5.1)."""
    interface = plain_interface(ciphersuite)
    domain = Domain.of(interface, secret_key.public_key, header, len(messages))
    return core_sign(secret_key, domain, interface.messages_to_scalars(messages))


def verify(
    public_key: PublicKey,
    signature: Signature,
    messages: Sequence[bytes],
    header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> None:
    """Raise `VerificationError` unless ``signature`` is of just these (section 3.5.2)."""
    interface = plain_interface(ciphersuite)
    domain = Domain.of(interface, public_key, header, len(messages))
    core_verify(domain, signature, interface.messages_to_scalars(messages))
