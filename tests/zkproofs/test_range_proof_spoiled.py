"""A verifier is defined by what it rejects: every element spoiled in every way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.zkproofs.range_samples import BYTE, sample
from zkproofs.errors import DecodingError, ParameterError, ProofError, VerificationError
from zkproofs.group import G1_SIZE, ORDER, SCALAR_SIZE, group
from zkproofs.interval import MAX_SIZE, Interval
from zkproofs.range_proof import RangeProof

GOOD = sample((5, BYTE))
DATA = GOOD.proof.to_bytes()
ROUNDS = 3

IDENTITY = b"\xc0" + bytes(G1_SIZE - 1)
BAD_POINTS = {
    "identity": IDENTITY,
    "identity with a sign": b"\xe0" + bytes(G1_SIZE - 1),
    "identity with a last bit": IDENTITY[:-1] + b"\x01",
    "outside the subgroup": b"\x80" + bytes(G1_SIZE - 1),  # x = 0 is on the curve
    "x of p and more": b"\x9f" + b"\xff" * (G1_SIZE - 1),
    "nothing": bytes(G1_SIZE),
}
BAD_SCALARS = {
    "r": ORDER.to_bytes(SCALAR_SIZE, "big"),
    "r + 1": (ORDER + 1).to_bytes(SCALAR_SIZE, "big"),
    "2^256 - 1": b"\xff" * SCALAR_SIZE,
}
OTHER_SCALARS = {
    "zero": bytes(SCALAR_SIZE),
    "one": (1).to_bytes(SCALAR_SIZE, "big"),
    "r - 1": (ORDER - 1).to_bytes(SCALAR_SIZE, "big"),
}


def elements() -> Iterator[tuple[str, int, int]]:
    """Name, start and size of every element of the layout."""
    at = 1
    names = ["A", "S", "T1", "T2", "t", "tau", "mu"]
    names += [f"{side}{number}" for number in range(1, ROUNDS + 1) for side in "LR"]
    for name in [*names, "a", "b"]:
        size = G1_SIZE if name[0] in "ASTLR" else SCALAR_SIZE
        yield name, at, size
        at += size
    assert at == len(DATA)


POINTS = [(name, at) for name, at, size in elements() if size == G1_SIZE]
SCALARS = [(name, at) for name, at, size in elements() if size == SCALAR_SIZE]


def put(at: int, element: bytes) -> bytes:
    return DATA[:at] + element + DATA[at + len(element) :]


def verify_bytes(data: bytes) -> None:
    GOOD.verify(RangeProof.from_bytes(data))


def test_the_proof_itself_is_good() -> None:
    verify_bytes(DATA)
    assert len(POINTS) == 4 + 2 * ROUNDS
    assert len(SCALARS) == 5


@pytest.mark.parametrize("at", range(len(DATA)))
def test_no_byte_can_change(at: int) -> None:
    with pytest.raises((DecodingError, VerificationError)):
        verify_bytes(put(at, bytes([DATA[at] ^ 1])))


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_no_point_can_be_replaced(name: str, at: int) -> None:
    for bad in BAD_POINTS.values():
        with pytest.raises(DecodingError):
            RangeProof.from_bytes(put(at, bad))
    backend = group()
    point = backend.decode_g1(DATA[at : at + G1_SIZE])
    for other in (-point, point + backend.g1, backend.g1):
        with pytest.raises(VerificationError):
            verify_bytes(put(at, backend.encode_g1(other)))


@pytest.mark.parametrize(("name", "at"), SCALARS)
def test_no_scalar_can_be_replaced(name: str, at: int) -> None:
    for bad in BAD_SCALARS.values():
        with pytest.raises(DecodingError):
            RangeProof.from_bytes(put(at, bad))
    for other in OTHER_SCALARS.values():
        with pytest.raises(VerificationError):
            verify_bytes(put(at, other))


@pytest.mark.parametrize("places", [POINTS, SCALARS], ids=["points", "scalars"])
def test_no_two_elements_can_be_swapped(places: list[tuple[str, int]]) -> None:
    size = G1_SIZE if places is POINTS else SCALAR_SIZE
    for index, (_, one) in enumerate(places):
        for _, other in places[index + 1 :]:
            swapped = put(one, DATA[other : other + size])
            swapped = swapped[:other] + DATA[one : one + size] + swapped[other + size :]
            with pytest.raises(VerificationError):
                verify_bytes(swapped)


def test_no_other_length_is_a_proof() -> None:
    for size in range(len(DATA)):
        with pytest.raises(ProofError):
            verify_bytes(DATA[:size])
    for more in (b"\0", DATA, IDENTITY * 2, bytes(96)):
        with pytest.raises(ProofError):
            verify_bytes(DATA + more)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_no_other_version_is_read(version: int) -> None:
    with pytest.raises(DecodingError, match="version"):
        RangeProof.from_bytes(put(0, bytes([version])))


@pytest.mark.parametrize("data", ["text", bytearray(DATA), memoryview(DATA), None, 5])
def test_only_bytes_are_decoded(data: Any) -> None:
    with pytest.raises(ParameterError):
        RangeProof.from_bytes(data)


def test_the_number_of_rounds_is_that_of_the_statement() -> None:
    """A decoder takes any number up to the largest; the verifier exactly its own."""
    inner = GOOD.proof.inner
    point = group().g1
    for left, right in (
        (inner.left[:-1], inner.right[:-1]),
        (inner.left[1:], inner.right),
        (inner.left, (*inner.right, point)),
        ((*inner.left, point), (*inner.right, point)),
        ((), ()),
    ):
        proof = replace(GOOD.proof, inner=replace(inner, left=left, right=right))
        with pytest.raises(VerificationError, match=f"of {ROUNDS} rounds"):
            GOOD.verify(proof)
    longer = sample((5, Interval.of_bits(16)))
    with pytest.raises(VerificationError, match=f"of {ROUNDS} rounds"):
        GOOD.verify(longer.proof)
    most = MAX_SIZE.bit_length() - 1
    pair = group().encode_g1(point) * 2
    padded = DATA[:-64] + pair * (most - ROUNDS) + DATA[-64:]
    assert len(RangeProof.from_bytes(padded).inner.left) == most
    with pytest.raises(DecodingError):
        RangeProof.from_bytes(DATA[:-64] + pair * (most - ROUNDS + 1) + DATA[-64:])


def test_the_identity_is_refused_in_objects_too() -> None:
    identity = group().g1_identity
    inner = GOOD.proof.inner
    spoiled = [replace(GOOD.proof, **{name: identity}) for name in ("A", "S", "T1", "T2")]
    spoiled += [
        replace(GOOD.proof, inner=replace(inner, **{side: (identity, *getattr(inner, side)[1:])}))
        for side in ("left", "right")
    ]
    for proof in spoiled:
        with pytest.raises(VerificationError, match="identity"):
            GOOD.verify(proof)
