"""The chapters about those who do not keep their word: one stops paying, one sells what is spoilt.

Both come off worse than if they had been honest, and neither costs the other more than a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

from story import DemoError, console, say
from story_market import BUYER, Market
from story_member import got_as_far_as
from story_spoilt import SPOILT, spoilt_storefront
from story_world import qpu

from ledger.cli.chain_robot import robot_home
from ledger.exchange.buyer import (
    BuyerState,
    FetchingUnit,
    HeldUnit,
    OpeningStream,
    PaidUnit,
    SellerRefusedError,
)
from ledger.exchange.messages import Reason
from ledger.exchange.purchase import Purchase
from ledger.exchange.transport import Transport
from ledger.fleet.own_chain import MIN_FEE, UNIT
from ledger.market.acquisition_states import ChannelOpened
from ledger.market.buying import abandon
from ledger.market.paying import one_time_wallet
from ledger.market.wish import Wish
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import Wallet

PAID_FOR = 3
"""Chunks that the buyer pays before it stops."""
DEPOSIT = 5 * UNIT
"""Of the contract, in an atomic sale."""


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
    say(f"{BUYER} buys it whole: all of it comes masked, then its price is locked for the key.")
    with spoilt_storefront(world, "husky2", cheats.husky2) as storefront:
        command = market.buying(BUYER, cheats.by_husky2, "training", storefront)
        story.run(*command, "--whole", expect=5)
    say(f"The key opened chunk {SPOILT} wrong, and {BUYER} showed it to the chain: that chunk and")
    say("two paths, and the rule decrypts it itself.")
    lost = before - world.balance(cheats.husky2.account)
    gained = world.pool(world.couriers) - pool
    if not DEPOSIT <= lost <= DEPOSIT + 4 * MIN_FEE:
        raise DemoError(f"husky2 lost {lost}, and its deposit was {DEPOSIT}")
    if not DEPOSIT - 8 * MIN_FEE <= gained < DEPOSIT:
        raise DemoError(f"the couriers' pool gained {gained}")
    say(f"husky2 lost {qpu(lost)}, its deposit; the couriers have their price, and {qpu(gained)}")
    story.fact("cheated", f"a seller lost {qpu(DEPOSIT)} to one altered bit, by one transaction")


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
