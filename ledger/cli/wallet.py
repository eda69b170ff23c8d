"""``quipu wallet``: a key, and the money that it signs for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.chain.state_keys import cap_key
from ledger.cli.chain_access import chain_option, reading, working
from ledger.cli.chain_names import (
    fee_asset,
    find_asset,
    money,
    parse_account,
    parse_money,
)
from ledger.cli.chain_submit import (
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    wallet_option,
    wallet_root,
    where,
)
from ledger.cli.main import Invocation, verb
from ledger.cli.robot_wallet import (
    account_given,
    account_named,
    robot_wallet_options,
    signer_named,
)
from ledger.cli.ui import escape, short
from ledger.cli.wallet_gather import gather, holdings_json, holdings_of, older_json, older_line
from ledger.cli.wallet_history import history
from ledger.errors import MalformedError
from ledger.schema.chain_payment_pb2 import CapRecord, SetSpendingCap, Transfer
from ledger.wallet.wallet import Wallet

_MAX_MEMO = 64
_MAX_PERIOD = 10_000_000


@click.group("wallet")
def command() -> None:
    """Keep money of a settlement chain, pay with it, and see what became of it.

    Without --wallet it is the one in QUIPU_WALLET, else ~/.quipu-wallet. What a robot earned by
    its own key is its home's: --robot HOME.
    """


@verb("new")
@wallet_option
def new(invocation: Invocation, wallet_folder: Path | None) -> None:
    """Make a wallet: a new key, which names the account."""
    root = wallet_root(wallet_folder)
    account = Wallet.create(root).account.hex()
    invocation.output.text(
        {"wallet": str(root), "account": account},
        f"[green]made[/] {escape(str(root))}",
        f"account: [bold]{account}[/]",
        "[dim]its key is all that signs for its money: keep a copy of the folder[/]",
    )


@verb("show")
@robot_wallet_options
@wallet_option
def show(
    invocation: Invocation, robot: Path | None, key: str | None, wallet_folder: Path | None
) -> None:
    """Show the wallet's account, to be paid to; of a robot also its older keys."""
    account, found = account_named(robot, key, wallet_folder)
    data: dict[str, Any] = {"account": account.hex()}
    if found is not None:
        data["robot"] = found.origin
        data["older"] = [
            {"account": each.account.hex(), "key": each.held.value} for each in found.older
        ]
        for each in found.older:
            invocation.output.note(f"older key, {each.held.value}: {each.account.hex()}")
    invocation.output.text(data, account.hex())


@verb("balance")
@click.argument("account", required=False)
@robot_wallet_options
@wallet_option
@chain_option
def balance(
    invocation: Invocation,
    account: str | None,
    robot: Path | None,
    key: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Show what ACCOUNT has [the wallet's], as the chain's state proves it.

    Of a robot also what lies under older keys, and what of it is lost.
    """
    named = None if account else account_named(robot, key, wallet_folder)
    with reading(chain_home) as access:
        name, keys = named or account_given(access.chain, account or "", robot, key)
        found, held = access.account(name), holdings_of(access, name)
        older = [
            (each, under)
            for each in (keys.older if keys is not None and key is None else ())
            if (under := holdings_of(access, each.account))
        ]
    data: dict[str, Any] = {
        "account": name.hex(),
        "exists": found is not None,
        "sequence": found.sequence if found else 0,
        "holdings": holdings_json(held),
    }
    if keys is not None:
        data["robot"] = keys.origin
        data["older"] = [older_json(each, under) for each, under in older]

    def write(console: Console) -> None:
        if not held:
            says = "has nothing" if found else "does not exist: nothing was ever paid to it"
            console.print(f"account {short(name)} {says}", soft_wrap=True)
        for asset, amount in held:
            console.print(escape(money(amount, asset)), soft_wrap=True)
        for each, under in older:
            console.print(older_line(each, under), soft_wrap=True)

    invocation.output.result(data, write)


@verb("pay")
@click.argument("account")
@click.argument("amount")
@click.option("--asset", "symbol", help="The asset, by symbol or number [that of fees].")
@click.option("--memo", default="", help="Up to 64 bytes that everybody can read.")
@robot_wallet_options
@transaction_options
def pay(
    invocation: Invocation,
    account: str,
    amount: str,
    symbol: str | None,
    memo: str,
    robot: Path | None,
    key: str | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Pay AMOUNT to ACCOUNT, and wait until it is durable."""
    if len(memo.encode("utf-8", "surrogateescape")) > _MAX_MEMO:
        raise MalformedError(f"a memo of over {_MAX_MEMO} bytes", hint="say it in fewer words")
    signer = signer_named(robot, key, wallet_folder)
    with working(chain_home) as work:
        asset = find_asset(work, symbol) if symbol else fee_asset(work.genesis)
        recipient = parse_account(account, work.chain)
        units = parse_money(amount, asset)
        message = Transfer(
            asset=asset.id,
            recipient=recipient,
            amount=units,
            memo=memo.encode("utf-8", "surrogateescape"),
        )
        included = carry_out(work, signer, message, Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "recipient": recipient.hex(), "units": units},
        f"[green]paid[/] {escape(money(units, asset))} to {short(recipient)}: {where(included)}",
    )


@verb("cap")
@click.argument("amount")
@click.option(
    "--period",
    type=click.IntRange(min=1, max=_MAX_PERIOD),
    required=True,
    help="In how many blocks that much may leave the account.",
)
@click.option("--asset", "symbol", help="The asset, by symbol or number [that of fees].")
@transaction_options
def cap(
    invocation: Invocation,
    amount: str,
    period: int,
    symbol: str | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Cap what may leave the account. A lower cap acts at once, a higher one after a delay."""
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work:
        asset = find_asset(work, symbol) if symbol else fee_asset(work.genesis)
        units = parse_money(amount, asset)
        message = SetSpendingCap(asset=asset.id, amount=units, period=period)
        included = carry_out(work, wallet, message, Terms(fee))
        record = work.read(CapRecord, cap_key(wallet.account, asset.id))
    later = record.next_height if record is not None and record.next_period else 0
    acts = f"from block {later} on" if later else "now"
    invocation.output.text(
        {**inclusion_json(included), "units": units, "period": period, "acts_at": later or None},
        f"[green]capped[/] at {escape(money(units, asset))} in {period} blocks, {acts}: "
        f"{where(included)}",
    )


for _each in (new, show, balance, pay, history, gather, cap):
    command.add_command(_each)
