"""The books of sales: what the chain paid out, to whom, whoever asked it to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.engines.service import BlockEvents
from ledger.chain.result import Result
from ledger.chain.sale_end import Ending
from ledger.chain.state_keys import offer_key, sale_key
from ledger.cli import sales as sales_verb
from ledger.cli.main import main
from ledger.ed25519 import PrivateKey
from ledger.errors import StorageError
from ledger.exchange import swap_seller
from ledger.exchange.deed import Deed, Promise
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.swap_deed import ask_for_deed
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_file import SwapRow, SwapStage, read_swap
from ledger.exchange.swap_payment import BoughtSwap, ReturnedSwap
from ledger.exchange.swap_seller import SwapState
from ledger.market import whole_sales
from ledger.market.sale_note import SaleNote, SaleStage, note_path
from ledger.market.sales_view import WHOLE, list_sales, seller_folder
from ledger.market.selling_stock import Stock
from ledger.market.swap_chain import ProvenSwapChain
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_exchange_pb2 import SaleRecord, SettleSale
from ledger.schema.chain_payment_pb2 import Asset
from ledger.schema.chain_pb2 import (
    EVENT_KIND_SALE_COMPLAINED,
    EVENT_KIND_SALE_SETTLED,
    Event,
)
from ledger.schema.chain_sharing_pb2 import OfferRecord, Royalty
from tests.fleet.test_sharing_atomic import Spoilt
from tests.ledger.exchange.test_purchase import CHANNEL, grant
from tests.ledger.market.sellers_world import Asked, SellersWorld, view
from tests.ledger.market.test_storefront_whole import TERMS, Trade

DEPOSIT = 500
"""Of the template, in hundredths."""
WRONG = 1
AUTHOR = bytes(PrivateKey.from_seed(b"a" * 32).public_key)
TENTH = [Royalty(account=AUTHOR, parts=1_000)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SellersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


class LeftError(Exception):
    """The buyer goes away."""


def place_of(trade: Trade) -> Path:
    return seller_folder(trade.folder, trade.world.seller_account) / WHOLE


def row_of(trade: Trade) -> SwapRow:
    row = read_swap(place_of(trade), trade.grant)
    assert row is not None
    return row


def record_of(trade: Trade) -> SaleRecord | None:
    """What the chain has of the sale, if it was made."""
    row = read_swap(place_of(trade), trade.grant)
    return None if row is None else trade.world.read(SaleRecord, sale_key(row.sale))


def buy_until(trade: Trade, reached: Callable[[SaleRecord], Any]) -> None:
    """The buyer leaves once the chain's record is so; the storefront has looked by then."""

    def wait(height: int) -> None:
        trade.wait(height)
        record = record_of(trade)
        if record is not None and reached(record):
            raise LeftError

    with pytest.raises(LeftError):
        swap(trade.end(), trade, wait)


def reopen(trade: Trade, times: int = 1) -> None:
    """The storefront is started, looks so often, and goes."""
    trade.shop = trade.world.storefront(trade.folder, settings=TERMS)
    for _ in range(times):
        trade.shop.tend()


def settle(trade: Trade) -> None:
    """Somebody else has the chain pay."""
    world = trade.world
    world.pass_blocks(TERMS.whole.complaint_blocks + 1)
    world.must(world.authority, SettleSale(sale=row_of(trade).sale))


@contextmanager
def cheating() -> Iterator[None]:
    """Storefronts that mask and give one unit that is wrong, and say that its leaf is right."""
    find, masked = Stock.find, MaskedContent

    class Cheating(MaskedContent):
        def __init__(self, sale: bytes, source: Any, count: int, told: Any) -> None:
            super().__init__(sale, source, count, told)
            honest = [leaf_hash(bytes(source.source.unit(each))) for each in range(count)]
            self.leaves = tuple(honest)  # type: ignore[misc]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stock, "find", lambda self, grant: Spoilt(find(self, grant), WRONG))
        patch.setattr(swap_seller, "MaskedContent", Cheating)
        yield
    assert swap_seller.MaskedContent is masked


