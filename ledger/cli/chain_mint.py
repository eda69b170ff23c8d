"""``quipu chain mint|new-asset``: what governors do."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import click

from ledger.chain.rules.payment import approve
from ledger.chain.state_keys import asset_key
from ledger.cli.chain_access import ChainWork, chain_option, working
from ledger.cli.chain_genesis import parse_asset
from ledger.cli.chain_names import fee_asset, find_asset, money, parse_account, parse_money
from ledger.cli.chain_submit import KeySigner, Terms, carry_out, inclusion_json, where
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.ui import escape, short
from ledger.ed25519 import PrivateKey
from ledger.errors import NotFoundError
from ledger.schema.chain_payment_pb2 import Asset, AssetRecord, CreateAsset, Mint, Output
from ledger.wallet.key_file import read_key

Approved = TypeVar("Approved", Mint, CreateAsset)


def _governor_options(function: Function) -> Function:
    function = click.option(
        "--governor",
        "governors",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        multiple=True,
        help="A governor's wallet; the first one signs and pays [CHAIN/keys/governor].",
    )(function)
    return click.option("--fee", help="What to pay for it [the least there is].")(
        chain_option(function)
    )


def _keys(work: ChainWork, governors: tuple[Path, ...]) -> list[PrivateKey]:
    folders = governors or (work.root / "keys" / "governor",)
    return [read_key(folder.expanduser() / "key") for folder in folders]


def _approve(work: ChainWork, message: Approved, keys: list[PrivateKey]) -> Approved:
    given = {bytes(key.public_key): approve(work.chain, key, message) for key in keys}
    message.approvals.extend(given[name] for name in sorted(given))
    return message


@verb("mint")
@click.argument("account")
@click.argument("amount")
@click.option("--asset", "symbol", help="The asset, by symbol or number [that of fees].")
@_governor_options
def mint(
    invocation: Invocation,
    account: str,
    amount: str,
    symbol: str | None,
    governors: tuple[Path, ...],
    fee: str | None,
    chain_home: Path | None,
) -> None:
    """Make AMOUNT new money for ACCOUNT, as enough governors approve."""
    with working(chain_home) as work:
        asset = find_asset(work, symbol) if symbol else fee_asset(work.genesis)
        units, recipient = parse_money(amount, asset), parse_account(account, work.chain)
        record = work.read(AssetRecord, asset_key(asset.id))
        if record is None:
            raise NotFoundError(f"the chain has no asset {asset.id}", hint="quipu chain status")
        keys = _keys(work, governors)
        message = Mint(
            asset=asset.id,
            number=record.mints,
            outputs=[Output(account=recipient, amount=units)],
        )
        included = carry_out(work, KeySigner(keys[0]), _approve(work, message, keys), Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "recipient": recipient.hex(), "units": units},
        f"[green]minted[/] {escape(money(units, asset))} for {short(recipient)}: {where(included)}",
    )


@verb("new-asset")
@click.argument("asset", metavar="SYMBOL:DECIMALS")
@click.option(
    "--number",
    type=click.IntRange(min=1, max=2**32 - 1),
    required=True,
    help="The asset's number, that no other has.",
)
@_governor_options
def new_asset(
    invocation: Invocation,
    asset: str,
    number: int,
    governors: tuple[Path, ...],
    fee: str | None,
    chain_home: Path | None,
) -> None:
    """Begin an asset, of which nothing is minted yet."""
    symbol, decimals = parse_asset(asset)
    with working(chain_home) as work:
        keys = _keys(work, governors)
        message = CreateAsset(asset=Asset(id=number, symbol=symbol, decimals=decimals))
        included = carry_out(work, KeySigner(keys[0]), _approve(work, message, keys), Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "asset": number, "symbol": symbol, "decimals": decimals},
        f"[green]began[/] asset {number}, {escape(symbol)}: {where(included)}",
    )
