"""Amounts of money as people write them: exact decimals, never floating point."""

from __future__ import annotations

import re
from typing import Final

from ledger.errors import MalformedError

MAX_UNITS: Final = 2**64 - 1
_AMOUNT: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,18}))?")


def parse_amount(text: str, decimals: int) -> int:
    """Whole units of an asset of so many decimals: ``1.5`` of one with 2 is 150.

    Raises MalformedError for anything but digits with one point, for more decimals than
    the asset has, and for 2^64 units or more.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise MalformedError(
            f"{text[:40]!r} is no amount", hint="write it in digits, for example 12.50"
        )
    whole, fraction = found[1], found[2] or ""
    if len(fraction) > decimals:
        raise MalformedError(
            f"{text} has {len(fraction)} decimals", hint=f"this asset has {decimals}"
        )
    units = int(whole + fraction.ljust(decimals, "0"))
    if units > MAX_UNITS:
        raise MalformedError(
            f"{text} is more than there can be of an asset",
            hint=f"at most {format_amount(MAX_UNITS, decimals)}",
        )
    return units


def format_amount(units: int, decimals: int) -> str:
    """Units as a decimal number with all its decimals: 150 of 2 is ``1.50``; ``-0.05``."""
    sign, digits = ("-", str(-units)) if units < 0 else ("", str(units))
    if not decimals:
        return sign + digits
    digits = digits.rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
