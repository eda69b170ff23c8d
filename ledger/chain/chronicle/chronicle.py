"""Takes a chain's blocks in order, and keeps a fact of each thing that was done in them.

It believes what it is given: that the bytes are the chain's, and the codes those that were
recorded. Both are for others to check (`ledger.chain.audit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.chronicle.books import Books
from ledger.chain.chronicle.consents import ConsentFacts
from ledger.chain.chronicle.exchange import ExchangeFacts
from ledger.chain.chronicle.facts import (
    AnchorFact,
    FleetFact,
    Moment,
    RobotFact,
)
from ledger.chain.chronicle.learning import LearningFacts
from ledger.chain.chronicle.sharing import SharingFacts
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.fleets import fleet_id
from ledger.chain.genesis import Genesis
from ledger.chain.rules.robot_notes import read_note
from ledger.chain.sponsorship import pool_account
from ledger.chain.transaction import Transaction, parse_transaction
from ledger.errors import LedgerError
from ledger.schema.chain_pb2 import EVENT_KIND_CONSENT_ACKNOWLEDGED, EVENT_KIND_FROZEN, Event


@dataclass(frozen=True, slots=True)
class AssetName:
    """How people write amounts of an asset."""

    symbol: str
    decimals: int

    def amount(self, units: int) -> str:
        """Units with all its decimals: 123456 of 2 is ``1234.56 QPU``."""
        return f"{Decimal(units).scaleb(-self.decimals):f} {self.symbol}"


class Chronicle:
    """What was done on a chain, so far as its blocks were there to be taken."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis: Final = genesis
        self.whole = True
        """Whether every block since the genesis was taken: nothing can have been missed."""
        self.unbroken = True
        """Whether every block since its beginning was taken: the state can be held against it."""
        self.newest = Moment(0, genesis.time_ns)
        """The last block that was taken."""
        self.assets: dict[int, AssetName] = {}
        self.books: Final = Books()
        self.fleets: dict[bytes, FleetFact] = {}
        self.robots: dict[str, RobotFact] = {}
        self.anchors: list[AnchorFact] = []
        self.sharing: Final = SharingFacts(genesis.chain)
        self.exchange: Final = ExchangeFacts(genesis.chain, self.sharing, self.books)
        self.consent: Final = ConsentFacts(genesis.chain)
        self.learning: Final = LearningFacts(genesis.chain)
        for asset in genesis.message.assets:
            self.assets[asset.id] = AssetName(asset.symbol, asset.decimals)

    def open_with_genesis(self) -> None:
        """Begin with what the genesis gave to accounts."""
        for item in self.genesis.message.allocations:
            self.books.mint(item.account, item.asset, item.amount)

    def miss(self) -> None:
        """Know that a block could not be taken."""
        self.whole = self.unbroken = False

    def block(
        self,
        at: Moment,
        transactions: Sequence[bytes],
        codes: Sequence[int],
        events: Sequence[Sequence[Event]] = (),
    ) -> None:
        """Take the next block, with the code of each transaction, and the events of each."""
        self.newest = at
        for place, (encoded, code) in enumerate(zip(transactions, codes, strict=False)):
            if code != ResultCode.OK:
                continue  # it changed nothing and cost nothing
            try:
                transaction = parse_transaction(self.genesis.chain, encoded)
            except RefusalError:
                continue  # recorded as carried out and none at all: the audit says so
            self._take(at, transaction)
            for event in events[place] if place < len(events) else ():
                self._hear(at, event)

    def _take(self, at: Moment, transaction: Transaction) -> None:
        self._pay_fee(transaction)
        self.sharing.take(at, transaction)
        self.exchange.take(at, transaction)
        self.consent.take(at, transaction)
        self.learning.take(at, transaction)
        message: Any = transaction.message
        books, signer = self.books, transaction.signer
        match transaction.action:
            case "transfer":
                books.pay(signer, message.recipient, message.asset, message.amount)
            case "pay_from_pool":
                pool = pool_account(message.fleet)
                books.pay(pool, message.recipient, message.asset, message.amount)
            case "mint":
                for output in message.outputs:
                    books.mint(output.account, message.asset, output.amount)
            case "create_asset":
                asset = message.asset
                self.assets[asset.id] = AssetName(asset.symbol, asset.decimals)
            case "create_fleet":
                name = fleet_id(self.genesis.chain, message.name)
                self.fleets[name] = FleetFact(name, message.name, signer, at)
            case "change_authority" if message.fleet in self.fleets:
                self.fleets[message.fleet].authority = message.new_authority
            case "set_issuer_key" if message.fleet in self.fleets:
                self.fleets[message.fleet].issuer_keys[message.epoch] = message.public_key
            case "register_robot":
                self.robots[message.origin] = RobotFact(
                    message.origin, message.fleet, message.role, at, {message.key}
                )
            case "rotate_key" | "begin_recovery" if message.origin in self.robots:
                self.robots[message.origin].keys.add(message.new_key)
            case "retire_robot" if message.origin in self.robots:
                self.robots[message.origin].retired_height = at.height
            case "anchor_checkpoint":
                self._anchor(at, message.note)
            case _:
                pass

    def _pay_fee(self, transaction: Transaction) -> None:
        if transaction.fee:
            sponsor = transaction.sponsor
            payer = pool_account(sponsor) if sponsor else transaction.signer
            treasury = self.genesis.parameters.treasury
            self.books.pay(payer, treasury, FEE_ASSET, transaction.fee)

    def _anchor(self, at: Moment, note: bytes) -> None:
        try:
            _, stated = read_note(note)
        except LedgerError:
            return
        self.anchors.append(AnchorFact(stated.origin, stated.size, stated.root, at))

    def _hear(self, at: Moment, event: Event) -> None:
        # Only the rule that looked at the evidence knows whose log it is of, and only the one
        # that looked at keys whether a grantor spoke for the robot.
        if event.kind == EVENT_KIND_FROZEN:
            robot = self.robots.get(event.subject.decode("utf-8", "replace"))
            if robot is not None:
                robot.frozen_height = at.height
        elif event.kind == EVENT_KIND_CONSENT_ACKNOWLEDGED:
            self.consent.acknowledge(at, event.subject)
