"""Requests and replies as bytes: made here, and read strictly.

``ledger/schema/exchange.proto`` is the format. A reply is a message and, beside it, a sealed
unit or deed: the message says how many bytes that has, and the cipher says whether they are
right, so a quarter of a megabyte is neither copied nor parsed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias, TypeVar

from ledger.chain.channel.payword import LINK_SIZE, Link
from ledger.chain.channel.voucher import Voucher
from ledger.chain.leaf import ID_SIZE
from ledger.ed25519 import SIGNATURE_SIZE
from ledger.errors import MalformedError, VerificationError
from ledger.exchange.deed import DEED_SALT_SIZE, MAX_SEALED_DEED
from ledger.exchange.session import SESSION_SIZE, X25519_SIZE, Session
from ledger.exchange.unit_cipher import SECRET_SIZE
from ledger.experience.disclosure import MAX_PATH_LENGTH
from ledger.merkle.hashing import HASH_SIZE
from ledger.schema import exchange_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.wallet.payer import Claim

M = TypeVar("M", exchange_pb2.StreamRequest, exchange_pb2.StreamReply)
_Claiming: TypeAlias = exchange_pb2.FetchUnit | exchange_pb2.FetchDeed | exchange_pb2.StreamOpened

MAX_MESSAGE: Final = 4096
"""Bytes of a request, or of a reply without its unit."""
_MAC_SIZE: Final = 32
_DEED_DOMAIN: Final = b"quipu/fetch-deed/v1\0"


class Reason(IntEnum):
    """Why a seller refuses; numbers of exchange.proto."""

    MALFORMED = 1
    NO_GRANT = 2
    WRONG_SIGNATURE = 3
    NO_CHANNEL = 4
    NO_SESSION = 5
    NO_UNIT = 6
    UNPAID = 7
    BAD_CLAIM = 8
    CHANNEL_ENDS = 9
    GONE = 10
    NOT_YET = 16
    NO_SALE = 17


class Reply(NamedTuple):
    """What comes back over any transport: a message, and the sealed unit or deed beside it."""

    message: bytes
    sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Opening:
    """An OpenStream."""

    grant: bytes
    channel: bytes
    session_key: bytes
    signature: bytes = field(default=b"", repr=False)
    encoded: bytes = field(default=b"", repr=False)
    """The bytes of the OpenStream, which the session follows from."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A FetchUnit whose code is not checked yet."""

    session: bytes
    index: int
    claim: Claim | None
    signed: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    def check(self, session: Session) -> None:
        """Raises VerificationError for a code that is not the session's."""
        if not hmac.compare_digest(session.mac(self.signed), self.mac):
            raise VerificationError("the request's code is not this session's")


@dataclass(frozen=True, slots=True)
class DeedFetch:
    """A FetchDeed whose code is not checked yet."""

    session: bytes
    claim: Claim | None
    signed: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    def check(self, session: Session) -> None:
        """Raises VerificationError for a code that is not the session's."""
        if not hmac.compare_digest(_deed_code(session, self.signed), self.mac):
            raise VerificationError("the request's code is not this session's")


@dataclass(frozen=True, slots=True)
class Opened:
    """The seller's agreement."""

    session_key: bytes
    signature: bytes
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class UnitReply:
    """What a fetch brought; ``sealed`` is empty where only the secret was asked for."""

    index: int
    secret: bytes = field(repr=False)
    path: tuple[bytes, ...] = field(repr=False)
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeedReply:
    """The deed, sealed (`ledger.exchange.deed`)."""

    salt: bytes
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The seller's no."""

    reason: Reason


def encode_opening(opening: Opening) -> tuple[bytes, bytes]:
    """The request, and the bytes of its OpenStream."""
    message = exchange_pb2.OpenStream(
        grant=opening.grant,
        channel=opening.channel,
        session_key=opening.session_key,
        signature=opening.signature,
    )
    request = exchange_pb2.StreamRequest(open=message)
    return serialize_message(request, "request"), serialize_message(message, "opening")


def encode_fetch(session: Session, index: int, claim: Claim | None) -> bytes:
    """The request for a unit, with its code."""
    request = exchange_pb2.StreamRequest()
    message = request.fetch
    message.session, message.index = session.session, index
    _put_claim(message, claim)
    message.mac = session.mac(serialize_message(message, "fetch"))
    return serialize_message(request, "request")


def encode_deed_fetch(session: Session, claim: Claim | None) -> bytes:
    """The request for the deed, with its code."""
    request = exchange_pb2.StreamRequest()
    message = request.deed
    message.session = session.session
    _put_claim(message, claim)
    message.mac = _deed_code(session, serialize_message(message, "fetch of a deed"))
    return serialize_message(request, "request")


def parse_request(encoded: bytes) -> Opening | Fetch | DeedFetch:
    """Read a request. Raises MalformedError."""
    request = _parse(exchange_pb2.StreamRequest, encoded, "request")
    ask = request.WhichOneof("ask")
    if ask == "open":
        message = request.open
        _require_size(message.grant, ID_SIZE, "grant")
        _require_size(message.session_key, X25519_SIZE, "session key")
        _require_size(message.signature, SIGNATURE_SIZE, "signature")
        if message.channel:
            _require_size(message.channel, ID_SIZE, "channel")
        return Opening(
            message.grant,
            message.channel,
            message.session_key,
            message.signature,
            serialize_message(message, "opening"),
        )
    if ask == "deed":
        return _deed_fetch(request.deed)
    if ask != "fetch":
        raise MalformedError("a request that asks for nothing")
    fetch = request.fetch
    _require_size(fetch.session, SESSION_SIZE, "session")
    _require_size(fetch.mac, _MAC_SIZE, "code")
    mac = fetch.mac
    fetch.mac = b""
    return Fetch(fetch.session, fetch.index, _claim(fetch), serialize_message(fetch, "fetch"), mac)


