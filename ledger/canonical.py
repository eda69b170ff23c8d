"""The one accepted text form of bytes and of numbers in C2SP formats.

Both decoders accept exactly what their encoder writes, so that a text can never be
changed without changing its meaning:

- bytes: base64 of RFC 4648, section 4, padded, with unused bits zero (section 3.5);
- numbers: ASCII decimals below 2^63, no sign, no leading zero (tlog-checkpoint,
  "Note text").
"""

from __future__ import annotations

import base64
from typing import Final

from ledger.errors import MalformedError

NUMBER_LIMIT: Final = 2**63
_NUMBER_DIGITS: Final = len(str(NUMBER_LIMIT))


def encode_base64(data: bytes) -> str:
    """Write ``data`` as padded standard base64."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, what: str) -> bytes:
    """Read canonical base64; ``what`` names it in the `MalformedError`."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise MalformedError(f"{what} is not base64") from None
    # Python lets unused bits and surplus padding pass; writing it again does not.
    if encode_base64(data) != text:
        raise MalformedError(f"{what} is not canonical base64")
    return data


def decode_hash(text: str, what: str) -> bytes:
    """Read canonical base64 of exactly 32 bytes, else `MalformedError`."""
    data = decode_base64(text, what)
    if len(data) != 32:
        raise MalformedError(f"{what} is {len(data)} bytes long, 32 expected")
    return data


def decode_number(text: str, what: str) -> int:
    """Read a decimal from 0 to 2^63 - 1; ``what`` names it in the `MalformedError`."""
    # str.isdigit alone would let other scripts' digits pass; the length bounds int()'s work.
    if not (text.isascii() and text.isdigit()) or len(text) > _NUMBER_DIGITS:
        raise MalformedError(f"{what} is not a decimal number below 2^63")
    if text[0] == "0" and text != "0":
        raise MalformedError(f"{what} has a leading zero")
    number = int(text)
    if number >= NUMBER_LIMIT:
        raise MalformedError(f"{what} is not below 2^63")
    return number
