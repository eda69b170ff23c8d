"""``quipu wallet history``: an account's statement, also as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from ledger.chain.account import Account
from ledger.chain.as_json import memo_text
from ledger.chain.state_keys import account_key
from ledger.cli.amounts import format_amount
from ledger.cli.chain_access import ChainAccess, chain_option, reading
from ledger.cli.chain_names import asset_of
from ledger.cli.chain_submit import wallet_option
from ledger.cli.files import write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.robot_wallet import account_given, account_named, robot_wallet_options
from ledger.cli.ui import escape, human_time, short, table
from ledger.errors import NotFoundError, VerificationError
from ledger.wallet.statement import Line, Statement

COLUMNS: Final = (
    "height",
    "time",
    "transaction",
    "movement",
    "counterparty",
    "asset",
    "amount",
    "balance",
    "memo",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would begin to compute at."""


@verb("history")
@click.argument("account", required=False)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    help="Write the statement to this file, as comma-separated values.",
)
@click.option("--asset", "symbol", help="Only movements of this asset, by its symbol.")
@robot_wallet_options
@wallet_option
@chain_option
def history(
    invocation: Invocation,
    account: str | None,
    csv_file: Path | None,
    symbol: str | None,
    robot: Path | None,
    key: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """List every movement of ACCOUNT's money [the wallet's], with the balance after each.

    The last balances are held against what the chain's state proves.
    """
    named = None if account else account_named(robot, key, wallet_folder)
    with reading(chain_home) as access:
        name, keys = named or account_given(access.chain, account or "", robot, key)
        for each in keys.older if keys is not None and key is None else ():
            if access.account(each.account) is not None:
                digits = short(each.account)
                invocation.output.note(f"its older key {digits} has a history too: --key {digits}")
        lines, height = _read(access, name)
        assets = {line.asset: asset_of(access, line.asset) for line in lines}
    if symbol is not None:
        lines = [line for line in lines if assets[line.asset].symbol == symbol]
    rows = [
        {
            "height": line.height,
            "time": _utc(line.time_ns),
            "transaction": line.transaction.hex(),
            "movement": line.movement.value,
            "counterparty": line.counterparty.hex(),
            "asset": assets[line.asset].symbol,
            "amount": format_amount(line.amount, assets[line.asset].decimals),
            "balance": format_amount(line.balance, assets[line.asset].decimals),
            "memo": memo_text(line.memo),
        }
        for line in lines
    ]
    if csv_file is not None:
        write_result(csv_file, to_csv(rows))
    data = {
        "account": name.hex(),
        "height": height,
        "lines": rows,
        "file": str(csv_file) if csv_file else None,
    }

    def show(console: Console) -> None:
        if csv_file is not None:
            console.print(
                f"[green]wrote[/] {escape(str(csv_file))}: {len(rows)} movement(s)", soft_wrap=True
            )
            return
        if not rows:
            console.print("nothing has moved")
            return
        shown = table("block", "time (UTC)", "movement", "with", "amount", "balance", "memo")
        for line, row in zip(lines, rows, strict=True):
            shown.add_row(
                str(row["height"]),
                human_time(line.time_ns),
                str(row["movement"]),
                short(line.counterparty) if line.counterparty else "-",
                f"{row['amount']} {row['asset']}",
                str(row["balance"]),
                escape(str(row["memo"])),
            )
        console.print(shown)

    invocation.output.result(data, show)


def _read(access: ChainAccess, account: bytes) -> tuple[list[Line], int]:
    """The whole statement, and the height it goes up to."""
    statement = Statement(access.genesis, account)
    lines = statement.opening()
    newest = access.view.info().height
    for height in range(1, newest + 1):
        block = access.view.block(height)
        lines += statement.block(block.header, block.transactions, block.results)
    _require_complete(access, account, statement, newest)
    return lines, newest


def _require_complete(
    access: ChainAccess, account: bytes, statement: Statement, height: int
) -> None:
    """Check the last balances against the state, if a checkpoint covers that height."""
    try:
        row = access.look_up(account_key(account), height).value
    except NotFoundError:
        return
    held = dict(Account.decode(row).holdings) if row is not None else {}
    told = {asset: amount for asset, amount in statement.balances.items() if amount}
    if held != told:
        raise VerificationError(
            "the movements do not add up to what the state says",
            hint="the chain's blocks or its state were altered: quipu audit --chain",
        )


def to_csv(rows: list[dict[str, Any]]) -> bytes:
    """Rows in the order of `COLUMNS`; UTF-8, one header line, lines end with a line feed."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        memo = str(row["memo"])
        # A stranger's memo must not become a formula where the file is opened.
        writer.writerow({**row, "memo": f"'{memo}" if memo.startswith(_FORMULA) else memo})
    return text.getvalue().encode("utf-8")


def _utc(time_ns: int) -> str:
    """``2026-01-31T12:00:00.000000000Z``."""
    seconds, rest = divmod(time_ns, 10**9)
    return f"{human_time(seconds * 10**9).replace(' ', 'T')}.{rest:09}Z"
