"""The id of a sale, known before it is proposed, and the hash that stands for its key.

::

    sale id  = SHA256("quipu/sale/v1\\0" || chain id || grant id || u64be(sequence))
    key hash = SHA256("key" || k)                          k: 32 random bytes, one sale only

``sequence`` is that of the seller's transaction that proposes the sale. The grant's id is
made of the buyer's one-time key, so nothing sealed for one buyer or sale fits another.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.errors import MalformedError

SALE_TAG: Final = b"quipu/sale/v1\0"
KEY_TAG: Final = b"key"
SALE_KEY_SIZE: Final = 32


def sale_id(chain: bytes, grant: bytes, sequence: int) -> bytes:
    """The id, 32 bytes, of the sale that the seller proposes with this sequence.

    Raises MalformedError for ids that are not 32 bytes, or a sequence that no account has.
    """
    if len(chain) != ID_SIZE or len(grant) != ID_SIZE:
        raise MalformedError("a sale's id is made of a chain and a grant of 32 bytes each")
    if not 0 <= sequence < 1 << 64:
        raise MalformedError("a sequence is below 2^64")
    return sha256(SALE_TAG + chain + grant + sequence.to_bytes(8, "big")).digest()


def key_hash(key: bytes) -> bytes:
    """What is locked until the key is revealed. Raises MalformedError for another length."""
    if len(key) != SALE_KEY_SIZE:
        raise MalformedError(f"a sale's key is {SALE_KEY_SIZE} bytes")
    # SHA256("key" || k)
    return sha256(KEY_TAG + key).digest()
