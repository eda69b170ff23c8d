"""``quipu offer``: recordings offered under a sharing contract."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from ledger.chain.codes import ResultCode
from ledger.chain.ids import offer_id
from ledger.chain.state_keys import anchor_key
from ledger.cli.chain_access import chain_option, working
from ledger.cli.chain_names import parse_id
from ledger.cli.chain_robot import (
    funds_hint,
    robot_home,
    robot_option,
    sponsor_option,
    sponsored,
)
from ledger.cli.chain_submit import KeySigner, Signer, carry_out, inclusion_json, open_wallet, where
from ledger.cli.contract_list import find_contract
from ledger.cli.entry_choice import find_experience
from ledger.cli.main import Function, Invocation, verb
from ledger.errors import RefusedError
from ledger.experience.record_keys import RecordKeyStore
from ledger.merkle.hashing import leaf_hash
from ledger.offering import QualityClaim, Seller, offer_message
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_sharing_pb2 import WithdrawOffer


@click.group("offer")
def command() -> None:
    """Offer recordings of a robot under a contract of its fleet."""


def _offer_options(function: Function) -> Function:
    function = chain_option(robot_option(sponsor_option(function)))
    function = click.option("--fee", help="What to pay for it [the least there is].")(function)
    return click.option(
        "--wallet",
        "wallet_folder",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="Let the fleet's authority offer it, whose wallet this is, and not the robot.",
    )(function)


@verb("post")
@click.argument("entry")
@click.option("--contract", "contract_hex", required=True, metavar="ID", help="Under which one.")
@click.option(
    "--prove",
    "claims",
    multiple=True,
    metavar="CLAIM",
    help="Prove a bound of a hidden value, like 'reward>=0.8' or 'length<=30'; repeatable.",
)
@_offer_options
def post(
    invocation: Invocation,
    entry: str,
    contract_hex: str,
    claims: tuple[str, ...],
    robot: Path | None,
    fee: str | None,
    sponsor: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Offer ENTRY of a robot's log, an index or the start of a record id.

    The entry must be among those that are anchored.
    """
    claimed = tuple(map(QualityClaim.parse, claims))
    with working(chain_home) as work, robot_home(robot or invocation.home) as found:
        contract, log = find_contract(work, contract_hex), found.home.log
        anchored = work.read(AnchorRecord, anchor_key(found.origin))
        index, _, experience = find_experience(log, entry)
        if anchored is None or index >= anchored.size:
            raise RefusedError(
                f"entry {index} of {found.origin} is not anchored yet",
                hint="quipu checkpoint, then quipu chain anchor",
            )
        store = RecordKeyStore(found.home.paths.record_keys)
        openings = store.get(experience.record_id).openings if claimed else ()
        signer = open_wallet(wallet_folder) if wallet_folder else KeySigner(found.keys[-1])
        terms, encoded = sponsored(fee, sponsor, work.chain), log.entry(index)
        message = offer_message(
            Seller(work.chain, signer.account, contract),
            found.origin,
            encoded,
            index,
            log.prove_inclusion(index, anchored.size),
            claimed,
            openings,
        )
        offer = offer_id(work.chain, contract, leaf_hash(encoded))
        hints = {
            **funds_hint(signer, terms),
            ResultCode.OFFER_STATE: f"it is offered already, as offer {offer.hex()}",
        }
        included = carry_out(work, signer, message, terms, hints)
    invocation.output.text(
        {**inclusion_json(included), "offer": offer.hex(), "index": index, "proven": list(claims)},
        f"[green]offered[/] entry {index}, offer [bold]{offer.hex()}[/]",
        where(included),
    )


@verb("withdraw")
@click.argument("offer_hex", metavar="OFFER")
@_offer_options
def withdraw(
    invocation: Invocation,
    offer_hex: str,
    robot: Path | None,
    fee: str | None,
    sponsor: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Withdraw OFFER. What was granted of it stays granted; it may be offered again."""
    name = parse_id(offer_hex, "offer")
    with working(chain_home) as work, ExitStack() as held:
        if wallet_folder:
            signer: Signer = open_wallet(wallet_folder)
        else:
            found = held.enter_context(robot_home(robot or invocation.home))
            signer = KeySigner(found.keys[-1])
        terms = sponsored(fee, sponsor, work.chain)
        hints = {
            **funds_hint(signer, terms),
            ResultCode.OFFER_STATE: "it was withdrawn before: nothing is to be done",
        }
        included = carry_out(work, signer, WithdrawOffer(offer=name), terms, hints)
    invocation.output.text(
        {**inclusion_json(included), "offer": name.hex()},
        f"[green]withdrawn[/] {name.hex()}: {where(included)}",
    )


for _each in (post, withdraw):
    command.add_command(_each)
