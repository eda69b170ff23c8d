"""Requests and replies of an atomic sale as bytes: made here, and read strictly.

``ledger/schema/exchange.proto`` is the format, asks and answers 8 to 10. As in a stream, what
is sealed comes beside a reply's message.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ledger.chain.leaf import ID_SIZE
from ledger.ed25519 import SIGNATURE_SIZE
from ledger.errors import MalformedError, VerificationError
from ledger.exchange.messages import MAX_MESSAGE, Reason, Refused, Reply
from ledger.exchange.session import SESSION_SIZE, X25519_SIZE, Session
from ledger.exchange.swap_cipher import Part
from ledger.schema import exchange_pb2
from ledger.schema.canonical import parse_message, serialize_message

M = TypeVar("M", exchange_pb2.StreamRequest, exchange_pb2.StreamReply)

PAGE_UNITS: Final = 4_096
"""Units whose leaves are in one page, of 64 bytes each."""
_MAC_SIZE: Final = 32
_ASKS: Final = frozenset({"open_sale", "leaves", "masked"})
# A domain each: the two requests are the same bytes.
_DOMAINS: Final = {Part.LEAVES: b"quipu/fetch-leaves/v1\0", Part.UNIT: b"quipu/fetch-masked/v1\0"}


@dataclass(frozen=True, slots=True)
class SwapOpening:
    """An OpenSale."""

    grant: bytes
    session_key: bytes
    signature: bytes = field(repr=False)
    encoded: bytes = field(default=b"", repr=False)
    """The bytes of the OpenSale, which the session follows from."""


@dataclass(frozen=True, slots=True)
class PartFetch:
    """A FetchLeaves or FetchMasked whose code is not checked yet."""

    part: Part
    session: bytes
    index: int
    signed: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    def check(self, session: Session) -> None:
        """Raises VerificationError for a code that is not the session's."""
        if not hmac.compare_digest(_code(session, self.part, self.signed), self.mac):
            raise VerificationError("the request's code is not this session's")


@dataclass(frozen=True, slots=True)
class SwapOpened:
    """The seller's agreement; the sale is on the chain."""

    session_key: bytes
    signature: bytes = field(repr=False)
    sale: bytes
    """Its id."""


@dataclass(frozen=True, slots=True)
class SealedPart:
    """Leaves or a unit, sealed."""

    part: Part
    index: int
    sealed: bytes = field(repr=False)


def is_swap_request(encoded: bytes) -> bool:
    """Whether bytes ask about an atomic sale; what is no request at all does not."""
    try:
        return _parse(exchange_pb2.StreamRequest, encoded, "request").WhichOneof("ask") in _ASKS
    except MalformedError:
        return False


def encode_swap_opening(opening: SwapOpening) -> tuple[bytes, bytes]:
    """The request, and the bytes of its OpenSale."""
    message = exchange_pb2.OpenSale(
        grant=opening.grant, session_key=opening.session_key, signature=opening.signature
    )
    request = exchange_pb2.StreamRequest(open_sale=message)
    return serialize_message(request, "request"), serialize_message(message, "opening")


def encode_part_fetch(session: Session, part: Part, index: int) -> bytes:
    """The request for a page of leaves or a unit, with its code."""
    if part is Part.LEAVES:
        page = exchange_pb2.FetchLeaves(session=session.session, page=index)
        page.mac = _code(session, part, serialize_message(page, "fetch"))
        request = exchange_pb2.StreamRequest(leaves=page)
    else:
        unit = exchange_pb2.FetchMasked(session=session.session, index=index)
        unit.mac = _code(session, part, serialize_message(unit, "fetch"))
        request = exchange_pb2.StreamRequest(masked=unit)
    return serialize_message(request, "request")


