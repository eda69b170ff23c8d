"""``quipu chain``: a settlement chain on this machine."""

from __future__ import annotations

import click

from ledger.cli.chain_anchor import anchor, report_fork
from ledger.cli.chain_consent import consent
from ledger.cli.chain_fleet import fleet
from ledger.cli.chain_init import init
from ledger.cli.chain_mint import mint, new_asset
from ledger.cli.chain_prove import prove, verify
from ledger.cli.chain_replay import replay
from ledger.cli.chain_serve import serve
from ledger.cli.chain_snapshot import snapshot
from ledger.cli.chain_status import block, query, status, tx


@click.group("chain")
def command() -> None:
    """Make a settlement chain, run it, and ask it with proofs.

    Without --chain it is the one in QUIPU_CHAIN, else ~/.quipu-chain. What changes a
    chain goes to the engine that serves it, or is done here where none does.
    """


_VERBS: tuple[click.Command, ...] = (
    init,
    serve,
    status,
    block,
    tx,
    query,
    prove,
    verify,
    snapshot,
    replay,
    mint,
    new_asset,
    fleet,
    anchor,
    report_fork,
    consent,
)
for _each in _VERBS:
    command.add_command(_each)
