"""Who sold what to which fleet, for how much: from grants, and what was paid under them.

The buyer of a grant is a fleet. Its member is not known, and its one-time key, which would
tell one purchase from another, is not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import GrantFact, SaleStage
from ledger.report.model import Flow


@dataclass(slots=True)
class _Counted:
    paid: int = 0
    held: int = 0
    grants: set[bytes] = field(default_factory=set)
    granted_bytes: int = 0


def flows(chronicle: Chronicle) -> tuple[Flow, ...]:
    """All flows, by seller, buyer and asset."""
    sharing, exchange = chronicle.sharing, chronicle.exchange
    counted: dict[tuple[str, bytes, int], _Counted] = {}

    def of(grant: GrantFact) -> _Counted:
        offer = sharing.offers.get(grant.offer)
        key = offer.origin if offer else "", grant.fleet, grant.terms.asset
        return counted.setdefault(key, _Counted())

    for grant in sharing.grants.values():
        flow = of(grant)
        flow.grants.add(grant.id)
        flow.granted_bytes += grant.content_size
    for channel in exchange.channels.values():
        bought = sharing.grants.get(channel.grant)
        if bought is not None and channel.asset == bought.terms.asset:
            if channel.closed is None:
                of(bought).held += channel.deposit
            else:
                of(bought).paid += channel.claimed
    for sale in exchange.sales.values():
        bought = sharing.grants.get(sale.grant)
        if bought is not None:
            if sale.stage is SaleStage.SETTLED:
                of(bought).paid += sale.price
            elif sale.stage in (SaleStage.LOCKED, SaleStage.REVEALED):
                of(bought).held += sale.price
    return tuple(
        Flow(
            seller=origin,
            seller_fleet=_seller_fleet(chronicle, origin),
            buyer_fleet=_name(chronicle, fleet),
            asset=asset,
            paid=flow.paid,
            held=flow.held,
            grants=len(flow.grants),
            granted_bytes=flow.granted_bytes,
        )
        for (origin, fleet, asset), flow in sorted(counted.items())
    )


def _seller_fleet(chronicle: Chronicle, origin: str) -> str:
    robot = chronicle.robots.get(origin)
    return _name(chronicle, robot.fleet) if robot else ""


def _name(chronicle: Chronicle, fleet: bytes) -> str:
    known = chronicle.fleets.get(fleet)
    return known.name if known else fleet.hex()[:16]
