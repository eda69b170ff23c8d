"""Whoever opens sessions without end loses its own, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ledger.exchange.buyer import FetchingUnit, HeldUnit
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Opened, Opening, encode_opening, parse_reply
from ledger.exchange.open_sessions import (
    MAX_OF_GRANT,
    MAX_SESSIONS,
    OpenSession,
    OpenSessions,
)
from ledger.exchange.session import (
    EXCHANGE_TAG,
    Session,
    new_agreement_key,
    open_statement,
    public_agreement_key,
)
from ledger.exchange.swap_chain import SellingTerms
from ledger.exchange.swap_cipher import Part
from ledger.exchange.swap_messages import SealedPart, encode_part_fetch, parse_swap_reply
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.exchange.crowd import Crowd
from tests.ledger.exchange.stream_world import StreamWorld

HOSTILE = 100


def opened(grant: int, number: int) -> OpenSession:
    name = sha256(bytes([grant % 256, grant // 256, number])).digest()
    return OpenSession(name, Session(name[:16], b"m", b"k"))


def of(grant: bytes, number: int) -> OpenSession:
    return OpenSession(grant, Session(bytes([number]) * 16, b"m", b"k"))


def test_a_grant_has_those_that_were_used_last() -> None:
    sessions, grant, other = OpenSessions(), b"g" * 32, of(b"o" * 32, 99)
    sessions.keep(other)
    first, second, third = (of(grant, number) for number in range(3))
    sessions.keep(first)
    sessions.keep(second)
    assert sessions.find(first.session.session) == first
    sessions.keep(third)
    known = [sessions.knows(each.session.session) for each in (first, second, third, other)]
    assert known == [True, False, True, True]
    # The same again is no other one.
    sessions.keep(first)
    assert sessions.knows(third.session.session)
    sessions.forget(grant)
    known = [sessions.knows(each.session.session) for each in (first, third, other)]
    assert known == [False, False, True]
    sessions.forget(grant)
    sessions.clear()
    assert sessions.find(other.session.session) is None
    for number in range(MAX_OF_GRANT):
        sessions.keep(of(grant, number))
    assert all(sessions.knows(bytes([number]) * 16) for number in range(MAX_OF_GRANT))


def test_there_is_an_end_to_all_of_them() -> None:
    sessions = OpenSessions()
    every = [opened(number, 0) for number in range(MAX_SESSIONS + 1)]
    sessions.keep(every[0])
    for each in every[1:]:
        assert sessions.find(every[0].session.session) == every[0]
        sessions.keep(each)
    known = [sessions.knows(each.session.session) for each in every]
    assert known == [True, False] + [True] * (MAX_SESSIONS - 1)


class Shared(StreamWorld):
    """Somebody else has a grant too, to the same content and for nothing."""

    @property
    def others(self) -> Grant:
        return replace(
            self.granted,
            grant=sha256(b"another's grant").digest(),
            buyer=account_of(known_key("mallory")),
            chunk_price=0,
        )

    def grant(self, grant: bytes) -> Grant | None:
        return self.others if grant == self.others.grant else super().grant(grant)

    def open_another(self) -> None:
        others, public = self.others, public_agreement_key(new_agreement_key())
        statement = open_statement(others.chain, others.grant, b"", public)
        signature = known_key("mallory").sign(EXCHANGE_TAG + statement)
        request, _ = encode_opening(Opening(others.grant, b"", public, signature))
        assert isinstance(parse_reply(self.ask(request)), Opened)


def test_a_stream_outlives_the_sessions_of_another_grant(tmp_path: Path) -> None:
    world = Shared(tmp_path)
    opening = world.begin()
    fetching = opening.receive(world.ask(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    for _ in range(HOSTILE):
        world.open_another()
    assert isinstance(fetching.receive(world.ask(fetching.request())), HeldUnit)
    world.close()


def test_an_atomic_sale_outlives_the_sessions_of_another_grant(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, 2, SellingTerms(fee=0))
    crowd.propose(0, 1)
    session, _ = crowd.open(0)
    assert session is not None
    for _ in range(HOSTILE):
        assert crowd.open(1)[0] is not None
    reply = parse_swap_reply(crowd.counter.answer(encode_part_fetch(session, Part.UNIT, 0)))
    assert isinstance(reply, SealedPart)
