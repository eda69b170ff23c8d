"""While one content is being masked, whoever buys another is answered, and its key is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.chain.state_keys import offer_key, sale_key
from ledger.errors import StorageError
from ledger.exchange import swap_counter, swap_seller
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.deed import Deed, MissingDeed, Promise
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.messages import Reason, encode_refused
from ledger.exchange.swap_buyer import OpeningSwap
from ledger.exchange.swap_deed import ask_for_deed
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_file import read_swap
from ledger.exchange.swap_payment import BoughtSwap
from ledger.market.sale_note import SaleStage
from ledger.market.sales_view import WHOLE, seller_folder
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord
from tests.ledger.market.sellers_world import SellersWorld
from tests.ledger.market.test_storefront_whole import TERMS, Trade

WAIT_S: Final = 120.0
"""For what another thread does at once, on however slow a machine."""
TURN_S: Final = 0.02


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SellersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


class Masking:
    """The masking of contents, which goes on when a test lets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_held, self.begun, self.released = False, threading.Event(), threading.Event()
        self.count, self.has_given_up = 0, False
        held = self

        class Held(MaskedContent):
            def __init__(self, sale: bytes, source: Any, count: int, told: Any) -> None:
                held.count += 1
                if held.is_held:
                    held._wait(told)
                super().__init__(sale, source, count, told)

        monkeypatch.setattr(swap_seller, "MaskedContent", Held)

    def _wait(self, told: Callable[[int], None]) -> None:
        self.begun.set()
        until = time.monotonic() + WAIT_S
        while not self.released.wait(TURN_S):
            told(0)
            if time.monotonic() > until:
                self.is_held, self.has_given_up = False, True
                return

    def hold(self) -> None:
        """Hold the next ones."""
        self.is_held = True

    def release(self) -> None:
        self.is_held = False
        self.released.set()


@contextmanager
def made_in_a_thread(trade: Trade, done: list[bool]) -> Iterator[None]:
    thread = threading.Thread(target=lambda: done.append(trade.shop.make()))
    thread.start()
    try:
        yield
    finally:
        thread.join(WAIT_S)


def other(trade: Trade) -> Trade:
    """Another buyer at the same storefront."""
    trade.shop.close()
    second = Trade(trade.world, trade.folder)
    trade.shop = second.shop
    second.shop.advance()
    return second


def ask(trade: Trade) -> None:
    """Ask for the sale, and be told that there is none yet."""
    end = trade.end()
    opening = OpeningSwap(end, trade.world.height())
    assert trade.ask(opening.request()) == encode_refused(Reason.NOT_YET)


def record_of(trade: Trade) -> SaleRecord | None:
    place = seller_folder(trade.folder, trade.world.seller_account) / WHOLE
    row = read_swap(place, trade.grant)
    return None if row is None else trade.world.read(SaleRecord, sale_key(row.sale))


def deed_of(trade: Trade) -> Deed | MissingDeed:
    """The deed, once the storefront has seen the key on the chain too."""
    record = trade.world.read(OfferRecord, offer_key(trade.view.offer))
    assert record is not None
    until = time.monotonic() + WAIT_S
    while True:
        try:
            return ask_for_deed(trade.end(), trade, Promise.of_record(record))
        except SellerRefusedError as error:
            if error.reason is not Reason.NOT_YET or time.monotonic() > until:
                raise
        time.sleep(TURN_S)


def test_a_sale_goes_on_while_another_content_is_masked(
    world: SellersWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its first unit to the deed."""
    masking = Masking(monkeypatch)
    first = Trade(world, tmp_path / "shop")
    second = other(first)

    def told(held: int, opened: int) -> None:
        if (held, opened) == (1, 0):
            masking.hold()
            ask(second)
            assert masking.begun.wait(WAIT_S)

    def wait(height: int) -> None:
        # Not for a block: when there is one, the storefront may not have looked yet.
        time.sleep(TURN_S)

    with first.shop.watching():
        bought = swap(first.end(), first, wait, told)
        assert isinstance(bought, BoughtSwap)
        assert isinstance(deed_of(first), Deed)
        # All that, and the other one is not masked yet.
        assert not masking.has_given_up
        assert masking.begun.is_set()
        assert not masking.released.is_set()
        assert record_of(second) is None
        masking.release()
        assert isinstance(swap(second.end(), second, wait), BoughtSwap)
    first.shop.close()


def test_what_has_no_deadline_waits_for_the_masking(
    world: SellersWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sequence would be another's: the content is masked once, not once for each sale."""
    masking = Masking(monkeypatch)
    # What they are offered is a transaction of the seller's too, so that comes before.
    first = Trade(world, tmp_path / "shop")
    second = other(first)
    third = other(second)
    first.shop = third.shop
    assert isinstance(swap(first.end(), first, first.wait), BoughtSwap)
    second.shop = third.shop = first.shop
    done: list[bool] = []
    before = masking.count
    world.pass_blocks(TERMS.whole.complaint_blocks + 1)
    ask(second)
    masking.hold()
    with made_in_a_thread(second, done):
        assert masking.begun.wait(WAIT_S)
        for _ in range(3):
            second.shop.advance()
        is_there = record_of(first) is not None
        masking.release()
    assert is_there
    assert done == [True]
    # Others have waited for it; now it is their turn.
    ask(third)
    assert not second.shop.make()
    second.shop.advance()
    assert record_of(second) is not None
    assert (first.view.stage, first.view.earned) == (SaleStage.SETTLED, first.view.price)
    assert second.shop.make()
    assert masking.count == before + 2
    second.shop.close()


def test_a_storefront_that_is_closed_leaves_off_masking(
    world: SellersWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masking = Masking(monkeypatch)
    trade = Trade(world, tmp_path / "shop")
    trade.shop.advance()
    ask(trade)
    masking.hold()
    with trade.shop.watching():
        assert masking.begun.wait(WAIT_S)
    # Its threads are gone, and it may be asked all the same.
    ask(trade)
    masking.begun.clear()
    done: list[bool] = []
    with made_in_a_thread(trade, done):
        assert masking.begun.wait(WAIT_S)
        trade.shop.close()
    assert done == [False]
    assert record_of(trade) is None
    masking.release()
    trade.shop = world.storefront(trade.folder, settings=TERMS)
    assert isinstance(swap(trade.end(), trade, trade.wait), BoughtSwap)
    trade.shop.close()


def test_what_cannot_be_made_now_goes_behind_the_others(
    world: SellersWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Trade(world, tmp_path / "shop")
    second = other(first)
    prepare = swap_counter.prepare

    def prepared(desk: Any, grant: Any, *rest: Any) -> Any:
        if grant.grant == first.grant:
            raise StorageError("the disk does not answer")
        return prepare(desk, grant, *rest)

    ask(first)
    ask(second)
    with monkeypatch.context() as patch:
        patch.setattr(swap_counter, "prepare", prepared)
        assert not first.shop.make()
        assert first.shop.make()
        first.shop.advance()
        assert record_of(second) is not None
    first.shop.tend()
    assert record_of(first) is not None
    first.shop.close()
