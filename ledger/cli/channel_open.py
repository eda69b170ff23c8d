"""``quipu channel open|top-up``: money into a channel."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.chain.body import Message
from ledger.chain.codes import RefusalError
from ledger.cli.chain_access import working
from ledger.cli.chain_names import (
    asset_of,
    fee_asset,
    find_asset,
    money,
    parse_account,
    parse_id,
    parse_money,
)
from ledger.cli.chain_submit import (
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    where,
)
from ledger.cli.channel_ends import paying_end, record_of
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import short
from ledger.errors import CorruptStoreError, RefusedError
from ledger.wallet.payer import PayerClosing, PayerOpening, PayWordOffer

_MAX_BLOCKS = 10_000_000


@verb("open")
@click.argument("payee")
@click.argument("deposit")
@click.option("--asset", "symbol", help="The asset, by symbol or number [that of fees].")
@click.option(
    "--blocks",
    type=click.IntRange(min=1, max=_MAX_BLOCKS),
    default=100_000,
    show_default=True,
    help="After how many blocks the rest can be taken back without the payee.",
)
@click.option(
    "--challenge",
    "challenge_blocks",
    type=click.IntRange(min=1, max=_MAX_BLOCKS),
    help="For how many blocks the payee can answer a close [the least there is].",
)
@click.option(
    "--links",
    type=click.IntRange(min=1, max=65_536),
    help="Pay by so many hash links, the cheapest to check, instead of signed vouchers.",
)
@click.option("--unit", help="With --links: what each link is worth.")
@transaction_options
def open_(
    invocation: Invocation,
    payee: str,
    deposit: str,
    symbol: str | None,
    blocks: int,
    challenge_blocks: int | None,
    links: int | None,
    unit: str | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Open a channel to PAYEE with a DEPOSIT, the most that can be paid through it."""
    if (links is None) is not (unit is None):
        raise click.UsageError("--links and --unit go together")
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work:
        asset = find_asset(work, symbol) if symbol else fee_asset(work.genesis)
        units = parse_money(deposit, asset)
        offer = PayWordOffer(parse_money(unit or "", asset), links) if links else None
        account = parse_account(payee, work.chain)
        expiry = work.view.info().height + blocks
        openings: list[PayerOpening] = []

        def opening(sequence: int) -> Message:
            with advice("give other terms"):
                made = wallet.open_channel(
                    work.chain,
                    sequence,
                    payee=account,
                    asset=asset.id,
                    deposit=units,
                    expiry_height=expiry,
                    challenge=challenge_blocks or work.genesis.parameters.min_challenge,
                    payword=offer,
                )
            openings.append(made)
            return made.message

        try:
            included = carry_out(work, wallet, opening, Terms(fee))
        except RefusalError:
            for each in openings:
                each.abandon()
            raise
        except BaseException:
            # Whether it was opened is not known: the wallet keeps what it needs to find out.
            for each in openings:
                each.release()
            raise
        channel = openings[0].channel
        record = record_of(work, channel)
        if record is None:
            raise CorruptStoreError("the channel was opened, and the chain does not have it")
        openings[0].opened(record).release()
    invocation.output.text(
        {
            **inclusion_json(included),
            "channel": channel.hex(),
            "payee": account.hex(),
            "deposit": units,
            "expiry_height": expiry,
        },
        f"[green]opened[/] channel [bold]{channel.hex()}[/]",
        f"{money(units, asset)} to {short(account)}, up to block {expiry}: {where(included)}",
    )


@verb("top-up")
@click.argument("channel")
@click.argument("amount")
@transaction_options
def top_up(
    invocation: Invocation,
    channel: str,
    amount: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Add AMOUNT to the deposit of CHANNEL, which pays by vouchers."""
    name = parse_id(channel, "channel")
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work, paying_end(work, wallet, name) as end:
        if isinstance(end, PayerClosing):
            raise RefusedError("the channel is closing", hint="open another one")
        asset = asset_of(work, end.terms.asset)
        units = parse_money(amount, asset)
        included = carry_out(work, wallet, end.top_up(units), Terms(fee))
        record = record_of(work, name)
        if record is not None:
            end.observe(record)
        deposit = end.terms.deposit
    invocation.output.text(
        {**inclusion_json(included), "channel": name.hex(), "deposit": deposit},
        f"[green]topped up[/] to {money(deposit, asset)}: {where(included)}",
    )
