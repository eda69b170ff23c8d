"""The domain: all that signer, holder and verifier must agree on (section 4.2.3).

    domain = hash_to_scalar(PK || u64be(L) || Q_1 || H_1 .. H_L || api_id
                            || u64be(len(header)) || header)

It is made once for an issuer and a header, and serves any number of signatures and
proofs. Each signature is of B = P1 + domain·Q_1 + Σ mᵢ·Hᵢ; the first two terms are the
same for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkproofs.bbs.interface import Interface
from zkproofs.bbs.keys import PublicKey
from zkproofs.errors import ParameterError
from zkproofs.group import G1, Scalar, group


@dataclass(frozen=True, slots=True)
class Domain:
    """An issuer's key, the generators, the header, and their digest. Made by `of`."""

    interface: Interface
    public_key: PublicKey
    header: bytes
    message_points: tuple[G1, ...]
    """H_1 .. H_L, in a blind signature H_1 .. H_L, Q_2, J_1 .. J_M"""
    scalar: Scalar
    """domain"""
    anchor: G1
    """P1 + domain·Q_1"""

    @classmethod
    def of(
        cls, interface: Interface, public_key: PublicKey, header: bytes, message_count: int
    ) -> Domain:
        """The domain of signatures on ``message_count`` messages."""
        return cls.over(interface, public_key, header, interface.generators(message_count + 1))

    @classmethod
    def over(
        cls,
        interface: Interface,
        public_key: PublicKey,
        header: bytes,
        generators: Sequence[G1],
    ) -> Domain:
        """The domain of given generators, Q_1 first."""
        if not isinstance(header, bytes):
            raise ParameterError("a header is bytes")
        backend = group()
        q_1, *message_points = generators
        domain_octets = b"".join(
            [
                public_key.encoded,
                len(message_points).to_bytes(8, "big"),
                *map(backend.encode_g1, generators),
                interface.api_id,
                len(header).to_bytes(8, "big"),
                header,
            ]
        )
        scalar = interface.hash_to_scalar(domain_octets)
        anchor = interface.ciphersuite.base_point() + q_1 * scalar
        return cls(interface, public_key, header, tuple(message_points), scalar, anchor)

    @property
    def message_count(self) -> int:
        """L, the number of signed messages."""
        return len(self.message_points)

    def signed_point(self, messages: Sequence[Scalar]) -> G1:
        """B = P1 + domain·Q_1 + Σ mᵢ·Hᵢ. `ParameterError` unless there are L messages."""
        if len(messages) != self.message_count:
            raise ParameterError(f"{len(messages)} messages where {self.message_count} are signed")
        return self.anchor + group().msm(self.message_points, messages)
