"""``quipu contract list``, and how people name a contract that is on a chain.

The blocks' events say which contracts there are; what is shown of one is read from the state,
its proof checked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from ledger.chain.fleets import fleet_id
from ledger.chain.state_keys import contract_key, fleet_key
from ledger.cli.chain_access import ChainAccess, chain_option, reading
from ledger.cli.chain_events import subjects
from ledger.cli.chain_names import parse_id
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, table
from ledger.errors import MalformedError, NotFoundError
from ledger.schema.chain_identity_pb2 import FleetRecord
from ledger.schema.chain_pb2 import EVENT_KIND_CONTRACT_DEPLOYED
from ledger.schema.chain_sharing_pb2 import ContractRecord

_BEGINNING: Final = re.compile("[0-9a-fA-F]{4,63}")


def find_contract(access: ChainAccess, text: str) -> bytes:
    """The id of a contract, by all or the first of its hexadecimal digits, four or more.

    Raises MalformedError for what is no such digits, or begins several ids; NotFoundError.
    """
    if not _BEGINNING.fullmatch(text):
        return parse_id(text, "contract")
    found = [each for each in _deployed(access) if each.hex().startswith(text.lower())]
    if not found:
        raise NotFoundError(f"no contract begins with {text}", hint="`quipu contract list`")
    if len(found) > 1:
        raise MalformedError(f"{len(found)} contracts begin with {text}", hint="write more of it")
    return found[0]


@verb("list")
@click.option("--fleet", help="Only those about this fleet's recordings.")
@chain_option
def list_(invocation: Invocation, fleet: str | None, chain_home: Path | None) -> None:
    """List the contracts on a chain, the oldest first."""
    with reading(chain_home) as access:
        rows = [_row(access, each) for each in _deployed(access)]
        wanted = None if fleet is None else fleet_id(access.chain, fleet).hex()
    rows = [row for row in rows if wanted in (None, row["fleet_id"])]

    def show(console: Console) -> None:
        if not rows:
            console.print("no contract was deployed: quipu contract deploy")
            return
        shown = table("contract", "name", "fleet", "version", "")
        for row in rows:
            gone = f"withdrawn in block {row['withdrawn_height']}"
            shown.add_row(
                row["contract"][:8],
                escape(row["name"]),
                escape(row["fleet"]),
                str(row["version"]),
                gone if row["withdrawn_height"] else "",
            )
        console.print(shown)

    invocation.output.result({"contracts": rows}, show)


def _row(access: ChainAccess, contract: bytes) -> dict[str, Any]:
    record = access.read(ContractRecord, contract_key(contract))
    if record is None:
        raise NotFoundError(
            f"the chain has no contract {contract.hex()}, and a block that says so",
            hint="quipu audit --chain",
        )
    fleet = access.read(FleetRecord, fleet_key(record.fleet))
    return {
        "contract": contract.hex(),
        "name": record.name,
        "fleet": fleet.name if fleet is not None else "",
        "fleet_id": record.fleet.hex(),
        "version": record.version,
        "withdrawn_height": record.withdrawn_height,
    }


def _deployed(access: ChainAccess) -> list[bytes]:
    """The ids of all contracts, the oldest first."""
    return [contract for contract, _ in subjects(access, EVENT_KIND_CONTRACT_DEPLOYED)]
