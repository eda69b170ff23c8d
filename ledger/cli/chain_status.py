"""``quipu chain status|block|tx|query``: look at a chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.chain.as_json import code_name, header_json, transaction_json, value_json
from ledger.chain.codes import RefusalError
from ledger.chain.key_words import describe_key
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.result import Result
from ledger.chain.state_keys import asset_key
from ledger.chain.transaction import parse_transaction
from ledger.checkpoint import Checkpoint
from ledger.cli.chain_access import ChainAccess, chain_option, reading
from ledger.cli.chain_names import asset_of, money, parse_id, parse_query
from ledger.cli.chain_view import json_lines
from ledger.cli.failure import advice
from ledger.cli.files import write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_time
from ledger.errors import LedgerError
from ledger.schema.chain_payment_pb2 import AssetRecord

_WAIT = "a new chain must make a block first: quipu chain serve"


@verb("status")
@chain_option
def status(invocation: Invocation, chain_home: Path | None) -> None:
    """Show where a chain stands, and its assets."""
    with reading(chain_home) as access:
        info = access.view.info()
        checkpoint = _checkpoint(access)
        assets = []
        with advice(_WAIT):
            for asset in access.genesis.message.assets:
                record = access.read(AssetRecord, asset_key(asset.id))
                minted = record.minted if record else 0
                assets.append((asset, minted))
        vkeys = [vkey.encode() for vkey in access.trust.log_keys]
    data = {
        "origin": info.origin,
        "chain": info.chain.hex(),
        "height": info.height,
        "time_ns": info.time_ns,
        "app_hash": info.app_hash.hex(),
        "log_size": info.log_size,
        "checkpoint_size": checkpoint.size if checkpoint else None,
        "served": access.served,
        "vkeys": vkeys,
        "min_fee": access.genesis.parameters.min_fee,
        "treasury": access.genesis.parameters.treasury.hex(),
        "assets": [
            {
                "id": asset.id,
                "symbol": asset.symbol,
                "decimals": asset.decimals,
                "minted": minted,
            }
            for asset, minted in assets
        ],
    }
    fee = money(access.genesis.parameters.min_fee, access.genesis.message.assets[0])
    signed = f"{checkpoint.size} leaves" if checkpoint else "none"
    invocation.output.text(
        data,
        f"[bold]{escape(info.origin)}[/]  block {info.height}, {info.log_size} leaves,"
        f" {human_time(info.time_ns)}",
        f"chain id: {info.chain.hex()}",
        f"checkpoint: {signed}",
        f"engine: {'serves' if access.served else 'none'}",
        *(f"{escape(asset.symbol)}: {money(minted, asset)} minted" for asset, minted in assets),
        f"least fee: {fee}",
    )


def _checkpoint(access: ChainAccess) -> Checkpoint | None:
    try:
        return access.trust.open(access.view.checkpoint()).checkpoint
    except LedgerError:
        return None


@verb("block")
@click.argument("height", type=click.IntRange(min=1, max=2**63 - 1))
@chain_option
def block(invocation: Invocation, height: int, chain_home: Path | None) -> None:
    """Show the block at HEIGHT: its header, its transactions, what came of them."""
    with reading(chain_home) as access, advice("`quipu chain status` shows the newest block"):
        found = access.view.block(height)
    rows = []
    for encoded, result in zip(found.transactions, found.results, strict=True):
        rows.append(_transaction(access.chain, encoded, Result.parse(result)))
    header = header_json(found.header)

    def show(console: Console) -> None:
        console.print(
            f"[bold]block {height}[/]  {human_time(found.header.time_ns)}, "
            f"{len(rows)} transaction(s)",
            soft_wrap=True,
        )
        console.print(f"hash {header['hash']}\nstate root {header['state_root']}", soft_wrap=True)
        for row in rows:
            signer = f" by {row['signer'][:8]}" if "signer" in row else ""
            console.print(
                f"{row['transaction']} {row.get('action', 'nothing')}{signer}: {row['result']}",
                soft_wrap=True,
            )

    invocation.output.result({"block": header, "transactions": rows}, show)


def _transaction(chain: bytes, encoded: bytes, result: Result) -> dict[str, Any]:
    try:
        return transaction_json(parse_transaction(chain, encoded), result)
    except RefusalError:
        # What is in a block need not be a transaction.
        name = leaf_id(LeafKind.TRANSACTION, encoded)
        return {"transaction": name.hex(), "result": code_name(result.code)}


@verb("tx")
@click.argument("transaction")
@chain_option
def tx(invocation: Invocation, transaction: str, chain_home: Path | None) -> None:
    """Show a transaction, by its id: what it asked for and what came of it, proof checked."""
    name = parse_id(transaction, "transaction")
    with reading(chain_home) as access, advice("`quipu chain block HEIGHT` lists transactions"):
        verified = verify_receipt(access.view.receipt(name), access.trust)
    document = transaction_json(verified.transaction, verified.result)
    data = {"height": verified.header.height, "time_ns": verified.header.time_ns, **document}
    shown = {name: value for name, value in data.items() if name not in ("transaction", "time_ns")}
    invocation.output.text(
        data,
        f"[bold]transaction[/] {document['transaction']}",
        *(escape(line) for line in json_lines(shown)),
    )


@verb("query")
@click.argument("words", nargs=-1, required=True, metavar="WHAT...")
@click.option(
    "--at",
    "height",
    type=click.IntRange(min=1, max=2**63 - 1),
    help="As it was after this block, if that is still kept.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    help="Write the answer with its proof to this file.",
)
@chain_option
def query(
    invocation: Invocation,
    words: tuple[str, ...],
    height: int | None,
    output: Path | None,
    chain_home: Path | None,
) -> None:
    """Ask the state, and check the proof of its answer, also that there is nothing.

    \b
    quipu chain query account ACCOUNT     robot ORIGIN      fleet NAME
    quipu chain query asset SYMBOL        anchor ORIGIN     channel ID
    quipu chain query cap ACCOUNT ASSET   key KEY           consent ID
    quipu chain query contract ID         offer ID          terms CONTRACT VERSION
    quipu chain query grant ID            sale ID           nullifier HEX
    quipu chain query model ID            withdrawn ORIGIN RECORD
    quipu chain query anonymous-fees FLEET                  parameters
    quipu chain query governors
    """
    with reading(chain_home) as access:
        with advice(_WAIT):
            key = parse_query(access, words)
            answer = access.view.answer(key, height)
            verified = verify_answer(answer, key, access.trust)
        value = None if verified.value is None else value_json(key, verified.value)
        shown = dict(value or {})
        if value is not None and "holdings" in value:
            shown["holdings"] = [
                money(amount, asset_of(access, int(n))) for n, amount in value["holdings"].items()
            ]
    if output is not None:
        write_result(output, answer)
    data = {
        "key": key.hex(),
        "what": describe_key(key),
        "height": verified.header.height,
        "time_ns": verified.header.time_ns,
        "found": value is not None,
        "value": value,
        "file": str(output) if output else None,
    }
    found = "" if value is not None else ": nothing, and that is proven"
    invocation.output.text(
        data,
        f"[bold]{escape(describe_key(key))}[/] at block {verified.header.height}{found}",
        *(escape(line) for line in json_lines(shown)),
        *([f"[green]wrote[/] {escape(str(output))}"] if output else []),
    )
