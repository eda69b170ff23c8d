"""The chapter about a patient: consent is given, something is bought, consent is withdrawn.

The content goes, at the seller and at the buyer; the logs stay whole, and say what was done.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from story import DemoError, say
from story_market import BUYER, Market

from ledger.chain.state_keys import grant_key
from ledger.schema.chain_grant_pb2 import GrantRecord

ROBOT = "husky3"
SECONDS = 15.0
SEED = 31


@dataclass(frozen=True)
class Consented:
    """A patient's recording that a courier has bought."""

    market: Market
    record_id: str
    consent: str
    offer: str


def agree(market: Market) -> Consented:
    """husky3 is with a patient, who agrees; the recording is offered for research, and bought."""
    story, world = market.story, market.world
    story.chapter("A patient agrees that what husky3 recorded is used for research")
    home = str(world.harbour.home(ROBOT).relative_to(story.folder))
    bag = story.folder / "with-a-patient"
    _drive(market, bag)
    story.run("quipu", "--home", home, "ingest", bag.name, "--tag", "consent=given", lines=1)
    shutil.rmtree(bag)  # the home has it; nothing else may
    record_id, index = _newest(market, home, bag.name)
    world.anchor(ROBOT, index + 1)
    patient = story.folder / "patient"
    account = str(story.ask("wallet", "new", "--wallet", "patient")["account"])
    story.ask("wallet", "pay", account, "1", *world.signed(world.governor))
    granted = story.ask(
        *("chain", "consent", "grant", f"harbour/{ROBOT}", "--record", record_id),
        *("--purpose", "research", "--subject", "patient 17", *world.signed(patient)),
    )
    consent = str(granted["consent"])
    say("The chain sees a commitment to who it is. The fleet acknowledges that it may speak:")
    by_harbour = world.signed(world.harbour.authority)
    story.run("quipu", "chain", "consent", "acknowledge", consent, *by_harbour, lines=1)

    story.ask("contract", "new", "patients", "--template", "patient-consent")
    policy = story.folder / "patients" / "policy.cedar"
    edited = policy.read_text().replace("proven_min_level >= 4", "proven_min_level >= 3")
    policy.write_text(edited.replace("our-clinic", "couriers"))
    examples = policy.with_name("examples.yaml")
    examples.write_text(examples.read_text().replace("our-clinic", "couriers"))
    deployed = story.ask("contract", "deploy", "patients", "--fleet", "harbour", *by_harbour)
    posted = story.ask(
        *("offer", "post", str(index), "--contract", str(deployed["contract"])),
        *("--robot", home, *by_harbour),
    )
    offer = str(posted["offer"])
    story.run(
        *market.buying(BUYER, offer, "research", world.storefront),
        *("--home", f"couriers/homes/{BUYER}"),
    )
    return Consented(market, record_id, consent, offer)


def withdraw(consented: Consented) -> None:
    """The patient thinks better of it: erased at the seller, noticed and erased at the buyer."""
    market = consented.market
    story, world = market.story, market.world
    story.chapter("The patient withdraws: the content is gone, the logs stay whole")
    patient, home = story.folder / "patient", world.harbour.home(ROBOT)
    authority = world.harbour.authority
    story.run(
        *("quipu", "chain", "consent", "withdraw", consented.consent, *world.signed(patient)),
        lines=1,
    )
    erasing = ("quipu", "--home", str(home), "erase", consented.record_id, "--yes")
    story.run(*erasing, "--reason", "consent was withdrawn")
    if list((home / "content").rglob("with-a-patient*.mcap")):
        raise DemoError("the content is still there")
    withdrawing = ("quipu", "offer", "withdraw", consented.offer)
    story.run(*withdrawing, *world.signed(authority), lines=1)
    entry = len(story.ask("--home", str(home), "log", "--all")["entries"]) - 1
    world.anchor(ROBOT, entry + 1)
    story.run(
        *("quipu", "chain", "consent", "report", consented.consent, str(entry)),
        *("--robot", str(home), *world.signed(patient)),
        lines=1,
    )
    _erase_at_the_buyer(consented)
    story.run("quipu", "chain", "query", "consent", consented.consent)
    story.fact("withdrawn", "a patient's recording is gone at both fleets; receipts on the chain")


def _erase_at_the_buyer(consented: Consented) -> None:
    """The buyer finds its notice by a proof, erases, and says so by the grant's key alone."""
    market = consented.market
    story, world = market.story, market.world
    home = world.couriers.home(BUYER)
    shelf = str(market.purchases(BUYER).relative_to(story.folder))
    say(f"Nobody tells {BUYER}, for nobody knows who bought. It looks, and finds a proof:")
    looking = ("--purchases", shelf)
    story.run("quipu", "grant", "notices", *looking)
    (notice,) = story.ask("grant", "notices", *looking)["notices"]
    story.run(
        *("quipu", "--home", f"couriers/homes/{BUYER}", "grant", "erase", notice["grant"]),
        *("--purchases", shelf, "--credential", f"couriers/members/{BUYER}"),
        *world.signed(world.couriers.authority),
    )
    if list((home / "content").rglob("with-a-patient*.mcap")):
        raise DemoError("the buyer still has the content")
    with world.proven() as chain:
        record = chain.read(GrantRecord, grant_key(bytes.fromhex(notice["grant"])))
    if record is None or not record.erased_height:
        raise DemoError("the buyer did not confirm that it erased")


def _drive(market: Market, bag: Path) -> None:
    command = [sys.executable, "-m", "quipu_sim.attempts", str(bag), "--robot", ROBOT]
    command += ["--seconds", str(SECONDS), "--seed", str(SEED)]
    done = subprocess.run(
        command, env=market.story.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoError(f"{ROBOT} could not drive: {done.stderr}")


def _newest(market: Market, home: str, name: str) -> tuple[str, int]:
    """Record id and index of the entry of this name."""
    for entry in market.story.ask("--home", home, "log", "--all")["entries"]:
        if entry["kind"] == "experience" and entry["name"] == name:
            return entry["record_id"], entry["index"]
    raise DemoError(f"there is no entry {name} in {home}")
