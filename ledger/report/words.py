"""Amounts, sizes, times and ids as people read them, the same on every machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_SECOND: Final = 1_000_000_000
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def amount(units: int, decimals: int, symbol: str) -> str:
    """Units of an asset with all its decimals: 123456 of 2 is ``1,234.56 QPU``."""
    sign, digits = ("-", str(-units)) if units < 0 else ("", str(units))
    digits = digits.rjust(decimals + 1, "0")
    whole, part = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    return f"{sign}{int(whole):,}{'.' if part else ''}{part} {symbol}"


def size(count: int) -> str:
    """Bytes in the unit that suits them: ``3.2 MiB``."""
    if count < 1024:
        return plural(count, "byte")
    scaled, unit = count, 0
    # Tenths, in whole numbers: floating point would round by its own ways.
    tenths = count * 10
    while scaled >= 1024 and unit < len(_UNITS) - 1:
        scaled, tenths, unit = scaled // 1024, tenths // 1024, unit + 1
    return f"{tenths // 10:,}.{tenths % 10} {_UNITS[unit]}"


def moment(time_ns: int) -> str:
    """A time to the second, in UTC; a dash for 0 or a time that no calendar has."""
    try:
        when = datetime.fromtimestamp(time_ns // _SECOND, UTC)
    except (OverflowError, OSError, ValueError):
        return "—"
    return when.strftime("%Y-%m-%d %H:%M:%S UTC") if time_ns else "—"


def day(time_ns: int) -> str:
    """The date of a time, in UTC."""
    return moment(time_ns)[:10]


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 grant``, ``1,200 grants``."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def short(identity: str) -> str:
    """The beginning of an id, enough to find it by."""
    return identity if len(identity) <= 12 else f"{identity[:10]}…"


def percent(parts: int) -> str:
    """Parts of 10,000: 1,250 is ``12.50 %``."""
    whole, rest = divmod(parts, 100)
    return f"{whole}.{rest:02} %"
