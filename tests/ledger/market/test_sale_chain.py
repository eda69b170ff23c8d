"""The seller's chain answers from memory, and has what a buyer needs the moment it is there."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from ledger.chain.proven.chain import ProvenChain
from ledger.credentials.member_file import MemberFile
from ledger.exchange.grant import SaleChain
from ledger.exchange.purchase import Purchase
from ledger.exchange.transport import InProcess, buy
from ledger.market.sale_chain import LightSaleChain
from ledger.schema.chain_consent_pb2 import WithdrawConsent
from tests.fleet.sharing_chain import NEVER
from tests.fleet.sharing_market import Bought
from tests.fleet.test_sharing_consent import consented
from tests.ledger.market.buyers_world import BuyersWorld


class Counted:
    """The engine, and how often its state was asked for."""

    def __init__(self, world: BuyersWorld) -> None:
        self.engine, self.asked = world.engine, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def answer(self, key: bytes, height: int | None = None) -> bytes:
        self.asked += 1
        return self.engine.answer(key, height)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


@pytest.fixture
def bought(world: BuyersWorld, member: MemberFile) -> Bought:
    return world.granted(member.credential(), world.offered())


def sale_chain(world: BuyersWorld) -> tuple[LightSaleChain, Counted]:
    counted = Counted(world)
    return LightSaleChain(ProvenChain(counted, world.trust)), counted  # type: ignore[arg-type]


def test_it_answers_from_memory(world: BuyersWorld, bought: Bought) -> None:
    chain, counted = sale_chain(world)
    sale: SaleChain = chain
    payer = world.open_channel(bought)
    assert sale.grant(bought.grant.grant) == bought.grant
    record = sale.channel(payer.channel)
    assert record == world.channel(payer.channel)
    asked = counted.asked
    for _ in range(100):
        assert sale.grant(bought.grant.grant) == bought.grant
        assert sale.channel(payer.channel) == record
        assert sale.height() <= world.height()
    assert counted.asked == asked
    payer.release()


def test_what_is_not_there_is_none_until_it_is(world: BuyersWorld, bought: Bought) -> None:
    chain, _ = sale_chain(world)
    assert chain.grant(bytes(32)) is None
    late = world.granted(world.member_file(2).credential(), world.offered())
    assert chain.grant(late.grant.grant) == late.grant  # nobody refreshed
    assert chain.channel(bytes(32)) is None
    payer = world.open_channel(late)
    assert chain.channel(payer.channel) is not None
    payer.release()


def test_a_new_height_brings_what_changed(world: BuyersWorld, bought: Bought) -> None:
    chain, counted = sale_chain(world)
    payer = world.open_channel(bought)
    assert chain.refresh() == {}
    assert chain.height() == world.height()
    assert chain.channel(payer.channel) is not None
    assert chain.refresh() == {}
    asked = counted.asked
    world.pass_blocks(1)
    assert chain.refresh() == {}
    assert counted.asked == asked + 2  # the height, and the one channel
    closing = payer.close()
    assert world.proven.carry_out(bought.wallet, closing.message).ok
    (changed,) = chain.refresh().items()
    assert changed == (payer.channel, world.channel(payer.channel))
    assert changed[1] is not None
    assert changed[1].closing_height
    world.pass_blocks(7)
    assert world.proven.carry_out(bought.wallet, closing.settle()).ok
    assert chain.refresh() == {payer.channel: None}
    assert chain.channel(payer.channel) is None
    assert chain.refresh() == {}
    closing.release()


def test_it_waits_for_a_block(world: BuyersWorld) -> None:
    chain, _ = sale_chain(world)
    before, heard = chain.height(), threading.Event()

    def wait() -> None:
        chain.refresh(wait_s=20.0)
        heard.set()

    thread = threading.Thread(target=wait)
    thread.start()
    world.pass_blocks(1)
    assert heard.wait(20.0)
    thread.join()
    assert chain.height() > before
    assert chain.refresh(wait_s=0.01) == {}


def test_a_sale_over_it(world: BuyersWorld, bought: Bought) -> None:
    """A whole sale whose seller knows the chain by its proofs, and a thread that refreshes."""
    chain, _ = sale_chain(world)
    counter = world.counter_over(chain)
    payer = world.open_channel(bought)
    purchase = Purchase.create(world.root / world.name("bought"), bought.grant, payer.channel)
    ended = threading.Event()

    def refresh() -> None:
        while not ended.is_set():
            chain.refresh(wait_s=0.01)

    thread = threading.Thread(target=refresh)
    thread.start()
    try:
        heard: list[int] = []
        buy(purchase, bought.wallet, payer, InProcess(counter), heard.append)
        world.pass_blocks(2)
    finally:
        ended.set()
        thread.join()
    assert heard[-1] == bought.grant.count
    purchase.close()
    payer.release()


def test_a_withdrawal_is_known_with_the_block_that_has_it(world: BuyersWorld) -> None:
    chain, counted = sale_chain(world)
    robot = world.robot("sellers.example/ward", seed=4, seconds=4.0)
    offered, member = world.offered(robot, uses=9), world.member(robot_id=31)
    grants = [world.granted(member, offered, use=use).grant for use in range(2)]
    consent = consented(world, robot)
    chain.refresh()
    assert not any(map(chain.is_withdrawn, grants))
    asked = counted.asked
    for _ in range(100):
        assert not any(map(chain.is_withdrawn, grants))
    assert counted.asked == asked

    world.must(world.authority, WithdrawConsent(consent=consent))
    assert not chain.is_withdrawn(grants[0]), "until memory is of that block"
    chain.refresh()
    assert counted.asked == asked + 2  # the height, and the one recording that both are about
    assert all(map(chain.is_withdrawn, grants))
    assert sale_chain(world)[0].is_withdrawn(grants[0]), "nor was it ever known before"
    # Who asks about it no more is not looked for at the next height.
    asked = counted.asked
    for expected in (2, 1):
        world.pass_blocks(1)
        chain.refresh()
        assert counted.asked == asked + expected
        asked = counted.asked
    consented(world, robot)
    chain.refresh()
    assert not any(map(chain.is_withdrawn, grants))


def test_what_the_chain_knows_nothing_of_is_taken_for_withdrawn(
    world: BuyersWorld, bought: Bought
) -> None:
    chain, _ = sale_chain(world)
    assert not chain.is_withdrawn(bought.grant)
    assert chain.is_withdrawn(replace(bought.grant, grant=bytes(32)))


def test_threads_share_one_light_client(world: BuyersWorld, bought: Bought) -> None:
    """Answers of different heights never make one another old."""
    chain, _ = sale_chain(world)
    failed: list[BaseException] = []
    ended = threading.Event()

    def ask() -> None:
        try:
            while not ended.is_set():
                chain.forget(bytes(32))
                assert chain.channel(bytes(32)) is None
                chain.refresh()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    world.pass_blocks(30)
    ended.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert chain.height() <= world.height() < NEVER
