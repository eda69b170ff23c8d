"""What verifiers refuse, each with an error of the family and never another."""

from __future__ import annotations

import pytest

from tests.zkproofs.bbs.issued import BAD_POINTS, BAD_SCALARS, INTERFACE, PH, issue, spoiled
from zkproofs.batch import Batch, BatchVerificationError
from zkproofs.bbs import (
    BatchableProof,
    Ciphersuite,
    Disclosure,
    Domain,
    Proof,
    PublicKey,
    SecretKey,
    Signature,
    prove,
    sign,
    verify,
    verify_proof,
)
from zkproofs.bbs.commitment import CommitmentWithProof, core_commit, core_verify_commitment
from zkproofs.bbs.hash_chain import MAX_GENERATORS
from zkproofs.bbs.interface import Interface
from zkproofs.bbs.prover import begin_proof
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.signature import core_sign, core_verify
from zkproofs.bbs.verifier import core_verify_proof, proof_equations
from zkproofs.errors import DecodingError, ParameterError, ProofError, VerificationError
from zkproofs.group import G1_SIZE, G2_SIZE, SCALAR_SIZE, group, using


def test_every_spoiled_proof_is_refused() -> None:
    issued = issue(1, 2, 3, 4)
    disclosure = issued.disclosure([1])
    data = issued.prove([1]).to_bytes()
    core_verify_proof(issued.domain, Proof.from_bytes(data), disclosure, PH)
    for how, bad in spoiled(data, points=3):
        with pytest.raises((DecodingError, VerificationError)):
            core_verify_proof(issued.domain, Proof.from_bytes(bad), disclosure, PH)
            pytest.fail(f"accepted: {how}")


def test_every_spoiled_batchable_proof_is_refused() -> None:
    issued = issue(1, 2, 3)
    disclosure = issued.disclosure([1])
    data = issued.prove_batchable([1]).to_bytes()
    core_verify_proof(issued.domain, BatchableProof.from_bytes(data), disclosure, PH)
    unknown_versions = [(f"version {v}", bytes([v]) + data[1:]) for v in (0, 2, 255)]
    for how, bad in [*spoiled(data, points=5, start=1), *unknown_versions]:
        with pytest.raises((DecodingError, VerificationError)):
            core_verify_proof(issued.domain, BatchableProof.from_bytes(bad), disclosure, PH)
            pytest.fail(f"accepted: {how}")


def test_every_spoiled_signature_is_refused() -> None:
    issued = issue(1, 2)
    for how, bad in spoiled(issued.signature.to_bytes(), points=1):
        with pytest.raises((DecodingError, VerificationError)):
            core_verify(issued.domain, Signature.from_bytes(bad), issued.messages)
            pytest.fail(f"accepted: {how}")


def test_every_spoiled_commitment_is_refused() -> None:
    messages = [group().scalar(5), group().scalar(6)]
    made, _ = core_commit(INTERFACE, messages, scalars=fresh_scalars)
    core_verify_commitment(INTERFACE, made)
    for how, bad in spoiled(made.to_bytes(), points=1):
        with pytest.raises((DecodingError, VerificationError)):
            core_verify_commitment(INTERFACE, CommitmentWithProof.from_bytes(bad))
            pytest.fail(f"accepted: {how}")


def test_keys_are_decoded_strictly() -> None:
    key = SecretKey.generate()
    data = key.public_key.to_bytes()
    identity = b"\xc0" + bytes(G2_SIZE - 1)
    bad_keys = [identity, b"\xe0" + identity[1:], data[:-1], data + b"\0", bytes(96), b""]
    for bad in bad_keys:
        with pytest.raises(DecodingError):
            PublicKey.from_bytes(bad)
    for bad in [*BAD_SCALARS.values(), b"", bytes(31)]:
        with pytest.raises(DecodingError):
            SecretKey.from_bytes(bad)
    with pytest.raises(ParameterError):
        SecretKey.derive(Ciphersuite.SHA_256, bytes(31))
    with pytest.raises(ParameterError):
        SecretKey.derive(Ciphersuite.SHA_256, bytes(32), bytes(65536))


