"""A claim as a line of text, that a payer hands to a payee by whatever way there is.

::

    "quipu-claim:" base64url of  u8 kind || channel id (32) || message
    kind  1: a Voucher, 2: a PayWord (``ledger/schema/chain_channel.proto``)

Whoever has the line can show the claim to the chain; only the payee is paid by it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Final

from ledger.chain.channel.payword import Link
from ledger.chain.channel.voucher import Voucher
from ledger.cli.files import read_input
from ledger.errors import MalformedError
from ledger.wallet.payer import Claim

_PREFIX: Final = "quipu-claim:"
_VOUCHER: Final = 1
_LINK: Final = 2
_ID_SIZE: Final = 32
_HINT: Final = "give what `quipu channel pay` printed, or a file that holds it"


def claim_line(channel: bytes, claim: Claim) -> str:
    """The line of a claim."""
    kind = _VOUCHER if isinstance(claim, Voucher) else _LINK
    data = bytes([kind]) + channel + claim.encode()
    return _PREFIX + urlsafe_b64encode(data).decode("ascii").rstrip("=")


def read_claim(text: str) -> tuple[bytes, Claim]:
    """Channel and claim of a line, or of a file that holds one. Raises MalformedError."""
    if not text.startswith(_PREFIX):
        text = read_input(Path(text), "a claim").decode("utf-8", "replace").strip()
    encoded = text.removeprefix(_PREFIX)
    try:
        data = urlsafe_b64decode((encoded + "=" * (-len(encoded) % 4)).encode("ascii"))
    except ValueError:
        data = b""
    if len(data) <= 1 + _ID_SIZE or data[0] not in (_VOUCHER, _LINK):
        raise MalformedError("that is no claim", hint=_HINT)
    channel, message = data[1 : 1 + _ID_SIZE], data[1 + _ID_SIZE :]
    claim: Claim = Voucher.parse(message) if data[0] == _VOUCHER else Link.parse(message)
    if claim_line(channel, claim) != _PREFIX + encoded:
        raise MalformedError("a claim that is not in its one form", hint=_HINT)
    return channel, claim
