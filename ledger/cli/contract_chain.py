"""``quipu contract deploy|amend|withdraw``: contracts on a chain, by a fleet's authority."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.chain.ids import contract_id
from ledger.chain.state_keys import contract_key
from ledger.cli.chain_access import working
from ledger.cli.chain_names import parse_fleet
from ledger.cli.chain_submit import (
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    where,
)
from ledger.cli.contract_folder import ContractFolder, read_folder
from ledger.cli.contract_list import find_contract
from ledger.cli.contract_terms import terms_message
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.errors import NotFoundError, RefusedError
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    ContractRecord,
    DeployContract,
    WithdrawContract,
)

_folder = click.argument("folder", type=click.Path(path_type=Path, readable=False, file_okay=False))


@verb("deploy")
@_folder
@click.option("--fleet", required=True, help="Whose recordings it is about; its authority signs.")
@transaction_options
def deploy(
    invocation: Invocation,
    folder: Path,
    fleet: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Put the contract in FOLDER on the chain, once its examples come to what they must."""
    contract = _good(folder)
    wallet = open_wallet(wallet_folder)
    sequences: list[int] = []
    with working(chain_home) as work:
        terms = terms_message(work, contract.terms)

        def message(sequence: int) -> DeployContract:
            sequences.append(sequence)
            return DeployContract(
                fleet=parse_fleet(fleet, work.chain),
                name=contract.terms.name,
                policy=contract.policy.text,
                terms=terms,
            )

        included = carry_out(work, wallet, message, Terms(fee))
        made = contract_id(work.chain, wallet.account, sequences[0])
    invocation.output.text(
        {**inclusion_json(included), "contract": made.hex(), "version": 1},
        f"[green]deployed[/] {escape(contract.terms.name)}, contract [bold]{made.hex()}[/]",
        where(included),
        f"[dim]next: quipu offer post ENTRY --contract {made.hex()[:8]}[/]",
    )


@verb("amend")
@click.argument("contract_hex", metavar="CONTRACT")
@_folder
@transaction_options
def amend(
    invocation: Invocation,
    contract_hex: str,
    folder: Path,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Make what FOLDER says the next version of CONTRACT.

    What was granted before stays under the version it was granted under.
    """
    contract = _good(folder)
    with working(chain_home) as work:
        name = find_contract(work, contract_hex)
        message = AmendContract(
            contract=name,
            policy=contract.policy.text,
            terms=terms_message(work, contract.terms),
        )
        included = carry_out(work, open_wallet(wallet_folder), message, Terms(fee))
        record = work.read(ContractRecord, contract_key(name))
    if record is None:
        raise NotFoundError(f"no contract {name.hex()}", hint="quipu chain query contract ID")
    invocation.output.text(
        {**inclusion_json(included), "contract": name.hex(), "version": record.version},
        f"[green]amended[/] {name.hex()}, now version {record.version}: {where(included)}",
    )


@verb("withdraw")
@click.argument("contract_hex", metavar="CONTRACT")
@transaction_options
def withdraw(
    invocation: Invocation,
    contract_hex: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Withdraw CONTRACT for good: nothing is offered or granted under it any more."""
    with working(chain_home) as work:
        name = find_contract(work, contract_hex)
        message = WithdrawContract(contract=name)
        included = carry_out(work, open_wallet(wallet_folder), message, Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "contract": name.hex()},
        f"[green]withdrawn[/] {name.hex()}: {where(included)}",
    )


def _good(folder: Path) -> ContractFolder:
    """A contract whose examples hold. Raises RefusedError for one whose do not."""
    contract = read_folder(folder)
    failing = contract.failing()
    if failing:
        raise RefusedError(
            f"{len(failing)} of its examples come to something else, first: {failing[0].name}",
            hint=f"quipu contract test {folder}",
        )
    return contract
