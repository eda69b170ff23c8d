"""Pseudonyms: one secret signed by the issuer, another name in every context.

    OP  = hash_to_curve_g1(context, api_id)
    Nym = nym·OP                      the same for one secret and one context, always
    Ũ   = m̃·OP                        m̃ blinds nym, the last signed message, in the proof
    Û   = m̂·OP - c·Nym                has to be Ũ

The challenge takes Nym || OP || Ũ as its ``more``. The secret is nym = nym' + entropy:
the holder commits to nym' as the last message, the issuer adds entropy of its own, so
that neither of them can choose it.

There is one secret a signature: the form of the draft's fixtures before it took a
vector of them. The octets of a proof are those of an ordinary one; Nym goes beside it,
48 bytes, not the identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkproofs.batch import PairingEquation
from zkproofs.bbs.blind import (
    blind_domain,
    combined_disclosure,
    combined_indexes,
    core_blind_sign,
    signed_scalars,
)
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.bbs.commitment import CommitmentWithProof, core_commit, core_verify_commitment
from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.domain import Domain
from zkproofs.bbs.interface import Interface, pseudonym_interface
from zkproofs.bbs.keys import PublicKey, SecretKey
from zkproofs.bbs.proof import Proof
from zkproofs.bbs.prover import begin_proof
from zkproofs.bbs.randomness import ScalarSource, fresh_scalars
from zkproofs.bbs.signature import Signature, core_verify
from zkproofs.bbs.verifier import (
    check_challenge,
    pairing_equation,
    recompute_first_message,
    verify_proof_equations,
)
from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1, Scalar, group


@dataclass(frozen=True, slots=True)
class PseudonymFirstMessage:
    """What a proof sends of the pseudonym before the challenge."""

    pseudonym: G1
    """Nym"""
    origin: G1
    """OP"""
    masked: G1
    """Ũ"""

    def to_bytes(self) -> bytes:
        """Nym || OP || Ũ: what a challenge has to depend on."""
        return b"".join(map(group().encode_g1, (self.pseudonym, self.origin, self.masked)))


def pseudonym_origin(interface: Interface, context: bytes) -> G1:
    """OP of ``context``."""
    if not isinstance(context, bytes):
        raise ParameterError("a context is bytes")
    return interface.ciphersuite.hash_to_g1(context, interface.api_id)


def begin_pseudonym(
    interface: Interface, context: bytes, nym: Scalar, blinding: Scalar
) -> PseudonymFirstMessage:
    """The first message of the holder of ``nym``, which ``blinding`` blinds in the proof."""
    origin = pseudonym_origin(interface, context)
    first = PseudonymFirstMessage(origin * nym, origin, origin * blinding)
    if group().g1_identity in (first.pseudonym, first.masked):
        raise ParameterError("a pseudonym's secret and its blinding are not zero")
    return first


def recompute_pseudonym_first(
    interface: Interface, context: bytes, pseudonym: G1, response: Scalar, challenge: Scalar
) -> PseudonymFirstMessage:
    """The first message that fits m̂ and the challenge. Raises `VerificationError`."""
    origin = pseudonym_origin(interface, context)
    masked = origin * response - pseudonym * challenge
    if group().g1_identity in (pseudonym, masked):
        raise VerificationError("a pseudonym is the identity, or proven with no blinding")
    return PseudonymFirstMessage(pseudonym, origin, masked)


def core_prove_with_pseudonym(
    domain: Domain,
    signature: Signature,
    messages: Sequence[Scalar],
    disclosed_indexes: Sequence[int],
    context: bytes,
    presentation_header: bytes,
    *,
    scalars: ScalarSource,
) -> tuple[Proof, G1]:
    """CoreProofGenWithNym: the proof and Nym. The last of ``messages`` is the secret."""
    state = begin_proof(domain, signature, messages, disclosed_indexes, scalars=scalars)
    nym_index = len(messages) - 1
    nym = begin_pseudonym(
        domain.interface, context, state.message(nym_index), state.blinding(nym_index)
    )
    challenge = proof_challenge(
        domain, state.disclosure, state.first, presentation_header, nym.to_bytes()
    )
    return state.respond(challenge), nym.pseudonym


def pseudonym_proof_equation(
    domain: Domain,
    proof: Proof,
    pseudonym: G1,
    disclosure: Disclosure,
    context: bytes,
    presentation_header: bytes,
) -> PairingEquation:
    """What is left to hold, alone or in a batch, once the challenge was checked.

    Raises `VerificationError` where the challenge alone shows that the proof is not good.
    """
    if disclosure.indexes[-1:] == (domain.message_count - 1,):
        raise VerificationError("a pseudonym's secret is never disclosed")
    first = recompute_first_message(domain, proof, disclosure)
    nym = recompute_pseudonym_first(
        domain.interface, context, pseudonym, proof.responses.messages[-1], proof.challenge
    )
    check_challenge(
        proof, proof_challenge(domain, disclosure, first, presentation_header, nym.to_bytes())
    )
    return pairing_equation(domain, first)


def commit_with_pseudonym(
    messages: Sequence[bytes],
    holder_nym: Scalar,
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> tuple[CommitmentWithProof, Scalar]:
    """Commit to ``messages`` and the holder's share of the secret; see `blind.commit`."""
    interface = pseudonym_interface(ciphersuite)
    committed = (*interface.messages_to_scalars(messages), holder_nym)
    return core_commit(interface, committed, scalars=fresh_scalars)


