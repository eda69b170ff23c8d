"""``quipu chain fleet``: fleets, their robots' keys and their pools. The authority signs."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.chain.body import Message
from ledger.chain.fleets import fleet_id
from ledger.chain.rules.robot import register_message, rotate_message
from ledger.chain.sponsorship import pool_account
from ledger.cli.chain_access import ChainWork, chain_option, working
from ledger.cli.chain_names import (
    fee_asset,
    find_asset,
    money,
    parse_account,
    parse_fleet,
    parse_money,
)
from ledger.cli.chain_robot import robot_home, robot_option, sponsor_option, sponsored
from ledger.cli.chain_submit import (
    KeySigner,
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    where,
)
from ledger.cli.files import read_input
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, short
from ledger.credentials.issuer_home import IssuerHome
from ledger.errors import MalformedError, RefusedError
from ledger.schema.chain_grant_pb2 import SetRevocationEpoch
from ledger.schema.chain_identity_pb2 import (
    CreateFleet,
    PayFromPool,
    RegisterRobot,
    RetireRobot,
    RotateKey,
    SetIssuerKey,
    SetSponsorship,
    SetWitnessPolicy,
)

_MAX_PERIOD = 10_000_000


@click.group("fleet")
def fleet() -> None:
    """Fleets on the chain, their robots and pools; the fleet's authority signs.

    FLEET is a fleet's name or id. (Robots of this machine: quipu fleet.)
    """


def _done(
    invocation: Invocation,
    work: ChainWork,
    message: Message,
    wallet: Path | None,
    fee: str | None,
    line: str,
    **data: object,
) -> None:
    """Carry out what the wallet asks for, and say so in one line."""
    included = carry_out(work, open_wallet(wallet), message, Terms(fee))
    invocation.output.text({**inclusion_json(included), **data}, f"{line}: {where(included)}")


@verb("create")
@click.argument("name")
@transaction_options
def create(
    invocation: Invocation,
    name: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Found the fleet NAME; the wallet becomes its authority."""
    with working(chain_home) as work:
        made = fleet_id(work.chain, name)
        _done(
            invocation,
            work,
            CreateFleet(name=name),
            wallet_folder,
            fee,
            f"[green]founded[/] {escape(name)}, fleet {made.hex()}",
            fleet=made.hex(),
            pool=pool_account(made).hex(),
        )


