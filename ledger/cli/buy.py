"""``quipu buy``: an offered recording, from the request for a grant to files in their place."""

from __future__ import annotations

import click

from ledger.cli.buy_budget import budget
from ledger.cli.buy_list import give_up, list_
from ledger.cli.buy_order import order
from ledger.cli.default_verb import DefaultVerb


@click.group("buy", cls=DefaultVerb, default="order")
def command() -> None:
    """Buy a recording that another fleet offers, as a member without a name.

    \b
    quipu buy OFFER --purpose training     is short for quipu buy order OFFER ...
    quipu buy OFFER --purpose P --whole    all of it at once, or the money back
    quipu buy --resume                     goes on with what was stopped

    Purchases go on where they were, whatever happens: Ctrl-C stops between two
    chunks, and what was paid for is not paid again.
    """


for _each in (order, list_, give_up, budget):
    command.add_command(_each)