@pytest.mark.parametrize("decode", [Proof, BatchableProof, Signature, CommitmentWithProof])
def test_only_bytes_are_decoded(decode: type[Proof]) -> None:
    for other in (None, "00" * 300, bytearray(300), 7):
        with pytest.raises(ProofError):
            decode.from_bytes(other)  # type: ignore[arg-type]


def test_a_proof_may_not_ask_for_endless_generators() -> None:
    point, scalar = group().encode_g1(group().g1), group().encode_scalar(group().scalar(1))
    long = point * 3 + scalar * (4 + MAX_GENERATORS + 1)
    with pytest.raises(DecodingError):
        Proof.from_bytes(long)
    barely = Proof.from_bytes(long[:-SCALAR_SIZE])
    with pytest.raises(ParameterError):
        verify_proof(SecretKey.generate().public_key, barely, {})


@pytest.mark.parametrize(
    "indexes", [[1, 1], [2, 1], [-1], [0, -1], [3], [0, 1, 2, 3], [True], ["1"], [1.0]]
)
def test_indexes_that_repeat_or_do_not_ascend_are_refused(indexes: list[int]) -> None:
    issued = issue(1, 2, 3)
    with pytest.raises(ParameterError):
        issued.prove(indexes)
    with pytest.raises(ParameterError):
        Disclosure.of(issued.messages, indexes)


def test_disclosures_that_do_not_fit_the_proof_are_refused() -> None:
    issued = issue(1, 2, 3)
    proof = issued.prove([0, 2])
    one, two, three = issued.messages
    for indexes, messages in [
        ((0, 1), (one, two)),  # another message than the proof has
        ((0, 2), (three, one)),  # the right ones, swapped
        ((0, 1), (one, three)),  # moved to another place
        ((0,), (one,)),
        ((), ()),
        ((0, 1, 2), (one, two, three)),
        ((0, 3), (one, three)),
        ((0, 1 << 70), (one, three)),
    ]:
        with pytest.raises(VerificationError):
            core_verify_proof(issued.domain, proof, Disclosure(indexes, messages), PH)
    with pytest.raises(ParameterError):
        Disclosure((0, 2), (one,))


def test_a_proof_belongs_to_its_context() -> None:
    issued = issue(1, 2)
    disclosure = issued.disclosure([0])
    elsewhere = Interface(Ciphersuite.SHA_256, b"H2G_RAW_OTHER_")
    shake = Interface(Ciphersuite.SHAKE_256, INTERFACE.name)
    public_key, another = issued.key.public_key, SecretKey.generate().public_key
    for form in (issued.prove([0]), issued.prove_batchable([0])):
        core_verify_proof(issued.domain, form, disclosure, PH)
        for ph in (b"", PH + b"\0", b"for verifier 8, nonce 11"):  # replayed
            with pytest.raises(VerificationError):
                core_verify_proof(issued.domain, form, disclosure, ph)
        for domain in (
            Domain.of(INTERFACE, public_key, b"other", 2),
            Domain.of(INTERFACE, another, b"header", 2),
            Domain.of(elsewhere, public_key, b"header", 2),
            Domain.of(shake, public_key, b"header", 2),
            Domain.of(INTERFACE, public_key, b"header", 3),
        ):
            with pytest.raises(VerificationError):
                core_verify_proof(domain, form, disclosure, PH)