def blind_sign_with_pseudonym(
    secret_key: SecretKey,
    commitment: CommitmentWithProof,
    issuer_entropy: Scalar,
    messages: Sequence[bytes],
    header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> Signature:
    """Sign ``messages``, the committed ones and the secret, to which fresh entropy is added.

    The entropy goes to the holder with the signature. Raises `VerificationError` if the
    commitment's proof does not verify.
    """
    interface = pseudonym_interface(ciphersuite)
    verified = core_verify_commitment(interface, commitment)
    domain = blind_domain(
        interface, secret_key.public_key, header, len(messages), verified.message_count
    )
    return core_blind_sign(
        secret_key, domain, interface.messages_to_scalars(messages), verified, issuer_entropy
    )


def finalize_with_pseudonym(
    public_key: PublicKey,
    signature: Signature,
    messages: Sequence[bytes],
    committed_messages: Sequence[bytes],
    holder_nym: Scalar,
    issuer_entropy: Scalar,
    prover_blind: Scalar,
    header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> Scalar:
    """Check a signature on arrival, and give the secret nym to keep.

    Raises `VerificationError`.
    """
    interface = pseudonym_interface(ciphersuite)
    nym = holder_nym + issuer_entropy
    scalars = (*signed_scalars(interface, messages, committed_messages, prover_blind), nym)
    domain = blind_domain(interface, public_key, header, len(messages), len(committed_messages) + 1)
    core_verify(domain, signature, scalars)
    return nym


def prove_with_pseudonym(
    public_key: PublicKey,
    signature: Signature,
    messages: Sequence[bytes],
    committed_messages: Sequence[bytes],
    nym: Scalar,
    prover_blind: Scalar,
    context: bytes,
    disclosed_indexes: Sequence[int] = (),
    disclosed_committed_indexes: Sequence[int] = (),
    header: bytes = b"",
    presentation_header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> tuple[Proof, G1]:
    """Prove a signature under the pseudonym of ``context``: the proof and the pseudonym."""
    interface = pseudonym_interface(ciphersuite)
    return core_prove_with_pseudonym(
        blind_domain(interface, public_key, header, len(messages), len(committed_messages) + 1),
        signature,
        (*signed_scalars(interface, messages, committed_messages, prover_blind), nym),
        combined_indexes(
            len(messages), disclosed_indexes, len(committed_messages), disclosed_committed_indexes
        ),
        context,
        presentation_header,
        scalars=fresh_scalars,
    )


def verify_proof_with_pseudonym(
    public_key: PublicKey,
    proof: Proof,
    pseudonym: G1,
    context: bytes,
    issuer_count: int,
    disclosed_messages: Mapping[int, bytes],
    disclosed_committed_messages: Mapping[int, bytes],
    header: bytes = b"",
    presentation_header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> None:
    """Verify a proof and its pseudonym. Raises `VerificationError` unless both are good."""
    interface = pseudonym_interface(ciphersuite)
    disclosure, committed_count = combined_disclosure(
        interface, proof, issuer_count, disclosed_messages, disclosed_committed_messages
    )
    domain = blind_domain(interface, public_key, header, issuer_count, committed_count)
    equation = pseudonym_proof_equation(
        domain, proof, pseudonym, disclosure, context, presentation_header
    )
    verify_proof_equations((equation,))
