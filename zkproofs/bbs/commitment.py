"""Commitments to messages that the issuer signs without seeing them (blind draft -02).

    C  = s·Q_2 + Σ mᵢ·Jᵢ        s, the prover's blind, is fresh
    C̄  = s̃·Q_2 + Σ m̃ᵢ·Jᵢ
    c  = hash_to_scalar(u64be(M) || Q_2 || J_1 .. J_M || C || C̄ || more)
    ŝ  = s̃ + c·s    m̂ᵢ = m̃ᵢ + c·mᵢ         so that C̄ = ŝ·Q_2 + Σ m̂ᵢ·Jᵢ - c·C

    commitment with proof   C, 48 bytes || ŝ || m̂ᵢ of each message || c, 32 bytes each

C is not the identity, no scalar is zero. The draft has no ``more``: an interface that
proves more of the committed messages under the same challenge puts it there, in a
layout that can be read in one way only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkproofs.bbs.hash_chain import MAX_GENERATORS
from zkproofs.bbs.interface import Interface
from zkproofs.bbs.proof import check_is_bytes
from zkproofs.bbs.randomness import ScalarSource, draw
from zkproofs.errors import DecodingError, ParameterError, VerificationError
from zkproofs.group import G1, G1_SIZE, SCALAR_SIZE, Scalar, group


@dataclass(frozen=True, slots=True)
class CommitmentWithProof:
    """What the holder sends to the issuer."""

    point: G1
    """C"""
    blind_response: Scalar
    """ŝ"""
    message_responses: tuple[Scalar, ...]
    """m̂ᵢ"""
    challenge: Scalar
    """c"""

    @property
    def message_count(self) -> int:
        """M."""
        return len(self.message_responses)

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        scalars = (self.blind_response, *self.message_responses, self.challenge)
        return group().encode_g1(self.point) + b"".join(map(group().encode_scalar, scalars))

    @classmethod
    def from_bytes(cls, data: bytes) -> CommitmentWithProof:
        """Read a commitment with its proof. Raises `DecodingError`."""
        check_is_bytes(data, "a commitment with proof")
        rest = len(data) - G1_SIZE - 2 * SCALAR_SIZE
        if rest < 0 or rest % SCALAR_SIZE or rest >= MAX_GENERATORS * SCALAR_SIZE:
            raise DecodingError(f"a commitment with proof does not have {len(data)} bytes")
        backend = group()
        scalars = [
            backend.decode_scalar(data[start : start + SCALAR_SIZE])
            for start in range(G1_SIZE, len(data), SCALAR_SIZE)
        ]
        if not all(map(int, scalars)):
            raise DecodingError("a commitment with proof has a scalar that is zero")
        blind, *messages, challenge = scalars
        return cls(backend.decode_g1(data[:G1_SIZE]), blind, tuple(messages), challenge)


@dataclass(frozen=True, slots=True)
class CommitmentFirstMessage:
    """What the holder sends before the challenge."""

    point: G1
    """C"""
    masked: G1
    """C̄"""


@dataclass(frozen=True, slots=True)
class VerifiedCommitment:
    """A commitment that its holder has been shown to know the opening of.

    Only `check_commitment` makes one, and only one of these is signed.
    """

    point: G1
    message_count: int


class CommitterAwaitingChallenge:
    """A commitment whose first message stands, and which takes one challenge."""

    __slots__ = ("_blinding", "_blindings", "_messages", "first", "prover_blind")

    def __init__(
        self,
        first: CommitmentFirstMessage,
        prover_blind: Scalar,
        messages: tuple[Scalar, ...],
        blinding: Scalar,
        blindings: tuple[Scalar, ...],
    ) -> None:
        self.first = first
        self.prover_blind = prover_blind
        """s: secret, and needed with every use of the signature."""
        self._messages = messages
        self._blinding = blinding
        self._blindings: tuple[Scalar, ...] | None = blindings

    def __repr__(self) -> str:
        return f"CommitterAwaitingChallenge({self.first}, <secret>)"

    def blinding(self, index: int) -> Scalar:
        """m̃ of the committed message at ``index``. Secret."""
        blindings = self._unanswered()
        if not 0 <= index < len(blindings):
            raise ParameterError(f"no message is committed at index {index}")
        return blindings[index]

    def respond(self, challenge: Scalar) -> CommitmentWithProof:
        """Answer the challenge. Raises `ParameterError` the second time: it would tell all."""
        blindings, self._blindings = self._unanswered(), None
        return CommitmentWithProof(
            self.first.point,
            self._blinding + self.prover_blind * challenge,
            tuple(
                blinding + message * challenge
                for blinding, message in zip(blindings, self._messages, strict=True)
            ),
            challenge,
        )

    def _unanswered(self) -> tuple[Scalar, ...]:
        if self._blindings is None:
            raise ParameterError("this commitment has answered its one challenge already")
        return self._blindings


def begin_commitment(
    interface: Interface,
    messages: Sequence[Scalar],
    *,
    scalars: ScalarSource,
    blindings: Mapping[int, Scalar] | None = None,
) -> CommitterAwaitingChallenge:
    """Commit to ``messages``; ``blindings`` gives the m̃ of some of them by index."""
    generators = interface.blind_generators(len(messages) + 1)
    prover_blind, blinding, *drawn = draw(scalars, len(messages) + 2)
    for index, given in (blindings or {}).items():
        if not 0 <= index < len(messages):
            raise ParameterError(f"no message is committed at index {index}")
        drawn[index] = given
    msm = group().msm
    first = CommitmentFirstMessage(
        msm(generators, (prover_blind, *messages)), msm(generators, (blinding, *drawn))
    )
    return CommitterAwaitingChallenge(first, prover_blind, tuple(messages), blinding, tuple(drawn))


def commitment_challenge(
    interface: Interface, message_count: int, first: CommitmentFirstMessage, more: bytes = b""
) -> Scalar:
    """c, of a commitment to ``message_count`` messages."""
    encode = group().encode_g1
    points = (*interface.blind_generators(message_count + 1), first.point, first.masked)
    return interface.hash_to_scalar(
        message_count.to_bytes(8, "big") + b"".join(map(encode, points)) + more
    )


def core_commit(
    interface: Interface, messages: Sequence[Scalar], *, scalars: ScalarSource
) -> tuple[CommitmentWithProof, Scalar]:
    """CoreCommit: the commitment with its proof, and the prover's blind."""
    state = begin_commitment(interface, messages, scalars=scalars)
    challenge = commitment_challenge(interface, len(messages), state.first)
    return state.respond(challenge), state.prover_blind


def recompute_commitment_first(
    interface: Interface, commitment: CommitmentWithProof
) -> CommitmentFirstMessage:
    """The first message that fits the challenge and the responses."""
    generators = interface.blind_generators(commitment.message_count + 1)
    masked = group().msm(
        (*generators, commitment.point),
        (commitment.blind_response, *commitment.message_responses, -commitment.challenge),
    )
    return CommitmentFirstMessage(commitment.point, masked)


def check_commitment(commitment: CommitmentWithProof, challenge: Scalar) -> VerifiedCommitment:
    """Raise `VerificationError` unless the proof answers ``challenge``, hashed anew."""
    if commitment.challenge != challenge:
        raise VerificationError("the commitment's proof does not verify")
    return VerifiedCommitment(commitment.point, commitment.message_count)


def core_verify_commitment(
    interface: Interface, commitment: CommitmentWithProof
) -> VerifiedCommitment:
    """CoreCommitVerify. Raises `VerificationError`."""
    first = recompute_commitment_first(interface, commitment)
    return check_commitment(
        commitment, commitment_challenge(interface, commitment.message_count, first)
    )
