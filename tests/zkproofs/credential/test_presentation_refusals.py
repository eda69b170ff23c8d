"""Every element of a presentation altered: refused, and never by another error."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.zkproofs.credential.elements import Kind, elements
from tests.zkproofs.credential.fleet import BINDING, EVERYTHING, SMALL, fleet
from tests.zkproofs.credential.test_presentation import POLICIES, answer
from zkproofs.credential import Policy, Presentation, verify
from zkproofs.errors import DecodingError, ParameterError, VerificationError
from zkproofs.group import G1, ORDER, Scalar, group


def check(data: bytes, policy: Policy) -> None:
    verify(Presentation.from_bytes(data, policy), fleet().issuer, policy, BINDING)


def other_points(encoded: bytes) -> Iterator[bytes]:
    backend = group()
    point = backend.decode_g1(encoded)
    yield backend.encode_g1(-point)
    yield backend.encode_g1(point + backend.g1)


def other_scalars(encoded: bytes) -> Iterator[bytes]:
    number = int.from_bytes(encoded, "big")
    yield ((number + 1) % ORDER).to_bytes(32, "big")
    yield (ORDER - number).to_bytes(32, "big")
    yield bytes(32)


@pytest.mark.parametrize("policy", [SMALL, EVERYTHING], ids=["small", "everything"])
def test_other_elements_are_refused(policy: Policy) -> None:
    data = answer(policy)
    check(data, policy)
    for element in elements(policy):
        was = element.of(data)
        if element.kind is Kind.SCALAR:
            others = list(other_scalars(was))
        elif element.kind in (Kind.POINT, Kind.NULLIFIER):
            others = list(other_points(was))
        else:
            others = [bytes([was[0] ^ 1]) + was[1:], was[:-1] + bytes([was[-1] ^ 1])]
        for other in others:
            with pytest.raises((DecodingError, VerificationError)):
                check(element.put(data, other), policy)


def test_swapped_elements_are_refused() -> None:
    data = answer(SMALL)
    parts = [each for each in elements(SMALL) if each.kind is not Kind.VERSION]
    for size in (48, 32):
        alike = [each for each in parts if each.size == size]
        for one, other in zip(alike, alike[1:] + alike[:1], strict=True):
            swapped = other.put(one.put(data, other.of(data)), one.of(data))
            with pytest.raises(VerificationError):
                check(swapped, SMALL)


def test_encodings_that_are_none_are_refused(vectors: Path) -> None:
    """Non-canonical points and scalars, the identity, and points outside the subgroup."""
    loaded = json.loads((vectors / "local-negative" / "g1_encoding.json").read_text("utf-8"))
    no_points = [bytes.fromhex(case["hex"]) for case in loaded["cases"]]
    no_points += [b"\xc0" + bytes(47), b"\xff" * 48, bytes(48)]
    no_scalars = [ORDER.to_bytes(32, "big"), b"\xff" * 32]
    data = answer(EVERYTHING)
    for element in elements(EVERYTHING):
        no_elements = {Kind.SCALAR: no_scalars, Kind.POINT: no_points, Kind.NULLIFIER: no_points}
        for other in no_elements.get(element.kind, []):
            with pytest.raises(DecodingError):
                check(element.put(data, other), EVERYTHING)


@pytest.mark.parametrize("name", POLICIES)
def test_other_lengths_are_refused(name: str) -> None:
    policy = POLICIES[name]
    data = answer(policy)
    for size in range(len(data)):
        with pytest.raises(DecodingError):
            Presentation.from_bytes(data[:size], policy)
    for longer in (data + b"\0", b"\0" + data, data + data):
        with pytest.raises(DecodingError):
            Presentation.from_bytes(longer, policy)


def test_noise_is_refused() -> None:
    size = len(answer(SMALL))
    for _ in range(50):
        with pytest.raises(DecodingError):
            Presentation.from_bytes(secrets.token_bytes(size), SMALL)
    not_bytes: Any = "x" * size
    with pytest.raises(ParameterError):
        Presentation.from_bytes(not_bytes, SMALL)


def test_any_byte_touched_is_refused() -> None:
    data = answer(SMALL)
    for at in range(0, len(data), 7):
        touched = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        with pytest.raises((DecodingError, VerificationError)):
            check(touched, SMALL)


def variations(thing: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """``thing`` again and again, each time with another element zero or the identity."""
    backend = group()
    if isinstance(thing, G1):
        yield path, backend.g1_identity
    elif isinstance(thing, Scalar):
        yield path, backend.scalar(0)
    elif isinstance(thing, tuple):
        for i, part in enumerate(thing):
            for where, other in variations(part, f"{path}[{i}]"):
                yield where, (*thing[:i], other, *thing[i + 1 :])
        if thing:
            yield f"{path} shorter", thing[:-1]
            yield f"{path} longer", (*thing, thing[-1])
    elif is_dataclass(thing) and not isinstance(thing, type):
        for field in fields(thing):
            for where, other in variations(getattr(thing, field.name), f"{path}.{field.name}"):
                yield where, replace(thing, **{field.name: other})


def test_what_no_bytes_could_hold_is_refused_as_well() -> None:
    """Presentations made in memory: identities, zeros, and lists too short or too long."""
    presentation = Presentation.from_bytes(answer(EVERYTHING), EVERYTHING)
    places = []
    for place, other in variations(presentation):
        places.append(place)
        with pytest.raises(VerificationError):
            verify(other, fleet().issuer, EVERYTHING, BINDING)
    assert len(places) == 65 + 2 * 10  # elements, and tuples shorter or longer
    for missing in ("nullifier_proof", "gap", "ranges"):
        with pytest.raises(VerificationError):
            verify(replace(presentation, **{missing: None}), fleet().issuer, EVERYTHING, BINDING)


def test_the_identity_for_a_signature_is_refused() -> None:
    """Ā = B̄ = D = 0 passes the pairing, and would prove any attributes to anyone."""
    presentation = Presentation.from_bytes(answer(SMALL), SMALL)
    zero = group().g1_identity
    first = replace(presentation.credential.first, a_bar=zero, b_bar=zero, d=zero)
    forged = replace(presentation, credential=replace(presentation.credential, first=first))
    with pytest.raises(VerificationError, match="identity"):
        verify(forged, fleet().issuer, SMALL, BINDING)
