"""What proofs are good for: every disclosure, no link, more under one challenge."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkproofs.bbs.bbs_vectors import mocked
from tests.zkproofs.bbs.issued import INTERFACE, PH, issue
from zkproofs.batch import Batch, Equation
from zkproofs.bbs import (
    BatchableProof,
    Ciphersuite,
    Disclosure,
    Domain,
    Proof,
    SecretKey,
    Signature,
    prove,
    sign,
    verify,
    verify_proof,
)
from zkproofs.bbs.blind import blind_prove, blind_sign, blind_verify, blind_verify_proof, commit
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.prover import begin_proof
from zkproofs.bbs.pseudonym import (
    blind_sign_with_pseudonym,
    commit_with_pseudonym,
    finalize_with_pseudonym,
    prove_with_pseudonym,
    verify_proof_with_pseudonym,
)
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.signature import core_sign
from zkproofs.bbs.verifier import core_verify_proof, proof_equations
from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1_SIZE, ORDER, SCALAR_SIZE, group
from zkproofs.group.generators import generators

KEY = SecretKey.generate()
numbers = st.one_of(st.integers(0, ORDER - 1), st.sampled_from([0, 1, ORDER - 1]))


@st.composite
def messages_and_shown(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    values = draw(st.lists(numbers, max_size=6))
    shown = draw(st.sets(st.integers(0, len(values) - 1))) if values else set()
    return values, sorted(shown)


@settings(max_examples=25, deadline=None)
@given(messages_and_shown())
def test_any_disclosure_of_any_number_of_messages(drawn: tuple[list[int], list[int]]) -> None:
    values, shown = drawn
    issued = issue(*values, key=KEY)
    disclosure = issued.disclosure(shown)
    hidden = len(values) - len(shown)
    batch = Batch()
    for form in (issued.prove(shown), issued.prove_batchable(shown)):
        data = form.to_bytes()
        extra = SCALAR_SIZE if isinstance(form, Proof) else 2 * G1_SIZE + 1
        assert len(data) == 3 * G1_SIZE + (3 + hidden) * SCALAR_SIZE + extra
        decoded = type(form).from_bytes(data)
        assert decoded == form
        core_verify_proof(issued.domain, decoded, disclosure, PH)
        batch.add(*proof_equations(issued.domain, decoded, disclosure, PH))
    batch.verify()
    if shown:
        one = group().scalar(1)
        changed = (disclosure.messages[0] + one, *disclosure.messages[1:])
        with pytest.raises(VerificationError):
            core_verify_proof(
                issued.domain, issued.prove(shown), Disclosure(disclosure.indexes, changed), PH
            )


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.binary(max_size=40), max_size=3),
    st.lists(st.binary(max_size=40), max_size=3),
    st.sampled_from(Ciphersuite),
)
def test_blind_issuance_from_end_to_end(
    own: list[bytes], committed: list[bytes], suite: Ciphersuite
) -> None:
    commitment, blind = commit(committed, suite)
    signature = blind_sign(KEY, commitment, own, b"h", suite)
    public_key = KEY.public_key
    blind_verify(public_key, signature, own, committed, blind, b"h", suite)
    own_shown, committed_shown = range(0, len(own), 2), range(0, len(committed), 2)
    proof = blind_prove(
        public_key,
        signature,
        own,
        committed,
        blind,
        own_shown,
        committed_shown,
        b"h",
        PH,
        suite,
    )
    own_messages = {i: own[i] for i in own_shown}
    committed_messages = {j: committed[j] for j in committed_shown}
    blind_verify_proof(
        public_key, proof, len(own), own_messages, committed_messages, b"h", PH, suite
    )
    with pytest.raises(VerificationError):
        blind_verify(public_key, signature, own, committed, None, b"h", suite)
    with pytest.raises(ParameterError):
        blind_verify_proof(public_key, proof, -1, {}, {}, b"h", PH, suite)
    with pytest.raises(VerificationError):
        blind_verify_proof(
            public_key, proof, len(own) + 1, own_messages, committed_messages, b"h", PH, suite
        )


def test_a_pseudonym_from_end_to_end() -> None:
    share, entropy = fresh_scalars(2)
    commitment, blind = commit_with_pseudonym([b"serial"], share)
    signature = blind_sign_with_pseudonym(KEY, commitment, entropy, [b"fleet"], b"h")
    public_key = KEY.public_key
    nym = finalize_with_pseudonym(
        public_key, signature, [b"fleet"], [b"serial"], share, entropy, blind, b"h"
    )
    proof, name = prove_with_pseudonym(
        public_key, signature, [b"fleet"], [b"serial"], nym, blind, b"vote", [0], [], b"h", PH
    )
    verify_proof_with_pseudonym(public_key, proof, name, b"vote", 1, {0: b"fleet"}, {}, b"h", PH)
    for context, fleet in ((b"veto", b"fleet"), (b"vote", b"float")):
        with pytest.raises(VerificationError):
            verify_proof_with_pseudonym(
                public_key, proof, name, context, 1, {0: fleet}, {}, b"h", PH
            )


def test_two_proofs_share_nothing_and_are_of_one_length() -> None:
    issued = issue(1, 2, 3)
    for make, points, start in ((issued.prove, 3, 0), (issued.prove_batchable, 5, 1)):
        one, two = (make([1]).to_bytes()[start:] for _ in range(2))
        assert len(one) == len(two)
        stop = points * G1_SIZE
        for size, span in ((G1_SIZE, range(0, stop, G1_SIZE)), (32, range(stop, len(one), 32))):
            assert not {one[at : at + size] for at in span} & {two[at : at + size] for at in span}
        runs = {one[at : at + 8] for at in range(len(one) - 7)}
        assert not any(two[at : at + 8] in runs for at in range(len(two) - 7))


def test_a_commitment_to_a_hidden_message_under_the_same_challenge() -> None:
    """C = s·Y0 + m·Y1 with m signed at index 1: one m̂, one challenge, two first messages."""
    issued = issue(1, 41, 3)
    y0, y1 = generators(b"test", 2)
    state = begin_proof(
        issued.domain, issued.signature, issued.messages, [0], scalars=fresh_scalars
    )
    s, s_blinding = fresh_scalars(2)
    commitment = y0 * s + y1 * issued.messages[1]
    masked = y0 * s_blinding + y1 * state.blinding(1)
    encode = group().encode_g1
    more = encode(commitment) + encode(masked)
    c = proof_challenge(issued.domain, state.disclosure, state.first, PH, more)
    proof = state.respond_batchable(c)
    s_response = s_blinding + s * c

    def verify_with(committed: object) -> None:
        disclosure = issued.disclosure([0])
        batch = Batch()
        response = proof.responses.of_message(disclosure, 1)
        minus_one = group().scalar(-1)
        batch.add(
            *proof_equations(issued.domain, proof, disclosure, PH, more),
            Equation((y0, y1, committed, masked), (s_response, response, -c, minus_one)),
        )
        batch.verify()

    verify_with(commitment)
    with pytest.raises(VerificationError):
        verify_with(commitment + y1)
    with pytest.raises(VerificationError):  # the plain proof is another
        core_verify_proof(issued.domain, proof, issued.disclosure([0]), PH)


def test_two_signatures_on_one_hidden_message() -> None:
    """The same m̃ and c in both: equal messages, and only they, have equal responses."""
    one, two, third = issue(7, 41), issue(41, 8, 9), issue(40, 8, 9)
    shared, c = fresh_scalars(2)
    responses = []
    for issued, index in ((one, 1), (two, 0), (third, 0)):
        state = begin_proof(
            issued.domain,
            issued.signature,
            issued.messages,
            [],
            scalars=fresh_scalars,
            blindings={index: shared},
        )
        assert state.blinding(index) == shared
        responses.append(state.respond(c).responses.of_message(state.disclosure, index))
    assert responses[0] == responses[1] != responses[2]


FROZEN_KEY = "22" * 32
FROZEN = Path(__file__).with_name("frozen_batchable_v1.hex")


def frozen_batchable() -> tuple[Domain, Disclosure, BatchableProof]:
    """Make the frozen proof again: raw messages 3, 5, 8 with the second disclosed."""
    key = SecretKey.from_bytes(bytes.fromhex(FROZEN_KEY))
    messages = tuple(group().scalar(value) for value in (3, 5, 8))
    domain = Domain.of(INTERFACE, key.public_key, b"header", len(messages))
    state = begin_proof(
        domain,
        core_sign(key, domain, messages),
        messages,
        [1],
        scalars=mocked(Ciphersuite.SHA_256, b"FROZEN_"),
    )
    challenge = proof_challenge(domain, state.disclosure, state.first, PH)
    return domain, state.disclosure, state.respond_batchable(challenge)


def test_a_batchable_proof_of_the_first_version_verifies_for_ever() -> None:
    domain, disclosure, made = frozen_batchable()
    frozen = BatchableProof.from_bytes(bytes.fromhex(FROZEN.read_text()))
    core_verify_proof(domain, frozen, disclosure, PH)
    assert made == frozen


@pytest.mark.parametrize("suite", list(Ciphersuite))
def test_octets_from_end_to_end(suite: Ciphersuite) -> None:
    messages = [b"fleet 9", b"", b"level 3"]
    signature = sign(KEY, messages, b"h", suite)
    assert Signature.from_bytes(signature.to_bytes()) == signature
    verify(KEY.public_key, signature, messages, b"h", suite)
    proof = prove(KEY.public_key, signature, messages, [2], b"h", PH, suite)
    verify_proof(KEY.public_key, proof, {2: b"level 3"}, b"h", PH, suite)
    for shown in ({2: b"level 4"}, {1: b"level 3"}, {3: b"level 3"}, {}):
        with pytest.raises(VerificationError):
            verify_proof(KEY.public_key, proof, shown, b"h", PH, suite)
