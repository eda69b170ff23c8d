"""The chapters of the market: an offer, who may not have it, and who buys it without a name."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from story import QUIPU, DemoError, Story, console, say, until
from story_member import insist
from story_radio import Radio
from story_world import Episode, World, qpu

from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import grant_key, nullifier_key, offer_key
from ledger.errors import LockedError
from ledger.experience.content_root import CHUNK_SIZE
from ledger.fleet.own_chain import MIN_FEE
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Granted, Kept
from ledger.market.shelf import Shelf
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord
from ledger.wallet.payer import PayerOpen, PayerState
from ledger.wallet.wallet import Wallet

BUYER, NOVICE = "courier1", "courier2"
KILLED_AFTER = 5
"""Chunks that are here when the buyer is killed."""


@dataclass(frozen=True)
class Market:
    """What is offered, and where it is sold."""

    world: World
    contract: str
    offer: str

    @property
    def story(self) -> Story:
        return self.world.story

    @property
    def episode(self) -> Episode:
        """What is offered."""
        return self.world.episodes["husky1"]

    @property
    def shelf(self) -> Shelf:
        """The buyer's purchases."""
        with self.world.proven() as chain:
            return Shelf(self.purchases(BUYER), chain.chain)

    def purchases(self, robot: str) -> Path:
        return self.world.couriers.folder / "purchases" / robot

    def acquisition(self) -> Path:
        """The folder of the purchase of the offer."""
        return next(each.folder for each in self.shelf.all() if each.wish.offer.hex() == self.offer)

    @property
    def grant(self) -> GrantRecord:
        """What the chain knows of who bought."""
        state = Acquisition.look(self.acquisition())[1]
        if not isinstance(state, Granted):
            raise DemoError(f"the purchase is {type(state).__name__}")
        with self.world.proven() as chain:
            record = chain.read(GrantRecord, grant_key(state.grant.grant))
        if record is None:
            raise DemoError("the chain does not have the grant")
        return record

    def buying(self, robot: str, offer: str, purpose: str, storefront: Path) -> tuple[str, ...]:
        """The command of a robot that buys."""
        where = self.world.story.folder
        return (
            *("quipu", "buy", offer[:8], "--purpose", purpose, "--yes"),
            *("--credential", f"couriers/members/{robot}"),
            *("--purchases", str(self.purchases(robot).relative_to(where))),
            *("--from", str(storefront.relative_to(where))),
            *self.world.signed(self.world.couriers.authority),
        )


def offer(world: World) -> Market:
    """husky1's episode under a contract of its fleet, with a bound of its hidden reward."""
    story, episode = world.story, world.episodes["husky1"]
    story.chapter("The harbour offers husky1's episode; its reward stays hidden, and is proven")
    story.run("quipu", "contract", "new", "episodes", "--template", "paid-dataset", lines=1)
    terms = story.folder / "episodes" / "terms.yaml"
    terms.write_text(terms.read_text().replace("uses: 3 ", "uses: 1 "))
    story.run("quipu", "contract", "explain", "episodes")
    deployed = story.ask(
        *("contract", "deploy", "episodes", "--fleet", "harbour"),
        *world.signed(world.harbour.authority),
    )
    contract = str(deployed["contract"])
    home = str(episode.home.relative_to(story.folder))
    posted = story.run(
        *("quipu", "offer", "post", str(episode.index), "--contract", contract),
        *("--prove", "reward>=0.8", "--robot", home, *world.signed(world.harbour.authority)),
    )
    offered = posted.split("offer ")[1].split()[0]
    story.run("quipu", "market", "--quality", "reward>=0.8")
    with world.proven() as chain:
        record = chain.read(OfferRecord, offer_key(bytes.fromhex(offered)))
    if record is None or len(record.qualities) != 1:
        raise DemoError("the chain does not have the offer with its bound")
    (bound,) = record.qualities
    if (bound.low + bound.offset) * 10 < 8 * bound.scale:
        raise DemoError("the bound that is proven is below 0.8")
    story.fact("offered", "an episode whose reward nobody sees, proven to be 0.8 or more")
    until(world.storefront.exists, "the harbour's storefront")
    return Market(world, contract, offered)


def refuse_the_novice(market: Market) -> None:
    """Level 1 is not enough, and level 3 cannot be said by who has not got it."""
    story = market.story
    story.chapter(f"{NOVICE}, of level 1, asks for it")
    command = market.buying(NOVICE, market.offer, "training", market.world.storefront)
    say("It shows what it has, and the contract says no:")
    refused = story.run(*command, "--level", "1", expect=5)
    say("It claims what it lacks: there is no proof of that to be made.")
    lied = story.run(*command, "--level", "3", expect=5)
    del refused, lied
    with market.world.proven() as chain:
        known = Shelf(market.purchases(NOVICE), chain.chain).all()
    if any(isinstance(each.state, Granted) for each in known):
        raise DemoError("the novice has a grant")
    story.fact("refused", "a robot of level 1, by the contract; nobody was told which robot")


