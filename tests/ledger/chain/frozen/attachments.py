"""What transactions of the frozen chain bring along, by SHA-256."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

SPOILT_UNIT: Final = Path(__file__).with_name("spoilt_unit_v1.hex")
"""What the complaint of `eventful_exchange` is about."""


def attachments() -> dict[bytes, bytes]:
    """All of them."""
    given = (b"a receipt", bytes.fromhex(SPOILT_UNIT.read_text(encoding="utf-8")))
    return {sha256(each).digest(): each for each in given}
