"""The story of a chain and of the homes beside it, out of what an audit has read."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.audit.audit import ChainPast
from ledger.chain.audit.notice_check import notices_of
from ledger.chain.chronicle.chronicle import AssetName, Chronicle
from ledger.chain.chronicle.facts import ConsentFact, ContractFact, OfferFact, RobotFact, SaleStage
from ledger.report.books_story import books
from ledger.report.contract_words import bound_words, version_story
from ledger.report.flow_story import flows
from ledger.report.home_story import home_health, lineages, purchases
from ledger.report.marks import close_together
from ledger.report.model import (
    ChainPart,
    ConsentStory,
    ContractStory,
    LogHealth,
    LogStatus,
    Mark,
    MarkKind,
    OfferStory,
    SaleStory,
    Story,
)
from ledger.report.model_story import registered_models
from ledger.report.words import plural


def chain_story(past: ChainPast) -> Story:
    """Tell what an audit of a chain has read."""
    chronicle = past.chronicle
    return Story(
        origin=chronicle.genesis.origin,
        logs=tuple(_logs(past)),
        marks=close_together(_marks(chronicle)),
        purchases=tuple(each for home in past.homes for each in purchases(home, chronicle)),
        lineages=(
            *registered_models(chronicle),
            *(each for home in past.homes for each in lineages(home, chronicle)),
        ),
        chain=_chain(past),
    )


def _chain(past: ChainPast) -> ChainPart:
    chronicle, newest = past.chronicle, past.newest
    sharing = chronicle.sharing
    granted: dict[bytes, int] = {}
    offered: dict[bytes, int] = {}
    for grant in sharing.grants.values():
        for name in (grant.offer, grant.contract):
            granted[name] = granted.get(name, 0) + 1
    notices = _notices(chronicle)
    for offer in sharing.offers.values():
        offered[offer.contract] = offered.get(offer.contract, 0) + 1
    return ChainPart(
        id=chronicle.genesis.chain.hex(),
        fleets=len(chronicle.fleets),
        robots=len(chronicle.robots),
        first_ns=chronicle.genesis.time_ns,
        height=newest.height if newest else 0,
        replayed_height=past.replayed_height,
        newest_ns=chronicle.newest.time_ns,
        state_root=newest.state_root.hex() if newest else "",
        whole=chronicle.whole,
        books=books(chronicle),
        flows=flows(chronicle),
        sales=tuple(_sales(chronicle)),
        contracts=tuple(
            _contract(chronicle, each, offered.get(each.id, 0), granted.get(each.id, 0))
            for each in sorted(sharing.contracts.values(), key=lambda each: each.at.height)
        ),
        offers=tuple(
            _offer(chronicle, each, granted.get(each.id, 0))
            for each in sorted(sharing.offers.values(), key=lambda each: (each.at.height, each.id))
        ),
        consents=tuple(
            _consent(each, tuple(notices.get(each.id, ())))
            for each in sorted(chronicle.consent.consents.values(), key=lambda each: each.at.height)
        ),
    )


# Logs


def _logs(past: ChainPast) -> Iterator[LogHealth]:
    chronicle = past.chronicle
    homes = {home.origin: home for home in past.homes}
    anchors = {anchor.origin: anchor for anchor in chronicle.anchors}  # the newest of each
    for origin in sorted(chronicle.robots.keys() | homes.keys()):
        robot, home, anchor = chronicle.robots.get(origin), homes.get(origin), anchors.get(origin)
        health = LogHealth(
            origin=origin,
            fleet=fleet_name(chronicle, robot.fleet) if robot else "",
            role=robot.role if robot else "",
            status=_status(robot),
            read=home is not None,
            anchored=anchor.size if anchor else 0,
            anchored_ns=anchor.at.time_ns if anchor else 0,
        )
        yield home_health(home, health) if home else health


def _status(robot: RobotFact | None) -> LogStatus:
    if robot is None:
        return LogStatus.STRANGER
    if robot.frozen_height:
        return LogStatus.FROZEN
    return LogStatus.RETIRED if robot.retired_height else LogStatus.ACTIVE


def fleet_name(chronicle: Chronicle, fleet: bytes) -> str:
    """A fleet's name, or its id where nobody told."""
    known = chronicle.fleets.get(fleet)
    return known.name if known else fleet.hex()[:16]


# The time axis


