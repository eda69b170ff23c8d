"""A recording sold whole by drivers that keep everything on disk, on the real chain.

Each side is left and taken up again wherever it waits; what either may lose is looked up in
the books, through a light client.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sale.identity import sale_id
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.grant import Grant
from ledger.exchange.home_units import HomeContents
from ledger.exchange.messages import Reply
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_chain import BuyingTerms, SellingTerms
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_file import read_swap, swap_grants, write_swap
from ledger.exchange.swap_payment import BoughtSwap, LateComplaintError, ReturnedSwap
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.exchange.swap_seller import (
    EndedSwap,
    LockedSwap,
    RevealedSwap,
    SwapDesk,
    SwapState,
    observe,
    prepare,
)
from ledger.exchange.unit_source import UnitSource
from ledger.market.sellers_chain import ProvenSellersChain
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_exchange_pb2 import RevealKey, SaleRecord
from ledger.schema.chain_sharing_pb2 import AmendContract
from ledger.wallet.wallet import Wallet
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Bought, SharingMarket
from tests.fleet.test_sharing_atomic import DEPOSIT, Spoilt

SELLING = SellingTerms(lock_blocks=40, reveal_blocks=8, complaint_blocks=4, margin=2, fee=FEE)
BUYING = BuyingTerms(most_reveal_blocks=8, least_complaint_blocks=4, fee=FEE)


@dataclass
class Trade:
    """One grant that is sold whole; both sides can be taken up again."""

    market: SharingMarket
    bought: Bought
    sales: Path
    folder: Path
    contents: HomeContents
    wrong: int | None = None

    def __post_init__(self) -> None:
        self.chain = ProvenSellersChain(ProvenChain(self.market.engine, self.market.trust))
        self.sales.mkdir()
        self.purchase: SwapPurchase | None = None
        self.restart_seller()
        self.seller_had = self.market.balance(self.market.seller_account)
        self.buyer_had = self.market.balance(self.bought.wallet.account)

    def desk(self) -> SwapDesk:
        market = self.market
        return SwapDesk(market.sellers_wallet, market, self.chain, self.sales, SELLING)

    def restart_seller(self) -> None:
        """The seller in another process, as it were."""
        self.counter = SwapCounter(self.desk(), self, self.market.counter)

    def look(self) -> tuple[SwapState, ...]:
        """Where the seller's sales are."""
        rows = [read_swap(self.sales, grant) for grant in swap_grants(self.sales)]
        return tuple(observe(self.desk(), row) for row in rows if row is not None)

    def find(self, grant: Grant) -> UnitSource:
        """As `Contents`."""
        honest = self.contents.find(self.bought.grant)
        return honest if self.wrong is None else Spoilt(honest, self.wrong)

    def begin(self) -> BuyingEnd:
        """The buyer at the beginning, or where it was, in another process as it were."""
        if self.purchase is not None:
            self.purchase.close()
        begun = (self.folder / "purchase").exists()
        self.purchase = (
            SwapPurchase.open(self.folder)
            if begun
            else SwapPurchase.create(self.folder, self.bought.grant)
        )
        wallet = Wallet.open(self.bought.wallet.root)
        return BuyingEnd(self.purchase, wallet, self.chain, BUYING)

    def ask(self, request: bytes) -> Reply:
        """As a transport."""
        return self.counter.answer(request)

    def wait(self, height: int) -> None:
        self.counter.tend()
        self.market.pass_blocks(height + 1 - self.market.height())

    def gained(self) -> tuple[int, int]:
        """What seller and buyer have more; fees, and what blocks were made with, included."""
        return (
            self.market.balance(self.market.seller_account) - self.seller_had,
            self.market.balance(self.bought.wallet.account) - self.buyer_had,
        )


def trade(market: SharingMarket, robot_id: int) -> Trade:
    bought = market.granted(market.member(robot_id=robot_id), market.offered())
    market.fund(bought, bought.grant.price + 10 * FEE)
    return trade_of(market, bought)


def trade_of(market: SharingMarket, bought: Bought, contents: HomeContents | None = None) -> Trade:
    root = market.root / market.name("whole")
    root.mkdir()
    return Trade(market, bought, root / "sales", root / "bought", contents or market.contents)


class StoppedError(Exception):
    """The buyer's process ends where it waits for the key."""


