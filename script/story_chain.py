"""The chapters about the settlement chain: anchors, a frozen thief, a channel, and an audit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from story import DemoError, Story, console, say

from ledger.chain.machine.block_rows import newest_header
from ledger.chain.machine.home import open_chain
from ledger.wallet.payee import PayeeOpen
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import Wallet

PAYMENTS = 400
PRICE = 10_000  # a hundredth of a QPU
ALLOWANCE = "20"
DEPOSIT = "10"


@dataclass(frozen=True)
class Settlement:
    """A chain that nobody serves now, and the wallet that speaks for the fleet on it."""

    chain: Path
    authority: Path
    fleet: str


def settle_alone(story: Story, home: Path, origin: str) -> Settlement:
    """Without ROS: a chain by hand, one robot on it, and its checkpoint anchored."""
    story.chapter("Its checkpoint is anchored on a chain")
    chain = story.folder / "settlement"
    at = ("--chain", chain.name)
    story.run("quipu", "chain", "init", *at, lines=4)
    settlement = Settlement(chain, chain / "keys" / "governor", "yard")
    signed = (*at, "--wallet", str(settlement.authority))
    story.run("quipu", "chain", "fleet", "create", "yard", *signed)
    story.run("quipu", "chain", "fleet", "register", "yard", "--robot", str(home), *signed)
    story.run("quipu", "wallet", "pay", "pool:yard", "100", *signed)
    story.run("quipu", "chain", "fleet", "sponsor", "yard", "1", *signed)
    anchor = ("quipu", "chain", "anchor", "--robot", str(home), "--sponsor", "yard", *at)
    story.run(*anchor)
    story.run("quipu", "chain", "query", "anchor", origin, *at)
    story.fact("anchored", "the robot's checkpoint, on a chain that anybody can replay")
    return settlement


def show_anchors(story: Story, settlement: Settlement, origins: Sequence[str], thief: str) -> None:
    """What the robots have anchored by themselves, and what became of the thief."""
    story.chapter("The chain has their anchors, and has frozen the thief")
    at = ("--chain", str(settlement.chain))
    story.run("quipu", "chain", "status", *at)
    for origin in origins:
        story.run("quipu", "chain", "query", "anchor", origin, *at)
    say("The witnesses brought it the two histories. Nobody's word was needed:")
    story.run("quipu", "chain", "query", "robot", thief, *at, lines=12)
    known = story.ask("chain", "query", "robot", thief, *at)
    if "FROZEN" not in str(known).upper():
        raise DemoError(f"{thief} is not frozen: {known}")
    story.fact("anchored", f"{len(origins)} logs by their robots themselves; the forger is frozen")


def pay_by_the_piece(story: Story, settlement: Settlement, payer: str, payee: str) -> None:
    """A channel between two robots: two transactions, and hundreds of payments between them."""
    story.chapter(f"{payer} pays {payee} by the piece, without asking the chain each time")
    at = ("--chain", str(settlement.chain))
    wallets = {name: story.folder / "wallets" / name for name in (payer, payee)}
    accounts = {}
    for name, folder in wallets.items():
        accounts[name] = str(story.ask("wallet", "new", "--wallet", str(folder))["account"])
        story.run(
            *("quipu", "chain", "fleet", "pay", settlement.fleet, accounts[name], ALLOWANCE),
            *("--wallet", str(settlement.authority), *at),
        )
    paying, paid = (("--wallet", str(wallets[name]), *at) for name in (payer, payee))
    _show_balances(story, wallets, at)
    opened = story.run("quipu", "channel", "open", accounts[payee], DEPOSIT, *paying)
    channel = opened.partition("opened channel ")[2].split()[0]
    say(f"{DEPOSIT} QPU are set aside. {payer} makes the first payment:")
    story.run("quipu", "channel", "pay", channel, "0.01", "-o", "claim.txt", *paying)
    story.run("quipu", "channel", "accept", "claim.txt", *paid)
    took_s = _pay_on(settlement.chain, wallets[payer], wallets[payee], bytes.fromhex(channel))
    say(
        f"... and {PAYMENTS - 1} more, each signed, checked, and durable at both ends:"
        f" {PAYMENTS / took_s:,.0f} a second. The chain hears of none of them."
    )
    story.run("quipu", "channel", "close", channel, *paid)
    _show_balances(story, wallets, at)
    earned = _units(story, wallets[payee], at) - _units(story, wallets[payer], at)
    # Both had the same; the payee has what the payer lacks, and each paid one fee.
    if earned != 2 * PAYMENTS * PRICE:
        raise DemoError(f"{payee} has {earned} more than {payer}")
    story.fact("paid", f"{PAYMENTS} payments from {payer} to {payee} for two transactions")


def audit_chain(story: Story, settlement: Settlement, homes: Sequence[Path]) -> None:
    """Every signature, every rule, every unit of money, and the robots' logs."""
    story.chapter("The chain is audited as robots are: all of it carried out again")
    robots = [word for home in homes for word in ("--robot", str(home))]
    story.run("quipu", "audit", "--chain", str(settlement.chain), *robots)
    story.fact("settled", "every transaction replayed, all money accounted for")


def _pay_on(chain: Path, payer: Path, payee: Path, channel: bytes) -> float:
    with open_chain(chain) as home, home.storage.read() as transaction:
        header = newest_header(transaction)
    if header is None:
        raise DemoError("the chain has no block")
    paying, paid = Wallet.open(payer).payer(channel), Wallet.open(payee).payee(channel)
    try:
        if not isinstance(paying, PayerOpen) or not isinstance(paid, PayeeOpen):
            raise DemoError("the channel is not open at both ends")
        began = time.perf_counter()
        with console.status("[dim]paying[/]"):
            for _ in range(PAYMENTS - 1):
                paid.accept(paying.pay(PRICE), header.height)
        return time.perf_counter() - began
    finally:
        paying.release()
        paid.release()


def _show_balances(story: Story, wallets: dict[str, Path], at: tuple[str, ...]) -> None:
    for folder in wallets.values():
        story.run("quipu", "wallet", "balance", "--wallet", str(folder), *at)


def _units(story: Story, wallet: Path, at: tuple[str, ...]) -> int:
    (held,) = story.ask("wallet", "balance", "--wallet", str(wallet), *at)["holdings"]
    return int(held["units"])
