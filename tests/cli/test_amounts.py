"""Amounts of money: exact, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.cli.amounts import MAX_UNITS, format_amount, parse_amount
from ledger.errors import MalformedError


@given(st.integers(0, MAX_UNITS), st.integers(0, 18))
def test_what_is_written_is_read_back(units: int, decimals: int) -> None:
    text = format_amount(units, decimals)
    assert parse_amount(text, decimals) == units
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert format_amount(-units, decimals) == (f"-{text}" if units else text)


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [
        ("0", 2, 0),
        ("0.1", 2, 10),
        ("00012.5", 2, 1250),
        ("1", 0, 1),
        ("0.000000000000000001", 18, 1),
        ("18446744073709551615", 0, MAX_UNITS),
        ("18.446744073709551615", 18, MAX_UNITS),
        ("0.29", 2, 29),  # as a binary fraction it would be 28
    ],
)
def test_good_amounts(text: str, decimals: int, units: int) -> None:
    assert parse_amount(text, decimals) == units


@pytest.mark.parametrize(
    ("text", "decimals"),
    [
        *((text, 2) for text in ("", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "1 ", "0x1")),
        *((text, 2) for text in ("1.234", "nan", "inf", "٣", "²", "1_000", "1.5.0", "9" * 300)),
        ("1.0", 0),
        ("18446744073709551616", 0),
        ("18.446744073709551616", 18),
        ("184467440737095516.16", 2),
        ("0.0000000000000000001", 18),
    ],
)
def test_bad_amounts(text: str, decimals: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_amount(text, decimals)
    assert caught.value.hint
