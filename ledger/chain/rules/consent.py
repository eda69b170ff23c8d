"""Rule: consent. Given, withdrawn, and shown to have been acted on.

Whoever may say so, a data subject or an owner, grants that records of a robot are used for
a purpose; only the account that granted can withdraw. The chain sees a salted commitment
instead of the subject. It cannot know whether the grantor may speak for these records: that
the robot or its fleet says, by granting on somebody's behalf or by `AcknowledgeConsent`. Who
asks a robot to record them has this done first. From then on a withdrawal ends offers, grants
and sales of the records, and tells those who bought them (`ledger.chain.withdrawn`).

`ReportErasure` is the receipt: the robot's own signed `Erasure` entry, and the path from it
to the checkpoint that the chain holds of the robot's log. So a light client that trusts the
chain's headers needs one state proof, of the ConsentRecord, to learn what was erased.

- A report is good at any time, before a withdrawal too: it says what happened to records,
  and a robot may always keep less than it is allowed to. Consent whose records are all
  erased is `ERASED` for good. It can be withdrawn even so, for others may have bought them.
- One entry may cover some of the records; the record says which are covered so far.
- Any key that the robot ever had may have signed the entry, for it may be an old one. That
  the entry is in the anchored log dates it.
- A frozen or retired robot must erase like any other, but anchors no more. For entries that
  its log will never show, the authority of its fleet puts its name to them: it sends the
  report itself, without a path, and the record says `vouched` ever after.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import read_fleet
from ledger.chain.ids import consent_id
from ledger.chain.robots import read_robot, valid_keys
from ledger.chain.rules.action import Action, require_id, require_origin, require_text
from ledger.chain.state_keys import anchor_key, consent_key
from ledger.chain.withdrawn import lift_withdrawal, mark_withdrawn
from ledger.checkpoint import log_id
from ledger.ed25519 import is_signed
from ledger.errors import LedgerError
from ledger.experience.entry import Entry, Erasure, entry_message, parse_entry
from ledger.experience.fields import RECORD_ID_SIZE
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.inclusion import verify_inclusion
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_consent_pb2 import (
    CONSENT_STATUS_ERASED,
    CONSENT_STATUS_GRANTED,
    CONSENT_STATUS_WITHDRAWN,
    AcknowledgeConsent,
    ConsentRecord,
    GrantConsent,
    ReportErasure,
    WithdrawConsent,
)
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_ACTIVE, RobotRecord
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CONSENT_ACKNOWLEDGED,
    EVENT_KIND_CONSENT_GRANTED,
    EVENT_KIND_CONSENT_WITHDRAWN,
    EVENT_KIND_ERASURE_REPORTED,
)

MAX_RECORDS: Final = 256
MAX_PURPOSE: Final = 128


def check_grant_consent(message: GrantConsent) -> None:
    """Refuse what no consent can be about."""
    require_id(message.subject, "subject's commitment")
    require_origin(message.origin)
    ids = message.record_id
    require(
        1 <= len(ids) <= MAX_RECORDS
        and all(len(each) == RECORD_ID_SIZE for each in ids)
        and all(before < after for before, after in pairwise(ids)),
        ResultCode.FIELD_REFUSED,
        f"consent is about 1 to {MAX_RECORDS} records, ascending by their ids of "
        f"{RECORD_ID_SIZE} bytes",
    )
    require_text(message.purpose, MAX_PURPOSE, "purpose")


def grant_consent(context: Context, message: GrantConsent) -> None:
    """Write down what the signer allows; the robot has to be registered, in whatever state."""
    robot = read_robot(context.state, message.origin)
    require(
        not 0 < message.expiry_height < context.height,
        ResultCode.FIELD_REFUSED,
        "a consent that is over already",
    )
    consent = consent_id(context.chain, context.signer, context.sequence)
    record = ConsentRecord(
        grantor=context.signer,
        subject=message.subject,
        origin=message.origin,
        record_id=message.record_id,
        purpose=message.purpose,
        expiry_height=message.expiry_height,
        height=context.height,
    )
    context.emit(EVENT_KIND_CONSENT_GRANTED, consent)
    if _speaks_for(context, robot):
        _acknowledge(context, consent, record)
    context.state.write(consent_key(consent), record)


def check_acknowledge_consent(message: AcknowledgeConsent) -> None:
    """Refuse what is no id."""
    require_id(message.consent, "consent's id")


def acknowledge_consent(context: Context, message: AcknowledgeConsent) -> None:
    """Note that the grantor may speak for the records; what it withdrew already counts then."""
    record = _read_consent(context, message.consent)
    require(
        _speaks_for(context, read_robot(context.state, record.origin)),
        ResultCode.NOT_ALLOWED,
        "the robot acknowledges, or its fleet does",
    )
    require(not record.acknowledged_height, ResultCode.CONSENT_STATE, "it was acknowledged before")
    _acknowledge(context, message.consent, record)
    context.state.write(consent_key(message.consent), record)


def check_withdraw_consent(message: WithdrawConsent) -> None:
    """Refuse what is no id."""
    require_id(message.consent, "consent's id")


def withdraw_consent(context: Context, message: WithdrawConsent) -> None:
    """Withdraw what the signer granted, expired or not: who withdraws wants it erased."""
    record = _read_consent(context, message.consent)
    require(
        record.grantor == context.signer,
        ResultCode.NOT_ALLOWED,
        "only who granted a consent can withdraw it",
    )
    require(not record.withdrawn_height, ResultCode.CONSENT_STATE, "it was withdrawn before")
    record.withdrawn_height = context.height
    if record.status == CONSENT_STATUS_GRANTED:
        record.status = CONSENT_STATUS_WITHDRAWN
    if record.acknowledged_height:
        mark_withdrawn(context.state, message.consent, record)
    context.state.write(consent_key(message.consent), record)
    context.emit(EVENT_KIND_CONSENT_WITHDRAWN, message.consent)


def check_report_erasure(message: ReportErasure) -> None:
    """Refuse what is no id, and an entry that is no Erasure."""
    require_id(message.consent, "consent's id")
    for each in message.path:
        require_id(each, "hash of a path")
    _erased_by(_parse(message.entry))


def report_erasure(context: Context, message: ReportErasure) -> None:
    """Note which of a consent's records the robot erased."""
    record = _read_consent(context, message.consent)
    robot = read_robot(context.state, record.origin)
    entry = _parse(message.entry)
    covered = set(record.record_id).intersection(_erased_by(entry))
    require(
        bool(covered) and _is_entry_of(robot, record.origin, entry),
        ResultCode.NOT_AN_ERASURE,
        "the entry is not the robot's, or erases nothing that the consent is about",
    )
    new = covered.difference(record.erased)
    require(bool(new), ResultCode.CONSENT_STATE, "that was reported before")
    if entry.sequence != message.index or not _is_anchored(context, record.origin, message):
        _require_vouched(context, robot, message)
        record.vouched = True
    erased = sorted(new.union(record.erased))
    del record.erased[:]
    record.erased.extend(erased)
    if erased == list(record.record_id):
        record.status = CONSENT_STATUS_ERASED
    context.state.write(consent_key(message.consent), record)
    context.emit(EVENT_KIND_ERASURE_REPORTED, message.consent, len(new))


