"""``quipu chain init``: make a chain."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.machine.home import ChainPaths
from ledger.chain.machine.writer import create_chain
from ledger.cli.chain_access import LIBRARY, chain_option, chain_root
from ledger.cli.chain_genesis import GenesisPlan, parse_allocation, parse_asset, read_plan
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.errors import RefusedError
from ledger.storage.os_errors import storage_errors
from ledger.wallet.wallet import Wallet

_OWN: frozenset[str] = frozenset({"keys", "log", "log.new"})
_FIRST_BLOCK_S = 60.0


@verb("init")
@chain_option
@click.option(
    "--genesis",
    "file",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    help="A YAML or JSON file that says how the chain begins; options go before it.",
)
@click.option("--origin", help="The name of the chain's log [quipu/settlement].")
@click.option("--min-fee", help="The least fee, in the first asset [1 unit].")
@click.option("--treasury", metavar="ACCOUNT", help="Where fees go [the governor's account].")
@click.option(
    "--asset",
    "assets",
    multiple=True,
    metavar="SYMBOL:DECIMALS",
    help="An asset; the first one pays fees [QPU:6].",
)
@click.option(
    "--governor",
    "governors",
    multiple=True,
    metavar="ACCOUNT",
    help="Who may mint [one, whose wallet is made].",
)
@click.option(
    "--threshold",
    type=click.IntRange(min=1),
    help="How many governors it takes [all of them].",
)
@click.option(
    "--allocate",
    "allocations",
    multiple=True,
    metavar="ACCOUNT=AMOUNT[:SYMBOL]",
    help="What an account has at the start [1,000,000 for the treasury].",
)
def init(
    invocation: Invocation,
    chain_home: Path | None,
    file: Path | None,
    origin: str | None,
    min_fee: str | None,
    treasury: str | None,
    assets: tuple[str, ...],
    governors: tuple[str, ...],
    threshold: int | None,
    allocations: tuple[str, ...],
) -> None:
    """Make a chain: its genesis, its operator's key, and its first block.

    Where no governor or treasury is named, a wallet is made for one, in the chain's
    home: quipu wallet balance --wallet CHAIN/keys/governor.
    """
    root = chain_root(chain_home)
    plan = read_plan(file) if file else GenesisPlan()
    if origin is not None:
        plan = replace(plan, origin=origin)
    if min_fee is not None:
        plan = replace(plan, min_fee=min_fee)
    if treasury is not None:
        plan = replace(plan, treasury=treasury)
    if assets:
        plan = replace(plan, assets=tuple(map(parse_asset, assets)))
    if governors:
        plan = replace(plan, governors=governors)
    if threshold is not None:
        plan = replace(plan, threshold=threshold)
    if allocations:
        given = tuple(parse_allocation(each, plan.assets) for each in allocations)
        plan = replace(plan, allocations=given)
    _require_room(root)
    with advice("correct what the chain is to begin with"):
        # A genesis that cannot be is refused before anything is made.
        plan.genesis(time.time_ns(), _SOME_KEY)
        wallet = _governor(root) if plan.needs_governor else None
        genesis = plan.genesis(time.time_ns(), wallet.account if wallet else None)
        vkey = create_chain(root, genesis)
    with EmbeddedEngine.open(root, LIBRARY) as engine:
        engine.events(1, _FIRST_BLOCK_S)  # without a block nothing can be proven
    lines = [
        f"[green]made[/] {escape(str(root))}, the chain [bold]{escape(genesis.origin)}[/]",
        f"chain id: [bold]{genesis.chain.hex()}[/]",
        f"operator's verifier key, to publish: [bold]{escape(vkey.encode())}[/]",
    ]
    if wallet is not None:
        lines.append(f"governor's wallet: {escape(str(wallet.root))}")
        lines.append(f"governor's account: {wallet.account.hex()}")
    lines.append("[dim]next: quipu wallet new, quipu chain serve[/]")
    invocation.output.text(
        {
            "chain_home": str(root),
            "origin": genesis.origin,
            "chain": genesis.chain.hex(),
            "vkey": vkey.encode(),
            "governor_wallet": str(wallet.root) if wallet else None,
            "governor": wallet.account.hex() if wallet else None,
        },
        *lines,
    )


# A key that no one has: the base point, which names no account of anybody's.
_SOME_KEY = bytes.fromhex("58" + "66" * 31)


def _require_room(root: Path) -> None:
    if ChainPaths(root).exists:
        raise RefusedError(f"{root} has a chain already", hint="choose another --chain")
    with storage_errors(root):
        if root.exists() and {child.name for child in root.iterdir()} - _OWN:
            raise RefusedError(f"{root} is not empty", hint="choose another --chain")


def _governor(root: Path) -> Wallet:
    folder = root / "keys" / "governor"
    if (folder / "key").is_file():  # an earlier attempt got this far
        return Wallet.open(folder)
    with storage_errors(root):
        for each in (root, root / "keys"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Wallet.create(folder)