@verb("register")
@click.argument("name", metavar="FLEET")
@robot_option
@click.option("--role", default="", help="What the robot is, in up to 32 bytes.")
@click.option("--successor-of", default="", metavar="ORIGIN", help="A robot that it takes over.")
@transaction_options
def register(
    invocation: Invocation,
    name: str,
    robot: Path | None,
    role: str,
    successor_of: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Take a robot into FLEET, with the key that signs its log now."""
    with working(chain_home) as work, robot_home(robot or invocation.home) as found:
        fleet_key, key = parse_fleet(name, work.chain), found.keys[-1]
        public = bytes(key.public_key)
        signature = key.sign(register_message(work.chain, fleet_key, public, found.origin))
        message = RegisterRobot(
            fleet=fleet_key,
            origin=found.origin,
            key=public,
            signature=signature,
            role=role,
            successor_of=successor_of,
        )
        _done(
            invocation,
            work,
            message,
            wallet_folder,
            fee,
            f"[green]registered[/] {escape(found.origin)}, key {short(public)}",
            origin=found.origin,
            account=public.hex(),
        )


@verb("rotate")
@robot_option
@click.option(
    "--overlap",
    type=click.IntRange(min=0, max=_MAX_PERIOD),
    default=100,
    show_default=True,
    help="For how many blocks the older key stays valid.",
)
@click.option("--fee", help="What to pay for it [the least there is].")
@sponsor_option
@chain_option
def rotate(
    invocation: Invocation,
    robot: Path | None,
    overlap: int,
    fee: str | None,
    sponsor: str | None,
    chain_home: Path | None,
) -> None:
    """Tell the chain of a robot's new key, after `quipu key rotate`; the older key signs."""
    with working(chain_home) as work, robot_home(robot or invocation.home) as found:
        if len(found.keys) < 2:
            raise RefusedError(
                f"{found.origin} has one key", hint="bring in a new one first: quipu key rotate"
            )
        old, new = KeySigner(found.keys[0]), found.keys[-1]
        public = bytes(new.public_key)
        signed = new.sign(rotate_message(work.chain, old.account, public, found.origin))
        message = RotateKey(
            origin=found.origin, new_key=public, new_signature=signed, overlap=overlap
        )
        included = carry_out(work, old, message, sponsored(fee, sponsor, work.chain))
    invocation.output.text(
        {**inclusion_json(included), "origin": found.origin, "account": public.hex()},
        f"[green]rotated[/] {escape(found.origin)} to key {short(public)}: {where(included)}",
    )


@verb("retire")
@click.argument("origin")
@transaction_options
def retire(
    invocation: Invocation,
    origin: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Retire the robot whose log is ORIGIN, for good."""
    with working(chain_home) as work:
        _done(
            invocation,
            work,
            RetireRobot(origin=origin),
            wallet_folder,
            fee,
            f"[green]retired[/] {escape(origin)}",
            origin=origin,
        )


@verb("policy")
@click.argument("name", metavar="FLEET")
@click.argument(
    "file", type=click.Path(path_type=Path, readable=False, dir_okay=False), required=False
)
@transaction_options
def policy(
    invocation: Invocation,
    name: str,
    file: Path | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Ask for witnesses' cosignatures on FLEET's anchors, as FILE says; without it, for none."""
    encoded = read_input(file, "a policy") if file else b""
    with working(chain_home) as work:
        _done(
            invocation,
            work,
            SetWitnessPolicy(fleet=parse_fleet(name, work.chain), policy=encoded),
            wallet_folder,
            fee,
            f"[green]set[/] the witness policy of {escape(name)}",
            bytes=len(encoded),
        )


@verb("issuer")
@click.argument("name", metavar="FLEET")
@click.option(
    "--epoch",
    type=click.IntRange(min=0, max=2**63 - 1),
    default=0,
    show_default=True,
    help="Later than that of the key before.",
)
@click.option("--public-key", metavar="HEX", help="The BBS key, 96 bytes.")
@click.option(
    "--issuer",
    "folder",
    type=click.Path(path_type=Path, readable=False),
    help="That of this folder, as `quipu credential new` made it.",
)
@transaction_options
def issuer(
    invocation: Invocation,
    name: str,
    epoch: int,
    public_key: str | None,
    folder: Path | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Announce the BBS key with which FLEET issues credentials from an epoch on."""
    if (public_key is None) is (folder is None):
        raise click.UsageError("give either --issuer or --public-key")
    try:
        key = IssuerHome.open(folder).public_key if folder else bytes.fromhex(public_key or "")
    except ValueError:
        raise MalformedError(
            "a BBS key is written as 192 hex digits", hint="give its hex"
        ) from None
    with working(chain_home) as work:
        _done(
            invocation,
            work,
            SetIssuerKey(fleet=parse_fleet(name, work.chain), epoch=epoch, public_key=key),
            wallet_folder,
            fee,
            f"[green]set[/] the issuer key of {escape(name)} from epoch {epoch} on",
            epoch=epoch,
        )


@verb("sponsor")
@click.argument("name", metavar="FLEET")
@click.argument("amount")
@click.option(
    "--period",
    type=click.IntRange(min=1, max=_MAX_PERIOD),
    default=1_000,
    show_default=True,
    help="Blocks in which the pool pays so much.",
)
@click.option(
    "--anonymous",
    metavar="AMOUNT",
    help="Also for all members together who do not say who they are [nothing].",
)
@transaction_options
def sponsor_(
    invocation: Invocation,
    name: str,
    amount: str,
    period: int,
    anonymous: str | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Let FLEET's pool pay fees of its robots: up to AMOUNT a robot and period.

    The pool is paid like an account: quipu wallet pay pool:FLEET AMOUNT.
    """
    with working(chain_home) as work:
        asset = fee_asset(work.genesis)
        units = parse_money(amount, asset)
        message = SetSponsorship(fleet=parse_fleet(name, work.chain), amount=units, period=period)
        words = f"{money(units, asset)} a robot"
        if anonymous:
            message.anonymous_amount = parse_money(anonymous, asset)
            message.anonymous_period = period
            words += f" and {money(message.anonymous_amount, asset)} for anonymous members"
        _done(
            invocation,
            work,
            message,
            wallet_folder,
            fee,
            f"[green]sponsored[/]: {words} in {period} blocks",
            units=units,
            period=period,
            anonymous_units=message.anonymous_amount,
        )


@verb("revocation")
@click.argument("name", metavar="FLEET")
@click.option("--epoch", type=click.IntRange(min=1, max=2**63 - 1), required=True)
@transaction_options
def revocation(
    invocation: Invocation,
    name: str,
    epoch: int,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Have FLEET's members prove from now on that they are not revoked in this epoch."""
    with working(chain_home) as work:
        _done(
            invocation,
            work,
            SetRevocationEpoch(fleet=parse_fleet(name, work.chain), epoch=epoch),
            wallet_folder,
            fee,
            f"[green]set[/] the revocation epoch of {escape(name)} to {epoch}",
            epoch=epoch,
        )


@verb("pay")
@click.argument("name", metavar="FLEET")
@click.argument("account")
@click.argument("amount")
@click.option("--asset", "symbol", help="The asset, by symbol or number [that of fees].")
@transaction_options
def pay(
    invocation: Invocation,
    name: str,
    account: str,
    amount: str,
    symbol: str | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Pay AMOUNT to ACCOUNT out of FLEET's pool."""
    with working(chain_home) as work:
        asset = find_asset(work, symbol) if symbol else fee_asset(work.genesis)
        units, recipient = parse_money(amount, asset), parse_account(account, work.chain)
        message = PayFromPool(
            fleet=parse_fleet(name, work.chain), asset=asset.id, recipient=recipient, amount=units
        )
        _done(
            invocation,
            work,
            message,
            wallet_folder,
            fee,
            f"[green]paid[/] {money(units, asset)} to {short(recipient)}",
            recipient=recipient.hex(),
            units=units,
        )


for _each in (create, register, rotate, retire, policy, issuer, revocation, sponsor_, pay):
    fleet.add_command(_each)