def test_a_bad_proof_is_found_in_a_batch() -> None:
    issued, stranger = issue(1, 2), issue(1, 2)
    disclosure = issued.disclosure([0])
    batch = Batch()
    for number in range(6):
        form = issued.prove([0]) if number % 2 else issued.prove_batchable([0])
        batch.add(*proof_equations(issued.domain, form, disclosure, PH))
    borrowed = stranger.prove_batchable([0])
    bad = batch.add(*proof_equations(issued.domain, borrowed, disclosure, PH))
    with pytest.raises(BatchVerificationError) as caught:
        batch.verify()
    assert caught.value.failed == (bad,)


def test_misuse_is_told_as_such() -> None:
    issued = issue(1, 2)
    with pytest.raises(ParameterError):
        core_sign(issued.key, issued.domain, issued.messages[:1])
    with pytest.raises(ParameterError):
        core_sign(SecretKey.generate(), issued.domain, issued.messages)
    with pytest.raises(ParameterError):
        core_verify(issued.domain, issued.signature, issued.messages[:1])
    with pytest.raises(ParameterError):
        issued.prove([0], ph="text")  # type: ignore[arg-type]
    with pytest.raises(ParameterError):
        sign(issued.key, [b"m"], header="text")  # type: ignore[arg-type]
    with pytest.raises(ParameterError):
        verify_proof(issued.key.public_key, issued.prove([0]), {"0": b"m"})  # type: ignore[dict-item]
    for name in (b"", b"H2G", b"H2G _", "H2G_", b"H" * 128 + b"_", b"H\xff_"):
        with pytest.raises(ParameterError):
            Interface(Ciphersuite.SHA_256, name)  # type: ignore[arg-type]
    begin = begin_proof(
        issued.domain, issued.signature, issued.messages, [0], scalars=fresh_scalars
    )
    for index in (-1, 0, 2):
        with pytest.raises(ParameterError):
            begin.blinding(index)
    with pytest.raises(ParameterError):
        begin_proof(
            issued.domain,
            issued.signature,
            issued.messages,
            [0],
            scalars=lambda count: fresh_scalars(count - 1),
        )
    for index in (0, 2):
        with pytest.raises(ParameterError):
            begin_proof(
                issued.domain,
                issued.signature,
                issued.messages,
                [0],
                scalars=fresh_scalars,
                blindings={index: group().random_scalar()},
            )


def test_nothing_secret_is_shown() -> None:
    issued = issue(10**30, 10**31 + 7)
    begin = begin_proof(
        issued.domain, issued.signature, issued.messages, [0], scalars=fresh_scalars
    )
    secrets = [
        issued.key.scalar,
        issued.signature.e,
        begin.blinding(1),
        begin.message(1),
    ]
    shown = repr((issued.key, issued.signature, begin)) + str((issued.key, begin))
    for secret in secrets:
        assert str(int(secret)) not in shown
        assert f"{int(secret):064x}" not in shown
    assert group().encode_g1(issued.signature.a).hex() not in shown


def test_proofs_cross_backends_as_bytes() -> None:
    key = SecretKey.generate()
    messages = [b"fleet", b"role"]
    signature = sign(key, messages, b"h")
    data = prove(key.public_key, signature, messages, [0], b"h", b"ph").to_bytes()
    key_data, signature_data = key.public_key.to_bytes(), signature.to_bytes()
    with using("py_ecc"):
        public_key = PublicKey.from_bytes(key_data)
        verify_proof(public_key, Proof.from_bytes(data), {0: b"fleet"}, b"h", b"ph")
        with pytest.raises(VerificationError):
            verify_proof(public_key, Proof.from_bytes(data), {0: b"fleet"}, b"h", b"pi")
        back_signature = Signature.from_bytes(signature_data)
        verify(public_key, back_signature, messages, b"h")
        back = prove(public_key, back_signature, messages, [1], b"h", b"ph").to_bytes()
        for bad in BAD_POINTS.values():
            with pytest.raises(DecodingError):
                Proof.from_bytes(bad + data[G1_SIZE:])
    verify_proof(key.public_key, Proof.from_bytes(back), {1: b"role"}, b"h", b"ph")