def _speaks_for(context: Context, robot: RobotRecord) -> bool:
    """Whether the signer is the robot, or the authority of its fleet."""
    return (
        context.signer in valid_keys(robot, context.height)
        or context.signer == read_fleet(context.state, robot.fleet).authority
    )


def _acknowledge(context: Context, consent: bytes, record: ConsentRecord) -> None:
    record.acknowledged_height = context.height
    if record.withdrawn_height:
        mark_withdrawn(context.state, consent, record)
    else:
        lift_withdrawal(context.state, record)
    context.emit(EVENT_KIND_CONSENT_ACKNOWLEDGED, consent)


def _read_consent(context: Context, consent: bytes) -> ConsentRecord:
    record = context.state.read(ConsentRecord, consent_key(consent))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_CONSENT, "there is no such consent")
    return record


def _parse(encoded: bytes) -> Entry:
    try:
        return parse_entry(encoded)
    except LedgerError as error:
        raise RefusalError(ResultCode.NOT_AN_ERASURE, error.message) from error


def _erased_by(entry: Entry) -> Sequence[bytes]:
    if not isinstance(entry.kind, Erasure):
        raise RefusalError(ResultCode.NOT_AN_ERASURE, "the entry erases nothing")
    return entry.kind.record_ids


def _is_entry_of(robot: RobotRecord, origin: str, entry: Entry) -> bool:
    # Keys of the record were checked when they came into it.
    return any(period.key == entry.robot_key for period in robot.keys) and is_signed(
        entry.robot_key, entry.signature, entry_message(log_id(origin), entry.body)
    )


def _is_anchored(context: Context, origin: str, message: ReportErasure) -> bool:
    anchor = context.state.read(AnchorRecord, anchor_key(origin))
    if anchor is None:
        return False
    try:
        verify_inclusion(
            leaf_hash(message.entry), message.index, anchor.size, tuple(message.path), anchor.root
        )
    except LedgerError:
        return False
    return True


def _require_vouched(context: Context, robot: RobotRecord, message: ReportErasure) -> None:
    """Refuse, with `NOT_ANCHORED`, unless the fleet itself says so of a log at its end."""
    require(
        robot.status != ROBOT_STATUS_ACTIVE
        and not message.path
        and context.signer == read_fleet(context.state, robot.fleet).authority,
        ResultCode.NOT_ANCHORED,
        "the path does not lead from the entry to the anchored checkpoint of its log",
    )


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("grant_consent", GrantConsent, check_grant_consent, grant_consent),
    Action(
        "acknowledge_consent", AcknowledgeConsent, check_acknowledge_consent, acknowledge_consent
    ),
    Action("withdraw_consent", WithdrawConsent, check_withdraw_consent, withdraw_consent),
    Action("report_erasure", ReportErasure, check_report_erasure, report_erasure),
)
