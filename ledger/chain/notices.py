"""Erasure notices: which of the recordings that one bought are to be erased.

Nobody is sent anything: the seller knows no buyer. Consent that is withdrawn is a row of the
chain's state (`ledger.chain.withdrawn`), and whoever keeps the ids of grant and offer of what it
bought asks for it, with proof::

    offer id --OfferRecord--> (origin, record id) --WithdrawnRecord--> the notice
    grant id --GrantRecord--> whether the erasure was confirmed, or the grant pruned before
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from google.protobuf.message import Message

from ledger.chain.state_keys import grant_key, offer_key, withdrawn_key
from ledger.schema.chain_consent_pb2 import WithdrawnRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord

M = TypeVar("M", bound=Message)


class ProvenRows(Protocol):
    """What a chain's state has, verified by whoever implements it."""

    def read(self, kind: type[M], key: bytes, /) -> M | None:
        """The record at a key, or None."""
        ...


class Held(NamedTuple):
    """What a buyer has: its grant and the offer that this was of, by their ids."""

    grant: bytes
    offer: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """Consent of a recording that was bought is withdrawn."""

    grant: bytes
    offer: bytes
    origin: str
    """Of the seller's log."""
    record_id: bytes
    """In the seller's log, 16 bytes."""
    consents: tuple[bytes, ...]
    """Ids of the consents that were withdrawn."""
    since_height: int
    """Of the block with the first of those withdrawals."""
    confirmed_height: int
    """Of the block in which the grant's key confirmed the erasure; 0: it has not."""
    pruned: bool
    """The grant is gone from the state, and so nothing can be confirmed any more."""

    @property
    def is_due(self) -> bool:
        """Whether a receipt of the erasure is still to be given."""
        return not self.confirmed_height and not self.pruned


def notice_of(rows: ProvenRows, held: Held) -> Notice | None:
    """The notice about one purchase; None while consent stands. Raises what ``rows`` raises."""
    offer = rows.read(OfferRecord, offer_key(held.offer))
    if offer is None:
        return None
    withdrawn = rows.read(WithdrawnRecord, withdrawn_key(offer.origin, offer.record_id))
    if withdrawn is None:
        return None
    grant = rows.read(GrantRecord, grant_key(held.grant))
    return Notice(
        grant=held.grant,
        offer=held.offer,
        origin=offer.origin,
        record_id=offer.record_id,
        consents=tuple(each.consent for each in withdrawn.withdrawals),
        since_height=min(each.height for each in withdrawn.withdrawals),
        confirmed_height=grant.erased_height if grant is not None else 0,
        pruned=grant is None,
    )


def notices(rows: ProvenRows, bought: Iterable[Held]) -> Iterator[Notice]:
    """The notices about what was bought, in its order; none of what may stay."""
    for held in bought:
        notice = notice_of(rows, held)
        if notice is not None:
            yield notice
