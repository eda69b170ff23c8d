"""Whether consent of what was bought is withdrawn: a buyer's notice, found by a proof.

Nobody has to tell the buyer, nor know who it is. Whoever holds a grant looks whether the state
has a `WithdrawnRecord` of the recording (`ledger.chain.withdrawn`); the proof is the notice.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.chain.proven.state import ProvenState
from ledger.chain.state_keys import grant_key, offer_key, withdrawn_key
from ledger.schema.chain_consent_pb2 import WithdrawnRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord


@dataclass(frozen=True, slots=True)
class Notice:
    """Consent is withdrawn of what a grant gave, all of it proven."""

    grant: bytes
    """Its id, 32 bytes."""
    record: GrantRecord
    offer: OfferRecord
    withdrawn: WithdrawnRecord

    @property
    def confirmed(self) -> bool:
        """Whether the grant's key has said that it is erased."""
        return bool(self.record.erased_height)

    @property
    def height(self) -> int:
        """The block of the first withdrawal that counts."""
        return min((each.height for each in self.withdrawn.withdrawals), default=0)


def find_notice(chain: ProvenState, grant: bytes) -> Notice | None:
    """The notice to whoever holds a grant; None where there is no such grant, or no reason.

    Raises as `ProvenState` does.
    """
    record = chain.read(GrantRecord, grant_key(grant))
    offer = chain.read(OfferRecord, offer_key(record.offer)) if record is not None else None
    if record is None or offer is None:
        return None
    key = withdrawn_key(offer.origin, offer.record_id)
    withdrawn = chain.read(WithdrawnRecord, key)
    return None if withdrawn is None else Notice(grant, record, offer, withdrawn)
