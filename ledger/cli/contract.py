"""``quipu contract``: write a sharing contract, understand it, try it, put it on a chain."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ledger.chain.policy import read_policy
from ledger.chain.state_keys import contract_key, contract_version_key
from ledger.cli.chain_access import chain_option, reading
from ledger.cli.contract_chain import amend, deploy, withdraw
from ledger.cli.contract_folder import TEMPLATES, Expectation, read_folder, write_template
from ledger.cli.contract_list import find_contract, list_
from ledger.cli.contract_terms import terms_text
from ledger.cli.contract_words import ContractWords
from ledger.cli.exit_code import ExitCode
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.errors import NotFoundError
from ledger.schema.chain_sharing_pb2 import ContractRecord, ContractVersion

_ID = re.compile("[0-9a-f]{4,64}")


@click.group("contract")
def command() -> None:
    """Say who may use a fleet's recordings, what for, until when and at what price.

    A contract is a folder with a policy, its terms, and examples of who must be allowed
    and who must not; on a chain it is known by its id.
    """


@verb("new")
@click.argument("folder", type=click.Path(path_type=Path, readable=False, file_okay=False))
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    required=True,
    help="What to begin with.",
)
def new(invocation: Invocation, folder: Path, template: str) -> None:
    """Begin a contract in FOLDER, with the files of a template."""
    write_template(folder, template)
    invocation.output.text(
        {"folder": str(folder), "template": template},
        f"[green]made[/] {escape(str(folder))}, a contract like {template}",
        f"[dim]next: edit it, quipu contract explain {escape(str(folder))}[/]",
    )


@verb("explain")
@click.argument("contract")
@chain_option
def explain(invocation: Invocation, contract: str, chain_home: Path | None) -> None:
    """Say in plain words what CONTRACT says: a folder, or the id of one on the chain."""
    if _ID.fullmatch(contract) and not Path(contract).exists():
        title, words = _of_chain(chain_home, contract)
    else:
        folder = read_folder(Path(contract))
        title, words = folder.terms.name, ContractWords.of(folder.policy, folder.terms)
    lines = [f"[bold]{escape(title)}[/]", *map(escape, words.policy), *map(escape, words.terms)]
    invocation.output.text(
        {"contract": title, "policy": list(words.policy), "terms": list(words.terms)}, *lines
    )


def _of_chain(chain_home: Path | None, text: str) -> tuple[str, ContractWords]:
    with reading(chain_home) as access:
        contract = find_contract(access, text)
        record = access.read(ContractRecord, contract_key(contract))
        number = record.version if record is not None else 1
        version = access.read(ContractVersion, contract_version_key(contract, number))
        if record is None or version is None:
            raise NotFoundError(
                f"the chain has no contract {contract.hex()}",
                hint="`quipu contract list`",
            )
        terms = terms_text(access, record.name, version.terms)
    state = f"version {record.version}"
    if record.withdrawn_height:
        state += f", withdrawn in block {record.withdrawn_height}"
    return f"{record.name}, {state}", ContractWords.of(read_policy(version.policy), terms)


@verb("test")
@click.argument("folder", type=click.Path(path_type=Path, readable=False, file_okay=False))
def test(invocation: Invocation, folder: Path) -> None:
    """Ask the policy of FOLDER about each of its examples; exit status 1 if one is wrong."""
    contract = read_folder(folder)
    failing = contract.failing()
    data = [
        {"name": each.name, "expect": each.expect.value, "holds": each not in failing}
        for each in contract.examples
    ]
    lines = []
    for each in contract.examples:
        good = each not in failing
        came_to = each.expect if good else _opposite(each.expect)
        mark = "[green]good[/]" if good else "[bold red]wrong[/]"
        told = came_to.value if good else f"{came_to.value}, and not {each.expect.value}"
        lines.append(f"{mark}  {escape(each.name)}: {told}")
    lines.append(f"{len(contract.examples) - len(failing)} of {len(contract.examples)} as expected")
    invocation.output.text({"ok": not failing, "examples": data}, *lines)
    if failing:
        click.get_current_context().exit(ExitCode.NOT_VERIFIED)


def _opposite(expect: Expectation) -> Expectation:
    return Expectation.DENY if expect is Expectation.ALLOW else Expectation.ALLOW


for _each in (new, explain, test, deploy, amend, withdraw, list_):
    command.add_command(_each)
