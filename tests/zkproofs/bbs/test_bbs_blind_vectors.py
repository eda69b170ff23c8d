"""Every fixture of blind issuance and of pseudonyms, both ciphersuites."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zkproofs.bbs.bbs_vectors import Case, cases, mocked_by, octets, read
from zkproofs.bbs import Ciphersuite, Proof, PublicKey, SecretKey, Signature
from zkproofs.bbs.blind import (
    blind_domain,
    blind_sign,
    blind_verify,
    blind_verify_proof,
    combined_indexes,
    signed_scalars,
)
from zkproofs.bbs.commitment import CommitmentWithProof, core_commit, core_verify_commitment
from zkproofs.bbs.interface import blind_interface, pseudonym_interface
from zkproofs.bbs.prover import core_prove
from zkproofs.bbs.pseudonym import (
    blind_sign_with_pseudonym,
    core_prove_with_pseudonym,
    finalize_with_pseudonym,
    verify_proof_with_pseudonym,
)
from zkproofs.group import Scalar, group, using

both_suites = pytest.mark.parametrize("suite", list(Ciphersuite))
BLIND, PSEUDONYM = "bbs-blind", "bbs-pseudonym"


def scalar(text: str) -> Scalar:
    return group().decode_scalar(bytes.fromhex(text))


def shown(case: Case, key: str) -> dict[int, bytes]:
    return {int(i): bytes.fromhex(each) for i, each in (case[key] or {}).items()}


@both_suites
def test_generators(vectors: Path, suite: Ciphersuite) -> None:
    case = read(vectors, suite, "generators.json", folder=BLIND)
    interface = blind_interface(suite)
    assert interface.api_id.decode() == case["generators"]["api_id"]
    for made, expected in (
        (interface.generators, case["generators"]),
        (interface.blind_generators, case["blindGenerators"]),
    ):
        points = made(len(expected["MsgGenerators"]) + 1)
        encoded = [group().encode_g1(point).hex() for point in points]
        assert encoded == [expected["Q1"], *expected["MsgGenerators"]]


@pytest.mark.parametrize(("folder", "kind"), [(BLIND, "commit"), (PSEUDONYM, "nymCommit")])
@both_suites
def test_commitments(vectors: Path, suite: Ciphersuite, folder: str, kind: str) -> None:
    interface = (blind_interface if folder == BLIND else pseudonym_interface)(suite)
    for case in cases(vectors, suite, kind, folder):
        messages = interface.messages_to_scalars(octets(case["committedMessages"]))
        if folder == PSEUDONYM:
            messages += (scalar(case["proverNym"]),)
        source = mocked_by(suite, case["mockRngParameters"], "commit")
        made, blind = core_commit(interface, messages, scalars=source)
        assert made.to_bytes().hex() == case["commitmentWithProof"]
        assert group().encode_scalar(blind).hex() == case["proverBlind"]
        assert CommitmentWithProof.from_bytes(made.to_bytes()) == made
        core_verify_commitment(interface, made)


@both_suites
def test_blind_signatures(vectors: Path, suite: Ciphersuite) -> None:
    for case in cases(vectors, suite, "signature", BLIND):
        key = SecretKey.from_bytes(bytes.fromhex(case["signerKeyPair"]["secretKey"]))
        messages, header = octets(case["messages"]), bytes.fromhex(case["header"])
        commitment = blind = None
        if case["commitmentWithProof"] is not None:
            data = bytes.fromhex(case["commitmentWithProof"])
            commitment = CommitmentWithProof.from_bytes(data)
            blind = scalar(case["proverBlind"])
        signature = blind_sign(key, commitment, messages, header, suite)
        assert signature.to_bytes().hex() == case["signature"]
        blind_verify(
            key.public_key,
            signature,
            messages,
            octets(case["committedMessages"] or []),
            blind,
            header,
            suite,
        )


def check_blind_proof(vectors: Path, suite: Ciphersuite, case: Case) -> None:
    public_key = PublicKey.from_bytes(bytes.fromhex(case["signerPublicKey"]))
    header, ph = bytes.fromhex(case["header"]), bytes.fromhex(case["presentationHeader"])
    issuer_shown = shown(case, "revealedMessages")
    committed_shown = shown(case, "revealedCommittedMessages")
    proof = Proof.from_bytes(bytes.fromhex(case["proof"]))
    blind_verify_proof(
        public_key, proof, case["L"], issuer_shown, committed_shown, header, ph, suite
    )

    known = read(vectors, suite, "..", "messages.json", folder=BLIND)
    messages = octets(known["messages"])[: case["L"]]
    has_commitment = case["commitmentWithProof"] is not None
    committed = octets(known["committedMessages"]) if has_commitment else []
    interface = blind_interface(suite)
    made = core_prove(
        blind_domain(interface, public_key, header, len(messages), len(committed)),
        Signature.from_bytes(bytes.fromhex(case["signature"])),
        signed_scalars(
            interface,
            messages,
            committed,
            scalar(case["proverBlind"]) if has_commitment else None,
        ),
        combined_indexes(
            len(messages), sorted(issuer_shown), len(committed), sorted(committed_shown)
        ),
        ph,
        scalars=mocked_by(suite, case["mockRngParameters"], "proof"),
    )
    assert made.to_bytes().hex() == case["proof"]


@both_suites
def test_blind_proofs(vectors: Path, suite: Ciphersuite) -> None:
    for case in cases(vectors, suite, "proof", BLIND):
        check_blind_proof(vectors, suite, case)


@both_suites
def test_pseudonym_signatures(vectors: Path, suite: Ciphersuite) -> None:
    for case in cases(vectors, suite, "nymSignature", PSEUDONYM):
        key = SecretKey.from_bytes(bytes.fromhex(case["signerKeyPair"]["secretKey"]))
        messages, header = octets(case["messages"]), bytes.fromhex(case["header"])
        entropy = scalar(case["signer_nym_entropy"])
        commitment = CommitmentWithProof.from_bytes(bytes.fromhex(case["commitmentWithProof"]))
        signature = blind_sign_with_pseudonym(key, commitment, entropy, messages, header, suite)
        assert signature.to_bytes().hex() == case["signature"]
        nym = finalize_with_pseudonym(
            key.public_key,
            signature,
            messages,
            octets(case["committedMessages"]),
            scalar(case["proverNym"]),
            entropy,
            scalar(case["proverBlind"]),
            header,
            suite,
        )
        assert group().encode_scalar(nym).hex() == case["nym_secret"]


def check_pseudonym_proof(vectors: Path, suite: Ciphersuite, case: Case) -> None:
    public_key = PublicKey.from_bytes(bytes.fromhex(case["signerPublicKey"]))
    header, ph = bytes.fromhex(case["header"]), bytes.fromhex(case["presentationHeader"])
    context = bytes.fromhex(case["context_id"])
    issuer_shown = shown(case, "revealedMessages")
    committed_shown = shown(case, "revealedCommittedMessages")
    verify_proof_with_pseudonym(
        public_key,
        Proof.from_bytes(bytes.fromhex(case["proof"])),
        group().decode_g1(bytes.fromhex(case["pseudonym"])),
        context,
        case["L"],
        issuer_shown,
        committed_shown,
        header,
        ph,
        suite,
    )
    known = read(vectors, suite, "..", "messages.json", folder=PSEUDONYM)
    messages, committed = octets(known["messages"]), octets(known["committedMessages"])
    interface = pseudonym_interface(suite)
    made, pseudonym = core_prove_with_pseudonym(
        blind_domain(interface, public_key, header, len(messages), len(committed) + 1),
        Signature.from_bytes(bytes.fromhex(case["signature"])),
        (
            *signed_scalars(interface, messages, committed, scalar(case["proverBlind"])),
            scalar(case["nym_secret"]),
        ),
        combined_indexes(
            len(messages), sorted(issuer_shown), len(committed), sorted(committed_shown)
        ),
        context,
        ph,
        scalars=mocked_by(suite, case["mockRngParameters"], "proof"),
    )
    assert made.to_bytes().hex() == case["proof"]
    assert group().encode_g1(pseudonym).hex() == case["pseudonym"]


@both_suites
def test_pseudonym_proofs(vectors: Path, suite: Ciphersuite) -> None:
    for case in cases(vectors, suite, "nymProof", PSEUDONYM):
        check_pseudonym_proof(vectors, suite, case)


def test_a_sample_on_the_reference_backend(vectors: Path) -> None:
    suite = Ciphersuite.SHA_256
    with using("py_ecc"):
        blind = read(vectors, suite, "proof", "proof004.json", folder=BLIND)
        check_blind_proof(vectors, suite, blind)
        nym = read(vectors, suite, "nymProof", "nymProof004.json", folder=PSEUDONYM)
        check_pseudonym_proof(vectors, suite, nym)
