"""``quipu channel pay|accept|status``: payments through channels, and how those stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.cli.chain_access import ChainAccess, chain_option, reading
from ledger.cli.chain_names import asset_of, money, parse_id, parse_money
from ledger.cli.chain_submit import open_wallet, wallet_option
from ledger.cli.channel_claim import claim_line, read_claim
from ledger.cli.channel_ends import paid_end, paying_end, record_of
from ledger.cli.failure import advice
from ledger.cli.files import write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, short
from ledger.errors import RefusedError
from ledger.schema.chain_payment_pb2 import Asset
from ledger.wallet.payee import PayeeClosing
from ledger.wallet.payer import Claim, PayerClosing, PayerOpen, PayerOpening
from ledger.wallet.wallet import End, Wallet


@verb("pay")
@click.argument("channel")
@click.argument("amount", required=False)
@click.option("--again", is_flag=True, help="Print the newest claim again, and pay nothing.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    help="Write the claim to this file.",
)
@wallet_option
@chain_option
def pay(
    invocation: Invocation,
    channel: str,
    amount: str | None,
    again: bool,
    output: Path | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Pay AMOUNT through CHANNEL: print the claim, to be handed to the payee."""
    if (amount is None) is not again:
        raise click.UsageError("give an AMOUNT, or --again")
    name = parse_id(channel, "channel")
    wallet = open_wallet(wallet_folder)
    with reading(chain_home) as access, paying_end(access, wallet, name) as end:
        if isinstance(end, PayerClosing):
            raise RefusedError("the channel is closing", hint="open another one")
        asset = asset_of(access, end.terms.asset)
        with advice("pay less, top the channel up, or open another one"):
            claim = end.newest() if amount is None else _pay(end, amount, asset)
        paid, left = end.paid, end.left
    if claim is None:
        raise RefusedError("nothing was paid through this channel yet", hint="give an AMOUNT")
    line = claim_line(name, claim)
    if output is not None:
        write_result(output, line.encode("ascii") + b"\n", private=True)
    invocation.output.text(
        {
            "channel": name.hex(),
            "paid": paid,
            "left": left,
            "claim": line,
            "file": str(output) if output else None,
        },
        line if output is None else f"[green]wrote[/] {escape(str(output))}",
        f"{money(paid, asset)} paid in all, {money(left, asset)} left",
    )


def _pay(end: PayerOpen, amount: str, asset: Asset) -> Claim:
    """Pay, and say in the asset's decimals why not."""
    units, unit = parse_money(amount, asset), end.terms.payword.unit if end.terms.payword else 1
    if units > end.left:
        raise RefusedError(f"only {money(end.left, asset)} is left in the channel")
    if units % unit:
        raise RefusedError(
            f"this channel pays by links of {money(unit, asset)}", hint="pay a multiple of that"
        )
    return end.pay(units)


@verb("accept")
@click.argument("claim")
@wallet_option
@chain_option
def accept(
    invocation: Invocation, claim: str, wallet_folder: Path | None, chain_home: Path | None
) -> None:
    """Take a payment: CLAIM is the line that the payer printed, or a file that holds it.

    The channel itself is looked up on the chain. Only the newest claim is needed.
    """
    name, found = read_claim(claim)
    wallet = open_wallet(wallet_folder)
    with (
        reading(chain_home) as access,
        advice("ask the payer for a claim that is good"),
        paid_end(access, wallet, name, begin=True) as end,
    ):
        if isinstance(end, PayeeClosing):
            raise RefusedError(
                "the payer closes the channel", hint="close it too: quipu channel close"
            )
        asset = asset_of(access, end.terms.asset)
        payment = end.accept(found, access.view.info().height)
        payer = end.terms.payer
    invocation.output.text(
        {
            "channel": name.hex(),
            "payer": payer.hex(),
            "amount": payment.amount,
            "earned": payment.total,
        },
        f"[green]accepted[/] {money(payment.amount, asset)} of {short(payer)}: "
        f"{money(payment.total, asset)} earned in all",
    )


@verb("status")
@click.option("--forget", is_flag=True, help="Forget channels that the chain has no more.")
@wallet_option
@chain_option
def status(
    invocation: Invocation, forget: bool, wallet_folder: Path | None, chain_home: Path | None
) -> None:
    """List the wallet's channels, and what the chain says of each."""
    wallet = open_wallet(wallet_folder)
    with reading(chain_home) as access:
        height = access.view.info().height
        rows = [_row(access, wallet, name, end, forget) for name, end in wallet.channels()]
    data = {"height": height, "channels": rows}

    def show(console: Console) -> None:
        if not rows:
            console.print("the wallet has no channel")
            return
        for row in rows:
            direction = "to" if row["end"] == "payer" else "from"
            console.print(
                f"[bold]{row['channel']}[/]\n  {direction} {str(row['with'])[:8]}: "
                f"{row['paid_text']} paid of {row['deposit_text']}, {_state_text(row)}",
                soft_wrap=True,
            )

    invocation.output.result(data, show)


def _state_text(row: dict[str, Any]) -> str:
    if row["state"] == "closing" and row["closing_height"]:
        return f"closing, challenged up to block {row['closing_height']}"
    if row["state"] in ("open", "opening"):
        return f"{row['state']} up to block {row['expiry_height']}"
    return str(row["state"])


def _row(
    access: ChainAccess, wallet: Wallet, name: bytes, end: End, forget: bool
) -> dict[str, Any]:
    record = record_of(access, name)
    state = wallet.payer(name) if end is End.PAYER else wallet.payee(name)
    try:
        terms = state.terms
        if isinstance(state, PayerOpening):
            paid, says = 0, "opening"
        elif isinstance(state, (PayerOpen, PayerClosing)):
            paid, says = state.paid, "open" if isinstance(state, PayerOpen) else "closing"
        else:
            paid, says = state.earned, "closing" if isinstance(state, PayeeClosing) else "open"
        if record is not None and record.closing_height:
            says = "closing"
        elif record is None and not isinstance(state, PayerOpening):
            says = "closed"
        asset = asset_of(access, terms.asset)
        if forget and record is None:
            _forget(state)
            says = "forgotten"
    finally:
        state.release()
    deposit = record.deposit if record is not None else terms.deposit
    return {
        "channel": name.hex(),
        "end": end.name.lower(),
        "with": (terms.payee if end is End.PAYER else terms.payer).hex(),
        "asset": asset.symbol,
        "paid": paid,
        "paid_text": money(paid, asset),
        "deposit": deposit,
        "deposit_text": money(deposit, asset),
        "expiry_height": terms.expiry_height,
        "state": says,
        "closing_height": record.closing_height if record is not None else 0,
    }


def _forget(state: Any) -> None:
    if isinstance(state, PayerOpening):
        state.abandon()
    elif isinstance(state, (PayerOpen, PayerClosing, PayeeClosing)):
        state.forget()
    else:
        state.close().forget()
