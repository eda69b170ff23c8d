"""``quipu channel``: payments by the piece, off the chain, between two of its accounts."""

from __future__ import annotations

import click

from ledger.cli.channel_close import challenge, close, settle
from ledger.cli.channel_open import open_, top_up
from ledger.cli.channel_pay import accept, pay, status


@click.group("channel")
def command() -> None:
    """Pay another account by the piece: a deposit on the chain, claims off it.

    \b
    payer:  quipu channel open PAYEE DEPOSIT; quipu channel pay CHANNEL AMOUNT
    payee:  quipu channel accept CLAIM; quipu channel close CHANNEL
    """


for _each in (open_, pay, accept, close, status, top_up, challenge, settle):
    command.add_command(_each)