def parse_swap_request(encoded: bytes) -> SwapOpening | PartFetch:
    """Read a request. Raises MalformedError."""
    request = _parse(exchange_pb2.StreamRequest, encoded, "request")
    ask = request.WhichOneof("ask")
    if ask == "open_sale":
        message = request.open_sale
        _require_size(message.grant, ID_SIZE, "grant")
        _require_size(message.session_key, X25519_SIZE, "session key")
        _require_size(message.signature, SIGNATURE_SIZE, "signature")
        return SwapOpening(
            message.grant,
            message.session_key,
            message.signature,
            serialize_message(message, "opening"),
        )
    if ask == "leaves":
        return _fetch(Part.LEAVES, request.leaves, request.leaves.page)
    if ask == "masked":
        return _fetch(Part.UNIT, request.masked, request.masked.index)
    raise MalformedError("a request about no atomic sale")


def encode_swap_opened(opened: SwapOpened) -> Reply:
    """The seller's agreement as a reply."""
    message = exchange_pb2.SaleOpened(
        session_key=opened.session_key, signature=opened.signature, sale=opened.sale
    )
    return Reply(serialize_message(exchange_pb2.StreamReply(sale_opened=message), "reply"))


def encode_part(part: SealedPart) -> Reply:
    """Leaves or a unit as a reply."""
    size = len(part.sealed)
    if part.part is Part.LEAVES:
        leaves = exchange_pb2.Leaves(page=part.index, size=size)
        reply = exchange_pb2.StreamReply(leaves=leaves)
    else:
        reply = exchange_pb2.StreamReply(masked=exchange_pb2.Masked(index=part.index, size=size))
    return Reply(serialize_message(reply, "reply"), part.sealed)


def parse_swap_reply(reply: Reply) -> SwapOpened | SealedPart | Refused:
    """Read a reply. Raises MalformedError."""
    message = _parse(exchange_pb2.StreamReply, reply.message, "reply")
    answer = message.WhichOneof("answer")
    if answer == "leaves":
        return _part(Part.LEAVES, message.leaves.page, message.leaves.size, reply.sealed)
    if answer == "masked":
        return _part(Part.UNIT, message.masked.index, message.masked.size, reply.sealed)
    if reply.sealed:
        raise MalformedError("a part beside a reply that has none")
    if answer == "refused":
        try:
            return Refused(Reason(message.refused.reason))
        except ValueError:
            raise MalformedError("a refusal for no reason that is known") from None
    if answer != "sale_opened":
        raise MalformedError("a reply that says nothing of an atomic sale")
    opened = message.sale_opened
    _require_size(opened.session_key, X25519_SIZE, "session key")
    _require_size(opened.signature, SIGNATURE_SIZE, "signature")
    _require_size(opened.sale, ID_SIZE, "sale")
    return SwapOpened(opened.session_key, opened.signature, opened.sale)


def _fetch(
    part: Part, message: exchange_pb2.FetchLeaves | exchange_pb2.FetchMasked, index: int
) -> PartFetch:
    _require_size(message.session, SESSION_SIZE, "session")
    _require_size(message.mac, _MAC_SIZE, "code")
    mac = message.mac
    message.mac = b""
    return PartFetch(part, message.session, index, serialize_message(message, "fetch"), mac)


def _part(part: Part, index: int, size: int, sealed: bytes) -> SealedPart:
    if size != len(sealed):
        raise MalformedError(f"{len(sealed)} bytes beside a reply that says {size}")
    return SealedPart(part, index, sealed)


def _code(session: Session, part: Part, message: bytes) -> bytes:
    return session.mac(_DOMAINS[part] + message)


def _parse(kind: type[M], encoded: bytes, name: str) -> M:
    if len(encoded) > MAX_MESSAGE:
        raise MalformedError(f"a {name} of {len(encoded)} bytes; {MAX_MESSAGE} at most")
    return parse_message(kind, encoded, name)


def _require_size(value: bytes, size: int, name: str) -> None:
    if len(value) != size:
        raise MalformedError(f"a {name} is {size} bytes")
