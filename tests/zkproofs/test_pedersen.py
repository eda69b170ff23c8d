"""Pedersen commitments: what opens them, what does not, and that they add up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkproofs.conftest import BACKENDS
from zkproofs.errors import DecodingError, ParameterError, ProofError, VerificationError
from zkproofs.group import ORDER, Group, using
from zkproofs.group.generators import generators
from zkproofs.pedersen import Bases, Opening, commit, default_bases, verify_opening

VALUES = st.one_of(st.sampled_from([0, 1, 2**64 - 1, 2**64, ORDER - 1]), st.integers(0, ORDER - 1))


def test_a_commitment_is_the_sum_of_both_bases(backend: Group) -> None:
    g, h = generators(b"pedersen", 2)
    assert default_bases() == Bases(g, h)
    blinding = backend.scalar(1 << 200)
    assert commit(5, blinding) == g * backend.scalar(5) + h * blinding
    other = Bases(backend.g1, g)
    assert commit(5, blinding, other) == backend.g1 * backend.scalar(5) + g * blinding


def test_backends_commit_to_the_same_bytes() -> None:
    encoded = set()
    for name in BACKENDS:
        with using(name) as backend:
            encoded.add(backend.encode_g1(commit(ORDER - 1, backend.scalar(77))))
    assert len(encoded) == 1


@settings(max_examples=30, deadline=None)
@given(VALUES, VALUES)
def test_openings_open_and_add_up(a: int, b: int) -> None:
    with using("arkworks") as backend:
        one, other = Opening.of(a), Opening.of(b)
        first, second = one.commitment(), other.commitment()
        verify_opening(first, one)
        verify_opening(first + second, one + other)
        verify_opening(first - second, one - other)
        assert (one + other).value == (a + b) % ORDER
        for wrong in (
            other,
            Opening((a + 1) % ORDER, one.blinding),
            Opening(a, one.blinding + backend.scalar(1)),
            Opening(a, -one.blinding),
        ):
            with pytest.raises(VerificationError):
                verify_opening(first, wrong)
        with pytest.raises(VerificationError):
            verify_opening(backend.g1_identity, one)
        with pytest.raises(VerificationError):
            verify_opening(first, one, Bases(*reversed(generators(b"pedersen", 2))))


def test_each_opening_is_blinded_afresh(backend: Group) -> None:
    assert Opening.of(5).commitment() != Opening.of(5).commitment()


def test_an_opening_does_not_show_itself(backend: Group) -> None:
    opening = Opening(424242, backend.scalar(31337))
    for text in (repr(opening), str(opening), f"{opening}", repr([opening])):
        assert "424242" not in text
        assert "31337" not in text
    with pytest.raises(ProofError) as caught:
        verify_opening(backend.g1, opening)
    assert "424242" not in str(caught.value)


def test_openings_are_64_bytes_and_no_others(backend: Group) -> None:
    opening = Opening(2**64, backend.scalar(3))
    data = opening.to_bytes()
    assert data == (2**64).to_bytes(32, "big") + (3).to_bytes(32, "big")
    assert Opening.from_bytes(data) == opening
    order = ORDER.to_bytes(32, "big")
    for wrong in (b"", data[:-1], data + b"\0", order + data[32:], data[:32] + order):
        with pytest.raises(DecodingError):
            Opening.from_bytes(wrong)


@pytest.mark.parametrize("value", [-1, ORDER, 1 << 300, "5", 5.0, None])
def test_values_are_canonical(backend: Group, value: Any) -> None:
    for make in (
        lambda: Opening(value, backend.scalar(1)),
        lambda: Opening.of(value),
        lambda: commit(value, backend.scalar(1)),
    ):
        with pytest.raises(ParameterError):
            make()


def test_misuse_is_typed(backend: Group) -> None:
    anything: Any
    for anything in (5, None, b"x", backend.g1):
        with pytest.raises(ParameterError):
            commit(5, anything)
        with pytest.raises(ParameterError):
            Opening(5, anything).to_bytes()
    with pytest.raises(ParameterError):
        commit(5, backend.scalar(1), Bases(backend.g1, backend.scalar(1)))  # type: ignore[arg-type]
    not_bytes: Any = "x" * 64
    with pytest.raises(ParameterError):
        Opening.from_bytes(not_bytes)
