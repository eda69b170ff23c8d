"""``quipu chain``: a settlement chain on this machine."""

from __future__ import annotations

import click

from ledger.cli.lazy_group import LazyGroup

_VERBS = {
    "init": "ledger.cli.chain_init:init",
    "serve": "ledger.cli.chain_serve:serve",
    "status": "ledger.cli.chain_status:status",
    "block": "ledger.cli.chain_status:block",
    "tx": "ledger.cli.chain_status:tx",
    "query": "ledger.cli.chain_status:query",
    "prove": "ledger.cli.chain_prove:prove",
    "verify": "ledger.cli.chain_prove:verify",
    "snapshot": "ledger.cli.chain_snapshot:snapshot",
    "replay": "ledger.cli.chain_replay:replay",
    "mint": "ledger.cli.chain_mint:mint",
    "new-asset": "ledger.cli.chain_mint:new_asset",
    "fleet": "ledger.cli.chain_fleet:fleet",
    "anchor": "ledger.cli.chain_anchor:anchor",
    "report-fork": "ledger.cli.chain_anchor:report_fork",
    "prune": "ledger.cli.chain_prune:prune",
    "consent": "ledger.cli.chain_consent:consent",
}


@click.group("chain", cls=LazyGroup, verbs=_VERBS)
def command() -> None:
    """Make a settlement chain, run it, and ask it with proofs.

    Without --chain it is the one in QUIPU_CHAIN, else ~/.quipu-chain. What changes a
    chain goes to the engine that serves it, or is done here where none does.
    """
