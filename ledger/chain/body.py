"""Bodies of transactions, made from the message that says what is asked for."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import Message

from ledger.schema import chain_pb2

__all__ = ["Message", "body_asking"]

_FIELDS: Final[dict[str, str]] = {
    field.message_type.name: field.name
    for field in chain_pb2.TransactionBody.DESCRIPTOR.oneofs_by_name["action"].fields
    if field.message_type is not None
}
"""Field of the action, by the name of its message."""


def body_asking(message: Message, **fields: Any) -> chain_pb2.TransactionBody:
    """A body that asks for ``message``, with the given fields; signing fills in the rest."""
    body = chain_pb2.TransactionBody(**fields)
    action: Message = getattr(body, _FIELDS[message.DESCRIPTOR.name])
    action.SetInParent()
    action.CopyFrom(message)
    return body
