"""Requests and replies of an atomic sale: one encoding each, nothing else read, all bytes held."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, MalformedError, VerificationError
from ledger.exchange.conversation import conversation_of
from ledger.exchange.messages import (
    MAX_MESSAGE,
    Reason,
    Refused,
    Reply,
    encode_fetch,
    encode_refused,
)
from ledger.exchange.session import Session, session_id
from ledger.exchange.swap_cipher import Part, SwapCipher
from ledger.exchange.swap_messages import (
    PartFetch,
    SealedPart,
    SwapOpened,
    SwapOpening,
    encode_part,
    encode_part_fetch,
    encode_swap_opened,
    encode_swap_opening,
    is_swap_request,
    parse_swap_reply,
    parse_swap_request,
)
from tests.ledger.exchange.swap_world import SwapWorld

SESSION = Session(bytes(range(16)), b"m" * 32, b"k" * 32)
OPENING = SwapOpening(b"g" * 32, b"x" * 32, b"s" * 64)
OPENED = SwapOpened(b"x" * 32, b"s" * 64, b"i" * 32)


@pytest.mark.parametrize("part", Part)
def test_what_is_written_is_read(part: Part) -> None:
    request = encode_part_fetch(SESSION, part, 5)
    fetch = parse_swap_request(request)
    assert isinstance(fetch, PartFetch)
    fetch.check(SESSION)
    assert (fetch.part, fetch.session, fetch.index) == (part, SESSION.session, 5)
    sealed = SealedPart(part, 5, b"sealed")
    assert parse_swap_reply(encode_part(sealed)) == sealed
    assert is_swap_request(request)


def test_openings_and_refusals_are_read() -> None:
    request, encoded = encode_swap_opening(OPENING)
    opening = parse_swap_request(request)
    assert isinstance(opening, SwapOpening)
    assert opening.encoded == encoded
    assert parse_swap_reply(encode_swap_opened(OPENED)) == OPENED
    for reason in Reason:
        assert parse_swap_reply(encode_refused(reason)) == Refused(reason)


@pytest.mark.parametrize("part", Part)
def test_every_byte_of_a_request_is_covered(part: Part) -> None:
    """Whatever changes, it is no request, another session's, or its code is wrong."""
    request = encode_part_fetch(SESSION, part, 5)
    for position in range(len(request)):
        for bit in (1, 8, 0x10):
            broken = bytearray(request)
            broken[position] ^= bit
            try:
                fetch = parse_swap_request(bytes(broken))
            except MalformedError:
                continue
            assert isinstance(fetch, PartFetch)
            if fetch.session == SESSION.session:
                with pytest.raises(LedgerError):
                    fetch.check(SESSION)


def test_a_code_for_leaves_fetches_no_unit() -> None:
    leaves = parse_swap_request(encode_part_fetch(SESSION, Part.LEAVES, 5))
    assert isinstance(leaves, PartFetch)
    unit = PartFetch(Part.UNIT, leaves.session, leaves.index, leaves.signed, leaves.mac)
    with pytest.raises(VerificationError):
        unit.check(SESSION)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        bytes(MAX_MESSAGE + 1),
        encode_swap_opening(OPENING)[0] + b"\x1a\x00",
        encode_swap_opening(SwapOpening(b"g" * 31, b"x" * 32, b"s" * 64))[0],
        encode_swap_opening(SwapOpening(b"g" * 32, b"x" * 33, b"s" * 64))[0],
        encode_swap_opening(SwapOpening(b"g" * 32, b"x" * 32, b"s" * 63))[0],
        encode_part_fetch(Session(b"short", b"m" * 32, b""), Part.UNIT, 0),
    ],
)
def test_bad_requests_are_refused(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_swap_request(encoded)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b""),
        Reply(b"\xff" * 9),
        Reply(encode_refused(Reason.GONE).message, b"x"),
        Reply(encode_swap_opened(OPENED).message, b"x"),
        Reply(encode_part(SealedPart(Part.UNIT, 1, b"sealed")).message, b"seale"),
        Reply(encode_part(SealedPart(Part.LEAVES, 1, b"sealed")).message),
        encode_swap_opened(SwapOpened(b"x", b"s" * 64, b"i" * 32)),
        encode_swap_opened(SwapOpened(b"x" * 32, b"s", b"i" * 32)),
        encode_swap_opened(SwapOpened(b"x" * 32, b"s" * 64, b"i")),
        Reply(b"\x1a\x02\x08\x63"),
    ],
)
def test_bad_replies_are_refused(reply: Reply) -> None:
    with pytest.raises(MalformedError):
        parse_swap_reply(reply)


