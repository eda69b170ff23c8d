"""Zeros, and secrets in a wrong place: proofs whose equations hold, and which are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.zkproofs.bbs.issued import INTERFACE, PH, issue
from zkproofs.bbs import BatchableProof, Disclosure, Domain, Proof, Signature
from zkproofs.bbs.blind import blind_domain, core_blind_sign
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.commitment import (
    begin_commitment,
    check_commitment,
    commitment_challenge,
    core_commit,
    core_verify_commitment,
)
from zkproofs.bbs.prover import ProverAwaitingChallenge, begin_proof
from zkproofs.bbs.pseudonym import (
    PseudonymFirstMessage,
    pseudonym_origin,
    pseudonym_proof_equation,
    recompute_pseudonym_first,
)
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.verifier import (
    core_verify_proof,
    pairing_equation,
    proof_equations,
    recompute_first_message,
)
from zkproofs.errors import DecodingError, ParameterError, VerificationError
from zkproofs.group import G1, Scalar, group

CONTEXT = b"auction"


@pytest.mark.parametrize("name", ["a_bar", "b_bar", "d"])
def test_none_of_the_three_points_is_the_identity(name: str) -> None:
    issued = issue(1, 2)
    nothing = {name: group().g1_identity}
    with pytest.raises(VerificationError, match="identity"):
        pairing_equation(issued.domain, replace(issued.prove([0]), **nothing))
    batchable = issued.prove_batchable([0])
    spoiled = replace(batchable, first=replace(batchable.first, **nothing))
    with pytest.raises(VerificationError, match="identity"):
        proof_equations(issued.domain, spoiled, issued.disclosure([0]), PH)


def test_a_response_of_zero_is_not_read() -> None:
    """A message of zero without a blinding: all equations hold, and it is known to be zero."""
    issued = issue(7, 0)
    state = begin_proof(
        issued.domain,
        issued.signature,
        issued.messages,
        [0],
        scalars=fresh_scalars,
        blindings={1: group().scalar(0)},
    )
    challenge = proof_challenge(issued.domain, state.disclosure, state.first, PH)
    first, proof = state.first, state.respond(challenge)
    assert int(proof.responses.messages[0]) == 0
    for form in (proof, BatchableProof(first, proof.responses)):
        core_verify_proof(issued.domain, form, issued.disclosure([0]), PH)
        with pytest.raises(DecodingError, match="zero"):
            type(form).from_bytes(form.to_bytes())


def test_a_commitment_answers_one_challenge() -> None:
    (message,) = fresh_scalars(1)
    state = begin_commitment(INTERFACE, [message], scalars=fresh_scalars)
    challenge = commitment_challenge(INTERFACE, 1, state.first)
    check_commitment(state.respond(challenge), challenge)
    with pytest.raises(ParameterError):
        state.respond(challenge)
    with pytest.raises(ParameterError):
        state.blinding(0)


class Holder:
    """Who has a signature on a role, a prover's blind and a nym: 5 and the issuer's ``entropy``."""

    def __init__(self, entropy: Scalar) -> None:
        issued, role, share = issue(1), group().scalar(3), group().scalar(5)
        self.domain: Domain = blind_domain(INTERFACE, issued.key.public_key, b"h", 1, 1)
        made, blind = core_commit(INTERFACE, [share], scalars=fresh_scalars)
        verified = core_verify_commitment(INTERFACE, made)
        self.signature: Signature = core_blind_sign(
            issued.key, self.domain, [role], verified, entropy
        )
        self.messages = (role, blind, share + entropy)

    def begin(self, *shown: int) -> ProverAwaitingChallenge:
        return begin_proof(self.domain, self.signature, self.messages, shown, scalars=fresh_scalars)

    def finish(self, state: ProverAwaitingChallenge, secret: int) -> tuple[Proof, G1, Disclosure]:
        """A proof with the pseudonym of the hidden message ``secret``, whatever that is."""
        origin = pseudonym_origin(INTERFACE, CONTEXT)
        pseudonym = origin * state.message(secret)
        first = PseudonymFirstMessage(pseudonym, origin, origin * state.blinding(secret))
        challenge = proof_challenge(
            self.domain, state.disclosure, state.first, PH, first.to_bytes()
        )
        return state.respond(challenge), pseudonym, state.disclosure

    def verify(self, proof: Proof, pseudonym: G1, disclosure: Disclosure) -> None:
        equation = pseudonym_proof_equation(self.domain, proof, pseudonym, disclosure, CONTEXT, PH)
        assert group().pairing_product_is_one(equation.pairs)

    def equations_hold(self, proof: Proof, pseudonym: G1, disclosure: Disclosure) -> bool:
        """The weakened copy: all that is verified, without a look at what is degenerate."""
        origin, challenge = pseudonym_origin(INTERFACE, CONTEXT), proof.challenge
        masked = origin * proof.responses.messages[-1] - pseudonym * challenge
        more = PseudonymFirstMessage(pseudonym, origin, masked).to_bytes()
        first = recompute_first_message(self.domain, proof, disclosure)
        return proof_challenge(
            self.domain, disclosure, first, PH, more
        ) == challenge and group().pairing_product_is_one(
            pairing_equation(self.domain, first).pairs
        )


def test_a_nym_of_zero_has_no_pseudonym() -> None:
    """Who has it would have one name in all contexts: the identity."""
    honest, nobody = Holder(group().scalar(6)), Holder(group().scalar(-5))
    good = honest.finish(honest.begin(0), 2)
    assert honest.equations_hold(*good)
    honest.verify(*good)
    made = nobody.finish(nobody.begin(0), 2)
    assert made[1] == group().g1_identity
    assert nobody.equations_hold(*made)
    with pytest.raises(VerificationError, match="identity"):
        nobody.verify(*made)


def test_a_pseudonym_without_a_blinding_is_refused() -> None:
    """Ũ = 0: the name is not proven, but told with its secret."""
    origin = pseudonym_origin(INTERFACE, CONTEXT)
    (nym, challenge) = fresh_scalars(2)
    with pytest.raises(VerificationError, match="blinding"):
        recompute_pseudonym_first(INTERFACE, CONTEXT, origin * nym, nym * challenge, challenge)


def test_no_other_message_is_taken_for_the_nym() -> None:
    """With the nym shown, the last hidden message is the holder's blind, which it chooses."""
    holder = Holder(group().scalar(6))
    made = holder.finish(holder.begin(0, 2), 1)
    assert made[1] != holder.finish(holder.begin(0), 2)[1]
    assert holder.equations_hold(*made)
    with pytest.raises(VerificationError, match="never disclosed"):
        holder.verify(*made)
