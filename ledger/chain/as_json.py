"""What is on a chain as JSON values: transactions, results, headers, rows of the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ledger.chain.account import Account
from ledger.chain.codes import ResultCode
from ledger.chain.header import Header
from ledger.chain.key_words import describe_key
from ledger.chain.result import Result
from ledger.chain.state_keys import GOVERNORS_KEY, PARAMETERS_KEY
from ledger.chain.transaction import Transaction
from ledger.errors import MalformedError
from ledger.schema import chain_pb2
from ledger.schema.canonical import parse_message
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_consent_pb2 import ConsentRecord, WithdrawnRecord
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_grant_pb2 import AnonymousFees, GrantRecord, NullifierRecord
from ledger.schema.chain_identity_pb2 import FleetRecord, RobotRecord
from ledger.schema.chain_learning_pb2 import ModelRecord
from ledger.schema.chain_payment_pb2 import AssetRecord, CapRecord
from ledger.schema.chain_sharing_pb2 import ContractRecord, ContractVersion, OfferRecord

_RECORDS: Final[Mapping[int, type[Message]]] = {
    0x02: AssetRecord,
    0x03: CapRecord,
    0x10: FleetRecord,
    0x11: RobotRecord,
    0x20: AnchorRecord,
    0x30: ChannelRecord,
    0x40: ConsentRecord,
    0x41: WithdrawnRecord,
    0x50: ContractRecord,
    0x51: OfferRecord,
    0x52: ContractVersion,
    0x60: GrantRecord,
    0x61: NullifierRecord,
    0x70: SaleRecord,
    0x62: AnonymousFees,
    0x80: ModelRecord,
}
_TEXTS: Final = frozenset({"note", "evidence", "witness_policy", "policy"})
"""Fields of bytes that hold text."""


def code_name(code: int) -> str:
    """A result's code in words: ``ok``, ``insufficient-funds``; a number if it is newer."""
    try:
        return ResultCode(code).name.lower().replace("_", "-")
    except ValueError:
        return f"code-{code}"


def message_json(message: Message) -> dict[str, Any]:
    """A message as JSON values: bytes in hex, enumerations by name, what is unset left out."""
    return {field.name: _value(field, value) for field, value in message.ListFields()}


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.is_repeated:
        return [_single(field, each) for each in value]
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Message):
        return message_json(value)
    if isinstance(value, bytes):
        if field.name == "memo":
            return memo_text(value)
        return value.decode("utf-8", "replace") if field.name in _TEXTS else value.hex()
    if field.enum_type is not None:
        # ROBOT_STATUS_ACTIVE of RobotStatus is "active".
        kind = field.enum_type
        prefix = kind.values_by_number[0].name.rpartition("_")[0] + "_"
        known = kind.values_by_number.get(value)
        return known.name.removeprefix(prefix).lower() if known else value
    return value


def memo_text(memo: bytes) -> str:
    """A memo as text where it is some, else in hex after ``0x``."""
    try:
        text = memo.decode("utf-8")
    except UnicodeDecodeError:
        return f"0x{memo.hex()}"
    return text if text.isprintable() else f"0x{memo.hex()}"


def value_json(key: bytes, value: bytes) -> dict[str, Any]:
    """What the state has at a key. Raises MalformedError for a row of no known form."""
    if key[:1] == b"\x01":
        account = Account.decode(value)
        return {
            "sequence": account.sequence,
            "flags": account.flags,
            "holdings": {str(asset): amount for asset, amount in account.holdings},
        }
    if key[:1] == b"\x12":
        return {"origin": value.decode("utf-8", "replace")}
    if key == PARAMETERS_KEY:
        return message_json(parse_message(chain_pb2.Parameters, value, "parameters"))
    if key == GOVERNORS_KEY:
        return message_json(parse_message(chain_pb2.Governors, value, "governors"))
    record = _RECORDS.get(key[0])
    if record is None:
        raise MalformedError(f"{describe_key(key)}: a row that this version does not know")
    return message_json(parse_message(record, value, record.DESCRIPTOR.name))


def header_json(header: Header) -> dict[str, Any]:
    """A header."""
    return {
        "height": header.height,
        "time_ns": header.time_ns,
        "hash": header.app_hash.hex(),
        "previous": header.previous.hex(),
        "log_size": header.log_size,
        "log_root": header.log_root.hex(),
        "transactions": header.transactions,
        "results_root": header.results_root.hex(),
        "state_root": header.state_root.hex(),
    }


def transaction_json(transaction: Transaction, result: Result) -> dict[str, Any]:
    """A transaction and what came of it."""
    return {
        "transaction": transaction.id.hex(),
        "signer": transaction.signer.hex(),
        "sequence": transaction.sequence,
        "expiry_height": transaction.expiry_height,
        "fee": transaction.fee,
        "sponsor": transaction.sponsor.hex() or None,
        "action": transaction.action,
        "message": message_json(transaction.message),
        "result": code_name(result.code),
        "events": [event_json(event) for event in result.events],
    }


def event_json(event: chain_pb2.Event) -> dict[str, Any]:
    """An event of a result; its subject is an id in hex, or an origin."""
    kind = chain_pb2.EventKind.DESCRIPTOR.values_by_number.get(event.kind)
    name = kind.name.removeprefix("EVENT_KIND_") if kind else f"kind-{event.kind}"
    subject = event.subject.hex()
    if name in ("ANCHORED", "FROZEN", "ROBOT_REGISTERED", "ROBOT_RETIRED", "KEY_ROTATED") or (
        name == "RECOVERY_BEGUN"
    ):
        subject = event.subject.decode("utf-8", "replace")
    return {
        "kind": name.lower().replace("_", "-"),
        "subject": subject,
        "amount": event.amount,
    }
