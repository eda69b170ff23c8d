"""Sales that are taken up without their buyers, and channels that are too short to be paid by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import LockedError
from ledger.exchange.buyer import FetchingUnit, HeldUnit, SellerRefusedError
from ledger.exchange.counter import Counter
from ledger.exchange.messages import Reason
from ledger.exchange.sale_file import SaleRow, kept_sales, sale_path, write_sale
from ledger.exchange.seller import ClosingSale, Desk, OpenSale
from ledger.exchange.transport import buy
from ledger.schema.chain_channel_pb2 import CloseChannel
from ledger.wallet.payee import PayeeOpen
from tests.ledger.chain.rules.chain_world import known_key
from tests.ledger.exchange.stream_world import GRANT, PRICE, UNITS, StreamWorld


def paid(world: StreamWorld, units: int) -> HeldUnit:
    """The buyer that has paid ``units`` units and holds the next."""
    opening = world.begin()
    fetching = opening.receive(world.ask(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    state = fetching.receive(world.ask(fetching.request()))
    for _ in range(units):
        assert isinstance(state, HeldUnit)
        after = state.pay()
        state = after.receive(world.ask(after.request()))  # type: ignore[assignment]
    assert isinstance(state, HeldUnit)
    return state


def test_a_sale_is_taken_up_as_it_was_left(world: StreamWorld) -> None:
    paid(world, 2)
    world.restart_seller()
    assert world.counter.sale(GRANT) is None
    world.counter.resume(GRANT)
    sale = world.counter.sale(GRANT)
    assert isinstance(sale, OpenSale)
    assert (sale.earned, sale.channel, sale.is_whole) == (2 * PRICE, world.channel_id, False)
    assert world.counter.sales == (sale,)
    world.counter.resume(GRANT)
    assert world.counter.sale(GRANT) is sale
    world.begin()
    buy(world.bought, world.alice, world.payer, world.transport)
    assert sale.is_whole
    assert world.paid == world.earned == UNITS * PRICE


def test_a_closed_sale_stays_closed_and_is_forgotten_whole(world: StreamWorld) -> None:
    paid(world, 2)
    world.counter.close_sale(GRANT)
    world.restart_seller()
    world.counter.resume(GRANT)
    sale = world.counter.sale(GRANT)
    assert isinstance(sale, ClosingSale)
    message = sale.message()
    assert message is not None
    world.world.must(known_key("bob"), message)
    world.counter.forget_sale(GRANT)
    assert world.counter.sales == ()
    assert kept_sales(world.root / "sales") == ()
    assert world.bob.channels() == ()
    world.counter.forget_sale(GRANT)


def test_what_is_free_is_taken_up_and_forgotten_too(tmp_path: Path) -> None:
    world = StreamWorld(tmp_path)
    world.free()
    world.begin()
    buy(world.bought, world.alice, None, world.transport)
    world.restart_seller()
    world.counter.resume(GRANT)
    assert world.counter.sale(GRANT) is not None
    world.counter.forget_sale(GRANT)
    assert kept_sales(tmp_path / "sales") == ()
    world.close()


def test_killed_between_the_two_files_of_forgetting(world: StreamWorld) -> None:
    paid(world, 1)
    sale = world.counter.close_sale(GRANT)
    assert isinstance(sale, ClosingSale)
    message = sale.message()
    assert message is not None
    world.world.must(known_key("bob"), message)
    world.counter.close()
    (world.root / "bob" / "channels" / f"{world.channel_id.hex()}.payee").unlink()
    world.restart_seller()
    world.counter.resume(GRANT)
    assert world.counter.sales == ()
    assert kept_sales(world.root / "sales") == ()


@pytest.mark.parametrize("closing", [False, True], ids=["open", "closing"])
def test_a_wallet_from_before_the_sale(world: StreamWorld, closing: bool) -> None:
    """What was earned is shown again by the buyer's next request, unless it has begun to close."""
    paid(world, 2)
    world.counter.close()
    for path in (world.root / "bob" / "channels").iterdir():
        path.unlink()
    if closing:
        world.world.must(known_key("alice"), CloseChannel(channel=world.channel_id))
    world.restart_seller()
    world.counter.resume(GRANT)
    sale = world.counter.sale(GRANT)
    if closing:
        assert sale is None
        return
    assert sale is not None
    assert sale.earned == 0
    world.begin()
    buy(world.bought, world.alice, world.payer, world.transport)
    assert world.paid == world.earned == UNITS * PRICE


def test_content_that_is_out_of_reach_may_come_back(world: StreamWorld) -> None:
    paid(world, 1)
    world.restart_seller()
    units, world.units = world.units, None
    world.counter.resume(GRANT)
    opening = world.begin()
    fetching = opening.receive(world.ask(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    with pytest.raises(SellerRefusedError) as refusal:
        fetching.receive(world.ask(fetching.request()))
    assert refusal.value.reason is Reason.GONE
    world.units = units
    assert isinstance(fetching.receive(world.ask(fetching.request())), HeldUnit)


def test_one_process_has_a_sale(world: StreamWorld) -> None:
    paid(world, 1)
    other = Counter(Desk(world.bob, world, world.root / "sales"), world)
    with pytest.raises(LockedError):
        other.resume(GRANT)


def test_only_files_of_sales_are_sales(tmp_path: Path, world: StreamWorld) -> None:
    write_sale(tmp_path, SaleRow.begin(world.granted, world.channel_id))
    path = sale_path(tmp_path, GRANT)
    for other in (f".{path.name}.7.new", "x.sale", path.name.upper(), path.name + "s"):
        (tmp_path / other).write_bytes(b"")
    assert kept_sales(tmp_path) == (GRANT,)


def test_a_close_must_leave_the_time_to_answer_it(world: StreamWorld) -> None:
    """The world's channel can be challenged for 5 blocks, and ends at 101."""
    opening = world.begin()
    for least, now, reason in (
        (6, 1, Reason.NO_CHANNEL),
        (5, 96, Reason.CHANNEL_ENDS),
        (0, 96, Reason.CHANNEL_ENDS),
    ):
        world.now, world.granted = now, replace(world.granted, expiry_height=200)
        world.counter = Counter(Desk(world.bob, world, world.root / "sales", least), world)
        with pytest.raises(SellerRefusedError) as refusal:
            opening.receive(world.ask(opening.request()))
        assert refusal.value.reason is reason
    world.now = 95
    world.counter = Counter(Desk(world.bob, world, world.root / "sales", 5), world)
    assert isinstance(opening.receive(world.ask(opening.request())), FetchingUnit)
    sale = world.counter.sale(GRANT)
    assert sale is not None and isinstance(sale.payee, PayeeOpen)
