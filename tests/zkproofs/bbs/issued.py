"""A signature to prove with, and points and scalars to spoil proofs with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zkproofs.bbs import (
    BatchableProof,
    Ciphersuite,
    Disclosure,
    Domain,
    Proof,
    SecretKey,
    Signature,
)
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.interface import Interface
from zkproofs.bbs.prover import begin_proof, core_prove
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.signature import core_sign
from zkproofs.group import G1_SIZE, ORDER, SCALAR_SIZE, Scalar, group
from zkproofs.group.expand import FIELD_MODULUS

INTERFACE = Interface(Ciphersuite.SHA_256, b"H2G_RAW_TEST_")
PH = b"for verifier 7, nonce 11"


@dataclass(frozen=True)
class Issued:
    key: SecretKey
    domain: Domain
    messages: tuple[Scalar, ...]
    signature: Signature

    def disclosure(self, indexes: Sequence[int]) -> Disclosure:
        return Disclosure.of(self.messages, indexes)

    def prove(self, indexes: Sequence[int], ph: bytes = PH) -> Proof:
        return core_prove(
            self.domain, self.signature, self.messages, indexes, ph, scalars=fresh_scalars
        )

    def prove_batchable(self, indexes: Sequence[int], ph: bytes = PH) -> BatchableProof:
        state = begin_proof(
            self.domain, self.signature, self.messages, indexes, scalars=fresh_scalars
        )
        challenge = proof_challenge(self.domain, state.disclosure, state.first, ph)
        return state.respond_batchable(challenge)


def issue(*values: int, key: SecretKey | None = None, header: bytes = b"header") -> Issued:
    """Sign raw numbers."""
    key = key or SecretKey.generate()
    domain = Domain.of(INTERFACE, key.public_key, header, len(values))
    messages = tuple(group().scalar(value) for value in values)
    return Issued(key, domain, messages, core_sign(key, domain, messages))


def off_subgroup() -> bytes:
    """A point of the curve outside the subgroup, compressed."""
    for x in range(1, 100):
        square = (x**3 + 4) % FIELD_MODULUS
        if pow(square, (FIELD_MODULUS - 1) // 2, FIELD_MODULUS) == 1:
            encoded = bytearray(x.to_bytes(G1_SIZE, "big"))
            encoded[0] |= 0x80
            return bytes(encoded)
    raise AssertionError


IDENTITY = b"\xc0" + bytes(G1_SIZE - 1)
BAD_POINTS = {
    "identity": IDENTITY,
    "infinity with the sign bit": b"\xe0" + bytes(G1_SIZE - 1),
    "infinity with a coordinate": IDENTITY[:-1] + b"\x01",
    "off the subgroup": off_subgroup(),
    "not compressed": bytes(G1_SIZE),
    "all ones": b"\xff" * G1_SIZE,
}
BAD_SCALARS = {
    "zero": bytes(SCALAR_SIZE),
    "the order": ORDER.to_bytes(SCALAR_SIZE, "big"),
    "above the order": (ORDER + 5).to_bytes(SCALAR_SIZE, "big"),
    "all ones": b"\xff" * SCALAR_SIZE,
}


def spoiled(data: bytes, points: int, start: int = 0) -> Iterator[tuple[str, bytes]]:
    """Every way to spoil one element of an encoding of points and then scalars.

    ``start`` is where the points begin.
    """
    scalars_start = start + points * G1_SIZE
    spans = [(start + i * G1_SIZE, G1_SIZE) for i in range(points)]
    spans += [(at, SCALAR_SIZE) for at in range(scalars_start, len(data), SCALAR_SIZE)]
    backend = group()
    for number, (at, size) in enumerate(spans):
        stop = at + size
        element = data[at:stop]
        if size == G1_SIZE:
            other = backend.encode_g1(backend.decode_g1(element) + backend.g1)
            replacements = {**BAD_POINTS, "another point": other}
        else:
            other = backend.encode_scalar(backend.decode_scalar(element) + backend.scalar(1))
            replacements = {**BAD_SCALARS, "one more": other}
        for how, replacement in replacements.items():
            yield f"element {number}: {how}", data[:at] + replacement + data[stop:]
        yield f"element {number}: left out", data[:at] + data[stop:]
        yield f"element {number}: twice", data[:stop] + data[at:]
        yield f"truncated in element {number}", data[: at + size // 2]
        for later, (other_at, other_size) in enumerate(spans[number + 1 :], number + 1):
            if other_size == size and data[other_at : other_at + size] != element:
                swapped = bytearray(data)
                swapped[at:stop] = data[other_at : other_at + size]
                swapped[other_at : other_at + size] = element
                yield f"elements {number} and {later} swapped", bytes(swapped)
    yield "one byte more", data + b"\x00"
    yield "one byte less", data[:-1]
    yield "nothing", b""
