"""``quipu chain prove|verify``: receipts that a stranger can check, offline."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.chain.as_json import transaction_json, value_json
from ledger.chain.key_words import describe_key
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.light.trust import NO_WITNESSES, Trust
from ledger.cli.chain_access import chain_option, reading
from ledger.cli.chain_names import parse_id
from ledger.cli.chain_view import json_lines
from ledger.cli.failure import advice
from ledger.cli.files import read_input, write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_time
from ledger.cli.vkeys import read_vkeys
from ledger.cli.witness_policy import read_policy
from ledger.errors import MalformedError


@verb("prove")
@click.argument("transaction")
@click.option("-o", "--output", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@chain_option
def prove(
    invocation: Invocation, transaction: str, output: Path | None, chain_home: Path | None
) -> None:
    """Write the receipt of TRANSACTION: that it is in a block, and what came of it."""
    name = parse_id(transaction, "transaction")
    with reading(chain_home) as access, advice("`quipu chain block HEIGHT` lists transactions"):
        receipt = access.view.receipt(name)
        verified = verify_receipt(receipt, access.trust)
    path = output or Path(f"{transaction[:16]}.receipt")
    write_result(path, receipt)
    checkpoint = verified.signed.checkpoint.checkpoint
    data = {
        "file": str(path),
        "transaction": name.hex(),
        "height": verified.header.height,
        "size": checkpoint.size,
        "bytes": len(receipt),
    }
    invocation.output.text(
        data,
        f"[green]proved[/] transaction of block {verified.header.height} under a checkpoint of "
        f"{checkpoint.size} leaves: [bold]{escape(str(path))}[/]",
    )


@verb("verify")
@click.argument("file", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    help="A verifier key of the chain's operator, or a file with one a line.",
)
@click.option("--id", "chain_id", required=True, metavar="HEX", help="The chain's id.")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    help="Witnesses that must have cosigned (C2SP tlog-policy).",
)
@click.option(
    "--about",
    metavar="HEX",
    help="FILE is an answer of the state about this key, as `quipu chain query` names it.",
)
def verify(
    invocation: Invocation,
    file: Path,
    keys: tuple[str, ...],
    chain_id: str,
    policy_file: Path | None,
    about: str | None,
) -> None:
    """Check the receipt, or with --about the answer, in FILE. Needs no chain and no network."""
    data = read_input(file, "a receipt")
    policy = read_policy(policy_file) if policy_file else NO_WITNESSES
    with advice("give the operator's keys, and the chain's id"):
        trust = Trust(parse_id(chain_id, "chain"), read_vkeys(keys), policy)
    hint = "check keys and chain id; if they are right, do not rely on this claim"
    if about is not None:
        _answer(invocation, file, data, trust, _key(about), hint)
        return
    with advice(hint, about=file):
        verified = verify_receipt(data, trust)
    document = transaction_json(verified.transaction, verified.result)
    result = {
        "checked": "receipt",
        "origin": trust.origin,
        "height": verified.header.height,
        "time_ns": verified.header.time_ns,
        "carried_out": verified.carried_out,
        **document,
    }
    shown = {name: value for name, value in document.items() if name != "transaction"}
    invocation.output.text(
        result,
        f"[bold green]verified[/] transaction {document['transaction']}: in block "
        f"{verified.header.height} of [bold]{escape(trust.origin)}[/], "
        f"{human_time(verified.header.time_ns)}",
        *(escape(line) for line in json_lines(shown)),
    )


def _answer(
    invocation: Invocation, file: Path, data: bytes, trust: Trust, key: bytes, hint: str
) -> None:
    with advice(hint, about=file):
        verified = verify_answer(data, key, trust)
        value = None if verified.value is None else value_json(key, verified.value)
    result = {
        "checked": "answer",
        "origin": trust.origin,
        "height": verified.header.height,
        "time_ns": verified.header.time_ns,
        "what": describe_key(key),
        "found": value is not None,
        "value": value,
    }
    says = "there is" if value is not None else "there is no"
    invocation.output.text(
        result,
        f"[bold green]verified[/] answer: after block {verified.header.height} of "
        f"[bold]{escape(trust.origin)}[/] {says} {escape(describe_key(key))}",
        *(escape(line) for line in json_lines(value or {})),
    )


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if not key:
        raise MalformedError(
            f"{text[:40]!r} is no key of a state", hint="give what `quipu chain query --json` says"
        )
    return key