@given(st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused(data: bytes) -> None:
    is_swap_request(data)
    for parse in (parse_swap_request, lambda encoded: parse_swap_reply(Reply(encoded))):
        with suppress(MalformedError):
            parse(data)


def test_a_part_opens_in_its_place_alone() -> None:
    cipher = SwapCipher(SESSION, b"i" * 32, 5)
    sealed = cipher.seal(Part.UNIT, 3, b"content")
    assert cipher.open(Part.UNIT, 3, sealed) == b"content"
    others = (
        (cipher, Part.UNIT, 2),
        (cipher, Part.LEAVES, 3),
        (SwapCipher(SESSION, b"j" * 32, 5), Part.UNIT, 3),
        (SwapCipher(SESSION, b"i" * 32, 6), Part.UNIT, 3),
        (SwapCipher(Session(SESSION.session, b"m" * 32, b"l" * 32), b"i" * 32, 5), Part.UNIT, 3),
    )
    for other, part, index in others:
        with pytest.raises(VerificationError):
            other.open(part, index, sealed)
    for at in range(len(sealed)):
        with pytest.raises(VerificationError):
            cipher.open(Part.UNIT, 3, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])


def test_a_seller_answers_garbage_and_strangers(tmp_path: Path) -> None:
    world = SwapWorld(tmp_path)
    for garbage in (b"", b"\x0a", bytes(5_000), b"\x12\x00"):
        # Not about an atomic sale: for whoever sells by the chunk.
        assert parse_swap_reply(world.ask(garbage)) == Refused(Reason.NO_GRANT)
    bad = encode_swap_opening(SwapOpening(b"g" * 31, b"x" * 32, b"s" * 64))[0]
    assert parse_swap_reply(world.ask(bad)) == Refused(Reason.MALFORMED)
    unknown = encode_swap_opening(OPENING)[0]
    assert parse_swap_reply(world.ask(unknown)) == Refused(Reason.NO_GRANT)
    nobody = encode_part_fetch(SESSION, Part.UNIT, 0)
    assert parse_swap_reply(world.ask(nobody)) == Refused(Reason.NO_SESSION)


def test_a_session_fetches_what_there_is(tmp_path: Path) -> None:
    world = SwapWorld(tmp_path)
    world.buy()
    assert world.purchase is not None
    session = next(iter(world.counter._sessions._open.values())).session
    for part, index in ((Part.UNIT, 5), (Part.UNIT, 1 << 63), (Part.LEAVES, 1)):
        reply = world.ask(encode_part_fetch(session, part, index))
        assert parse_swap_reply(reply) == Refused(Reason.NO_UNIT)
    other = Session(session.session, bytes(32), session.unit_key)
    reply = world.ask(encode_part_fetch(other, Part.UNIT, 0))
    assert parse_swap_reply(reply) == Refused(Reason.WRONG_SIGNATURE)


def test_a_carrier_knows_the_conversation_of_each_request() -> None:
    request, encoded = encode_swap_opening(OPENING)
    assert conversation_of(request) == session_id(encoded)
    for part in Part:
        assert conversation_of(encode_part_fetch(SESSION, part, 5)) == SESSION.session
    assert conversation_of(encode_fetch(SESSION, 5, None)) == SESSION.session
    for garbage in (b"", b"\x0a", request + b"\x1a\x00"):
        with pytest.raises(MalformedError):
            conversation_of(garbage)


def test_no_secret_is_in_a_repr() -> None:
    shown = repr([SESSION, OPENING, OPENED, SealedPart(Part.UNIT, 1, b"z" * 32)])
    for secret in (b"m" * 32, b"k" * 32, b"s" * 32, b"z" * 32):
        assert repr(secret)[2:-1] not in shown
