"""Makes what a fleet needs on its chain before its robots can anchor there.

In order, and only what is missing: the chain itself, where the fleet has its own; money for
the fleet's authority; the fleet; money in its pool, and how much of its robots' fees that
pays; whose cosignatures anchors need; each robot; what robots buy with
(`exchange_preparation`). So it may run before every start, and goes on where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.body import Message
from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.service import ChainService, NoEngineError
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.fleets import fleet_id
from ledger.chain.light.trust import Trust
from ledger.chain.light.trust_file import read_trust
from ledger.chain.robots import current_key
from ledger.chain.rules.fleet import MAX_POLICY
from ledger.chain.rules.robot import register_message
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import fleet_key, robot_key
from ledger.errors import RefusedError
from ledger.fleet.chain_work import ChainWork
from ledger.fleet.exchange_preparation import prepare_exchange
from ledger.fleet.model import Fleet, SettlementKind
from ledger.fleet.own_chain import UNIT, governor_wallet, make_chain, open_or_make
from ledger.fleet.preparation import RobotKeys, compose_policy
from ledger.home import HomePaths
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    CreateFleet,
    FleetRecord,
    RegisterRobot,
    RobotRecord,
    SetSponsorship,
    SetWitnessPolicy,
)
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.signing_keys import SigningKeys
from ledger.wallet.wallet import Wallet
from ledger.witnessing.policy import PolicyWitness

POOL: Final = 10_000 * UNIT
"""Paid into the pool of a fleet with a chain of its own, whenever it has less than a tenth."""
AUTHORITY: Final = 1_000 * UNIT
"""The same for the fleet's authority."""
SPONSORED_PERIOD: Final = 1_000
"""In so many blocks the pool pays as many least fees of a robot: a transaction a block."""

_LIBRARY: Final = EngineSettings(block_period_s=0.0, signature_processes=0)


@dataclass(frozen=True, slots=True)
class ChainPrepared:
    """The fleet on its chain, and what had to be done; ``remarks`` are for people."""

    chain: bytes
    fleet: bytes
    authority: bytes
    registered: tuple[str, ...] = ()
    enrolled: tuple[str, ...] = ()
    """Robots that have got a credential now."""
    remarks: tuple[str, ...] = ()


def prepare_chain(fleet: Fleet, keys: Sequence[RobotKeys]) -> ChainPrepared | None:
    """Make what is missing; None for a fleet without a chain.

    Raises `RefusedError` for what somebody else has to do first, `RefusalError`,
    `EngineError`, `KeyStoreError`, storage errors.
    """
    chosen = fleet.settlement
    if chosen.kind is SettlementKind.NONE:
        return None
    own = chosen.kind is SettlementKind.EMBEDDED
    trust = make_chain(fleet) if own else read_trust(chosen.trust)
    name = fleet_id(trust.chain, chosen.fleet)
    if not chosen.register:
        return ChainPrepared(trust.chain, name, b"")
    authority = open_or_make(chosen.authority)
    with _at_work(fleet, trust) as work:
        preparation = _Preparation(fleet, work, authority, name)
        governor = governor_wallet(fleet) if own else None
        preparation.found(governor)
        preparation.sponsor()
        preparation.fund_pool(governor)
        preparation.ask_for_witnesses(keys)
        for each in keys:
            preparation.register(each)
        exchange = prepare_exchange(fleet, work, authority, name)
    return ChainPrepared(
        trust.chain,
        name,
        authority.account,
        tuple(preparation.registered),
        exchange.enrolled,
        (*preparation.remarks, *exchange.remarks),
    )


@contextmanager
def _at_work(fleet: Fleet, trust: Trust) -> Iterator[ChainWork]:
    """The chain's engine, wherever it runs; here for the while, where it is the fleet's own."""
    service: ChainService
    chosen = fleet.settlement
    if chosen.kind is SettlementKind.SOCKET:
        service = ChainClient(chosen.socket)
    else:
        try:
            service = ChainClient(fleet.paths.chain_socket)
        except NoEngineError:
            service = EmbeddedEngine.open(fleet.paths.chain, _LIBRARY)
    try:
        yield ChainWork(service, trust)
    finally:
        service.close()


