"""The chapters about those who do not keep their word: one stops paying, one sells what is spoilt.

Both come off worse than if they had been honest, and neither costs the other more than a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from story import DemoError, console, say, until
from story_market import BUYER, Market
from story_member import got_as_far_as
from story_world import World, qpu

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sale.identity import sale_id
from ledger.cli.chain_robot import robot_home
from ledger.exchange.buyer import (
    BuyerState,
    FetchingUnit,
    HeldUnit,
    OpeningStream,
    PaidUnit,
    SellerRefusedError,
)
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.grant import Grant
from ledger.exchange.home_units import HomeContents
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.purchase import Purchase
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_chain import BuyingTerms, SellingTerms
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_file import SwapRow, SwapStage, write_swap
from ledger.exchange.swap_payment import ReturnedSwap
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.exchange.swap_seller import SwapDesk
from ledger.exchange.transport import Transport
from ledger.exchange.unit_source import UnitSource
from ledger.fleet.own_chain import MIN_FEE, UNIT
from ledger.home import open_home
from ledger.market.acquisition_states import ChannelOpened, Funded
from ledger.market.buying import abandon
from ledger.market.paying import one_time_wallet
from ledger.market.sale_chain import LightSaleChain
from ledger.market.swap_chain import ProvenSwapChain
from ledger.market.wish import Wish
from ledger.merkle.hashing import leaf_hash
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import Wallet

PAID_FOR = 3
"""Chunks that the buyer pays before it stops."""
DEPOSIT = 5 * UNIT
"""Of the contract, in an atomic sale."""
SPOILT = 2
"""The unit that is not what was promised."""


@dataclass(frozen=True)
class Cheats:
    """What those two are about: a contract, and an offer of each of two robots under it."""

    market: Market
    by_the_harbour: str
    by_husky2: str
    husky2: Wallet


def offer_more(market: Market) -> Cheats:
    """Another contract: husky3's episode by its fleet, and husky2's by husky2 itself."""
    story, world = market.story, market.world
    story.chapter("More is offered: husky3's episode by the harbour, husky2's by husky2 itself")
    story.ask("contract", "new", "trials", "--template", "paid-dataset")
    signed = world.signed(world.harbour.authority)
    deployed = story.ask("contract", "deploy", "trials", "--fleet", "harbour", *signed)
    contract = str(deployed["contract"])
    with robot_home(world.harbour.home("husky2")) as found:
        husky2 = Wallet.over(world.harbour.folder / "wallets" / "husky2", found.keys[-1])
    pay = ("quipu", "chain", "fleet", "pay", "harbour", husky2.account.hex(), "10")
    story.run(*pay, *signed, lines=1)
    offers = {}
    for robot, by in (("husky3", signed), ("husky2", ("--sponsor", "harbour"))):
        episode = world.episodes[robot]
        home = str(episode.home.relative_to(story.folder))
        posted = story.run(
            *("quipu", "offer", "post", str(episode.index), "--contract", contract),
            *("--prove", "reward>=0.8", "--robot", home, *by),
            lines=2,
        )
        offers[robot] = posted.split("offer ")[1].split()[0]
    return Cheats(market, offers["husky3"], offers["husky2"], husky2)


def stop_paying(cheats: Cheats) -> None:
    """A buyer takes sealed chunks and pays no more: what it has not paid for stays sealed."""
    market = cheats.market
    story, world = market.story, market.world
    story.chapter(f"courier1 buys husky3's episode, and stops paying after {PAID_FOR} chunks")
    pool = world.pool(world.couriers)
    wish = Wish(bytes.fromhex(cheats.by_the_harbour), "training")
    folder = story.folder / "stops-paying"
    with got_as_far_as(world, BUYER, wish, ChannelOpened, folder, world.storefront) as (
        acquisition,
        tools,
        state,
    ):
        wallet, grant = one_time_wallet(folder), state.grant
        ((channel, _),) = wallet.channels()
        payer, transport = wallet.payer(channel), tools.way(grant)
        if not isinstance(payer, PayerOpen):
            raise DemoError("the channel is not open")
        purchase = Purchase.create(folder / "purchase", grant, channel)
        try:
            held = _paid_for(purchase, wallet, payer, transport)
            said = [_unpaid(held, transport) for _ in range(2)]
            if said != [Reason.UNPAID] * 2 or purchase.kept != PAID_FOR:
                raise DemoError(f"the seller said {said}, and {purchase.kept} chunks are here")
            paid = payer.paid
        finally:
            purchase.close()
            payer.release()
        console.print(f"  {PAID_FOR} of {grant.count} chunks paid, here, checked: {qpu(paid)}")
        console.print(f"  chunk {PAID_FOR} is here, sealed; its key: [red]{Reason.UNPAID.name}[/]")
        with console.status("[dim]closing the channel[/]"):
            abandon(acquisition, tools)
    spent = pool - world.pool(world.couriers)
    if not paid <= spent <= paid + 6 * MIN_FEE:
        raise DemoError(f"{spent} left the pool for what cost {paid}")
    say(f"The rest of what was set aside is back in the pool: {qpu(spent)} left it, fees included.")
    story.fact("stopped paying", f"{PAID_FOR} chunks paid, {PAID_FOR} had, and not one more")


def sell_spoilt(cheats: Cheats) -> None:
    """An atomic sale of units one of which is not what its leaf says: one complaint, with it."""
    market = cheats.market
    story, world = market.story, market.world
    story.chapter("husky2 sells at one go, and has altered one bit of one chunk")
    before, pool = world.balance(cheats.husky2.account), world.pool(world.couriers)
    wish = Wish(bytes.fromhex(cheats.by_husky2), "training")
    folder = story.folder / "atomic"
    with got_as_far_as(world, BUYER, wish, Funded, folder, world.storefront) as (
        acquisition,
        tools,
        state,
    ):
        wallet, chain = one_time_wallet(folder), tools.chain
        with _cheat(world, cheats.husky2, state.grant, chain) as counter:
            purchase = SwapPurchase.create(folder / "swap", state.grant)
            end = BuyingEnd(purchase, wallet, ProvenSwapChain(chain), BuyingTerms(fee=MIN_FEE))

            def wait(height: int) -> None:
                counter.tend()
                until(lambda: chain.height() > height, "block")

            with console.status("[dim]locking, revealing, opening[/]"):
                ended = swap(end, InTheOpen(counter), wait)
            purchase.close()
        if not isinstance(ended, ReturnedSwap):
            raise DemoError(f"the sale ended as {type(ended).__name__}")
        has = chain.balance(wallet.account, 0)
        console.print(f"  the price was locked, the key shown, and chunk {SPOILT} opened wrong")
        console.print("  the complaint: that chunk, two paths, and the rule decrypts it itself")
        abandon(acquisition, tools)
    lost = before - world.balance(cheats.husky2.account)
    gained = world.pool(world.couriers) - pool
    if not DEPOSIT <= lost <= DEPOSIT + 4 * MIN_FEE:
        raise DemoError(f"husky2 lost {lost}, and its deposit was {DEPOSIT}")
    if not DEPOSIT - 8 * MIN_FEE <= gained < DEPOSIT or has < state.grant.price + DEPOSIT - MIN_FEE:
        raise DemoError(f"the couriers' pool gained {gained}")
    say(f"husky2 lost {qpu(lost)}, its deposit; the couriers have their price, and {qpu(gained)}")
    story.fact("cheated", f"a seller lost {qpu(DEPOSIT)} to one altered bit, by one transaction")


class Spoilt:
    """A recording with one bit of one unit turned over."""

    def __init__(self, source: UnitSource) -> None:
        self._source = source

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def root(self) -> bytes:
        return self._source.root

    def unit(self, index: int) -> memoryview:
        unit = bytearray(self._source.unit(index))
        if index == SPOILT:
            unit[100] ^= 1
        return memoryview(unit)

    def path(self, index: int) -> tuple[bytes, ...]:
        return self._source.path(index)


class OneThing:
    """A shop that has this and nothing else; streams are not sold in it."""

    def __init__(self, source: Spoilt) -> None:
        self._source = source

    def find(self, grant: Grant) -> Spoilt:
        del grant
        return self._source

    def answer(self, request: bytes) -> Reply:
        del request
        return encode_refused(Reason.NO_GRANT)


class InTheOpen:
    """The way to a counter in this process."""

    def __init__(self, counter: SwapCounter) -> None:
        self._counter = counter

    def ask(self, request: bytes) -> Reply:
        reply = self._counter.answer(request)
        self._counter.tend()
        return reply


@contextmanager
def _cheat(world: World, wallet: Wallet, grant: Grant, chain: ProvenChain) -> Iterator[SwapCounter]:
    """A counter that masks a spoilt unit under the leaf of the right one."""
    episode, sales = world.episodes["husky2"], world.harbour.folder / "husky2-sales"
    sales.mkdir()
    terms = SellingTerms(lock_blocks=400, reveal_blocks=200, complaint_blocks=200, fee=MIN_FEE)
    proven = ProvenSwapChain(chain)
    offered = {grant.content_root: bytes.fromhex(episode.record_id)}
    with open_home(episode.home) as home, HomeContents(home.experiences, offered) as contents:
        honest = contents.find(grant)
        spoilt = Spoilt(honest)
        sequence = proven.sequence(wallet.account)
        masked = MaskedContent(sale_id(grant.chain, grant.grant, sequence), spoilt, grant.count)
        write_swap(
            sales,
            SwapRow(
                stage=SwapStage.PREPARED,
                grant=grant,
                key=masked.reveal().key,
                agreement=bytes(range(32)),
                sequence=sequence,
                height=proven.height(),
                unit_root=masked.sold.unit_root,
                lock_height=proven.height() + terms.lock_blocks,
                reveal_blocks=terms.reveal_blocks,
                complaint_blocks=terms.complaint_blocks,
                leaves=tuple(leaf_hash(bytes(honest.unit(each))) for each in range(grant.count)),
                masked_leaves=masked.masked_leaves,
            ),
        )
        desk = SwapDesk(wallet, LightSaleChain(chain), proven, sales, terms)
        shop = OneThing(spoilt)
        yield SwapCounter(desk, shop, shop)


def _paid_for(
    purchase: Purchase, wallet: Wallet, payer: PayerOpen, transport: Transport
) -> HeldUnit:
    """Buy honestly, until so many chunks are here and the next one is, sealed."""
    opening = OpeningStream(purchase, wallet, payer)
    state: BuyerState = opening.receive(transport.ask(opening.request()))
    while not (isinstance(state, HeldUnit) and purchase.kept == PAID_FOR):
        if isinstance(state, HeldUnit):
            state = state.pay()
        if not isinstance(state, FetchingUnit | PaidUnit):
            raise DemoError(f"the purchase is {type(state).__name__}")
        state = state.receive(transport.ask(state.request()))
    return state


def _unpaid(held: HeldUnit, transport: Transport) -> Reason | None:
    """Ask for the key of a sealed chunk with the payment of the one before it."""
    unpaid = PaidUnit(held._stream, held._unit, held._stream.claim)
    try:
        unpaid.receive(transport.ask(unpaid.request()))
    except SellerRefusedError as refusal:
        return refusal.reason
    return None
