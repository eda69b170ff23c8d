"""The id of a channel: known before it is open, and never another's.

::

    channel id = SHA256("quipu/channel/v1\\0" || chain id || payer || u64be(sequence))

``sequence`` is that of the transaction that opens the channel. An account has each
sequence once, so a channel that was closed never comes back under the same id, and a claim
against it is none against any other.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.ed25519 import KEY_SIZE
from ledger.errors import MalformedError

CHANNEL_TAG: Final = b"quipu/channel/v1\0"


def channel_id(chain: bytes, payer: bytes, sequence: int) -> bytes:
    """Return the id, 32 bytes, of the channel that ``payer`` opens with this sequence.

    Raises MalformedError for a chain or payer that is not 32 bytes, or a sequence that no
    account has.
    """
    if len(chain) != ID_SIZE or len(payer) != KEY_SIZE:
        raise MalformedError("a channel's id is made of a chain and a payer of 32 bytes each")
    if not 0 <= sequence < 1 << 64:
        raise MalformedError("a sequence is below 2^64")
    return sha256(CHANNEL_TAG + chain + payer + sequence.to_bytes(8, "big")).digest()
