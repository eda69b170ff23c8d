"""``quipu model``: what a robot's models were trained on, in its log and on a chain."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from ledger.chain.ids import model_id
from ledger.cli.chain_access import chain_option, reading, working
from ledger.cli.chain_names import parse_fleet, parse_id
from ledger.cli.chain_submit import (
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    where,
)
from ledger.cli.lineage import record_of, trades_of
from ledger.cli.lineage_view import model_json
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, short, table
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.ingest import IngestOptions, ingest
from ledger.experience.kinds import Tag
from ledger.experience.provenance import record_training
from ledger.experience.readers import read_recording
from ledger.home import existing_home, open_home
from ledger.lineage.chain_facts import ChainFacts
from ledger.lineage.chain_lineage import model_on_chain
from ledger.lineage.home_lineage import lineage_of
from ledger.lineage.registration import registration_of
from ledger.memory.borrowing import borrow_home
from ledger.schema.chain_learning_pb2 import WithdrawModel


@click.group("model")
def command() -> None:
    """Models, and what they were trained on."""


@verb("add")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--name", required=True, help="What the model is called.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    required=True,
    metavar="ENTRY",
    help="What it was trained on: an index, or the start of a record id; repeatable.",
)
def add(invocation: Invocation, file: Path, name: str, inputs: tuple[str, ...]) -> None:
    """Commit the model in FILE to the log, and what it was trained on.

    Recordings of the robot, what it bought, and other models may all be inputs.
    """
    existing_home(invocation.home)
    recordings = list(read_recording(file, force_opaque=True))
    if len(recordings) != 1:
        raise RefusedError(f"{file} is {len(recordings)} recordings; a model is one file")
    with borrow_home(invocation.home) as home:
        # An input that is none is said before anything is committed.
        found = sorted({record_of(home, each) for each in inputs})
        options = IngestOptions(tags=(Tag("kind", "model"),))
        receipt = ingest(home.experiences, recordings[0], options)
        trained = record_training(home.experiences, receipt.record_id, name, found)
    invocation.output.text(
        {
            "index": receipt.index,
            "record_id": receipt.record_id.hex(),
            "content_root": receipt.content_root.hex(),
            "trained": list(trained),
            "inputs": [record_id.hex() for record_id in found],
        },
        f"[green]committed[/] model {escape(name)}, entry {receipt.index},"
        f" trained on {len(found)} record(s)",
        f"next: quipu lineage {receipt.index}",
    )


@verb("register")
@click.argument("entry")
@click.option("--name", help="What it is called there [as in the log].")
@transaction_options
def register(
    invocation: Invocation,
    entry: str,
    name: str | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Register the model ENTRY for the robot's fleet, whose authority's wallet signs.

    Named are its content root, the leaf hashes of the fleet's own entries that it came from,
    and the grants under which the rest was bought; not the robot.
    """
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work, open_home(invocation.home) as home:
        facts = ChainFacts(work.chain, work)
        fleet = facts.fleet_of(home.log.origin)
        if not fleet:
            raise NotFoundError(
                f"the chain knows no robot {home.log.origin}",
                hint="quipu chain fleet register makes it known",
            )
        lineage = lineage_of(home.experiences, record_of(home, entry))
        model = home.experiences.record(lineage.root)
        message = registration_of(
            lineage,
            work.chain,
            fleet,
            name or lineage.nodes[lineage.root].model_name,
            model.experience.content_size,
        )
        included = carry_out(work, wallet, message, Terms(fee))
    made = model_id(work.chain, fleet, message.content_root)
    invocation.output.text(
        {
            **inclusion_json(included),
            "model": made.hex(),
            "inputs": [leaf.hex() for leaf in message.inputs],
            "grants": [grant.hex() for grant in message.grants],
        },
        f"[green]registered[/] {escape(message.name)}, model [bold]{made.hex()}[/]",
        f"trained on {len(message.inputs)} own entries, and under {len(message.grants)} grants",
        where(included),
    )


@verb("withdraw")
@click.argument("model_hex", metavar="MODEL")
@transaction_options
def withdraw(
    invocation: Invocation,
    model_hex: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Say for good that MODEL, by its id on the chain, is not used any more."""
    name = parse_id(model_hex, "model")
    with working(chain_home) as work:
        message = WithdrawModel(model=name)
        included = carry_out(work, open_wallet(wallet_folder), message, Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "model": name.hex()},
        f"[green]withdrawn[/] {name.hex()}: {where(included)}",
    )


@verb("list")
@click.argument("fleet")
@chain_option
def list_(invocation: Invocation, fleet: str, chain_home: Path | None) -> None:
    """List the models that FLEET has registered."""
    with reading(chain_home) as access:
        facts = ChainFacts(access.chain, access)
        names = trades_of(access).models_of(parse_fleet(fleet, access.chain))
        models = [each for name in names if (each := model_on_chain(facts, name)) is not None]

    def show(console: Console) -> None:
        if not models:
            console.print("no model is registered")
            return
        rows = table("model", "name", "block", "own", "grants", "withdrawn")
        for found in models:
            record = found.record
            rows.add_row(
                short(found.model),
                escape(record.name),
                str(record.height),
                str(len(record.inputs)),
                str(len(record.grants)),
                f"block {record.withdrawn_height}" if record.withdrawn_height else "-",
            )
        console.print(rows)

    invocation.output.result({"models": [model_json(found) for found in models]}, show)


for _each in (add, register, withdraw, list_):
    command.add_command(_each)
