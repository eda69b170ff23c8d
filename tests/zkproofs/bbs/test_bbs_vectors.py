"""Every fixture of draft-irtf-cfrg-bbs-signatures-09, both ciphersuites."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zkproofs.bbs.bbs_vectors import Case, cases, mocked, octets, read
from zkproofs.bbs import (
    Ciphersuite,
    Domain,
    Proof,
    PublicKey,
    SecretKey,
    Signature,
    sign,
    verify,
    verify_proof,
)
from zkproofs.bbs.interface import plain_interface
from zkproofs.bbs.prover import core_prove
from zkproofs.errors import ProofError
from zkproofs.group import group, using

both_suites = pytest.mark.parametrize("suite", list(Ciphersuite))


@both_suites
def test_generators(vectors: Path, suite: Ciphersuite) -> None:
    case = read(vectors, suite, "generators.json")
    expected = [case["Q1"], *case["MsgGenerators"]]
    made = plain_interface(suite).generators(len(expected))
    assert [group().encode_g1(point).hex() for point in made] == expected
    assert group().encode_g1(suite.base_point()).hex() == case["P1"]


@both_suites
def test_hashing_to_scalars(vectors: Path, suite: Ciphersuite) -> None:
    interface = plain_interface(suite)
    case = read(vectors, suite, "h2s.json")
    assert interface.api_id + b"H2S_" == bytes.fromhex(case["dst"])
    scalar = interface.hash_to_scalar(bytes.fromhex(case["message"]))
    assert group().encode_scalar(scalar).hex() == case["scalar"]

    mapped = read(vectors, suite, "MapMessageToScalarAsHash.json")["cases"]
    scalars = interface.messages_to_scalars(octets([each["message"] for each in mapped]))
    assert [group().encode_scalar(s).hex() for s in scalars] == [e["scalar"] for e in mapped]


@both_suites
def test_key_pair(vectors: Path, suite: Ciphersuite) -> None:
    case = read(vectors, suite, "keypair.json")
    key = SecretKey.derive(
        suite,
        bytes.fromhex(case["keyMaterial"]),
        bytes.fromhex(case["keyInfo"]),
        bytes.fromhex(case["keyDst"]),  # not the default of the draft's text
    )
    assert key.to_bytes().hex() == case["keyPair"]["secretKey"]
    assert key.public_key.to_bytes().hex() == case["keyPair"]["publicKey"]
    assert SecretKey.from_bytes(key.to_bytes()).public_key == key.public_key


@both_suites
def test_mocked_scalars(vectors: Path, suite: Ciphersuite) -> None:
    case = read(vectors, suite, "mockedRng.json")
    drawn = mocked(suite, bytes.fromhex(case["dst"]))(case["count"])
    assert [group().encode_scalar(s).hex() for s in drawn] == case["mockedScalars"]


def check_signature(suite: Ciphersuite, case: Case) -> bool:
    """Whether the signature verifies; the valid ones come out again when signed."""
    key = SecretKey.from_bytes(bytes.fromhex(case["signerKeyPair"]["secretKey"]))
    public_key = PublicKey.from_bytes(bytes.fromhex(case["signerKeyPair"]["publicKey"]))
    messages, header = octets(case["messages"]), bytes.fromhex(case["header"])
    valid: bool = case["result"]["valid"]
    try:
        signature = Signature.from_bytes(bytes.fromhex(case["signature"]))
        verify(public_key, signature, messages, header, suite)
    except ProofError:
        assert not valid
    else:
        assert valid
        assert sign(key, messages, header, suite).to_bytes().hex() == case["signature"]
    return valid


@both_suites
def test_signatures(vectors: Path, suite: Ciphersuite) -> None:
    verdicts = [check_signature(suite, case) for case in cases(vectors, suite, "signature")]
    assert (verdicts.count(True), verdicts.count(False)) == (3, 7)


def check_proof(suite: Ciphersuite, case: Case, dst: bytes) -> bool:
    """Whether the proof verifies; the valid ones come out again from the mocked scalars."""
    public_key = PublicKey.from_bytes(bytes.fromhex(case["signerPublicKey"]))
    header, ph = bytes.fromhex(case["header"]), bytes.fromhex(case["presentationHeader"])
    messages, disclosed = octets(case["messages"]), case["disclosedIndexes"]
    valid: bool = case["result"]["valid"]
    try:
        proof = Proof.from_bytes(bytes.fromhex(case["proof"]))
        shown = {i: messages[i] for i in disclosed}
        verify_proof(public_key, proof, shown, header, ph, suite)
    except ProofError:
        assert not valid
    else:
        assert valid
        interface = plain_interface(suite)
        made = core_prove(
            Domain.of(interface, public_key, header, len(messages)),
            Signature.from_bytes(bytes.fromhex(case["signature"])),
            interface.messages_to_scalars(messages),
            disclosed,
            ph,
            scalars=mocked(suite, dst),
        )
        assert made.to_bytes().hex() == case["proof"]
        assert made == proof
    return valid


@both_suites
def test_proofs(vectors: Path, suite: Ciphersuite) -> None:
    dst = bytes.fromhex(read(vectors, suite, "mockedRng.json")["dst"])
    verdicts = [check_proof(suite, case, dst) for case in cases(vectors, suite, "proof")]
    assert (verdicts.count(True), verdicts.count(False)) == (5, 10)


@pytest.mark.parametrize("kind", ["signature004", "proof003", "proof004"])
@both_suites
def test_a_sample_on_the_reference_backend(vectors: Path, suite: Ciphersuite, kind: str) -> None:
    dst = bytes.fromhex(read(vectors, suite, "mockedRng.json")["dst"])
    with using("py_ecc"):
        if kind.startswith("signature"):
            assert check_signature(suite, read(vectors, suite, "signature", f"{kind}.json"))
        else:
            case = read(vectors, suite, "proof", f"{kind}.json")
            assert check_proof(suite, case, dst) is case["result"]["valid"]
