"""Rule: erasure by buyers. The receipt that what was bought is erased, from nobody in particular.

When consent of a recording is withdrawn, the state shows it (`ledger.chain.withdrawn`), and
whoever holds a grant of it finds that out by a proof: that is the notice
(`ledger.chain.notices`). The receipt is signed by the grant's one-time key, so that it tells
no more of the member than the grant did. It is the buyer's word: the entry that would prove
more would name its robot.

A receipt may be given at any time, once. It needs the grant: one that was pruned is not
confirmed any more. So a grant whose notice is due is not pruned before its receipt is there;
and of one that had been pruned before the withdrawal there is none, which an audit says.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context, require
from ledger.chain.rules.action import Action, require_id
from ledger.chain.rules.grant import read_grant
from ledger.chain.state_keys import grant_key
from ledger.schema.chain_consent_pb2 import ConfirmErasure
from ledger.schema.chain_pb2 import EVENT_KIND_ERASURE_CONFIRMED


def check_confirm_erasure(message: ConfirmErasure) -> None:
    """Refuse what is no id."""
    require_id(message.grant, "grant's id")


def confirm_erasure(context: Context, message: ConfirmErasure) -> None:
    """Note in the grant that what was bought under it is gone."""
    record = read_grant(context.state, message.grant)
    require(context.signer == record.key, ResultCode.NOT_ALLOWED, "the grant's key confirms")
    require(not record.erased_height, ResultCode.GRANT_STATE, "its erasure was confirmed before")
    record.erased_height = context.height
    context.state.write(grant_key(message.grant), record)
    context.emit(EVENT_KIND_ERASURE_CONFIRMED, message.grant)


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("confirm_erasure", ConfirmErasure, check_confirm_erasure, confirm_erasure),
)
