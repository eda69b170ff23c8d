"""Contracts, offers and grants by themselves: whether each could be when it was.

The rules refuse all that is named here, so it is found only where an operator went past
them, and says which grant to whom; that the block is none the rules give is said elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import ContractFact, GrantFact, OfferFact
from ledger.chain.presentation_claim import PresentationClaim, scope_of, unbound_hash
from ledger.chain.presentations import verify_claims
from ledger.errors import LedgerError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.schema.chain_pb2 import TransactionBody

_AT_ONCE = 64


def check_sharing(chronicle: Chronicle, trail: AuditTrail, counters: ChainCounters) -> None:
    """Check every contract, offer and grant of a chronicle, and count them."""
    sharing = chronicle.sharing
    counters.contracts = len(sharing.contracts)
    counters.offers = len(sharing.offers)
    counters.grants = len(sharing.grants)
    height = chronicle.newest.height
    counters.grants_expired = sum(grant.expiry_height < height for grant in sharing.grants.values())
    counters.uses = len(sharing.uses)
    for offer in sharing.offers.values():
        for problem in _wrong_with_offer(chronicle, offer):
            subject = f"offer {offer.id.hex()}"
            trail.find(FindingKind.OFFER_WRONG, subject, problem, height=offer.at.height)
    for grant in sharing.grants.values():
        for problem in _wrong_with_grant(chronicle, grant):
            _wrong_grant(trail, grant, problem)
    for nullifier, names in sharing.uses.items():
        for name in names[1:] if nullifier not in sharing.pruned_uses else ():
            first = f"grant {names[0].hex()} is of the same member and use"
            _wrong_grant(trail, sharing.grants[name], first)


def check_presentations(
    chronicle: Chronicle,
    replayed_height: int,
    trail: AuditTrail,
    counters: ChainCounters,
    *,
    deep: bool,
) -> None:
    """Count the presentations that were verified: the replay did those of its own blocks.

    ``deep``: verify those of grants that it did not come to, by what was announced of fleets.
    """
    claims: list[tuple[GrantFact, PresentationClaim]] = []
    for grant in chronicle.sharing.grants.values():
        if not grant.body:
            continue  # of before the snapshot
        if grant.at.height <= replayed_height:
            counters.presentations += 1
            continue
        if not deep:
            continue
        claim = _claim(chronicle, grant)
        if claim is None:
            _wrong_grant(trail, grant, "its fleet never announced the issuer's key it names")
        else:
            claims.append((grant, claim))
    for start in range(0, len(claims), _AT_ONCE):
        batch = claims[start : start + _AT_ONCE]
        verdicts = verify_claims([claim for _, claim in batch])
        for (grant, _), holds in zip(batch, verdicts, strict=True):
            counters.presentations += 1
            if not holds:
                _wrong_grant(trail, grant, "its presentation does not prove what it claims")


def _wrong_with_offer(chronicle: Chronicle, offer: OfferFact) -> Iterator[str]:
    contract = chronicle.sharing.contracts.get(offer.contract)
    if contract is None:
        if chronicle.whole:
            yield "it is under a contract that nobody deployed"
        return
    withdrawn = contract.withdrawn_height
    if 0 < withdrawn < offer.at.height:
        yield f"it was posted after its contract was withdrawn, in block {withdrawn}"
    robot = chronicle.robots.get(offer.origin)
    if robot is not None and robot.fleet != contract.fleet:
        yield "the robot is not of the fleet whose contract it is"
    if robot is not None and 0 < robot.frozen_height < offer.at.height:
        yield f"its robot was frozen before, in block {robot.frozen_height}"


def _wrong_with_grant(chronicle: Chronicle, grant: GrantFact) -> Iterator[str]:
    offer = chronicle.sharing.offers.get(grant.offer)
    contract = chronicle.sharing.contracts.get(grant.contract)
    if offer is None or contract is None:
        if chronicle.whole:
            yield "it is of an offer that nobody posted"
        return
    height = grant.at.height
    if grant.fleet not in chronicle.fleets:
        yield "it is to a fleet that there is not"
    yield from _wrong_with_time(contract, grant)
    if 0 < offer.withdrawn_height < height:
        yield f"its offer was withdrawn before, in block {offer.withdrawn_height}"
    robot = chronicle.robots.get(offer.origin)
    if robot is not None and 0 < robot.frozen_height < height:
        yield f"the robot that recorded it was frozen before, in block {robot.frozen_height}"
    for withdrawal in chronicle.consent.withdrawals.get((offer.origin, offer.record), ()):
        if withdrawal.counts_at(height):
            yield f"consent to the recording was withdrawn before, in block {withdrawal.height}"
    if grant.use >= grant.terms.uses:
        yield f"it is use {grant.use + 1} of a contract that gives {grant.terms.uses}"


def _wrong_with_time(contract: ContractFact, grant: GrantFact) -> Iterator[str]:
    height, last = grant.at.height, grant.terms.expiry_height
    if 0 < contract.withdrawn_height < height:
        yield f"its contract was withdrawn before, in block {contract.withdrawn_height}"
    if 0 < last < height:
        yield f"its contract was good up to block {last}"


def _claim(chronicle: Chronicle, grant: GrantFact) -> PresentationClaim | None:
    fleet = chronicle.fleets.get(grant.fleet)
    try:
        body = TransactionBody.FromString(grant.body)
        message = body.request_grant
        issuer = fleet.issuer_keys.get(message.issuer_epoch) if fleet else None
        if fleet is None or issuer is None:
            return None
        chain = chronicle.genesis.chain
        return PresentationClaim(
            issuer=issuer,
            fleet=fleet.name,
            min_level=message.min_level,
            role=message.role,
            time_s=message.time_s,
            revocation_epoch=message.revocation_epoch,
            scope=scope_of(chain, grant.contract, message.use),
            chain=chain,
            transaction=unbound_hash(body),
            presentation=message.presentation,
        )
    except LedgerError:
        return None


def _wrong_grant(trail: AuditTrail, grant: GrantFact, problem: str) -> None:
    subject = f"grant {grant.id.hex()}"
    trail.find(FindingKind.GRANT_WRONG, subject, problem, height=grant.at.height)
