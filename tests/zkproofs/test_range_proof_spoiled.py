"""A verifier is defined by what it rejects: every element spoiled in every way, in each version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.zkproofs.range_samples import BYTE, VERSIONS, sample
from zkproofs.errors import DecodingError, ParameterError, ProofError, VerificationError
from zkproofs.group import G1_SIZE, ORDER, SCALAR_SIZE, group
from zkproofs.interval import MAX_SIZE, Interval
from zkproofs.range_proof import RangeProof

GOOD = {version: sample((5, BYTE), version=version) for version in VERSIONS}
DATA = {version: good.proof.to_bytes() for version, good in GOOD.items()}
ROUNDS = {1: 3, 2: 1}
LAST = {1: 1, 2: 4}

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


def elements(version: int) -> Iterator[tuple[str, int, int]]:
    """Name, start and size of every element of the layout."""
    at = 1
    names = ["A", "S", "T1", "T2", "t", "tau", "mu"]
    names += [f"{side}{number}" for number in range(1, ROUNDS[version] + 1) for side in "LR"]
    names += [f"{vector}{number}" for vector in "ab" for number in range(LAST[version])]
    for name in names:
        size = G1_SIZE if name[0] in "ASTLR" else SCALAR_SIZE
        yield name, at, size
        at += size
    assert at == len(DATA[version])


def places(size: int) -> list[tuple[int, str, int]]:
    """Version, name and start of every element of this size."""
    return [
        (version, name, at)
        for version in VERSIONS
        for name, at, length in elements(version)
        if length == size
    ]


POINTS, SCALARS = places(G1_SIZE), places(SCALAR_SIZE)
every_version = pytest.mark.parametrize("version", VERSIONS)


def put(version: int, at: int, element: bytes) -> bytes:
    data = DATA[version]
    return data[:at] + element + data[at + len(element) :]


def verify_bytes(version: int, data: bytes) -> None:
    """``data`` in the place of the good proof of ``version``."""
    GOOD[version].verify(RangeProof.from_bytes(data))


@every_version
def test_the_proof_itself_is_good(version: int) -> None:
    verify_bytes(version, DATA[version])
    assert DATA[version][0] == version == GOOD[version].proof.version
    assert sum(each == version for each, _, _ in POINTS) == 4 + 2 * ROUNDS[version]
    assert sum(each == version for each, _, _ in SCALARS) == 3 + 2 * LAST[version]


@pytest.mark.parametrize(
    ("version", "at"), [(version, at) for version in VERSIONS for at in range(len(DATA[version]))]
)
def test_no_byte_can_change(version: int, at: int) -> None:
    with pytest.raises((DecodingError, VerificationError)):
        verify_bytes(version, put(version, at, bytes([DATA[version][at] ^ 1])))


@pytest.mark.parametrize(("version", "name", "at"), POINTS)
def test_no_point_can_be_replaced(version: int, name: str, at: int) -> None:
    for bad in BAD_POINTS.values():
        with pytest.raises(DecodingError):
            RangeProof.from_bytes(put(version, at, bad))
    backend = group()
    point = backend.decode_g1(DATA[version][at : at + G1_SIZE])
    for other in (-point, point + backend.g1, backend.g1):
        with pytest.raises(VerificationError):
            verify_bytes(version, put(version, at, backend.encode_g1(other)))


@pytest.mark.parametrize(("version", "name", "at"), SCALARS)
def test_no_scalar_can_be_replaced(version: int, name: str, at: int) -> None:
    for bad in BAD_SCALARS.values():
        with pytest.raises(DecodingError):
            RangeProof.from_bytes(put(version, at, bad))
    for other in OTHER_SCALARS.values():
        with pytest.raises(VerificationError):
            verify_bytes(version, put(version, at, other))


@every_version
@pytest.mark.parametrize(("all_places", "size"), [(POINTS, G1_SIZE), (SCALARS, SCALAR_SIZE)])
def test_no_two_elements_can_be_swapped(
    version: int, all_places: list[tuple[int, str, int]], size: int
) -> None:
    data = DATA[version]
    starts = [at for each, _, at in all_places if each == version]
    for index, one in enumerate(starts):
        for other in starts[index + 1 :]:
            swapped = put(version, one, data[other : other + size])
            swapped = swapped[:other] + data[one : one + size] + swapped[other + size :]
            with pytest.raises(VerificationError):
                verify_bytes(version, swapped)


@every_version
def test_no_other_length_is_a_proof(version: int) -> None:
    data = DATA[version]
    for size in range(len(data)):
        with pytest.raises(ProofError):
            verify_bytes(version, data[:size])
    for more in (b"\0", data, IDENTITY * 2, bytes(96)):
        with pytest.raises(ProofError):
            verify_bytes(version, data + more)


@every_version
@pytest.mark.parametrize("other", [0, 3, 255])
def test_no_other_version_is_read(version: int, other: int) -> None:
    with pytest.raises(DecodingError, match="version"):
        RangeProof.from_bytes(put(version, 0, bytes([other])))
    proof = replace(GOOD[version].proof, version=other)
    with pytest.raises(ParameterError, match="version"):
        proof.to_bytes()
    with pytest.raises(ParameterError, match="version"):
        GOOD[version].verify(proof)


@pytest.mark.parametrize("data", ["text", bytearray(DATA[2]), memoryview(DATA[2]), None, 5])
def test_only_bytes_are_decoded(data: Any) -> None:
    with pytest.raises(ParameterError):
        RangeProof.from_bytes(data)


@every_version
def test_the_number_of_rounds_is_that_of_the_statement(version: int) -> None:
    """A decoder takes any number up to the largest; the verifier exactly its own."""
    good, data, rounds = GOOD[version], DATA[version], ROUNDS[version]
    inner = good.proof.inner
    point = group().g1
    for left, right in (
        (inner.left[:-1], inner.right[:-1]),
        (inner.left[1:], inner.right),
        (inner.left, (*inner.right, point)),
        ((*inner.left, point), (*inner.right, point)),
        ((), ()),
    ):
        proof = replace(good.proof, inner=replace(inner, left=left, right=right))
        with pytest.raises(VerificationError, match=f"of {rounds} rounds"):
            good.verify(proof)
    longer = sample((5, Interval.of_bits(16)), version=version)
    with pytest.raises(VerificationError, match=f"of {rounds} rounds"):
        good.verify(longer.proof)
    most = MAX_SIZE.bit_length() - LAST[version].bit_length()
    pair = group().encode_g1(point) * 2
    end = len(data) - 2 * LAST[version] * SCALAR_SIZE
    padded = data[:end] + pair * (most - rounds) + data[end:]
    assert len(RangeProof.from_bytes(padded).inner.left) == most
    with pytest.raises(DecodingError):
        RangeProof.from_bytes(data[:end] + pair * (most - rounds + 1) + data[end:])


@every_version
def test_the_last_vectors_have_the_length_of_the_version(version: int) -> None:
    """Not a scalar more, however little it would add to a sum: not even a zero."""
    good, zero = GOOD[version], group().scalar(0)
    inner = good.proof.inner
    for a, b in (
        ((*inner.a, zero), inner.b),
        (inner.a, (*inner.b, zero)),
        ((*inner.a, zero), (*inner.b, zero)),
        (inner.a * 2, inner.b * 2),
        (inner.a[:-1], inner.b),
        (inner.a, inner.b[:-1]),
        (inner.a[1:], inner.b[1:]),
        ((), ()),
    ):
        proof = replace(good.proof, inner=replace(inner, a=a, b=b))
        with pytest.raises(VerificationError, match=f"have {LAST[version]} scalars"):
            good.verify(proof)
        with pytest.raises(ParameterError, match=f"have {LAST[version]} scalars"):
            proof.to_bytes()


@every_version
def test_a_proof_is_not_one_of_another_version(version: int) -> None:
    for other in set(VERSIONS) - {version}:
        with pytest.raises((DecodingError, VerificationError)):
            verify_bytes(version, put(version, 0, bytes([other])))
        with pytest.raises(VerificationError):
            GOOD[version].verify(replace(GOOD[version].proof, version=other))
        with pytest.raises(VerificationError):
            GOOD[version].verify(GOOD[other].proof)


@every_version
def test_the_identity_is_refused_in_objects_too(version: int) -> None:
    identity, good = group().g1_identity, GOOD[version]
    inner = good.proof.inner
    spoiled = [replace(good.proof, **{name: identity}) for name in ("A", "S", "T1", "T2")]
    spoiled += [
        replace(good.proof, inner=replace(inner, **{side: (identity, *getattr(inner, side)[1:])}))
        for side in ("left", "right")
    ]
    for proof in spoiled:
        with pytest.raises(VerificationError, match="identity"):
            good.verify(proof)
