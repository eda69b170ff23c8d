"""Proving a signature: first message, challenge, responses (sections 3.6.3 and 3.7).

A proof of more than the signature, say that a hidden message is also in a commitment,
is made in the same three steps:

    state = begin_proof(...)          Ā, B̄, D, T1, T2 in state.first
    m̃ = state.blinding(index)         for first messages of one's own about that message
    state.respond(challenge)          once; the challenge depends on all first messages

Two signatures on the same hidden message are shown to agree by giving both the same
m̃ (``blindings``), one challenge, and comparing both m̂.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.domain import Domain
from zkproofs.bbs.interface import plain_interface
from zkproofs.bbs.keys import PublicKey
from zkproofs.bbs.proof import BatchableProof, FirstMessage, Proof, Responses
from zkproofs.bbs.randomness import ScalarSource, draw, fresh_scalars
from zkproofs.bbs.signature import Signature
from zkproofs.errors import ParameterError
from zkproofs.group import Scalar, group


class ProverAwaitingChallenge:
    """A proof whose first message stands, and which takes one challenge.

    A second challenge would give every secret away, so it is refused.
    """

    __slots__ = ("_secrets", "disclosure", "first")

    def __init__(self, first: FirstMessage, disclosure: Disclosure, secrets: _Secrets) -> None:
        self.first = first
        self.disclosure = disclosure
        self._secrets: _Secrets | None = secrets

    def __repr__(self) -> str:
        return f"ProverAwaitingChallenge({self.first}, <secret>)"

    def blinding(self, index: int) -> Scalar:
        """m̃ of the hidden message at ``index``. Secret: with the response it gives m away."""
        return self._unanswered().blindings[self._position(index)]

    def message(self, index: int) -> Scalar:
        """The hidden message at ``index``. Secret."""
        return self._unanswered().messages[self._position(index)]

    def respond(self, challenge: Scalar) -> Proof:
        """The proof in the draft's form. Raises `ParameterError` the second time."""
        first = self.first
        return Proof(first.a_bar, first.b_bar, first.d, self._answer(challenge), challenge)

    def respond_batchable(self, challenge: Scalar) -> BatchableProof:
        """The proof in batchable form. Raises `ParameterError` the second time."""
        return BatchableProof(self.first, self._answer(challenge))

    def _position(self, index: int) -> int:
        position = self.disclosure.hidden_position(index)
        if position >= len(self._unanswered().messages):
            raise ParameterError(f"no message is hidden at index {index}")
        return position

    def _unanswered(self) -> _Secrets:
        if self._secrets is None:
            raise ParameterError("this proof has answered its one challenge already")
        return self._secrets

    def _answer(self, challenge: Scalar) -> Responses:
        secrets, self._secrets = self._unanswered(), None
        return secrets.answer(challenge)


class _Secrets:
    """The witness and its blindings; nothing of it is ever shown."""

    __slots__ = ("blindings", "messages", "witness", "witness_blindings")

    def __init__(
        self,
        witness: tuple[Scalar, Scalar, Scalar],
        witness_blindings: tuple[Scalar, Scalar, Scalar],
        messages: tuple[Scalar, ...],
        blindings: tuple[Scalar, ...],
    ) -> None:
        self.witness = witness  # e, -r1, -r3
        self.witness_blindings = witness_blindings  # ẽ, r̃1, r̃3
        self.messages = messages  # mⱼ
        self.blindings = blindings  # m̃ⱼ

    def answer(self, challenge: Scalar) -> Responses:
        blindings = self.witness_blindings + self.blindings
        return Responses.from_scalars(
            [
                blinding + secret * challenge
                for blinding, secret in zip(blindings, self.witness + self.messages, strict=True)
            ]
        )


def begin_proof(
    domain: Domain,
    signature: Signature,
    messages: Sequence[Scalar],
    disclosed_indexes: Sequence[int],
    *,
    scalars: ScalarSource,
    blindings: Mapping[int, Scalar] | None = None,
) -> ProverAwaitingChallenge:
    """ProofInit: the first message of a proof of ``signature`` on ``messages``.

    ``blindings`` gives the m̃ of some hidden messages by index; they must be fresh as
    well. That the signature is good is not checked here: a proof of a bad one does not
    verify. Raises `ParameterError` for a wrong number of messages, and for indexes that
    do not ascend or do not exist.
    """
    backend = group()
    disclosure = Disclosure.of(messages, disclosed_indexes)
    b = domain.signed_point(messages)
    hidden = disclosure.hidden(len(messages))
    r1, r2, e_blinding, r1_blinding, r3_blinding, *drawn = draw(scalars, 5 + len(hidden))
    for index, blinding in (blindings or {}).items():
        position = disclosure.hidden_position(index)
        if position >= len(hidden):
            raise ParameterError(f"no message is hidden at index {index}")
        drawn[position] = blinding

    d = b * r2
    a_bar = signature.a * (r1 * r2)
    b_bar = d * r1 - a_bar * signature.e
    t1 = a_bar * e_blinding + d * r1_blinding
    t2 = d * r3_blinding + backend.msm([domain.message_points[j] for j in hidden], drawn)
    return ProverAwaitingChallenge(
        FirstMessage(a_bar, b_bar, d, t1, t2),
        disclosure,
        _Secrets(
            (signature.e, -r1, -backend.inverse(r2)),
            (e_blinding, r1_blinding, r3_blinding),
            tuple(messages[j] for j in hidden),
            tuple(drawn),
        ),
    )


def core_prove(
    domain: Domain,
    signature: Signature,
    messages: Sequence[Scalar],
    disclosed_indexes: Sequence[int],
    presentation_header: bytes,
    *,
    scalars: ScalarSource,
) -> Proof:
    """CoreProofGen: messages are scalars, for any interface."""
    state = begin_proof(domain, signature, messages, disclosed_indexes, scalars=scalars)
    return state.respond(
        proof_challenge(domain, state.disclosure, state.first, presentation_header)
    )


def prove(
    public_key: PublicKey,
    signature: Signature,
    messages: Sequence[bytes],
    disclosed_indexes: Sequence[int],
    header: bytes = b"",
    presentation_header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> Proof:
    """Prove a signature on ``messages``, disclosing some of them (section 3.5.3).

    The presentation header should hold what the verifier chose: a proof can be shown
    again wherever its header is accepted.
    """
    interface = plain_interface(ciphersuite)
    return core_prove(
        Domain.of(interface, public_key, header, len(messages)),
        signature,
        interface.messages_to_scalars(messages),
        disclosed_indexes,
        presentation_header,
        scalars=fresh_scalars,
    )