def encode_opened(opened: Opened) -> Reply:
    """The seller's agreement as a reply."""
    reply = exchange_pb2.StreamReply()
    message = reply.opened
    message.session_key, message.signature = opened.session_key, opened.signature
    _put_claim(message, opened.claim)
    return Reply(serialize_message(reply, "reply"))


def encode_unit(unit: UnitReply) -> Reply:
    """A unit as a reply."""
    reply = exchange_pb2.StreamReply()
    message = reply.unit
    message.index, message.secret, message.size = unit.index, unit.secret, len(unit.sealed)
    message.path.extend(unit.path)
    return Reply(serialize_message(reply, "reply"), unit.sealed)


def encode_deed(deed: DeedReply) -> Reply:
    """A sealed deed as a reply."""
    message = exchange_pb2.SealedDeed(salt=deed.salt, size=len(deed.sealed))
    encoded = serialize_message(exchange_pb2.StreamReply(deed=message), "reply")
    return Reply(encoded, deed.sealed)


def encode_refused(reason: Reason) -> Reply:
    """A refusal as a reply."""
    message = exchange_pb2.Refused(reason=exchange_pb2.Reason.Name(reason.value))
    return Reply(serialize_message(exchange_pb2.StreamReply(refused=message), "reply"))


def parse_reply(reply: Reply) -> Opened | UnitReply | DeedReply | Refused:
    """Read a reply. Raises MalformedError."""
    message = _parse(exchange_pb2.StreamReply, reply.message, "reply")
    answer = message.WhichOneof("answer")
    if answer not in ("unit", "deed") and reply.sealed:
        raise MalformedError("a unit beside a reply that has none")
    if answer == "deed":
        return _deed_reply(message.deed, reply.sealed)
    if answer == "opened":
        opened = message.opened
        _require_size(opened.session_key, X25519_SIZE, "session key")
        _require_size(opened.signature, SIGNATURE_SIZE, "signature")
        return Opened(opened.session_key, opened.signature, _claim(opened))
    if answer == "refused":
        try:
            return Refused(Reason(message.refused.reason))
        except ValueError:
            raise MalformedError("a refusal for no reason that is known") from None
    if answer != "unit":
        raise MalformedError("a reply that says nothing")
    unit = message.unit
    if unit.secret:
        _require_size(unit.secret, SECRET_SIZE, "secret")
    if unit.size != len(reply.sealed):
        raise MalformedError(f"{len(reply.sealed)} bytes beside a reply that says {unit.size}")
    path = tuple(unit.path)
    if len(path) > MAX_PATH_LENGTH or {*map(len, path)} - {HASH_SIZE}:
        raise MalformedError("a unit's path is of hashes of 32 bytes, 63 at most")
    return UnitReply(unit.index, unit.secret, path, reply.sealed)


def _deed_fetch(message: exchange_pb2.FetchDeed) -> DeedFetch:
    _require_size(message.session, SESSION_SIZE, "session")
    _require_size(message.mac, _MAC_SIZE, "code")
    mac = message.mac
    message.mac = b""
    signed = serialize_message(message, "fetch of a deed")
    return DeedFetch(message.session, _claim(message), signed, mac)


def _deed_reply(message: exchange_pb2.SealedDeed, sealed: bytes) -> DeedReply:
    _require_size(message.salt, DEED_SALT_SIZE, "deed's salt")
    if message.size != len(sealed) or len(sealed) > MAX_SEALED_DEED:
        raise MalformedError(f"{len(sealed)} bytes beside a reply that says {message.size}")
    return DeedReply(message.salt, sealed)


def _deed_code(session: Session, message: bytes) -> bytes:
    # A domain of its own: without its index, a fetch of unit 0 is the same bytes.
    return session.mac(_DEED_DOMAIN + message)


def _parse(kind: type[M], encoded: bytes, name: str) -> M:
    if len(encoded) > MAX_MESSAGE:
        raise MalformedError(f"a {name} of {len(encoded)} bytes; {MAX_MESSAGE} at most")
    return parse_message(kind, encoded, name)


def _require_size(value: bytes, size: int, name: str) -> None:
    if len(value) != size:
        raise MalformedError(f"a {name} is {size} bytes")


def _put_claim(message: _Claiming, claim: Claim | None) -> None:
    if isinstance(claim, Link):
        word = message.payword
        word.index, word.link = claim.index, claim.link
    elif claim is not None:
        voucher = message.voucher
        voucher.cumulative, voucher.signature = claim.cumulative, claim.signature


def _claim(message: _Claiming) -> Claim | None:
    kind = message.WhichOneof("claim")
    if kind == "voucher":
        voucher = message.voucher
        _require_size(voucher.signature, SIGNATURE_SIZE, "voucher's signature")
        return Voucher(voucher.cumulative, voucher.signature)
    if kind == "payword":
        word = message.payword
        _require_size(word.link, LINK_SIZE, "link")
        return Link(word.index, word.link)
    return None
