"""The one transcript of a presentation: what the challenge depends on, and in which order.

Everything goes through `zkproofs.transcript`, protocol "fleet-credential-presentation-v1",
context the credential interface's api_id. Statement first, then all that is sent:

    gap api id, W, domain, domain of gaps                  who signed, over which generators
    N, (i, mᵢ) of each attribute shown                     their scalars
    k, (i, low || high) of each range                      predicates
    [scope, OP, Nym]  [epoch]                              each after how many there are, 0 or 1
    Y1, Y0                                                 the bases of commitments
    nonce, verifier, transaction                           ph
    Ā, B̄, D, T1, T2  [the same of the gap]                 first messages
    C of each ranged sum, Ĉ of each, [Û]
                                                           → context of the range proof
    [the range proof]
                                                           → c

Each frame has a label and a length, so that no two presentations absorb the same bytes.

The range proof is a protocol of its own, with a transcript of its own. Its context is a
challenge drawn from this transcript when everything else is in it, so it holds for this
statement and these first messages only; and c is drawn after it, so all that is sent, the
responses to c apart, is decided before c. Neither could be taken out of one presentation
into another even with the same C, which itself is a fresh one each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.bbs import Disclosure
from zkproofs.bbs.proof import FirstMessage
from zkproofs.credential.attributes import Attribute, Value
from zkproofs.credential.binding import Binding
from zkproofs.credential.issuer import Issuer
from zkproofs.credential.nullifier import Nullifier, scope_point
from zkproofs.credential.policy import Policy
from zkproofs.group import G1, Scalar, group
from zkproofs.pedersen import default_bases
from zkproofs.range_proof import RangeProof
from zkproofs.transcript import Transcript

PROTOCOL: Final = b"fleet-credential-presentation-v1"


@dataclass(frozen=True, slots=True)
class Statement:
    """What is proven. Each side builds it from what it knows itself, and from Nym."""

    issuer: Issuer
    policy: Policy
    binding: Binding
    disclosure: Disclosure
    """the attributes that are shown, as scalars"""
    origin: G1 | None
    """OP, if there is a scope"""
    nullifier: Nullifier | None
    """Nym, if there is a scope"""

    @classmethod
    def of(
        cls,
        issuer: Issuer,
        policy: Policy,
        binding: Binding,
        values: dict[Attribute, Value],
        nullifier: Nullifier | None,
    ) -> Statement:
        """The statement about attributes with these ``values``, those that are shown."""
        interface = issuer.credentials.interface
        messages = tuple(each.scalar(values[each], interface) for each in policy.shown)
        disclosure = Disclosure(tuple(map(int, policy.shown)), messages)
        origin = None if policy.scope is None else scope_point(policy.scope)
        return cls(issuer, policy, binding, disclosure, origin, nullifier)

    @property
    def gap_disclosure(self) -> Disclosure:
        """What is shown of the gap; there has to be an epoch."""
        messages = [group().scalar(self.policy.epoch or 0)]
        if Attribute.FLEET in self.policy.shown:
            messages.insert(0, self.disclosure.messages[0])
        return Disclosure(self.policy.gap_indexes, tuple(messages))


@dataclass(frozen=True, slots=True)
class FirstMessages:
    """All that is sent before the range proof, but for Nym."""

    credential: FirstMessage
    gap: FirstMessage | None
    commitments: tuple[G1, ...]
    """C of each ranged sum"""
    masked_commitments: tuple[G1, ...]
    """Ĉ of each"""
    masked_nullifier: G1 | None
    """Û"""


class PresentationTranscript:
    """The transcript above. Both challenges are drawn once, in order."""

    __slots__ = ("_transcript",)

    def __init__(self, statement: Statement, first: FirstMessages) -> None:
        self._transcript = Transcript(PROTOCOL, statement.issuer.credentials.interface.api_id)
        self._absorb_statement(statement)
        self._absorb_first_messages(first)

    def range_context(self) -> bytes:
        """The context of the range proof."""
        return group().encode_scalar(self._transcript.challenge(b"context"))

    def challenge(self, range_proof: RangeProof | None) -> Scalar:
        """c."""
        if range_proof is not None:
            self._transcript.append_bytes(b"range proof", range_proof.to_bytes())
        return self._transcript.challenge(b"c")

    def _absorb_statement(self, statement: Statement) -> None:
        transcript, issuer, policy = self._transcript, statement.issuer, statement.policy
        transcript.append_bytes(b"gap api id", issuer.gaps.interface.api_id)
        transcript.append_bytes(b"W", issuer.to_bytes())
        transcript.append_scalar(b"domain", issuer.credentials.scalar)
        transcript.append_scalar(b"gap domain", issuer.gaps.scalar)

        disclosure = statement.disclosure
        transcript.append_u64(b"N", len(disclosure.indexes))
        for index, message in zip(disclosure.indexes, disclosure.messages, strict=True):
            transcript.append_u64(b"i", index)
            transcript.append_scalar(b"m", message)
        transcript.append_u64(b"k", len(policy.ranges))
        for attribute, interval in policy.ranges:
            transcript.append_u64(b"ranged i", attribute)
            transcript.append_bytes(b"bounds", interval.to_bytes())

        transcript.append_u64(b"scopes", int(policy.scope is not None))
        if policy.scope is not None:
            transcript.append_bytes(b"scope", policy.scope)
        if statement.origin is not None and statement.nullifier is not None:
            transcript.append_point(b"OP", statement.origin)
            transcript.append_point(b"Nym", statement.nullifier.point)
        transcript.append_u64(b"epochs", int(policy.epoch is not None))
        if policy.epoch is not None:
            transcript.append_u64(b"epoch", policy.epoch)

        bases, binding = default_bases(), statement.binding
        transcript.append_point(b"Y1", bases.value)
        transcript.append_point(b"Y0", bases.blinding)
        transcript.append_bytes(b"nonce", binding.nonce)
        transcript.append_bytes(b"verifier", binding.verifier)
        transcript.append_bytes(b"transaction", binding.transaction)

    def _absorb_first_messages(self, first: FirstMessages) -> None:
        self._absorb_signature(b"", first.credential)
        if first.gap is not None:
            self._absorb_signature(b"gap ", first.gap)
        transcript = self._transcript
        transcript.append_points(b"C", first.commitments)
        transcript.append_points(b"hat C", first.masked_commitments)
        if first.masked_nullifier is not None:
            transcript.append_point(b"hat U", first.masked_nullifier)

    def _absorb_signature(self, prefix: bytes, first: FirstMessage) -> None:
        transcript = self._transcript
        transcript.append_point(prefix + b"bar A", first.a_bar)
        transcript.append_point(prefix + b"bar B", first.b_bar)
        transcript.append_point(prefix + b"D", first.d)
        transcript.append_point(prefix + b"T1", first.t1)
        transcript.append_point(prefix + b"T2", first.t2)
