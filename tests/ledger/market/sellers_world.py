"""The sellers of a `SharingMarket` with their storefront, and buyers that come to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.ids import contract_id, offer_id
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.state_keys import anchor_key, offer_key
from ledger.chain.transaction import sign_transaction
from ledger.ed25519 import PrivateKey
from ledger.exchange.buyer import BoughtContent
from ledger.exchange.deed import Promise
from ledger.exchange.purchase import Purchase
from ledger.exchange.transport import Transport, buy
from ledger.home import HomeReader
from ledger.market.sales_view import SaleView, list_sales
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.market.till import SellingSettings
from ledger.merkle.hashing import leaf_hash
from ledger.offering import QualityClaim, Seller, offer_message
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_sharing_pb2 import DeployContract, OfferRecord
from ledger.wallet.key_file import read_key
from ledger.wallet.payer import PayerClosing, PayerOpen
from tests.fleet.sharing_chain import FEE, NEVER
from tests.fleet.sharing_market import REWARD_AT_LEAST, Bought, Offered, Robot, SharingMarket
from tests.ledger.chain.rules.chain_world import account_of, body_of
from zkproofs import credential as zk

NOBODY: Final = account_of(PrivateKey.from_seed(b"n" * 32))
BRISK: Final = SellingSettings(least_challenge=2)
"""Takes the channels of `customer`, which end sooner than is usual."""


class HalfwayError(Exception):
    """The buyer leaves."""


class Asked:
    """The way to a storefront in this process."""

    def __init__(self, storefront: Storefront) -> None:
        self.ask = storefront.answer


@dataclass
class Customer:
    """A buyer with a grant, an open channel and a folder."""

    bought: Bought
    channel: PayerOpen | None
    purchase: Purchase
    promise: Promise

    @property
    def payer(self) -> PayerOpen:
        assert self.channel is not None
        return self.channel

    @property
    def grant(self) -> bytes:
        return self.bought.grant.grant

    @property
    def price(self) -> int:
        return self.bought.grant.price

    def buy(self, way: Transport, told: Callable[[int], None] = lambda kept: None) -> BoughtContent:
        """All that is missing."""
        return buy(self.purchase, self.bought.wallet, self.channel, way, told, self.promise)

    def buy_some(self, way: Transport, units: int) -> int:
        """Leave once ``units`` are here; what was paid then."""

        def leave(kept: int) -> None:
            if kept >= units:
                raise HalfwayError

        try:
            self.buy(way, leave)
        except HalfwayError:
            return self.payer.paid
        raise AssertionError("there are no more units")

    def close(self) -> None:
        self.purchase.close()
        if self.channel is not None:
            self.channel.release()


class SellersWorld(SharingMarket):
    """Storefronts are opened on folders of the test's; the chain is read with proofs."""

    def __init__(self, root: Path, held: ExitStack) -> None:
        super().__init__(root, held)
        self.held: Final = held
        self.proven: Final = ProvenChain(self.engine, self.trust)

    @cached_property
    def one_member(self) -> zk.Credential:
        """Whose uses are counted by contract, so one is enough."""
        return self.member(robot_id=77)

    def storefront(
        self, folder: Path, *homes: HomeReader, settings: SellingSettings | None = None
    ) -> Storefront:
        """Sells for the sellers' authority, and for the robots themselves."""
        opened = homes or (self.husky.home,)
        return Storefront(
            folder,
            self.proven,
            [self.sellers_wallet],
            SellingHomes((), opened),
            settings or BRISK,
        )

    def customer(
        self,
        offered: Offered | None = None,
        expiry_height: int = NEVER,
        challenge: int = 5,
        payee: bytes | None = None,
    ) -> Customer:
        """Somebody who is granted an offer, and has a channel that can pay for it."""
        offered = offered or self.offered()
        record = self.read(OfferRecord, offer_key(offered.offer))
        assert record is not None
        bought = self.granted(self.one_member, offered)
        grant = bought.grant
        self.fund(bought, grant.price + 10 * FEE)
        opening = bought.wallet.open_channel(
            self.chain,
            self.sequence(grant.buyer),
            payee=payee or grant.seller,
            asset=grant.asset,
            deposit=grant.price,
            expiry_height=expiry_height,
            challenge=challenge,
            grant=grant.grant,
        )
        self.must(read_key(bought.wallet.root / "key"), opening.message)
        channel = self.channel(opening.channel)
        assert channel is not None
        payer = opening.opened(channel)
        purchase = Purchase.create(self.root / self.name("bought"), grant, payer.channel)
        customer = Customer(bought, payer, purchase, Promise.of_record(record))
        self.held.callback(customer.close)
        return customer

    def free_customer(self, robot: Robot | None = None) -> Customer:
        """Somebody who is granted an offer that costs nothing."""
        policy, terms = self.template()
        terms.chunk_price = terms.record_price = 0
        terms.grant_lifetime = 10
        contract = contract_id(self.chain, self.seller_account, self.sequence(self.seller_account))
        self.must(
            self.seller,
            DeployContract(fleet=self.sellers, name="free dataset", policy=policy, terms=terms),
        )
        offered = self.post(contract, robot or self.husky, REWARD_AT_LEAST)
        record = self.read(OfferRecord, offer_key(offered.offer))
        assert record is not None
        bought = self.granted(self.one_member, offered)
        purchase = Purchase.create(self.root / self.name("bought"), bought.grant, b"")
        customer = Customer(bought, None, purchase, Promise.of_record(record))
        self.held.callback(customer.close)
        return customer

    def offered_by_robot(self, robot: Robot) -> Offered:
        """A robot's recording, offered under its own key; its fleet's pool pays the fee."""
        contract, account = self.deploy(), account_of(robot.key)
        log, index = robot.home.log, robot.recorded.index
        anchored = self.read(AnchorRecord, anchor_key(robot.origin))
        assert anchored is not None
        entry = log.entry(index)
        path = log.prove_inclusion(index, anchored.size)
        seller = Seller(self.chain, account, contract)
        body = body_of(
            offer_message(
                seller,
                robot.origin,
                entry,
                index,
                path,
                [QualityClaim.parse(REWARD_AT_LEAST)],
                robot.home.experiences.keys.get(robot.recorded.record_id).openings,
            ),
            sequence=self.sequence(account),
            expiry_height=NEVER,
            fee=FEE,
            sponsor=self.sellers,
        )
        assert self.submit(sign_transaction(self.chain, robot.key, body)) == ResultCode.OK
        return Offered(contract, offer_id(self.chain, contract, leaf_hash(entry)))

    def begin_close(self, customer: Customer, paid: int | None = None) -> PayerClosing:
        """The buyer asks the chain to close, and says that it paid ``paid``, or what it did."""
        closing = customer.payer.close()
        message = closing.message
        if paid is not None:
            message.ClearField("voucher")
        self.must(read_key(customer.bought.wallet.root / "key"), message)
        return closing

    def pass_blocks(self, count: int) -> None:
        """Have so many blocks made; the seller's account stays as it is."""
        for _ in range(count):
            self.must(self.authority, Transfer(recipient=NOBODY, amount=1))

    @property
    def paid_out(self) -> int:
        """What the sellers' authority has."""
        return self.balance(self.seller_account)


def view(folder: Path, grant: bytes) -> SaleView:
    """A sale as people see it."""
    (found,) = [each for each in list_sales(folder) if each.grant == grant]
    return found