def shown(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What `quipu sales` says, the chain's assets aside."""
    monkeypatch.setattr(sales_verb, "reading", lambda chain: nullcontext())
    monkeypatch.setattr(sales_verb, "asset_of", lambda access, asset: Asset(symbol="QPU"))
    monkeypatch.setattr(sales_verb, "money", lambda units, asset: f"{units} QPU")
    monkeypatch.setattr(sys, "argv", ["quipu", "sales", "--sales", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out


# How it ended


def test_a_right_complaint_earns_nothing_and_costs_the_deposit(
    world: SellersWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = []
    with cheating():
        trade = Trade(world, tmp_path / "shop")

        def wait(height: int) -> None:
            trade.wait(height)
            seen.extend(list_sales(trade.folder))

        assert isinstance(swap(trade.end(), trade, wait), ReturnedSwap)
        # The key is out, and nobody has earned anything by that.
        assert seen[-1].stage is SaleStage.CLOSING
        assert {(each.earned, each.paid_by_buyer) for each in seen} == {(0, 0)}
        for _ in range(2):
            trade.shop.tend()
            view = trade.view
            assert (view.stage, view.earned, view.paid_by_buyer) == (SaleStage.COMPLAINED, 0, 0)
            assert (view.lost, view.units) == (DEPOSIT, view.count)
            trade.shop.close()
            reopen(trade)
        trade.shop.close()
    said = shown(trade.folder, monkeypatch, capsys)
    assert "0 QPU   complained" in said
    assert f"1 sale(s), 0 not settled; earned 0 QPU, lost {DEPOSIT} QPU of deposits" in said


@pytest.mark.parametrize("is_hidden", [False, True], ids=["shown", "hidden for a while"])
def test_what_somebody_else_settles_is_earned(
    world: SellersWorld, tmp_path: Path, is_hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade = Trade(world, tmp_path / "shop")
    assert isinstance(swap(trade.end(), trade, trade.wait), BoughtSwap)
    trade.shop.close()
    before = trade.view
    assert (before.stage, before.earned, before.paid_by_buyer) == (SaleStage.CLOSING, 0, 0)
    settle(trade)
    if is_hidden:
        with monkeypatch.context() as patch:
            patch.setattr(ProvenSwapChain, "ended", lambda *_: None)
            reopen(trade, times=2)
            assert trade.view == before
            trade.shop.close()
    reopen(trade)
    seen = trade.view
    assert seen == replace(
        before, stage=SaleStage.SETTLED, paid_by_buyer=seen.price, earned=seen.price
    )
    record = world.read(OfferRecord, offer_key(seen.offer))
    assert record is not None
    assert isinstance(ask_for_deed(trade.end(), trade, Promise.of_record(record)), Deed)
    trade.shop.close()


def test_a_key_that_comes_too_late_costs_the_deposit(world: SellersWorld, tmp_path: Path) -> None:
    trade = Trade(world, tmp_path / "shop")

    def wait(height: int) -> None:
        record = record_of(trade)
        if record is not None and record.reveal_height:
            trade.shop.close()
            world.pass_blocks(TERMS.whole.reveal_blocks + 1)
        else:
            trade.wait(height)

    assert isinstance(swap(trade.end(), trade, wait), ReturnedSwap)
    reopen(trade)
    seen = trade.view
    assert (seen.stage, seen.earned, seen.lost, seen.units) == (SaleStage.REFUNDED, 0, DEPOSIT, 0)
    trade.shop.close()


@pytest.mark.parametrize("writes", ["note", "row"])
def test_a_storefront_that_dies_as_it_books(
    world: SellersWorld, tmp_path: Path, writes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the row, before the note; or before both. The next one books what was paid."""
    trade = Trade(world, tmp_path / "shop")
    assert isinstance(swap(trade.end(), trade, trade.wait), BoughtSwap)
    world.pass_blocks(TERMS.whole.complaint_blocks + 1)
    module, name = (whole_sales, "write_note") if writes == "note" else (swap_seller, "write_swap")

    def dies(*arguments: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, dies)
        trade.shop.tend()
        trade.shop.close()
    assert trade.view.stage is SaleStage.CLOSING
    assert record_of(trade) is None
    assert row_of(trade).stage is (SwapStage.SOLD if writes == "note" else SwapStage.PROPOSED)
    reopen(trade)
    assert (trade.view.stage, trade.view.earned) == (SaleStage.SETTLED, trade.view.price)
    trade.shop.close()


def test_a_full_disk_keeps_no_key_back(
    world: SellersWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be noted of one sale is noted later; another's key has a deadline."""
    first = Trade(world, tmp_path / "shop")
    second = Trade(world, tmp_path / "none")
    second.shop.close()
    second.folder = first.folder
    buy_until(first, lambda record: record.key)
    note = whole_sales.WholeSales._note

    def noted(self: whole_sales.WholeSales, state: SwapState) -> None:
        if state.row.grant.grant == first.grant:
            raise StorageError("the disk is full")
        note(self, state)

    waits: list[int] = []

    def wait(height: int) -> None:
        waits.append(height)
        assert len(waits) < 20
        second.shop.tend()

    second.shop = first.shop
    with monkeypatch.context() as patch:
        patch.setattr(whole_sales.WholeSales, "_note", noted)
        assert isinstance(swap(second.end(), second, wait), BoughtSwap)
    first.shop.close()


def test_a_note_that_is_damaged_is_told_anew(world: SellersWorld, tmp_path: Path) -> None:
    trade = Trade(world, tmp_path / "shop")
    assert isinstance(swap(trade.end(), trade, trade.wait), BoughtSwap)
    trade.shop.close()
    note_path(place_of(trade), trade.grant).write_bytes(b"?")
    settle(trade)
    reopen(trade)
    seen = trade.view
    assert (seen.stage, seen.earned, seen.units) == (SaleStage.SETTLED, seen.price, seen.count)
    trade.shop.close()


# Not believed, but read with proofs


class Telling:
    """An engine whose events say what a test wants of one block's results."""

    def __init__(self, service: Any, tell: Callable[[bytes], bytes]) -> None:
        self.service, self.tell = service, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self.service, name)

    def events(self, from_height: int, wait_s: float) -> list[BlockEvents]:
        found = self.service.events(from_height, wait_s)
        return [
            BlockEvents(each.header, tuple(self.tell(one) for one in each.encoded))
            for each in found
        ]


def test_no_end_is_made_up(
    world: SellersWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade = Trade(world, tmp_path / "shop")
    buy_until(trade, lambda record: record.key)
    row, price = row_of(trade), trade.bought.grant.price
    chain = ProvenSwapChain(world.proven)

    def lie(kind: Any, transaction: bytes = b"") -> Callable[[bytes], bytes]:
        def tell(encoded: bytes) -> bytes:
            if row.sale not in encoded:
                return encoded
            told = Event(kind=kind, subject=row.sale, amount=price)
            return Result(transaction or Result.parse(encoded).transaction, 0, (told,)).encode()

        return tell

    for kind in (EVENT_KIND_SALE_SETTLED, EVENT_KIND_SALE_COMPLAINED):
        for transaction in (b"", bytes(32)):
            with monkeypatch.context() as patch:
                telling = Telling(world.proven.service, lie(kind, transaction))
                patch.setattr(world.proven, "service", telling)
                assert chain.ended(row.sale, row.height) is None
    settle(trade)
    with monkeypatch.context() as patch:
        # It settled, whatever else is said of it.
        telling = Telling(world.proven.service, lie(EVENT_KIND_SALE_COMPLAINED))
        patch.setattr(world.proven, "service", telling)
        end = chain.ended(row.sale, row.height)
    assert end is not None
    assert (end.ending, end.amount, end.deposit) == (Ending.SETTLED, price, DEPOSIT)
    assert chain.ended(row.sale, world.height()) is not None
    assert chain.ended(row.sale, world.height() + 1) is None
    trade.shop.close()


# Royalties


def test_what_is_sold_whole_is_not_closed_by_hand(
    world: SellersWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trade = Trade(world, tmp_path / "shop")
    assert isinstance(swap(trade.end(), trade, trade.wait), BoughtSwap)
    trade.shop.close()
    place = ["--sales", str(trade.folder)]
    monkeypatch.setattr(sys, "argv", ["quipu", "sales", "close", trade.grant.hex(), *place])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 5
    assert "sold whole" in capsys.readouterr().err


def test_what_is_earned_whole_is_after_royalties(world: SellersWorld, tmp_path: Path) -> None:
    trade = Trade(world, tmp_path / "shop", world.offered(royalties=TENTH))
    had, author = world.paid_out, world.balance(AUTHOR)
    assert isinstance(swap(trade.end(), trade, trade.wait), BoughtSwap)
    settle(trade)
    trade.shop.tend()
    seen = trade.view
    share = seen.price // 10
    assert world.balance(AUTHOR) == author + share > author
    assert (seen.paid_by_buyer, seen.earned) == (seen.price, seen.price - share)
    # The proposal and the key cost a fee each.
    assert world.paid_out == had + seen.earned - 2
    trade.shop.close()


def test_what_is_earned_by_the_unit_is_after_royalties(world: SellersWorld, tmp_path: Path) -> None:
    customer = world.customer(world.offered(royalties=TENTH))
    with world.storefront(tmp_path / "shop") as shop:
        paid = customer.buy_some(Asked(shop), 2)
        seen = view(shop.folder, customer.grant)
        assert (seen.paid_by_buyer, seen.earned) == (paid, paid - paid // 10)
        assert seen.units == 2
    with world.storefront(tmp_path / "shop") as shop:
        customer.buy(Asked(shop))
        had, author = world.paid_out, world.balance(AUTHOR)
        shop.look()
        shop.look()
        seen = view(shop.folder, customer.grant)
        share = seen.price // 10
        assert (seen.stage, seen.paid_by_buyer) == (SaleStage.SETTLED, seen.price)
        assert seen.earned == seen.price - share
        assert (world.paid_out - had + 1, world.balance(AUTHOR) - author) == (seen.earned, share)


def test_a_share_of_ones_own_is_earned() -> None:
    sold = grant()
    note = SaleNote(sold, CHANNEL, None, royalties=((AUTHOR, 2_500), (sold.seller, 5_000)))
    assert note.earned_of(99) == 99 - 24
    assert note.settled(99).earned == 75
    assert SaleNote(sold, CHANNEL, None).settled(99).earned == 99
