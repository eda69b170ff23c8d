"""Every action that a transaction can ask for. What carries transactions out needs all rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import Message

from ledger.chain.rules import (
    anchor,
    buyer_erasure,
    channel,
    consent,
    exchange,
    fleet,
    fork,
    grant,
    learning,
    offers,
    payment,
    recovery,
    robot,
    sharing,
)
from ledger.chain.rules.action import Action

ACTIONS: Final[Mapping[str, Action[Message]]] = {
    action.name: action
    for rule in (
        payment,
        fleet,
        robot,
        recovery,
        anchor,
        fork,
        channel,
        consent,
        sharing,
        offers,
        grant,
        buyer_erasure,
        exchange,
        learning,
    )
    for action in rule.ACTIONS
}
"""By the field of `TransactionBody.action`; one that is not here is `UNKNOWN_ACTION`."""
