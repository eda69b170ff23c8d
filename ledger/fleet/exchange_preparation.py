"""Makes what a fleet's robots need to buy: their credentials, and limits to what they spend.

On the chain: the key that signs the fleet's credentials, and how much its pool pays for
members whom it cannot tell apart. On disk: the issuer's folder, a credential and the newest
revocation gaps for each robot that buys, and its budget. Only what is missing is made, or is
to say something else; a credential is renewed a month before it expires. A new epoch of
revocations goes on the chain once every member has its gaps, if all of them are robots of here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.body import Message
from ledger.chain.state_keys import fleet_key
from ledger.credentials.issuer_home import IssuerHome
from ledger.credentials.member_file import MemberFile
from ledger.durable_file import write_durably
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.private_folder import make_private_folder
from ledger.fleet.chain_work import ChainWork
from ledger.fleet.model import Exchange, Fleet, Member, Robot, Spending
from ledger.market.budget import Budget, Limits
from ledger.market.shelf import Shelf
from ledger.schema.chain_grant_pb2 import SetRevocationEpoch
from ledger.schema.chain_identity_pb2 import FleetRecord, SetIssuerKey, SetSponsorship
from ledger.storage.os_errors import storage_errors
from ledger.wallet.wallet import Wallet
from zkproofs.credential import Attributes

YEAR_S: Final = 365 * 24 * 3_600
MONTH_S: Final = 30 * 24 * 3_600
ANONYMOUS_PERIOD: Final = 1_000
"""In so many blocks the pool pays as many least fees for members whom it cannot tell apart."""


@dataclass(frozen=True, slots=True)
class ExchangePrepared:
    """What had to be done, and what somebody else has to do."""

    enrolled: tuple[str, ...] = ()
    """Robots that have got a credential now."""
    remarks: tuple[str, ...] = ()


def prepare_exchange(
    fleet: Fleet, work: ChainWork, authority: Wallet, name: bytes
) -> ExchangePrepared:
    """Make what is missing.

    ``name`` is the fleet's id. Raises `RefusalError`, `EngineError`, `RefusedError`,
    `KeyStoreError`, storage errors.
    """
    exchange = fleet.exchange
    if exchange is None or not exchange.buy:
        return ExchangePrepared()
    enrolled: list[str] = []
    remarks: list[str] = []
    if exchange.issue:
        issuer = _issuer(exchange, fleet.settlement.fleet)
        for message in _on_chain(work, name, issuer):
            work.carry_out(authority, message)
        enrolled = [
            robot.name
            for robot in fleet.robots
            if robot.member is not None and robot.member.issued and _enroll(issuer, robot.member)
        ]
        epoch = _epoch_to_come(work, name, issuer)
        if epoch is not None and _elsewhere(fleet, issuer):
            remarks.append(
                f"epoch {epoch} of revocations is not on the chain, as members elsewhere may not"
                f" have its gaps: quipu chain fleet revocation {issuer.fleet} --epoch {epoch}"
            )
        elif epoch is not None:
            work.carry_out(authority, SetRevocationEpoch(fleet=name, epoch=epoch))
    if exchange.spending is not None:
        for robot in fleet.robots:
            _limit(fleet, robot, work.chain, exchange.spending)
    return ExchangePrepared(tuple(enrolled), tuple(remarks))


def _issuer(exchange: Exchange, fleet: str) -> IssuerHome:
    try:
        issuer = IssuerHome.open(exchange.issuer)
    except NotFoundError:
        return IssuerHome.create(exchange.issuer, fleet)
    if issuer.fleet != fleet:
        raise RefusedError(
            f"{exchange.issuer} makes credentials of {issuer.fleet}, not of {fleet}",
            hint="name another folder with exchange.issuer",
        )
    return issuer


def _on_chain(work: ChainWork, name: bytes, issuer: IssuerHome) -> Iterator[Message]:
    record = work.read(FleetRecord, fleet_key(name))
    if record is None:
        return
    epochs = {each.public_key: each.epoch for each in record.issuer_keys}
    if issuer.public_key not in epochs:
        epoch = max(epochs.values()) + 1 if epochs else 0
        yield SetIssuerKey(fleet=name, epoch=epoch, public_key=issuer.public_key)
    if not record.anonymous_period:
        yield SetSponsorship(
            fleet=name,
            amount=record.sponsored_amount,
            period=record.sponsored_period or 1,
            anonymous_amount=ANONYMOUS_PERIOD * work.parameters.min_fee,
            anonymous_period=ANONYMOUS_PERIOD,
        )


def _epoch_to_come(work: ChainWork, name: bytes, issuer: IssuerHome) -> int | None:
    """The issuer's epoch, if the chain has an older one."""
    record, epoch = work.read(FleetRecord, fleet_key(name)), issuer.revoked().epoch
    return epoch if record is not None and epoch > record.revocation_epoch else None


def _elsewhere(fleet: Fleet, issuer: IssuerHome) -> bool:
    """Whether there may be members that have not been given the newest gaps here."""
    members = [robot.member for robot in fleet.robots if robot.member is not None]
    if not all(member.issued for member in members):
        return True
    here = {MemberFile(member.file).credential().attributes.robot_id for member in members}
    gone, now_s = issuer.revoked().robot_ids, int(time.time())
    return any(
        each.attributes.robot_id not in here
        and each.attributes.robot_id not in gone
        and each.attributes.expiry >= now_s
        for each in issuer.members()
    )


def _enroll(issuer: IssuerHome, member: Member) -> bool:
    """See that a robot has a credential that says what it is to say; whether it got one now."""
    file, now_s = MemberFile(member.file), int(time.time())
    make_private_folder(member.file.parent)
    held = _attributes(file)
    good = (
        held is not None
        and (held.level, held.role) == (member.level, member.role)
        and held.expiry > now_s + MONTH_S
    )
    if not good:
        if file.pending.exists():  # cut off the last time: the same request, the same answer
            request = file.waiting_request()
        else:
            robot_id = held.robot_id if held is not None else _free_id(issuer)
            invitation = issuer.invite(member.role, member.level, now_s + YEAR_S, robot_id)
            request = file.request(invitation)
        file.accept(issuer.answer(request))
    gaps = issuer.gaps()
    with storage_errors(file.gaps):
        if not file.gaps.exists() or file.gaps.read_bytes() != gaps:
            write_durably(file.gaps, gaps)
    return not good


def _attributes(file: MemberFile) -> Attributes | None:
    try:
        return file.credential().attributes
    except NotFoundError:
        return None


def _free_id(issuer: IssuerHome) -> int:
    known = [each.registration.robot_id for each in issuer.members()]
    return max([0, *known, *issuer.revoked().robot_ids]) + 1


def _limit(fleet: Fleet, robot: Robot, chain: bytes, spending: Spending) -> None:
    if robot.member is None:
        return
    budget = Shelf(fleet.paths.purchases(robot.name), chain).budget(FEE_ASSET)
    limits = Limits(spending.total, spending.purchase, dict(spending.purposes))
    if not budget.path.exists():
        Budget.create(budget.path, limits, FEE_ASSET)
    elif budget.standing().limits != limits:
        budget.set_limits(limits)
