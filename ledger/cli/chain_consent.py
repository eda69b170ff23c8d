"""``quipu chain consent``: given, withdrawn, and shown to have been acted on.

Who a consent is about appears on the chain as a commitment alone::

    subject = SHA256("quipu/subject/v1\\0" || salt (32) || name in UTF-8)

The salt is printed once, and is to be kept by whoever grants: without it nobody can tell, or
show, whom the consent is about.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from ledger.chain.ids import consent_id
from ledger.chain.state_keys import anchor_key, consent_key
from ledger.cli.chain_access import working
from ledger.cli.chain_names import parse_id, parse_record
from ledger.cli.chain_robot import robot_home, robot_option
from ledger.cli.chain_submit import (
    Terms,
    carry_out,
    inclusion_json,
    open_wallet,
    transaction_options,
    where,
)
from ledger.cli.entry_choice import find_entry
from ledger.cli.main import Invocation, verb
from ledger.errors import NotFoundError, RefusedError
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_consent_pb2 import (
    AcknowledgeConsent,
    ConsentRecord,
    GrantConsent,
    ReportErasure,
    WithdrawConsent,
)

SUBJECT_TAG: Final = b"quipu/subject/v1\0"
_SALT_SIZE: Final = 32


@click.group("consent")
def consent() -> None:
    """Consent of data subjects and owners to the use of a robot's recordings."""


@verb("grant")
@click.argument("origin")
@click.option(
    "--record",
    "records",
    multiple=True,
    required=True,
    metavar="HEX",
    help="A record id, as `quipu show` has it; may be given several times.",
)
@click.option("--purpose", required=True, help="What the recordings may be used for.")
@click.option("--subject", metavar="NAME", help="Who it is about; the chain sees a commitment.")
@click.option("--commitment", metavar="HEX", help="The commitment itself, in place of --subject.")
@click.option(
    "--until",
    "expiry_height",
    type=click.IntRange(min=1, max=2**63 - 1),
    help="The last block at which it holds [until it is withdrawn].",
)
@transaction_options
def grant(
    invocation: Invocation,
    origin: str,
    records: tuple[str, ...],
    purpose: str,
    subject: str | None,
    commitment: str | None,
    expiry_height: int | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Grant consent that recordings in the log ORIGIN are used for a purpose."""
    if (subject is None) is (commitment is None):
        raise click.UsageError("give --subject or --commitment")
    salt = os.urandom(_SALT_SIZE) if subject is not None else None
    if salt is not None:
        # SHA256("quipu/subject/v1\0" || salt || name)
        name = (subject or "").encode("utf-8", "surrogateescape")
        about = sha256(SUBJECT_TAG + salt + name).digest()
    else:
        about = parse_id(commitment or "", "commitment")
    wallet = open_wallet(wallet_folder)
    sequences: list[int] = []

    def message(sequence: int) -> GrantConsent:
        sequences.append(sequence)
        return GrantConsent(
            subject=about,
            origin=origin,
            record_id=sorted({parse_record(each) for each in records}),
            purpose=purpose,
            expiry_height=expiry_height or 0,
        )

    with working(chain_home) as work:
        included = carry_out(work, wallet, message, Terms(fee))
        made = consent_id(work.chain, wallet.account, sequences[0])
    lines = [f"[green]granted[/] consent [bold]{made.hex()}[/]", where(included)]
    if salt is not None:
        lines.append(f"salt, to keep: {salt.hex()}")
    invocation.output.text(
        {
            **inclusion_json(included),
            "consent": made.hex(),
            "subject": about.hex(),
            "salt": salt.hex() if salt is not None else None,
        },
        *lines,
    )


@verb("acknowledge")
@click.argument("consent_hex", metavar="CONSENT")
@transaction_options
def acknowledge(
    invocation: Invocation,
    consent_hex: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Acknowledge, as the robot or its fleet, that who granted CONSENT may speak for the records.

    From then on its withdrawal ends their sale.
    """
    name = parse_id(consent_hex, "consent")
    with working(chain_home) as work:
        message = AcknowledgeConsent(consent=name)
        included = carry_out(work, open_wallet(wallet_folder), message, Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "consent": name.hex()},
        f"[green]acknowledged[/] {name.hex()}: {where(included)}",
    )


@verb("withdraw")
@click.argument("consent_hex", metavar="CONSENT")
@transaction_options
def withdraw(
    invocation: Invocation,
    consent_hex: str,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Withdraw CONSENT, which the wallet granted: the recordings are to be erased."""
    name = parse_id(consent_hex, "consent")
    with working(chain_home) as work:
        message = WithdrawConsent(consent=name)
        included = carry_out(work, open_wallet(wallet_folder), message, Terms(fee))
    invocation.output.text(
        {**inclusion_json(included), "consent": name.hex()},
        f"[green]withdrawn[/] {name.hex()}: {where(included)}",
    )


@verb("report")
@click.argument("consent_hex", metavar="CONSENT")
@click.argument("entry")
@robot_option
@transaction_options
def report(
    invocation: Invocation,
    consent_hex: str,
    entry: str,
    robot: Path | None,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Show that a robot erased what CONSENT is about: by ENTRY of its log, its Erasure.

    The entry must be among those that are anchored.
    """
    name = parse_id(consent_hex, "consent")
    with working(chain_home) as work, robot_home(robot or invocation.home) as found:
        anchored = work.read(AnchorRecord, anchor_key(found.origin))
        index = find_entry(found.home.log, entry)
        if anchored is None or index >= anchored.size:
            raise RefusedError(
                f"entry {index} of {found.origin} is not anchored yet",
                hint="quipu checkpoint, then quipu chain anchor",
            )
        message = ReportErasure(
            consent=name,
            entry=found.home.log.entry(index),
            index=index,
            path=found.home.log.prove_inclusion(index, anchored.size),
        )
        included = carry_out(work, open_wallet(wallet_folder), message, Terms(fee))
        record = work.read(ConsentRecord, consent_key(name))
    if record is None:
        raise NotFoundError(f"no consent {name.hex()}", hint="quipu chain query consent ID")
    erased, total = len(record.erased), len(record.record_id)
    invocation.output.text(
        {**inclusion_json(included), "consent": name.hex(), "erased": erased, "records": total},
        f"[green]reported[/] {erased} of {total} recordings erased: {where(included)}",
    )


for _each in (grant, acknowledge, withdraw, report):
    consent.add_command(_each)
