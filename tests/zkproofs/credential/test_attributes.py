"""Attributes: which values there are, their bytes, and the scalars that are signed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkproofs.bbs import Ciphersuite
from zkproofs.bbs.interface import blind_interface, plain_interface, pseudonym_interface
from zkproofs.credential import Attribute, Attributes
from zkproofs.credential.attributes import ATTRIBUTES_SIZE, decode_values, encode_values
from zkproofs.credential.issuer import CREDENTIAL_INTERFACE, GAP_INTERFACE
from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group import group

TOP = 2**32 - 1
TEXTS = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=63
).filter(lambda text: len(text.encode()) <= 63)
NUMBERS = st.one_of(st.sampled_from([0, 1, TOP - 1, TOP]), st.integers(0, TOP))


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, NUMBERS, NUMBERS, st.integers(1, TOP - 1))
def test_attributes_come_back_from_their_bytes(
    fleet: str, role: str, level: int, expiry: int, robot_id: int
) -> None:
    attributes = Attributes(fleet, role, level, expiry, robot_id)
    data = attributes.to_bytes()
    assert len(data) == ATTRIBUTES_SIZE == 140
    assert Attributes.from_bytes(data) == attributes


def test_the_layout_is_as_written() -> None:
    data = Attributes("é", "b", 1, 2, 3).to_bytes()
    texts = b"\x02\xc3\xa9".ljust(64, b"\0") + b"\x01b".ljust(64, b"\0")
    assert data == texts + bytes([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3])


@pytest.mark.parametrize("text", ["", "x" * 64, "é" * 32, "\ud800", 5, None, b"x"])
@pytest.mark.parametrize("attribute", [Attribute.FLEET, Attribute.ROLE])
def test_a_text_is_of_1_to_63_bytes(attribute: Attribute, text: Any) -> None:
    with pytest.raises(ParameterError, match=attribute.label):
        attribute.check(text)
    attribute.check("x" * 63)


@pytest.mark.parametrize("number", [-1, TOP + 1, 1 << 300, True, 1.0, "1", None])
@pytest.mark.parametrize("attribute", [Attribute.LEVEL, Attribute.EXPIRY, Attribute.ROBOT_ID])
def test_a_number_takes_32_bits(attribute: Attribute, number: Any) -> None:
    with pytest.raises(ParameterError, match=attribute.label):
        attribute.check(number)


@pytest.mark.parametrize("robot_id", [0, TOP])
def test_the_ends_are_no_robot_ids(robot_id: int) -> None:
    Attribute.LEVEL.check(robot_id)
    with pytest.raises(ParameterError):
        Attributes("f", "r", 1, 1, robot_id)


def test_other_bytes_are_refused() -> None:
    data = Attributes("fleet", "role", 1, 2, 3).to_bytes()
    for wrong in (
        b"",
        data[:-1],
        data + b"\0",
        b"\x00" + data[1:],  # an empty text
        b"\x04" + data[1:],  # shorter: the rest is no padding
        b"\x40" + data[1:],
        b"\xff" + data[1:],
        data[:63] + b"x" + data[64:],
        b"\x02\xc3\x28" + bytes(61) + data[64:],
        data[:-4] + bytes(4),
    ):
        with pytest.raises(DecodingError):
            Attributes.from_bytes(wrong)


def test_numbers_are_signed_as_they_are_and_texts_by_their_hash() -> None:
    scalars = Attributes("fleet", "role", 1, 2, 3).scalars(CREDENTIAL_INTERFACE)
    assert scalars[2:] == [group().scalar(number) for number in (1, 2, 3)]
    hashed = CREDENTIAL_INTERFACE.messages_to_scalars([b"fleet", b"role"])
    assert scalars[:2] == list(hashed)


def test_the_interfaces_share_nothing_with_each_other_or_the_drafts() -> None:
    suite = Ciphersuite.SHA_256
    interfaces = [
        CREDENTIAL_INTERFACE,
        GAP_INTERFACE,
        plain_interface(suite),
        blind_interface(suite),
        pseudonym_interface(suite),
    ]
    assert len({interface.api_id for interface in interfaces}) == 5
    points = [
        group().encode_g1(point) for interface in interfaces for point in interface.generators(8)
    ]
    assert len(set(points)) == len(points)
    assert len({interface.hash_to_scalar(b"x") for interface in interfaces}) == 5


def test_values_of_some_attributes() -> None:
    some = (Attribute.ROLE, Attribute.EXPIRY)
    data = encode_values(some, ("r", 5))
    assert len(data) == 68
    assert decode_values(some, data) == ("r", 5)
    with pytest.raises(DecodingError):
        decode_values(some, data + b"\0")
