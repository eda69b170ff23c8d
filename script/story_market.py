"""The chapters of the market: an offer, and who may not have it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from story import DemoError, Story, say, until
from story_world import Episode, World

from ledger.chain.state_keys import grant_key, offer_key
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Granted
from ledger.market.shelf import Shelf
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord

BUYER, NOVICE = "courier1", "courier2"


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
    story.run(*command, "--level", "1", expect=5)
    say("It claims what it lacks: there is no proof of that to be made.")
    story.run(*command, "--level", "3", expect=5)
    with market.world.proven() as chain:
        known = Shelf(market.purchases(NOVICE), chain.chain).all()
    if any(isinstance(each.state, Granted) for each in known):
        raise DemoError("the novice has a grant")
    story.fact("refused", "a robot of level 1, by the contract; nobody was told which robot")