def test_an_honest_sale_between_processes(market: SharingMarket, tmp_path: Path) -> None:
    made = trade(market, robot_id=321)

    def wait(height: int) -> None:
        made.wait(height)
        raise StoppedError

    ended = None
    for _ in range(10):
        made.restart_seller()
        made.counter.tend()
        try:
            ended = swap(made.begin(), made, wait)
            break
        except StoppedError:
            continue
    assert isinstance(ended, BoughtSwap)
    placed = ended.purchase.place(tmp_path / "files", [("all", len(market.husky.content))])
    assert placed[0].read_bytes() == market.husky.content
    price = made.bought.grant.price
    assert made.gained()[1] == -price - FEE
    market.pass_blocks(SELLING.complaint_blocks + 1)
    before = market.balance(market.seller_account)
    made.restart_seller()
    (state,) = made.counter.tend()
    assert isinstance(state, EndedSwap)
    assert market.balance(market.seller_account) == before + price + DEPOSIT - FEE
    ended.purchase.close()


class KilledError(Exception):
    """Where a process of the test ends."""


class Deadly:
    """A side's way to the other and to the chain; at its k-th use the side is killed."""

    def __init__(self, inner: Any, kth: list[int], after: bool) -> None:
        self.inner, self.kth, self.after = inner, kth, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def ask(self, request: bytes) -> Reply:
        reply: Reply = self._use(self.inner.ask, request)
        return reply

    def submit(self, transaction: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        return ResultCode(self._use(self.inner.submit, transaction, attachments))

    def submit_all(self, *arguments: Any) -> list[ResultCode]:
        codes: list[ResultCode] = self._use(self.inner.submit_all, *arguments)
        return codes

    def _use(self, call: Any, *arguments: Any) -> Any:
        self.kth[0] -= 1
        if not self.kth[0] and not self.after:
            raise KilledError
        done = call(*arguments)
        if not self.kth[0]:
            raise KilledError
        return done


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_a_side_that_is_killed_at_any_step_goes_on(market: SharingMarket, side: str) -> None:
    """At each request and at each transaction: before it left, and once it is carried out."""
    member, offered = market.member(robot_id=327 + (side == "seller")), market.offered(uses=30)
    for step in range(1, 20):
        bought = market.granted(member, offered, use=step)
        market.fund(bought, bought.grant.price + 10 * FEE)
        made, kth = trade_of(market, bought), [step]
        real, after = made.chain, step % 2 == 0
        deadly: Any = Deadly(real, kth, after)
        if side == "seller":
            made.chain = deadly
            made.restart_seller()
            made.chain = real
        end = made.begin()
        way: Any = made
        if side == "buyer":
            end.chain, way = deadly, Deadly(made, kth, after)
        ended = None
        for _ in range(5):
            try:
                ended = swap(end, way, made.wait)
                break
            except KilledError:
                made.restart_seller()
                end, way = made.begin(), made
        assert isinstance(ended, BoughtSwap)
        assert (made.folder / "opened" / "content").read_bytes() == market.husky.content
        assert made.gained()[1] == -bought.grant.price - FEE
        market.pass_blocks(SELLING.complaint_blocks + 1)
        with suppress(KilledError):
            made.counter.tend()
        made.restart_seller()
        made.counter.tend()
        assert all(isinstance(state, EndedSwap) for state in made.look())
        ended.purchase.close()
        if kth[0] > 0:
            assert step > (7 if side == "buyer" else 3)
            return
    pytest.fail("no sale without a death")


def test_an_amended_contract_does_not_change_what_is_sold_under_a_grant(
    market: SharingMarket,
) -> None:
    offered = market.offered()
    bought = market.granted(market.member(robot_id=329), offered)
    price = bought.grant.price
    policy, terms = market.template()
    terms.chunk_price, terms.record_price, terms.deposit = 1_000, 10_000, 7
    market.must(market.seller, AmendContract(contract=offered.contract, policy=policy, terms=terms))
    market.fund(bought, price + 10 * FEE)
    made = trade_of(market, bought)
    held: list[SaleRecord] = []

    def wait(height: int) -> None:
        made.wait(height)
        held.extend(state.record for state in made.look() if isinstance(state, LockedSwap))
        held.extend(state.record for state in made.look() if isinstance(state, RevealedSwap))

    ended = swap(made.begin(), made, wait)
    assert isinstance(ended, BoughtSwap)
    assert {(record.price, record.deposit) for record in held} == {(price, DEPOSIT)}
    assert made.gained()[1] == -price - FEE
    ended.purchase.close()


def test_a_wrong_unit_is_complained_of_at_once(market: SharingMarket) -> None:
    made = trade(market, robot_id=322)
    spoil(made, wrong=1)
    ended = swap(made.begin(), made, made.wait)
    assert isinstance(ended, ReturnedSwap)
    assert ended.purchase.opened.kept == 0
    assert made.gained()[1] == DEPOSIT - 2 * FEE
    ended.purchase.close()


def test_a_late_seller_does_not_show_its_key_and_loses_its_deposit(market: SharingMarket) -> None:
    made = trade(market, robot_id=323)

    def wait(height: int) -> None:
        if any(isinstance(state, LockedSwap) for state in made.look()):
            market.pass_blocks(SELLING.reveal_blocks - SELLING.margin)
        made.wait(height)

    ended = swap(made.begin(), made, wait)
    assert isinstance(ended, ReturnedSwap)
    assert made.gained()[1] == DEPOSIT - 2 * FEE
    row = read_swap(made.sales, made.bought.grant.grant)
    assert row is not None
    assert not any(row.key in each for each in blocks(market))
    ended.purchase.close()


def test_a_buyer_that_was_away_has_the_key_from_the_blocks(market: SharingMarket) -> None:
    made = trade(market, robot_id=324)

    def wait(height: int) -> None:
        made.wait(height)
        if any(isinstance(state, RevealedSwap) for state in made.look()):
            raise StoppedError

    with pytest.raises(StoppedError):
        swap(made.begin(), made, wait)
    market.pass_blocks(SELLING.complaint_blocks + 1)
    made.counter.tend()
    ended = swap(made.begin(), made, made.wait)
    assert isinstance(ended, BoughtSwap)
    assert (made.folder / "opened" / "content").read_bytes() == market.husky.content
    ended.purchase.close()


def test_no_other_key_than_the_one_that_was_locked_is_taken(market: SharingMarket) -> None:
    made, tried = trade(market, robot_id=326), []

    def wait(height: int) -> None:
        for state in made.look():
            if isinstance(state, LockedSwap):
                for key in (bytes(32), state.row.agreement, state.row.unit_root):
                    reveal = RevealKey(sale=state.row.sale, key=key)
                    assert market.do(market.seller, reveal) == ResultCode.WRONG_KEY
                    tried.append(key)
                # Nor the right one from anybody else.
                reveal = RevealKey(sale=state.row.sale, key=state.row.key)
                assert market.do(market.authority, reveal) == ResultCode.NOT_ALLOWED
        made.wait(height)

    ended = swap(made.begin(), made, wait)
    assert isinstance(ended, BoughtSwap)
    assert len(tried) >= 3
    ended.purchase.close()


def test_a_complaint_after_the_deadline_is_not_taken(market: SharingMarket) -> None:
    made = trade(market, robot_id=325)
    spoil(made, wrong=0)

    def wait(height: int) -> None:
        made.wait(height)
        if any(isinstance(state, RevealedSwap) for state in made.look()):
            raise StoppedError

    with pytest.raises(StoppedError):
        swap(made.begin(), made, wait)
    market.pass_blocks(SELLING.complaint_blocks)
    with pytest.raises(LateComplaintError):
        swap(made.begin(), made, made.wait)
    price = made.bought.grant.price
    assert made.gained()[1] == -price - FEE
    made.counter.tend()
    assert swap_grants(made.sales) == (made.bought.grant.grant,)


def spoil(made: Trade, wrong: int) -> None:
    """Have the seller mask one unit that is wrong, and say that its leaves are right."""
    grant, market = made.bought.grant, made.market
    honest = market.contents.find(grant)
    leaves = tuple(leaf_hash(bytes(honest.unit(index))) for index in range(grant.count))
    # What an honest seller writes first, with another content under the key.
    with pytest.MonkeyPatch.context() as patch:
        for name in ("submit", "submit_all"):
            patch.setattr(made.chain, name, lambda *_: pytest.fail("too early"))
        row = prepare(made.desk(), grant, honest).row
    masked = MaskedContent(
        sale_id(grant.chain, grant.grant, row.sequence), Spoilt(honest, wrong), grant.count
    )
    made.wrong = wrong
    write_swap(
        made.sales,
        replace(
            row,
            key=masked.reveal().key,
            unit_root=masked.sold.unit_root,
            leaves=leaves,
            masked_leaves=masked.masked_leaves,
        ),
    )
    made.restart_seller()


def blocks(market: SharingMarket) -> list[bytes]:
    """Every transaction that is in a block."""
    heights = range(1, market.height() + 1)
    return [bytes(each) for height in heights for each in market.engine.block(height).transactions]