def buy_and_be_killed(market: Market) -> None:
    """courier1 buys chunk by chunk, is killed in the middle, and goes on where it was."""
    story, world = market.story, market.world
    story.chapter(f"{BUYER}, of level 3, buys it chunk by chunk, and nobody learns who")
    pool = world.pool(world.couriers)
    if world.with_ros:
        import story_exchange

        story_exchange.buy_and_be_killed(market, lambda: _require_little_at_risk(market))
    else:
        _buy_by_command(market)
    state = Acquisition.look(market.acquisition())[1]
    if not isinstance(state, Kept):
        raise DemoError(f"the purchase ended as {type(state).__name__}")
    fees = state.spent - state.grant.price
    if not 0 <= fees <= 6 * MIN_FEE:
        raise DemoError(f"{state.spent} was spent for what costs {state.grant.price}")
    home = world.couriers.home(BUYER)
    (root,) = (
        entry["content_root"]
        for entry in story.ask("--home", str(home), "log", "--all")["entries"]
        if entry["index"] == state.index
    )
    bought = Episode(BUYER, home, state.index, state.record_id.hex(), root)
    if bought.file.read_bytes() != market.episode.file.read_bytes():
        raise DemoError("what was bought is not what was recorded")
    say(
        f"{state.grant.count} chunks, bit for bit what husky1 recorded. The couriers' pool paid"
        f" {qpu(pool - world.pool(world.couriers))} in all."
    )
    story.fact(
        "bought",
        f"{state.grant.count} chunks for {qpu(state.grant.price)}, killed in their middle, none"
        " paid twice",
    )


def refuse_a_second_use(market: Market) -> None:
    """The contract gives each member one use: the nullifier tells, and tells nothing else."""
    story, world = market.story, market.world
    story.chapter("The same member wants it once more: the contract gives each one use")
    command = market.buying(BUYER, market.offer, "evaluation", world.storefront)
    story.run(*command, "--again", expect=5)
    say("Its own software will not ask. So it asks all the same, with the use that it had:")
    code = insist(world, BUYER, market.offer, "evaluation")
    if code is not ResultCode.ALREADY_USED:
        raise DemoError(f"the chain answers {code.name} to a second use")
    had = market.grant
    with world.proven() as chain:
        if chain.row(nullifier_key(had.nullifier)) is None:
            raise DemoError("the nullifier is not on the chain")
    nullifier = had.nullifier.hex()
    console.print(f"  [red]{code.name}[/]: nullifier {nullifier[:16]}... is there already")
    say("All that the chain knows of whoever asked: a member of couriers, level 3 or more.")
    story.fact("refused", "a second use of the contract, though nobody knows who asked")


def _killed(market: Market, command: tuple[str, ...]) -> None:
    """Start a purchase, show how it goes on, and kill it in the middle."""
    story = market.story
    shown = " ".join(shlex.quote(word) for word in command)
    console.print(f"[bold cyan]$[/] {escape(shown)}", soft_wrap=True)
    process = subprocess.Popen(
        [QUIPU, *command[1:]],
        cwd=story.folder,
        env=story.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        columns = (TextColumn("buying"), BarColumn(), DownloadColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("", total=None)
            kept, deadline = 0, time.monotonic() + 60
            while kept < KILLED_AFTER:
                if process.poll() is not None:
                    raise DemoError(f"the buyer ended by itself: {process.communicate()[0]}")
                if time.monotonic() > deadline:
                    raise DemoError("no chunks come")
                kept = kept_of(market)
                bar.update(task, completed=kept * CHUNK_SIZE)
                time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()


def kept_of(market: Market) -> int:
    """Chunks that are on the buyer's disk: a row of 64 bytes each."""
    for path in market.purchases(BUYER).glob("*/*/purchase/units"):
        return path.stat().st_size // 64
    return 0


def _buy_by_command(market: Market) -> None:
    """Over a radio link between two processes."""
    story, world = market.story, market.world
    with Radio(story.folder / "radio.sock", world.storefront) as radio:
        command = (
            *market.buying(BUYER, market.offer, "training", radio.path),
            *("--home", f"couriers/homes/{BUYER}"),
        )
        _killed(market, command)
        _require_little_at_risk(market)
        story.run(*command)
        _require_sealed(market, radio.heard)
    say("An eavesdropper on the radio has all of it, and no chunk of the recording.")


def _require_little_at_risk(market: Market) -> None:
    """Of a purchase whose buyer was killed: say what is here, and what was paid for that."""
    folder = market.acquisition()
    state = Acquisition.look(folder)[1]
    if not isinstance(state, Granted):
        raise DemoError(f"the purchase is {type(state).__name__}")
    grant, kept, paid = state.grant, kept_of(market), _paid(folder)
    if not 0 < kept < grant.count or paid > grant.price_of(kept + 1):
        raise DemoError(f"{kept} of {grant.count} chunks are here, and {paid} was paid")
    say(
        f"[bold]killed[/] (SIGKILL) with {kept} of {grant.count} chunks here and checked, and"
        f" {qpu(paid)} paid: no more than one chunk is at risk. It starts again:"
    )


def _paid(folder: Path) -> int:
    """What a purchase has paid, read as soon as its killed buyer has let go of the channel."""
    wallet = Wallet.open(folder / "wallet")
    ((channel, _),) = wallet.channels()
    found: list[PayerState] = []

    def is_free() -> bool:
        try:
            found.append(wallet.payer(channel))
        except LockedError:
            return False
        return True

    until(is_free, "end of the buyer")
    (end,) = found
    paid = end.paid if isinstance(end, PayerOpen) else 0
    end.release()
    return paid


def _require_sealed(market: Market, heard: bytes) -> None:
    """No part of the content went over the radio in the clear."""
    data = market.episode.file.read_bytes()
    for place in range(0, len(data) - 64, CHUNK_SIZE // 2):
        if data[place : place + 64] in heard:
            raise DemoError(f"byte {place} of the recording went over the radio in the clear")
