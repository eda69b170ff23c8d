"""Strict reading and writing of protobuf messages: one message, one encoding.

Protobuf readers accept a field twice (the last wins), fields in any order,
varints with idle bytes and fields they do not know. Two readers could then see
two things in the same signed bytes. So what is parsed must be exactly what
writing it again gives: fields ascending by number, none twice, defaults left
out, shortest varints, nothing unknown at any depth.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, EncodeError, Message

from ledger.errors import MalformedError

M = TypeVar("M", bound=Message)


def parse_message(message_type: type[M], encoded: bytes, name: str) -> M:
    """Parse ``encoded`` as exactly one canonical message. Raises `MalformedError`."""
    message = message_type()
    try:
        message.ParseFromString(bytes(encoded))
    except (DecodeError, ValueError):  # ValueError: text that is not UTF-8
        raise MalformedError(f"{name} is not a protobuf message of its type") from None
    # Unknown fields at any depth are dropped here, so writing again shows them too.
    message.DiscardUnknownFields()
    if serialize_message(message, name) != encoded:
        raise MalformedError(f"{name} has unknown fields, or is not encoded canonically")
    return message


def serialize_message(message: Message, name: str) -> bytes:
    """Encode a message deterministically. Raises `MalformedError`."""
    try:
        return message.SerializeToString(deterministic=True)
    except (EncodeError, ValueError):
        raise MalformedError(f"{name} cannot be encoded") from None
