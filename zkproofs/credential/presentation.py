"""Presentations, as they are sent.

Their size follows from the policy alone:

    version (1)
    || each value of policy.disclose, in order             text 64 bytes, number 4
    || Nym || Û                    (48 each)               if there is a scope
    || credential proof                                    a batchable proof of zkproofs.bbs
    || gap proof                                           likewise, if there is an epoch
    || C .. || Ĉ .. (48 each) || ŝ .. (32 each)            one of each a ranged sum
    || range proof                                         of zkproofs.range_proof, if any sum

No point is the identity. Values that the policy itself names are not sent. The range proof
has a version of its own; those there are take the same number of bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.bbs import BatchableProof
from zkproofs.credential.attributes import Attribute, Value, decode_values, encode_values
from zkproofs.credential.encoding import FieldReader, open_version
from zkproofs.credential.issuer import NYM_INDEX
from zkproofs.credential.nullifier import Nullifier
from zkproofs.credential.policy import Policy
from zkproofs.credential.revocation import GapMessage
from zkproofs.errors import ParameterError
from zkproofs.group import G1, G1_SIZE, SCALAR_SIZE, Scalar, group
from zkproofs.interval import plan_slots
from zkproofs.range_layout import NEWEST, RangeProof

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class NullifierProof:
    """Nym, and the first message about it."""

    nullifier: Nullifier
    masked: G1
    """Û"""


@dataclass(frozen=True, slots=True)
class RangeParts:
    """Commitments to the ranged sums, and proofs about them."""

    commitments: tuple[G1, ...]
    """C"""
    masked: tuple[G1, ...]
    """Ĉ"""
    responses: tuple[Scalar, ...]
    """ŝ"""
    proof: RangeProof


@dataclass(frozen=True, slots=True)
class Presentation:
    """An answer to a policy."""

    values: tuple[Value, ...]
    """of the attributes of policy.disclose, in order"""
    nullifier_proof: NullifierProof | None
    credential: BatchableProof
    gap: BatchableProof | None
    ranges: RangeParts | None

    @property
    def nullifier(self) -> Nullifier | None:
        """Nym; good only once the presentation has been verified, as all that is here."""
        return None if self.nullifier_proof is None else self.nullifier_proof.nullifier

    def disclosed(self, policy: Policy) -> dict[Attribute, Value]:
        """The values that ``policy`` has disclosed; `ParameterError` if it is another's."""
        if len(self.values) != len(policy.disclose):
            raise ParameterError("the presentation answers another policy")
        return dict(zip(policy.disclose, self.values, strict=True))

    def to_bytes(self, policy: Policy) -> bytes:
        """Write the layout above."""
        point, scalar = group().encode_g1, group().encode_scalar
        parts = [bytes([VERSION]), encode_values(policy.disclose, self.values)]
        if self.nullifier_proof is not None:
            parts += [self.nullifier_proof.nullifier.to_bytes(), point(self.nullifier_proof.masked)]
        parts.append(self.credential.to_bytes())
        if self.gap is not None:
            parts.append(self.gap.to_bytes())
        if self.ranges is not None:
            parts += map(point, (*self.ranges.commitments, *self.ranges.masked))
            parts += map(scalar, self.ranges.responses)
            parts.append(self.ranges.proof.to_bytes())
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes, policy: Policy) -> Presentation:
        """Read an answer to ``policy``. Raises `DecodingError`."""
        sizes = _Sizes.of(policy)
        reader = open_version(data, VERSION, sizes.total, "a presentation")
        values = decode_values(policy.disclose, reader.take(sizes.values))
        nullifier_proof = None
        if policy.scope is not None:
            nullifier_proof = NullifierProof(
                Nullifier.from_bytes(reader.take(G1_SIZE)),
                group().decode_g1(reader.take(G1_SIZE)),
            )
        credential = BatchableProof.from_bytes(reader.take(sizes.credential))
        gap = BatchableProof.from_bytes(reader.take(sizes.gap)) if sizes.gap else None
        ranges = _read_ranges(reader, sizes) if sizes.sums else None
        return cls(values, nullifier_proof, credential, gap, ranges)


def presentation_size(policy: Policy) -> int:
    """How many bytes every answer to ``policy`` takes."""
    return _Sizes.of(policy).total


@dataclass(frozen=True, slots=True)
class _Sizes:
    values: int
    nullifier: int
    credential: int
    gap: int
    sums: int
    """how many, not bytes"""
    range_proof: int

    @classmethod
    def of(cls, policy: Policy) -> _Sizes:
        sums = policy.ranged_sums
        return cls(
            values=sum(attribute.size for attribute in policy.disclose),
            nullifier=0 if policy.scope is None else 2 * G1_SIZE,
            credential=_proof_size(NYM_INDEX + 1 - len(policy.shown)),
            gap=0
            if policy.epoch is None
            else _proof_size(len(GapMessage) - len(policy.gap_indexes)),
            sums=len(sums),
            range_proof=NEWEST.proof_size(plan_slots([each.interval for each in sums]).size)
            if sums
            else 0,
        )

    @property
    def total(self) -> int:
        return (
            1
            + self.values
            + self.nullifier
            + self.credential
            + self.gap
            + self.sums * (2 * G1_SIZE + SCALAR_SIZE)
            + self.range_proof
        )


def _proof_size(hidden: int) -> int:
    return 1 + 5 * G1_SIZE + (3 + hidden) * SCALAR_SIZE


def _read_ranges(reader: FieldReader, sizes: _Sizes) -> RangeParts:
    commitments, masked = _read_points(reader, sizes.sums), _read_points(reader, sizes.sums)
    responses = tuple(group().decode_scalar(reader.take(SCALAR_SIZE)) for _ in range(sizes.sums))
    proof = RangeProof.from_bytes(reader.take(sizes.range_proof))
    return RangeParts(commitments, masked, responses, proof)


def _read_points(reader: FieldReader, count: int) -> tuple[G1, ...]:
    return tuple(group().decode_g1(reader.take(G1_SIZE)) for _ in range(count))
