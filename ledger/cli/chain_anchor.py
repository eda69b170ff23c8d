"""``quipu chain anchor|report-fork``: robots' logs on the chain."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.chain.state_keys import anchor_key
from ledger.checkpoint import Checkpoint
from ledger.cli.chain_access import chain_option, working
from ledger.cli.chain_robot import (
    funds_hint,
    robot_home,
    robot_option,
    sponsor_option,
    sponsored,
)
from ledger.cli.chain_submit import (
    KeySigner,
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    where,
)
from ledger.cli.failure import advice
from ledger.cli.files import read_input
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.errors import RefusedError
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint, AnchorRecord, ReportFork
from ledger.witnessing.evidence import ForkClaim


@verb("anchor")
@robot_option
@click.option("--fee", help="What to pay for it [the least there is].")
@sponsor_option
@click.option(
    "--wallet",
    "wallet_folder",
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    help="Let this wallet bring it, and not the robot's own key.",
)
@chain_option
def anchor(
    invocation: Invocation,
    robot: Path | None,
    fee: str | None,
    sponsor: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Anchor the newest checkpoint of a robot's log, however long ago the last one was."""
    with working(chain_home) as work, robot_home(robot or invocation.home) as found:
        note = found.home.log.latest_checkpoint()
        if note is None:
            raise RefusedError(
                f"{found.origin} has signed no checkpoint", hint="quipu checkpoint makes one"
            )
        size = Checkpoint.of_note(note).size
        anchored = work.read(AnchorRecord, anchor_key(found.origin))
        before = anchored.size if anchored else 0
        if before >= size:
            raise RefusedError(
                f"{before} entries of {found.origin} are anchored, its checkpoint has {size}",
                hint="quipu checkpoint signs what came since",
            )
        proof = found.home.log.prove_consistency(before, size) if before else ()
        signer = open_wallet(wallet_folder) if wallet_folder else KeySigner(found.keys[-1])
        terms = sponsored(fee, sponsor, work.chain)
        message = AnchorCheckpoint(note=note, proof=proof)
        included = carry_out(work, signer, message, terms, funds_hint(signer, terms))
    invocation.output.text(
        {**inclusion_json(included), "origin": found.origin, "size": size, "before": before},
        f"[green]anchored[/] {size} entries of {escape(found.origin)}: {where(included)}",
    )


@verb("report-fork")
@click.argument("file", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@transaction_options
def report_fork(
    invocation: Invocation,
    file: Path,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Bring evidence that a robot's log forked, which freezes the robot.

    FILE is what `quipu witness evidence` writes.
    """
    data = read_input(file, "evidence of a fork")
    with advice("give what `quipu witness evidence` wrote", about=file):
        origin = Checkpoint.of_note(ForkClaim.parse(data).first).origin
    with working(chain_home) as work:
        included = carry_out(
            work, open_wallet(wallet_folder), ReportFork(evidence=data), Terms(fee)
        )
    invocation.output.text(
        {**inclusion_json(included), "origin": origin},
        f"[bold red]frozen[/] {escape(origin)}: {where(included)}",
    )
