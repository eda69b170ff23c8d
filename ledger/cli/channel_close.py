"""``quipu channel close|challenge|settle``: money out of a channel."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.chain_access import ChainWork, working
from ledger.cli.chain_names import asset_of, money, parse_id
from ledger.cli.chain_submit import (
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    where,
)
from ledger.cli.channel_ends import end_of, paid_end, paying_end, record_of
from ledger.cli.main import Invocation, verb
from ledger.schema.chain_channel_pb2 import SettleChannel
from ledger.wallet.payee import PayeeOpen
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import End, Wallet


@verb("close")
@click.argument("channel")
@transaction_options
def close(
    invocation: Invocation,
    channel: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Close CHANNEL. The payee's close is final; a payer's can be answered for a while.

    After that time `quipu channel settle` pays both out.
    """
    name = parse_id(channel, "channel")
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work:
        close_end = _close_paying if end_of(wallet, name) is End.PAYER else _close_paid
        close_end(invocation, work, wallet, name, Terms(fee))


def _close_paying(
    invocation: Invocation, work: ChainWork, wallet: Wallet, name: bytes, terms: Terms
) -> None:
    with paying_end(work, wallet, name) as end:
        closing = end.close() if isinstance(end, PayerOpen) else end
        try:
            asset = asset_of(work, closing.terms.asset)
            included = carry_out(work, wallet, closing.message, terms)
            record, paid = record_of(work, name), closing.paid
            if record is None:
                closing.forget()
        finally:
            closing.release()
    until = record.closing_height if record is not None else 0
    says = (
        f"the payee can answer up to block {until}, then: quipu channel settle {name.hex()}"
        if until
        else "paid out"
    )
    invocation.output.text(
        {**inclusion_json(included), "channel": name.hex(), "paid": paid, "challenge_until": until},
        f"[green]closed[/] at {money(paid, asset)}; {says}",
        where(included),
    )


def _close_paid(
    invocation: Invocation, work: ChainWork, wallet: Wallet, name: bytes, terms: Terms
) -> None:
    with paid_end(work, wallet, name) as end:
        record = record_of(work, name)
        asset, earned = asset_of(work, end.terms.asset), end.earned
        closing = end.close() if isinstance(end, PayeeOpen) else end
        try:
            message = closing.message(record.claimed if record is not None else 0)
            included = carry_out(work, wallet, message, terms)
            if record_of(work, name) is None:
                closing.forget()
        finally:
            closing.release()
    invocation.output.text(
        {**inclusion_json(included), "channel": name.hex(), "earned": earned},
        f"[green]closed[/]: {money(earned, asset)} earned",
        where(included),
    )


@verb("challenge")
@click.argument("channel")
@transaction_options
def challenge(
    invocation: Invocation,
    channel: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Answer the payer's close of CHANNEL with the best claim that the wallet has."""
    name = parse_id(channel, "channel")
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work, paid_end(work, wallet, name) as end:
        asset, earned = asset_of(work, end.terms.asset), end.earned
        included = carry_out(work, wallet, end.challenge(), Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "channel": name.hex(), "earned": earned},
        f"[green]challenged[/] with {money(earned, asset)}: {where(included)}",
    )


@verb("settle")
@click.argument("channel")
@transaction_options
def settle(
    invocation: Invocation,
    channel: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Pay out CHANNEL, once nobody can answer its close any more, or it has expired."""
    name = parse_id(channel, "channel")
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work:
        included = carry_out(work, wallet, SettleChannel(channel=name), Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "channel": name.hex()},
        f"[green]settled[/] {name.hex()}: {where(included)}",
    )
