"""One text for one value: base64 and decimals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import decode_base64, decode_hash, decode_number, encode_base64
from ledger.errors import MalformedError


@given(st.binary(max_size=80))
def test_base64_round_trips(data: bytes) -> None:
    assert decode_base64(encode_base64(data), "data") == data


@pytest.mark.parametrize(
    "text",
    ["A", "AA", "AA=", "AB==", "AAB=", "AA==\n", " AA==", "AA==AA==", "AAAA====", "A-_A", "é", "="],
)
def test_base64_that_no_encoder_writes_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="data is not"):
        decode_base64(text, "data")


@given(st.text(alphabet="ABw/+=9 \n", max_size=12))
def test_accepted_base64_is_what_the_encoder_writes(text: str) -> None:
    try:
        data = decode_base64(text, "data")
    except MalformedError:
        return
    assert encode_base64(data) == text


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_hash_has_32_bytes(size: int) -> None:
    assert decode_hash(encode_base64(bytes(32)), "hash") == bytes(32)
    with pytest.raises(MalformedError, match="32 expected"):
        decode_hash(encode_base64(bytes(size)), "hash")


@pytest.mark.parametrize("number", [0, 1, 9, 10, 2**63 - 1])
def test_decimals_round_trip(number: int) -> None:
    assert decode_number(str(number), "number") == number


@pytest.mark.parametrize(
    "text",
    [
        *("", "00", "01", "-1", "+1", " 1", "1 ", "1\n", "1_0", "0x1", "1.0", "\u0661", "\u00b2"),
        *("9" * 5000, str(2**63), str(2**64)),
    ],
)
def test_other_spellings_of_numbers_are_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="number "):
        decode_number(text, "number")
