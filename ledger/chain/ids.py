"""The ids of consents, contracts, offers, grants and models, which anyone can compute.

Each hash begins with a tag of its own, so that no two kinds can share an id. Fleets, channels
and sales have theirs in `fleets`, `channel.identity` and `sale.identity`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

CONSENT_TAG: Final = b"quipu/consent/v1\0"
CONTRACT_TAG: Final = b"quipu/contract/v1\0"
OFFER_TAG: Final = b"quipu/offer/v1\0"
GRANT_TAG: Final = b"quipu/grant/v1\0"
MODEL_TAG: Final = b"quipu/model/v1\0"


def consent_id(chain: bytes, signer: bytes, sequence: int) -> bytes:
    """The id of the consent that ``signer`` grants with its transaction of this sequence."""
    # SHA256("quipu/consent/v1\0" || chain id || signer || u64be(sequence))
    return sha256(CONSENT_TAG + chain + signer + sequence.to_bytes(8, "big")).digest()


def contract_id(chain: bytes, signer: bytes, sequence: int) -> bytes:
    """The id of the contract that ``signer`` deploys with its transaction of this sequence."""
    # SHA256("quipu/contract/v1\0" || chain id || signer || u64be(sequence))
    return sha256(CONTRACT_TAG + chain + signer + sequence.to_bytes(8, "big")).digest()


def offer_id(chain: bytes, contract: bytes, leaf: bytes) -> bytes:
    """The id of the offer, under a contract, of the entry with this leaf hash."""
    # SHA256("quipu/offer/v1\0" || chain id || contract id || leaf hash of the entry)
    return sha256(OFFER_TAG + chain + contract + leaf).digest()


def grant_id(chain: bytes, key: bytes) -> bytes:
    """The id of the grant that a one-time key asks for."""
    # SHA256("quipu/grant/v1\0" || chain id || one-time key)
    return sha256(GRANT_TAG + chain + key).digest()


def model_id(chain: bytes, fleet: bytes, content_root: bytes) -> bytes:
    """The id of a fleet's model with this content root."""
    # SHA256("quipu/model/v1\0" || chain id || fleet || content root)
    return sha256(MODEL_TAG + chain + fleet + content_root).digest()