class _Preparation:
    def __init__(self, fleet: Fleet, work: ChainWork, authority: Wallet, name: bytes) -> None:
        self._fleet = fleet
        self._work = work
        self._authority = authority
        self._name = name
        self.registered: list[str] = []
        self.remarks: list[str] = []

    def found(self, governor: Wallet | None) -> None:
        """The fleet, with our authority."""
        account = self._authority.account
        if governor is not None and self._work.money(account) < AUTHORITY // 10:
            self._pay(governor, account, AUTHORITY)
        record = self._record()
        if record is not None and record.authority != account:
            raise RefusedError(
                f"the fleet {self._fleet.settlement.fleet} on the chain is another authority's",
                hint="name its wallet with engine.authority, or another engine.fleet",
            )
        if self._work.money(account) < self._work.parameters.min_fee:
            raise RefusedError(
                f"the fleet's authority has no money on the chain: {account.hex()}",
                hint=f"have it paid: quipu wallet pay {account.hex()} AMOUNT",
            )
        if record is None:
            self._do(CreateFleet(name=self._fleet.settlement.fleet))

    def sponsor(self) -> None:
        """Let the fleet's pool pay its robots' fees, unless somebody has said what it pays."""
        record = self._record()
        if record is not None and not record.sponsored_period:
            self._do(
                SetSponsorship(
                    fleet=self._name,
                    amount=SPONSORED_PERIOD * self._work.parameters.min_fee,
                    period=SPONSORED_PERIOD,
                    anonymous_amount=record.anonymous_amount,
                    anonymous_period=record.anonymous_period,
                )
            )

    def fund_pool(self, governor: Wallet | None) -> None:
        """Money in the pool; on others' chain, a word about it where there is none."""
        pool, fee = pool_account(self._name), self._work.parameters.min_fee
        money = self._work.money(pool)
        if governor is not None:
            if money < POOL // 10:
                self._pay(governor, pool, POOL)
        elif money < fee:
            self.remarks.append(
                "the fleet's pool has no money on the chain, and robots cannot anchor: quipu"
                f" wallet pay pool:{self._fleet.settlement.fleet} AMOUNT"
            )

    def ask_for_witnesses(self, keys: Sequence[RobotKeys]) -> None:
        """The quorum of the fleet's file, as a condition of every anchor."""
        policy = compose_policy(self._fleet, keys)
        witnesses = tuple(PolicyWitness(each.name, each.key) for each in policy.witnesses)
        encoded = replace(policy, logs=(), witnesses=witnesses).encode()
        if not self._fleet.quorum:
            encoded = b""
        if len(encoded) > MAX_POLICY:
            raise RefusedError(
                f"a policy of {len(witnesses)} witnesses is too long for a chain",
                hint="split the fleet, or say quorum: none",
            )
        record = self._record()
        if record is not None and record.witness_policy != encoded:
            self._do(SetWitnessPolicy(fleet=self._name, policy=encoded))

    def register(self, robot: RobotKeys) -> None:
        """One robot, by the key that signs for it now."""
        origin, vkey = robot.robot.origin, robot.log[-1]
        record = self._work.read(RobotRecord, robot_key(origin))
        if record is None:
            signer = SigningKeys(HomePaths(robot.robot.home).signing_keys).signer(vkey)
            key = bytes(vkey.public_key)
            asked = register_message(self._work.chain, self._name, key, origin)
            signature = signer.private_key.sign(asked)
            self._do(RegisterRobot(fleet=self._name, origin=origin, key=key, signature=signature))
            self.registered.append(robot.robot.name)
        elif record.fleet != self._name:
            raise RefusedError(
                f"{origin} is registered on the chain in another fleet",
                hint=f"give {robot.robot.name} another origin, or another engine.fleet",
            )
        elif record.status == ROBOT_STATUS_FROZEN:
            self.remarks.append(f"{robot.robot.name} is frozen on the chain: its log forked")
        elif current_key(record) not in {bytes(each.public_key) for each in robot.log}:
            self.remarks.append(
                f"the chain knows another key of {robot.robot.name}:"
                " see quipu chain fleet rotate, and register"
            )

    def _record(self) -> FleetRecord | None:
        return self._work.read(FleetRecord, fleet_key(self._name))

    def _do(self, message: Message) -> None:
        self._work.carry_out(self._authority, message)

    def _pay(self, payer: Wallet, recipient: bytes, amount: int) -> None:
        transfer = Transfer(asset=FEE_ASSET, recipient=recipient, amount=amount)
        self._work.carry_out(payer, transfer)
