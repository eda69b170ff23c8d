"""Requests and replies: one encoding each, and nothing else is read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.channel.payword import Link
from ledger.chain.channel.voucher import Voucher
from ledger.errors import LedgerError, MalformedError
from ledger.exchange.messages import (
    MAX_MESSAGE,
    Fetch,
    Opened,
    Opening,
    Reason,
    Refused,
    Reply,
    UnitReply,
    encode_fetch,
    encode_opened,
    encode_opening,
    encode_refused,
    encode_unit,
    parse_reply,
    parse_request,
)
from ledger.exchange.session import Session
from ledger.schema import exchange_pb2
from tests.ledger.exchange.stream_world import StreamWorld

SESSION = Session(bytes(range(16)), b"m" * 32, b"k" * 32)
CLAIMS = [None, Voucher(7, bytes(range(64))), Link(3, bytes(range(32)))]
OPENING = Opening(b"g" * 32, b"c" * 32, b"x" * 32, b"s" * 64)
UNIT = UnitReply(2, b"s" * 32, (b"p" * 32, b"q" * 32), b"sealed")


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_written_is_read(claim: Voucher | Link | None) -> None:
    fetch = parse_request(encode_fetch(SESSION, 5, claim))
    assert isinstance(fetch, Fetch)
    fetch.check(SESSION)
    assert (fetch.session, fetch.index, fetch.claim) == (SESSION.session, 5, claim)
    opened = Opened(b"x" * 32, b"s" * 64, claim)
    assert parse_reply(encode_opened(opened)) == opened


def test_openings_units_and_refusals_are_read() -> None:
    request, encoded = encode_opening(OPENING)
    opening = parse_request(request)
    assert isinstance(opening, Opening)
    assert opening.encoded == encoded
    assert (opening.grant, opening.channel) == (OPENING.grant, OPENING.channel)
    assert parse_reply(encode_unit(UNIT)) == UNIT
    for reason in Reason:
        assert parse_reply(encode_refused(reason)) == Refused(reason)
        assert exchange_pb2.Reason.Name(reason.value) == f"REASON_{reason.name}"
    assert len(exchange_pb2.Reason.keys()) == len(Reason) + 1


def test_every_byte_of_a_request_is_covered() -> None:
    """Whatever changes, it is no request, another opening, or its code is wrong."""
    request = encode_fetch(SESSION, 5, CLAIMS[2])
    for position in range(len(request)):
        broken = bytearray(request)
        broken[position] ^= 1
        try:
            fetch = parse_request(bytes(broken))
        except MalformedError:
            continue
        assert isinstance(fetch, Fetch)
        if fetch.session == SESSION.session:
            with pytest.raises(LedgerError):
                fetch.check(SESSION)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        bytes(MAX_MESSAGE + 1),
        encode_opening(OPENING)[0] + b"\x1a\x00",
        encode_opening(Opening(b"g" * 31, b"", b"x" * 32, b"s" * 64))[0],
        encode_opening(Opening(b"g" * 32, b"c", b"x" * 32, b"s" * 64))[0],
        encode_opening(Opening(b"g" * 32, b"", b"x" * 33, b"s" * 64))[0],
        encode_opening(Opening(b"g" * 32, b"", b"x" * 32, b"s" * 63))[0],
        encode_fetch(Session(b"short", b"m" * 32, b""), 0, None),
        encode_fetch(SESSION, 0, Voucher(1, b"short")),
        encode_fetch(SESSION, 0, Link(1, b"short")),
    ],
)
def test_bad_requests_are_refused(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_request(encoded)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b""),
        Reply(b"\xff" * 9),
        Reply(encode_refused(Reason.GONE).message, b"x"),
        Reply(encode_unit(UNIT).message, b"seale"),
        Reply(encode_unit(UNIT).message),
        encode_unit(UnitReply(2, b"short", (), b"x")),
        encode_unit(UnitReply(2, b"", (b"short",), b"x")),
        encode_unit(UnitReply(2, b"", (b"p" * 32,) * 64, b"x")),
        encode_opened(Opened(b"x", b"s" * 64, None)),
        encode_opened(Opened(b"x" * 32, b"s", None)),
        Reply(b"\x1a\x00"),
        Reply(b"\x1a\x02\x08\x63"),
    ],
)
def test_bad_replies_are_refused(reply: Reply) -> None:
    with pytest.raises(MalformedError):
        parse_reply(reply)


@given(st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused(data: bytes) -> None:
    for parse in (parse_request, lambda encoded: parse_reply(Reply(encoded))):
        with suppress(MalformedError):
            parse(data)


def test_a_seller_answers_garbage(world: StreamWorld) -> None:
    for garbage in (b"", b"\x0a", bytes(5_000), b"\x12\x00"):
        assert parse_reply(world.ask(garbage)) == Refused(Reason.MALFORMED)


def test_no_secret_is_in_a_repr() -> None:
    shown = repr([SESSION, UNIT, Link(1, b"w" * 32), OPENING])
    for secret in (b"m" * 32, b"k" * 32, b"w" * 32, b"s" * 32):
        assert repr(secret)[2:-1] not in shown
