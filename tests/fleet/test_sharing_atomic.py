"""A recording sold whole, through the chain: who is honest is paid, a cheat loses its deposit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.sale.complaint import SoldContent
from ledger.chain.sale.identity import sale_id
from ledger.chain.state_keys import sale_key
from ledger.ed25519 import PrivateKey
from ledger.exchange.deed import Deed
from ledger.exchange.fairswap import (
    MaskedContent,
    ReceivingUnits,
    RevealedUnits,
    WrongUnitError,
)
from ledger.exchange.unit_source import UnitSource
from ledger.experience.disclosure import SALT_SIZE
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_exchange_pb2 import ProposeSale, SaleRecord, SettleSale
from ledger.schema.chain_sharing_pb2 import Royalty
from ledger.wallet.key_file import read_key
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Bought, SharingMarket

DEPOSIT = 500
"""Of the template, in hundredths."""
COMPLAINT_BLOCKS = 3
AUTHOR = bytes(PrivateKey.from_seed(b"a" * 32).public_key)
"""Has a tenth of what is paid."""


@dataclass(frozen=True)
class Spoilt:
    """A seller's content with one bit of one unit turned over."""

    source: UnitSource
    wrong: int

    @property
    def size(self) -> int:
        return self.source.size

    @property
    def root(self) -> bytes:
        return self.source.root

    def unit(self, index: int) -> bytes:
        unit = bytearray(self.source.unit(index))
        if index == self.wrong:
            unit[100] ^= 1
        return bytes(unit)

    def require_here(self) -> None:
        self.source.require_here()

    def path(self, index: int) -> tuple[bytes, ...]:
        return self.source.path(index)

    def deed(self) -> Deed:
        return self.source.deed()


@dataclass(frozen=True)
class Sold:
    """A sale whose key was revealed, and what the buyer received of it."""

    bought: Bought
    sale: bytes
    masked: list[bytes]
    revealed: RevealedUnits
    seller_had: int
    buyer_had: int


def sell(market: SharingMarket, robot_id: int, wrong: int | None = None) -> Sold:
    """Up to the key, with unit ``wrong`` spoilt if there is one."""
    offered = market.offered(royalties=[Royalty(account=AUTHOR, parts=1_000)])
    bought = market.granted(market.member(robot_id=robot_id), offered)
    grant = bought.grant
    market.fund(bought, grant.price + 10 * FEE)
    seller_had = market.balance(market.seller_account)
    buyer_had = market.balance(bought.wallet.account)

    honest = market.contents.find(grant)
    leaves = [leaf_hash(bytes(honest.unit(index))) for index in range(grant.count)]
    source = honest if wrong is None else Spoilt(honest, wrong)
    sale = sale_id(market.chain, grant.grant, market.sequence(market.seller_account))
    content = MaskedContent(sale, source, grant.count)
    proposal = ProposeSale(
        grant=grant.grant,
        unit_root=content.sold.unit_root,
        key_hash=content.sold.key_hash,
        lock_height=market.height() + 20,
        reveal_blocks=20,
        complaint_blocks=COMPLAINT_BLOCKS,
    )
    market.must(market.seller, proposal)
    assert market.balance(market.seller_account) == seller_had - DEPOSIT - FEE

    # The buyer goes by what the chain says, and locks only what it holds whole.
    record = _record(market, sale)
    said = SoldContent(
        sale, record.content_root, record.content_size, record.unit_root, record.key_hash
    )
    receiving = ReceivingUnits(said, leaves)
    masked = [content.unit(index) for index in range(grant.count)]
    for each in masked:
        receiving.accept(each)
    lockable = receiving.finish()
    market.must(read_key(bought.wallet.root / "key"), lockable.lock())
    assert market.balance(bought.wallet.account) == buyer_had - grant.price - FEE

    market.must(market.seller, content.reveal())
    revealed = lockable.revealed(_record(market, sale).key)
    return Sold(bought, sale, masked, revealed, seller_had, buyer_had)


def _record(market: SharingMarket, sale: bytes) -> SaleRecord:
    record = market.read(SaleRecord, sale_key(sale))
    assert record is not None
    return record


def test_an_honest_sale_is_paid_in_full(market: SharingMarket) -> None:
    sold = sell(market, robot_id=301)
    units = [sold.revealed.open(index, each) for index, each in enumerate(sold.masked)]
    assert b"".join(unit[SALT_SIZE:] for unit in units) == market.husky.content
    settle, author = SettleSale(sale=sold.sale), market.balance(AUTHOR)
    assert market.do(market.authority, settle) == ResultCode.SALE_STATE
    # The buyers' authority has paid the seller for these blocks: one hundredth each.
    market.pass_blocks(COMPLAINT_BLOCKS + 1)
    market.must(market.authority, settle)
    price = sold.bought.grant.price
    gained = market.balance(market.seller_account) - sold.seller_had
    share = price // 10
    assert share > 0
    assert market.balance(AUTHOR) == author + share
    assert gained == price - share - 2 * FEE + COMPLAINT_BLOCKS + 1
    assert market.balance(sold.bought.wallet.account) == sold.buyer_had - price - FEE


@pytest.mark.parametrize("wrong", [0, 2])
def test_one_wrong_unit_costs_a_cheat_its_deposit(market: SharingMarket, wrong: int) -> None:
    sold = sell(market, robot_id=310 + wrong, wrong=wrong)
    for index, masked in enumerate(sold.masked):
        if index != wrong:
            sold.revealed.open(index, masked)
    with pytest.raises(WrongUnitError) as found:
        sold.revealed.open(wrong, sold.masked[wrong])
    complaint = found.value.complaint
    assert complaint.message.index == wrong
    key = read_key(sold.bought.wallet.root / "key")
    # A complaint about another unit, or without the unit itself, moves nothing.
    other = type(complaint.message)()
    other.CopyFrom(complaint.message)
    other.index = 1
    assert market.do(key, other, [complaint.attachment]) == ResultCode.BAD_COMPLAINT
    assert market.do(key, complaint.message) == ResultCode.BAD_COMPLAINT
    market.must(key, complaint.message, [complaint.attachment])
    assert market.read(SaleRecord, sale_key(sold.sale)) is None
    # All the price comes back, and the deposit on top; the seller is without both.
    assert market.balance(sold.bought.wallet.account) == sold.buyer_had + DEPOSIT - 2 * FEE
    assert market.balance(market.seller_account) == sold.seller_had - DEPOSIT - 2 * FEE
    assert market.do(market.authority, SettleSale(sale=sold.sale)) == ResultCode.UNKNOWN_SALE
