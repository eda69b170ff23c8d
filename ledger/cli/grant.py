"""``quipu grant``: what one may use and until when, and what has to be erased again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from ledger.chain.notices import Notice
from ledger.chain.policy import read_policy
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.state_keys import contract_key, contract_version_key, grant_key
from ledger.cli.buy_tools import (
    credential_option,
    member_file,
    proven_chain,
    shelf_of,
    shelf_option,
    tools_of,
)
from ledger.cli.chain_access import ChainAccess, chain_option, working
from ledger.cli.chain_submit import open_wallet, wallet_option
from ledger.cli.contract_terms import terms_text
from ledger.cli.contract_words import ContractWords
from ledger.cli.default_verb import DefaultVerb
from ledger.cli.main import Invocation, verb
from ledger.cli.market_view import robot_text
from ledger.cli.ui import escape, human_bytes, short, table
from ledger.errors import MalformedError, NotFoundError, RefusedError
from ledger.experience.private_folder import remove_folder
from ledger.home import open_home
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Granted, Kept
from ledger.market.erasing import erase_bought, is_erased, notice_in
from ledger.market.keeping import find_kept
from ledger.market.placing import placed
from ledger.market.shelf import Shelf, Shelved
from ledger.memory.borrowing import borrow_home
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import ContractRecord, ContractVersion

_SHORTEST: Final = 4


@click.group("grant", cls=DefaultVerb, default="list")
def command() -> None:
    """See what was granted to purchases of this machine, and erase what has to go.

    \b
    quipu grant                     is short for quipu grant list
    quipu grant notices             of what consent was withdrawn
    """


@verb("list")
@shelf_option
@chain_option
def list_(invocation: Invocation, purchases: Path | None, chain_home: Path | None) -> None:
    """List the grants that one holds: of what, what for, up to which block."""
    with working(chain_home) as work:
        shelf = shelf_of(work, purchases)
        chain = proven_chain(work, shelf)
        rows = [_row(chain, each) for each in _granted(shelf)]
        chain.keep()

    def show(console: Console) -> None:
        if not rows:
            console.print("nothing was granted: quipu buy")
            return
        shown = table("grant", "robot", "purpose", "size", "until block", "state")
        for row in rows:
            shown.add_row(
                row["grant"][:8],
                escape(robot_text(row["origin"])),
                escape(row["purpose"]),
                human_bytes(row["size"]),
                str(row["expiry_height"]),
                row["state"],
            )
        console.print(shown)

    invocation.output.result({"grants": rows}, show)


def _row(chain: ProvenChain, shelved: Shelved) -> dict[str, Any]:
    state = shelved.state
    if not isinstance(state, Granted):
        raise TypeError("no grant")
    proven = chain.prove(GrantRecord, grant_key(state.grant.grant))
    record, notice = proven.record, _notice(chain, shelved)
    if record is not None and record.erased_height:
        says = "erased"
    elif notice is not None:
        says = "to be erased" if _is_to_do(shelved, notice) else "erased"
    elif record is None:
        says = "pruned"
    else:
        says = "good" if proven.header.height <= record.expiry_height else "run out"
    return {
        "grant": state.grant.grant.hex(),
        "offer": state.record.offer.hex(),
        "contract": state.record.contract.hex(),
        "version": state.record.version,
        "origin": state.offer.origin,
        "purpose": state.record.purpose,
        "size": state.grant.content_size,
        "expiry_height": state.record.expiry_height,
        "state": says,
        "folder": str(shelved.folder),
    }


@verb("show")
@click.argument("grant")
@shelf_option
@chain_option
def show_(
    invocation: Invocation, grant: str, purchases: Path | None, chain_home: Path | None
) -> None:
    """Show GRANT and the contract as it was granted, in plain words."""
    with working(chain_home) as work:
        shelf = shelf_of(work, purchases)
        held, chain = {each.grant: each for each in _granted(shelf)}, proven_chain(work, shelf)
        chosen = held[_chosen(held, grant)]
        row = _row(chain, chosen)
        chain.keep()
        name, words = _words(work, chosen)
    kept = chosen.state if isinstance(chosen.state, Kept) else None
    copies = [str(path) for path in placed(chosen.folder) if path.exists()]
    data = {
        **row,
        "policy": list(words.policy),
        "terms": list(words.terms),
        "copies": copies,
        "record_id": kept.record_id.hex() if kept else None,
    }
    lines = [
        f"[bold]grant[/] {row['grant']} of {escape(row['origin'])}: {row['state']}",
        f"for {escape(row['purpose'])}, up to block {row['expiry_height']}",
        *(f"in {escape(path)}" for path in copies),
        *([f"in the home, record {short(kept.record_id)}"] if kept else []),
        f"[bold]{escape(name)}[/], version {row['version']}",
        *map(escape, (*words.policy, *words.terms)),
    ]
    invocation.output.text(data, *lines)


def _words(access: ChainAccess, shelved: Shelved) -> tuple[str, ContractWords]:
    """Name and words of the version under which something was granted."""
    state = shelved.state
    if not isinstance(state, Granted):
        raise TypeError("no grant")
    contract, number = state.record.contract, state.record.version
    record = access.read(ContractRecord, contract_key(contract))
    version = access.read(ContractVersion, contract_version_key(contract, number))
    if record is None or version is None:
        raise NotFoundError(
            f"the chain has no contract {contract.hex()}", hint="give the chain of the purchase"
        )
    terms = terms_text(access, record.name, version.terms)
    return record.name, ContractWords.of(read_policy(version.policy), terms)


@verb("notices")
@shelf_option
@chain_option
def notices(invocation: Invocation, purchases: Path | None, chain_home: Path | None) -> None:
    """List what consent was withdrawn of since it was bought, and whether it is erased."""
    with working(chain_home) as work:
        shelf = shelf_of(work, purchases)
        chain = proven_chain(work, shelf)
        found = _notices(chain, shelf)
        chain.keep()
    rows = [
        {
            "grant": notice.grant.hex(),
            "origin": notice.origin,
            "withdrawn_height": notice.since_height,
            "erased": not _is_to_do(each, notice),
            "pruned": notice.pruned,
            "folder": str(each.folder),
        }
        for each, notice in found
    ]

    def show(console: Console) -> None:
        for each, notice in found:
            done = (
                f"[bold red]erase it[/]: quipu grant erase {short(notice.grant)}"
                if _is_to_do(each, notice)
                else f"[green]erased[/], and {_known(is_confirmed=not notice.pruned)}"
            )
            console.print(
                f"{short(notice.grant)}  {escape(robot_text(notice.origin))}, consent"
                f" withdrawn in block {notice.since_height}: {done}",
                soft_wrap=True,
            )
        if not found:
            console.print("no consent of what was bought is withdrawn")

    invocation.output.result({"notices": rows}, show)


@verb("erase")
@click.argument("grant")
@click.option("--delete-copies", is_flag=True, help="Also the folders that it was put into.")
@credential_option
@wallet_option
@shelf_option
@chain_option
def erase(
    invocation: Invocation,
    grant: str,
    delete_copies: bool,
    credential: Path | None,
    wallet_folder: Path | None,
    purchases: Path | None,
    chain_home: Path | None,
) -> None:
    """Erase what was bought under GRANT, and confirm on the chain that it is gone.

    In the purchase's folder and, where it was kept in one, in the home. Who confirms is the
    grant's one-time key: nobody learns which member erased.
    """
    member, wallet = member_file(credential), open_wallet(wallet_folder)
    with working(chain_home) as work:
        shelf = shelf_of(work, purchases)
        chain = proven_chain(work, shelf)
        withdrawn = {notice.grant: each for each, notice in _notices(chain, shelf)}
        chain.keep()
        held = {each.grant: each for each in _granted(shelf)} | withdrawn
        chosen_grant = _chosen(held, grant)
        if chosen_grant not in withdrawn:
            raise RefusedError(
                "nobody has withdrawn consent of it", hint="`quipu grant notices` lists what is"
            )
        chosen = withdrawn[chosen_grant]
        kept = isinstance(chosen.state, Kept)
        if kept:
            _require_home(invocation.home, work.chain, chosen_grant)
        copies = [path for path in placed(chosen.folder) if path.exists()]
        if copies and not delete_copies:
            raise RefusedError(
                f"copies of it can still be read: {', '.join(map(str, copies))}",
                hint="delete them, or let --delete-copies do so, before the chain is told",
            )
        for path in copies:
            remove_folder(path)
        tools = tools_of(
            work,
            shelf,
            member=member,
            gaps=None,
            wallet=wallet,
            rest_to=chosen.rest_to,
            storefront=None,
            budget=None,
            home=partial(borrow_home, invocation.home) if kept else None,
        )
        with Acquisition.open(chosen.folder) as acquisition:
            erased = erase_bought(acquisition, tools)
    surviving = [str(each.path) for each in erased.report.surviving] if erased.report else []
    invocation.output.text(
        {
            "grant": erased.notice.grant.hex(),
            "copies_deleted": [str(path) for path in copies],
            "confirmed": erased.is_confirmed,
            "in_home": erased.report is not None,
            "surviving": surviving,
        },
        f"[green]erased[/] what grant {short(erased.notice.grant)} gave; "
        f"{_known(is_confirmed=erased.is_confirmed)}",
        *(f"[bold red]still readable[/]: {escape(path)}" for path in surviving),
    )


def _require_home(home: Path, chain: bytes, grant: bytes) -> None:
    """Raises RefusedError where a home is not the one that keeps what was bought."""
    with open_home(home) as reader:
        if find_kept(reader.experiences, chain, grant) is None:
            raise RefusedError(
                f"it is kept in a home, and {home} does not have it",
                hint="name the right one with --home, before the chain is told that it is gone",
            )


def _granted(shelf: Shelf) -> list[Shelved]:
    return [each for each in shelf.all() if isinstance(each.state, Granted)]


def _chosen(held: Iterable[bytes], text: str) -> bytes:
    """The id of one grant, by all or the first of its digits."""
    found = [each for each in held if each.hex().startswith(text.lower())]
    if len(text) < _SHORTEST or not found:
        raise NotFoundError(f"no grant {text[:70]!r} is held here", hint="`quipu grant` lists them")
    if len(found) > 1:
        raise MalformedError(f"{len(found)} grants begin with {text}", hint="write more of it")
    return found[0]


def _notices(chain: ProvenChain, shelf: Shelf) -> list[tuple[Shelved, Notice]]:
    """What consent is withdrawn of; what was given up among it."""
    found = ((each, _notice(chain, each)) for each in shelf.all())
    return [(each, notice) for each, notice in found if notice is not None]


def _notice(chain: ProvenChain, shelved: Shelved) -> Notice | None:
    return notice_in(chain, shelved.folder, shelved.wish, shelved.state)


def _is_to_do(shelved: Shelved, notice: Notice) -> bool:
    """Whether something is still to be erased, or the chain to be told."""
    return notice.is_due or (notice.pruned and not is_erased(shelved.folder))


def _known(*, is_confirmed: bool) -> str:
    return "the chain knows" if is_confirmed else "the chain has pruned the grant"


for _each in (list_, show_, notices, erase):
    command.add_command(_each)
