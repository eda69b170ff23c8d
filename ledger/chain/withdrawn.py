"""Records whose consent is withdrawn, as the state knows them.

Withdrawal
    A consent that was withdrawn counts once the robot or its fleet has acknowledged it, before
    or after: else anybody could name somebody's recordings, withdraw, and so stop their sale.
    Any one that counts is enough, whatever other consents of the record say.

The row of a record holds one `Withdrawal` for each who withdrew (grantor and subject). It stays
when the robot has erased the record: buyers have theirs still, and what a copy elsewhere
preserved may not be sold. It goes when each of them has granted consent of the record again,
in a later block, and that is acknowledged.
"""

from __future__ import annotations

from ledger.chain.codes import ResultCode
from ledger.chain.context import require
from ledger.chain.state_keys import withdrawn_key
from ledger.chain.working_state import WorkingState
from ledger.schema.chain_consent_pb2 import ConsentRecord, Withdrawal, WithdrawnRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord


def mark_withdrawn(state: WorkingState, consent: bytes, record: ConsentRecord) -> None:
    """Write a withdrawn consent into the row of each record that it is about."""
    for record_id in record.record_id:
        key = withdrawn_key(record.origin, record_id)
        others = _others(state, key, record)
        others.append(
            Withdrawal(
                grantor=record.grantor,
                subject=record.subject,
                consent=consent,
                height=record.withdrawn_height,
            )
        )
        others.sort(key=_who)
        state.write(key, WithdrawnRecord(withdrawals=others))


def lift_withdrawal(state: WorkingState, record: ConsentRecord) -> None:
    """Take back what the grantor withdrew before it granted this, and nobody else's."""
    for record_id in record.record_id:
        key = withdrawn_key(record.origin, record_id)
        marked = state.read(WithdrawnRecord, key)
        if marked is None:
            continue
        left = [
            each
            for each in marked.withdrawals
            # Of one block nobody can tell which came first.
            if _who(each) != _who(record) or each.height >= record.height
        ]
        if left:
            state.write(key, WithdrawnRecord(withdrawals=left))
        else:
            state.delete(key)


def is_withdrawn(state: WorkingState, origin: str, record_id: bytes) -> bool:
    """Whether consent of a record is withdrawn."""
    return state.get(withdrawn_key(origin, record_id)) is not None


def require_consent(state: WorkingState, offer: OfferRecord) -> None:
    """Refuse, with `CONSENT_WITHDRAWN`, what is not to be sold any more."""
    require(
        not is_withdrawn(state, offer.origin, offer.record_id),
        ResultCode.CONSENT_WITHDRAWN,
        "consent to the use of the recording was withdrawn",
    )


def _others(state: WorkingState, key: bytes, record: ConsentRecord) -> list[Withdrawal]:
    """What others than the grantor of ``record`` withdrew."""
    marked = state.read(WithdrawnRecord, key)
    return [each for each in marked.withdrawals if _who(each) != _who(record)] if marked else []


def _who(said: ConsentRecord | Withdrawal) -> tuple[bytes, bytes]:
    return said.grantor, said.subject
