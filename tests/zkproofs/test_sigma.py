"""Proofs of linear relations: the draft's vectors, forgeries, and everything corrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkproofs.conftest import BACKENDS
from zkproofs import sigma
from zkproofs.errors import DecodingError, ParameterError, ProofError, VerificationError
from zkproofs.group import G1, ORDER, Group, Scalar, using
from zkproofs.linear_relation import LinearRelation
from zkproofs.sigma import BatchableProof, CompactProof
from zkproofs.transcript import DuplexSponge, derive_session_id

SUITE = "sigma-proofs_Shake128_BLS12381"
PROTOCOL = b"test"


def cases(vectors: Path, name: str) -> list[dict[str, Any]]:
    folder = vectors / "sigma-fiat-shamir"
    loaded: list[dict[str, Any]] = json.loads(
        (folder / f"{name}_Shake128_BLS12381.json").read_bytes()
    )
    return loaded


def protocol_of(case: dict[str, Any]) -> bytes:
    marker = {"batchable": "DSFS", "compact": "CMPT"}[case["Flavor"]]
    protocol, found, rest = case["Tag"].rpartition(f"-{marker}-with-{SUITE}")
    assert found
    assert not rest
    return str(protocol).encode()


def check(case: dict[str, Any]) -> None:
    relation = LinearRelation.from_bytes(bytes.fromhex(case["Instance"]))
    data = bytes.fromhex(case["NargString"])
    if case["Flavor"] == "batchable":
        proof = BatchableProof.from_bytes(data, relation)
        sigma.verify(protocol_of(case), relation, proof)
        assert proof.to_bytes() == data
    else:
        compact = CompactProof.from_bytes(data, relation)
        sigma.verify_compact(protocol_of(case), relation, compact)
        assert compact.to_bytes() == data


def test_vectors_to_accept(backend: Group, vectors: Path) -> None:
    accepted = cases(vectors, "sigma-proofs")
    assert len(accepted) == 14
    for case in accepted:
        assert case["Expected"] == "accept"
        check(case)


def test_vectors_to_reject(backend: Group, vectors: Path) -> None:
    both = cases(vectors, "sigma-proofs-invalid")
    assert len(both) == 32
    for case in both:
        if case["Expected"] == "accept":
            check(case)
        else:
            with pytest.raises(ProofError):
                check(case)


def test_vectors_are_made_again_to_the_bit(
    backend: Group, vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in cases(vectors, "sigma-proofs"):
        relation = LinearRelation.from_bytes(bytes.fromhex(case["Instance"]))
        assert relation.to_bytes().hex() == case["Instance"]
        data = bytes.fromhex(case["NargString"])
        encoded = bytes.fromhex(case["Witness"])
        witness = [
            backend.decode_scalar(encoded[start : start + 32])
            for start in range(0, len(encoded), 32)
        ]
        # The vector's nonces are what its responses say they were: k = z - c·x.
        batchable = case["Flavor"] == "batchable"
        proof: Any
        if batchable:
            proof = BatchableProof.from_bytes(data, relation)
            tag = protocol_of(case) + b"-DSFS-with-" + SUITE.encode()
            challenge = challenge_of(tag, relation, proof.commitments, backend)
        else:
            proof = CompactProof.from_bytes(data, relation)
            challenge = proof.challenge
        nonces = [
            response - challenge * secret
            for response, secret in zip(proof.responses, witness, strict=True)
        ]
        monkeypatch.setattr(sigma, "_fresh_nonces", lambda count, nonces=nonces: nonces)
        make = sigma.prove if batchable else sigma.prove_compact
        assert make(protocol_of(case), relation, witness).to_bytes() == data


def challenge_of(
    tag: bytes, relation: LinearRelation, commitments: Sequence[G1], backend: Group
) -> Scalar:
    sponge = DuplexSponge(derive_session_id(tag))
    sponge.absorb(relation.to_bytes())
    for commitment in commitments:
        sponge.absorb(backend.encode_g1(commitment))
    return sponge.challenge()


def equal_logs(backend: Group) -> tuple[LinearRelation, list[Scalar]]:
    """X = x·G and Y = x·H + y·G, with a witness."""
    x, y = backend.scalar(1 << 90), backend.scalar(-17)
    h = backend.g1 * backend.scalar(555)
    relation = LinearRelation.of(
        (backend.g1 * x, [(0, backend.g1)]),
        (h * x + backend.g1 * y, [(0, h), (1, backend.g1)]),
    )
    return relation, [x, y]


def test_what_one_backend_proves_the_other_verifies() -> None:
    for prover, verifier in (BACKENDS, BACKENDS[::-1]):
        with using(prover) as backend:
            relation, witness = equal_logs(backend)
            statement = relation.to_bytes()
            batchable = sigma.prove(PROTOCOL, relation, witness).to_bytes()
            compact = sigma.prove_compact(PROTOCOL, relation, witness).to_bytes()
        with using(verifier):
            relation = LinearRelation.from_bytes(statement)
            sigma.verify(PROTOCOL, relation, BatchableProof.from_bytes(batchable, relation))
            sigma.verify_compact(PROTOCOL, relation, CompactProof.from_bytes(compact, relation))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_relations(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(st.sampled_from([0, 1, 7, ORDER - 1]), min_size=1, max_size=3))
    rows = data.draw(
        st.lists(
            st.lists(st.integers(1, 50), min_size=len(secrets), max_size=len(secrets)),
            min_size=1,
            max_size=3,
        )
    )
    with using("arkworks") as backend:
        witness = [backend.scalar(secret) for secret in secrets]
        equations = []
        for row in rows:
            points = [backend.g1 * backend.scalar(k) for k in row]
            image = backend.msm(points, witness)
            if image != backend.g1_identity:
                equations.append((image, list(enumerate(points))))
        if not equations:
            return
        relation = LinearRelation.of(*equations)
        assert LinearRelation.from_bytes(relation.to_bytes()) == relation
        proof = sigma.prove(PROTOCOL, relation, witness)
        sigma.verify(PROTOCOL, relation, BatchableProof.from_bytes(proof.to_bytes(), relation))
        compact = sigma.prove_compact(PROTOCOL, relation, witness)
        sigma.verify_compact(PROTOCOL, relation, compact)
        wrong = [witness[0] + backend.scalar(1), *witness[1:]]
        with pytest.raises(VerificationError):
            sigma.verify(PROTOCOL, relation, sigma.prove(PROTOCOL, relation, wrong))
        with pytest.raises(VerificationError):
            sigma.verify_compact(PROTOCOL, relation, sigma.prove_compact(PROTOCOL, relation, wrong))


def test_every_bit_counts() -> None:
    with using("arkworks") as backend:
        relation, witness = equal_logs(backend)
        batchable = sigma.prove(PROTOCOL, relation, witness).to_bytes()
        compact = sigma.prove_compact(PROTOCOL, relation, witness).to_bytes()
        assert (len(batchable), len(compact)) == (2 * 48 + 2 * 32, 3 * 32)
        for place in range(8 * len(batchable)):
            with pytest.raises((DecodingError, VerificationError)):
                flipped = BatchableProof.from_bytes(flip(batchable, place), relation)
                sigma.verify(PROTOCOL, relation, flipped)
        for place in range(8 * len(compact)):
            with pytest.raises((DecodingError, VerificationError)):
                sigma.verify_compact(
                    PROTOCOL, relation, CompactProof.from_bytes(flip(compact, place), relation)
                )


def flip(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def test_lengths_are_exact(backend: Group) -> None:
    relation, witness = equal_logs(backend)
    for proof in (
        sigma.prove(PROTOCOL, relation, witness),
        sigma.prove_compact(PROTOCOL, relation, witness),
    ):
        data = proof.to_bytes()
        for wrong in (b"", data[:-1], data + b"\0", data + data, data[:-32], data[48:]):
            with pytest.raises(DecodingError):
                type(proof).from_bytes(wrong, relation)


def test_every_element_moved_is_refused(backend: Group) -> None:
    relation, witness = equal_logs(backend)
    proof = sigma.prove(PROTOCOL, relation, witness)
    first, second = proof.commitments
    z0, z1 = proof.responses
    one, zero = backend.scalar(1), backend.scalar(0)
    for changed in (
        replace(proof, commitments=(second, first)),
        replace(proof, commitments=(-first, second)),
        replace(proof, commitments=(first, second + backend.g1)),
        replace(proof, commitments=(backend.g1_identity, second)),
        replace(proof, commitments=(first, backend.g1_identity)),
        replace(proof, commitments=(first,)),
        replace(proof, commitments=(first, second, second)),
        replace(proof, commitments=()),
        replace(proof, responses=(z1, z0)),
        replace(proof, responses=(z0 + one, z1)),
        replace(proof, responses=(z0, z1 - one)),
        replace(proof, responses=(zero, zero)),
        replace(proof, responses=(z0,)),
        replace(proof, responses=(z0, z1, zero)),
        replace(proof, responses=()),
    ):
        with pytest.raises(VerificationError):
            sigma.verify(PROTOCOL, relation, changed)
    compact = sigma.prove_compact(PROTOCOL, relation, witness)
    z0, z1 = compact.responses
    for moved in (
        replace(compact, challenge=compact.challenge + one),
        replace(compact, challenge=zero),
        replace(compact, responses=(z1, z0)),
        replace(compact, responses=(z0,)),
        replace(compact, responses=(z0, z1, zero)),
        CompactProof(zero, (zero, zero)),
    ):
        with pytest.raises(VerificationError):
            sigma.verify_compact(PROTOCOL, relation, moved)


def test_an_identity_among_the_commitments_is_refused_though_the_equations_hold(
    backend: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    relation, witness = equal_logs(backend)
    monkeypatch.setattr(sigma, "_fresh_nonces", lambda count: [backend.scalar(0)] * count)
    with pytest.raises(VerificationError, match="identity"):
        sigma.verify(PROTOCOL, relation, sigma.prove(PROTOCOL, relation, witness))
    with pytest.raises(VerificationError, match="identity"):
        sigma.verify_compact(PROTOCOL, relation, sigma.prove_compact(PROTOCOL, relation, witness))


def test_a_proof_is_bound_to_protocol_statement_and_form(backend: Group) -> None:
    relation, witness = equal_logs(backend)
    proof = sigma.prove(PROTOCOL, relation, witness)
    swapped = replace(relation, equations=relation.equations[::-1])
    assert swapped.map(witness)  # just as true a statement
    for protocol, statement in ((b"tesT", relation), (b"test-", relation), (PROTOCOL, swapped)):
        with pytest.raises(VerificationError):
            sigma.verify(protocol, statement, proof)
    # The same transcript written in the other form, challenge and all.
    tag = PROTOCOL + b"-DSFS-with-" + SUITE.encode()
    challenge = challenge_of(tag, relation, proof.commitments, backend)
    with pytest.raises(VerificationError):
        sigma.verify_compact(PROTOCOL, relation, CompactProof(challenge, proof.responses))


# --- forgeries: each succeeds against a copy that forgets to absorb something ----------------

Absorb = Callable[[LinearRelation, Sequence[G1], Group], list[bytes]]


def holds(
    relation: LinearRelation, proof: BatchableProof, challenge: Scalar, backend: Group
) -> bool:
    """The verification equation alone: φ(z) = R + c·X."""
    left = relation.map(proof.responses)
    for point, commitment, equation in zip(
        left, proof.commitments, relation.equations, strict=True
    ):
        image = backend.msm(*relation.image_terms(equation, challenge))
        if point != commitment + image:
            return False
    return True


def weak_challenge(absorbed: list[bytes]) -> Scalar:
    sponge = DuplexSponge(derive_session_id(PROTOCOL + b"-DSFS-with-" + SUITE.encode()))
    for data in absorbed:
        sponge.absorb(data)
    return sponge.challenge()


def test_frozen_heart_statement_not_absorbed(backend: Group) -> None:
    # Choose R and z, get c without X, and only then X = (φ(z) - R) / c: log_G(X) unknown.
    h = backend.hash_to_g1(b"nobody knows my logarithm", b"test")
    z = backend.random_scalar()
    commitment = backend.g1 * backend.random_scalar() + h
    challenge = weak_challenge([backend.encode_g1(commitment)])
    statement = (backend.g1 * z - commitment) * backend.inverse(challenge)
    relation = LinearRelation.of((statement, [(0, backend.g1)]))
    forged = BatchableProof((commitment,), (z,))
    assert holds(relation, forged, challenge, backend)
    with pytest.raises(VerificationError):
        sigma.verify(PROTOCOL, relation, forged)


def test_a_base_not_absorbed_lets_equal_logarithms_be_forged(backend: Group) -> None:
    # X = x·G and Y = y·H with x != y: choose H last, such that the second equation holds.
    x, z, k = (backend.random_scalar() for _ in range(3))
    big_x, big_y = backend.g1 * x, backend.g1 * backend.random_scalar()
    first, second = backend.g1 * k, backend.g1 * backend.random_scalar()
    challenge = weak_challenge(
        [backend.encode_g1(point) for point in (big_x, big_y, first, second)]
    )
    z = k + challenge * x
    h = (second + big_y * challenge) * backend.inverse(z)
    relation = LinearRelation.of((big_x, [(0, backend.g1)]), (big_y, [(0, h)]))
    assert h * x != big_y
    forged = BatchableProof((first, second), (z,))
    assert holds(relation, forged, challenge, backend)
    with pytest.raises(VerificationError):
        sigma.verify(PROTOCOL, relation, forged)


def test_a_commitment_not_absorbed_lets_its_equation_be_forged(backend: Group) -> None:
    # As in Solana's proofs of 2025: R_1 is missing from the hash, so it is computed last.
    x = backend.random_scalar()
    h = backend.hash_to_g1(b"second base", b"test")
    false_image = backend.hash_to_g1(b"not x times h", b"test")
    relation = LinearRelation.of((backend.g1 * x, [(0, backend.g1)]), (false_image, [(0, h)]))
    k = backend.random_scalar()
    first = backend.g1 * k
    challenge = weak_challenge([relation.to_bytes(), backend.encode_g1(first)])
    z = k + challenge * x
    second = h * z - false_image * challenge
    forged = BatchableProof((first, second), (z,))
    assert holds(relation, forged, challenge, backend)
    with pytest.raises(VerificationError):
        sigma.verify(PROTOCOL, relation, forged)


def test_the_weakened_copy_is_ours_but_for_what_it_forgets(backend: Group) -> None:
    relation, witness = equal_logs(backend)
    proof = sigma.prove(PROTOCOL, relation, witness)
    absorbed = [relation.to_bytes(), *map(backend.encode_g1, proof.commitments)]
    assert holds(relation, proof, weak_challenge(absorbed), backend)
    assert not holds(relation, proof, weak_challenge(absorbed[:-1]), backend)


def test_equations_for_a_batch(backend: Group) -> None:
    relation, witness = equal_logs(backend)
    proof = sigma.prove(PROTOCOL, relation, witness)
    sums = sigma.verification_equations(PROTOCOL, relation, proof)
    assert len(sums) == 2
    for points, scalars in sums:
        assert backend.msm(points, scalars) == backend.g1_identity
    bad = replace(proof, responses=(proof.responses[0], proof.responses[1] + backend.scalar(1)))
    verdicts = [
        backend.msm(points, scalars) == backend.g1_identity
        for points, scalars in sigma.verification_equations(PROTOCOL, relation, bad)
    ]
    assert verdicts == [True, False]


def test_nonces_are_fresh(backend: Group) -> None:
    relation, witness = equal_logs(backend)
    made = [sigma.prove(PROTOCOL, relation, witness).to_bytes() for _ in range(3)]
    assert len({data[start : start + 32] for data in made for start in (0, 48, 96, 128)}) == 12


def test_misuse_is_typed(backend: Group) -> None:
    relation, witness = equal_logs(backend)
    proof = sigma.prove(PROTOCOL, relation, witness)
    for wrong in (witness[:1], [*witness, witness[0]], []):
        with pytest.raises(ParameterError):
            sigma.prove(PROTOCOL, relation, wrong)
        with pytest.raises(ParameterError):
            sigma.prove_compact(PROTOCOL, relation, wrong)
    not_bytes: Any
    for not_bytes in (b"", "test", None):
        with pytest.raises(ParameterError):
            sigma.prove(not_bytes, relation, witness)
        with pytest.raises(ParameterError):
            sigma.verify(not_bytes, relation, proof)
    with pytest.raises(ParameterError):
        BatchableProof.from_bytes("x" * 160, relation)  # type: ignore[arg-type]
