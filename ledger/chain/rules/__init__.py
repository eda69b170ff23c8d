"""The rules: what transactions may do, one file a capability.

=================  ===========================================================
`payment`          assets, mint, transfers, spending caps
=================  ===========================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import Message

from ledger.chain.rules import payment
from ledger.chain.rules.action import Action

ACTIONS: Final[Mapping[str, Action[Message]]] = {
    action.name: action for rule in (payment,) for action in rule.ACTIONS
}
"""By the field of `TransactionBody.action`; one that is not here is `UNKNOWN_ACTION`."""