def _marks(chronicle: Chronicle) -> Iterator[Mark]:
    sharing, exchange = chronicle.sharing, chronicle.exchange
    for anchor in chronicle.anchors:
        words = f"{anchor.size:,} entries anchored"
        yield Mark(anchor.origin, MarkKind.ANCHOR, anchor.at.time_ns, 1, words)
    for offer in sharing.offers.values():
        words = f"entry {offer.index:,} offered"
        yield Mark(offer.origin, MarkKind.OFFER, offer.at.time_ns, 1, words)
    origins = {name: offer.origin for name, offer in sharing.offers.items()}
    for grant in sharing.grants.values():
        words = f"granted to a member of {fleet_name(chronicle, grant.fleet)}"
        lane = origins.get(grant.offer, "")
        yield Mark(lane, MarkKind.GRANT, grant.at.time_ns, 1, words)
    for channel in exchange.channels.values():
        bought = sharing.grants.get(channel.grant)
        if channel.closed is not None and bought is not None and channel.claimed:
            lane = origins.get(bought.offer, "")
            yield Mark(lane, MarkKind.SALE, channel.closed.time_ns, 1, "a stream was paid")
    for sale in exchange.sales.values():
        bought = sharing.grants.get(sale.grant)
        if sale.ended is not None and bought is not None and sale.stage is SaleStage.SETTLED:
            lane = origins.get(bought.offer, "")
            yield Mark(lane, MarkKind.SALE, sale.ended.time_ns, 1, "an atomic sale was paid")
    for consent in chronicle.consent.consents.values():
        for at, count in consent.shown:
            words = f"erasure of {count:,} shown"
            yield Mark(consent.origin, MarkKind.ERASURE, at.time_ns, 1, words)


# Contracts, offers, sales, consents


def _contract(
    chronicle: Chronicle, contract: ContractFact, offers: int, grants: int
) -> ContractStory:
    return ContractStory(
        id=contract.id.hex(),
        name=contract.name,
        fleet=fleet_name(chronicle, contract.fleet),
        versions=tuple(
            version_story(each, asset_name(chronicle, each.terms.asset))
            for each in contract.versions
        ),
        withdrawn_height=contract.withdrawn_height,
        offers=offers,
        grants=grants,
    )


def asset_name(chronicle: Chronicle, asset: int) -> AssetName:
    """How an asset is written, also where nobody told."""
    return chronicle.assets.get(asset, AssetName(f"asset {asset}", 0))


def _offer(chronicle: Chronicle, offer: OfferFact, grants: int) -> OfferStory:
    contract = chronicle.sharing.contracts.get(offer.contract)
    return OfferStory(
        id=offer.id.hex(),
        origin=offer.origin,
        index=offer.index,
        contract=contract.name if contract else offer.contract.hex()[:10],
        tags=offer.tags,
        bounds=tuple(bound_words(each) for each in offer.qualities),
        content_bytes=offer.content_size,
        grants=grants,
        withdrawn_height=offer.withdrawn_height,
        time_ns=offer.at.time_ns,
    )


def _notices(chronicle: Chronicle) -> dict[bytes, list[str]]:
    """What buyers confirmed, by consent: a line a fleet, and never more of whom."""
    told: dict[bytes, list[str]] = {}
    for notices in notices_of(chronicle):
        counted: dict[str, list[int]] = {}
        for place, grants in enumerate((notices.confirmed, notices.missing, notices.pruned)):
            for grant in grants:
                name = fleet_name(chronicle, grant.fleet)
                counted.setdefault(name, [0, 0, 0])[place] += 1
        told[notices.consent.id] = [
            f"{plural(sum(counts), 'notice')} to {name}: "
            + ", ".join(
                f"{count:,} {what}" for count, what in zip(counts, _ANSWERS, strict=True) if count
            )
            for name, counts in sorted(counted.items())
        ]
    return told


_ANSWERS = ("confirmed", "not confirmed", "past confirming")


def _consent(consent: ConsentFact, notices: tuple[str, ...]) -> ConsentStory:
    return ConsentStory(
        id=consent.id.hex(),
        origin=consent.origin,
        purpose=consent.purpose,
        records=len(consent.records),
        erased=len(consent.erased),
        given_ns=consent.at.time_ns,
        withdrawn_ns=consent.withdrawn.time_ns if consent.withdrawn else 0,
        acknowledged=consent.acknowledged is not None,
        notices=notices,
    )


def _sales(chronicle: Chronicle) -> Iterator[SaleStory]:
    """How channels under grants and atomic sales stand, by asset."""
    counted: dict[tuple[int, str], tuple[int, int]] = {}

    def count(asset: int, what: str, units: int) -> None:
        number, total = counted.get((asset, what), (0, 0))
        counted[asset, what] = number + 1, total + units

    for channel in chronicle.exchange.channels.values():
        kind = "stream" if channel.grant else "other channel"
        if channel.closed is None:
            count(channel.asset, f"{kind}, open", channel.deposit)
        else:
            count(channel.asset, f"{kind}, paid out", channel.claimed)
    for sale in chronicle.exchange.sales.values():
        units = sale.held if sale.stage.is_open else sale.price
        if sale.stage is SaleStage.LAPSED:
            units = 0
        count(sale.asset, f"atomic sale, {sale.stage.value}", units)
    for (asset, what), (number, total) in sorted(counted.items()):
        yield SaleStory(what, number, total, asset)
