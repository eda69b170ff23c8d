"""The chapters of a purchase: who buys without a name, is killed, goes on, and asks once more."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import story_exchange
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from story import QUIPU, DemoError, console, say, until
from story_market import BUYER, Market
from story_member import insist
from story_radio import Radio
from story_world import Episode, qpu

from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import nullifier_key
from ledger.errors import LockedError
from ledger.experience.content_root import CHUNK_SIZE
from ledger.fleet.own_chain import MIN_FEE
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Granted, Kept
from ledger.wallet.payer import PayerOpen, PayerState
from ledger.wallet.wallet import Wallet

KILLED_AFTER = 5
"""Chunks that are here when the buyer is killed."""


def buy_and_be_killed(market: Market) -> None:
    """courier1 buys chunk by chunk, is killed in the middle, and goes on where it was."""
    story, world = market.story, market.world
    story.chapter(f"{BUYER}, of level 3, buys it chunk by chunk, and nobody learns who")
    pool = world.pool(world.couriers)
    if world.with_ros:
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
