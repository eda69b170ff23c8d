"""Notices: what a buyer finds out from rows of the state, and no more than they say."""

from __future__ import annotations

from typing import TypeVar

import pytest
from google.protobuf.message import Message

from ledger.chain.codes import ResultCode
from ledger.chain.notices import Held, Notice, notice_of, notices
from ledger.schema.chain_consent_pb2 import ConfirmErasure
from ledger.schema.chain_grant_pb2 import PruneGrants
from tests.ledger.chain.rules.exchange_world import ANYBODY, LIFETIME, ExchangeWorld
from tests.ledger.chain.rules.sharing_world import ROBOT, experience
from tests.ledger.chain.rules.test_rule_withdrawn import SOMEBODY, acknowledge, consent, withdrawn

M = TypeVar("M", bound=Message)


class Rows:
    """The rows of a world."""

    def __init__(self, world: ExchangeWorld) -> None:
        self._world = world

    def read(self, kind: type[M], key: bytes, /) -> M | None:
        return self._world.state.read(kind, key)


@pytest.fixture
def world() -> ExchangeWorld:
    return ExchangeWorld()


def held(world: ExchangeWorld) -> Held:
    return Held(world.grant, world.granted.offer)


def test_none_while_consent_stands(world: ExchangeWorld) -> None:
    assert notice_of(Rows(world), held(world)) is None
    consent(world)
    assert list(notices(Rows(world), [held(world)])) == []


def test_says_what_since_when_and_by_which_consents(world: ExchangeWorld) -> None:
    world.advance(2)
    first = withdrawn(world)
    world.advance(3)
    second = withdrawn(world, subject=SOMEBODY)
    notice = notice_of(Rows(world), held(world))
    assert notice == Notice(
        grant=world.grant,
        offer=world.granted.offer,
        origin=ROBOT,
        record_id=experience().record_id,
        consents=(first, second),
        since_height=3,
        confirmed_height=0,
        pruned=False,
    )
    assert notice.is_due


def test_ends_with_the_receipt(world: ExchangeWorld) -> None:
    withdrawn(world)
    world.advance()
    assert world.code(world.buyer, ConfirmErasure(grant=world.grant)) == ResultCode.OK
    notice = notice_of(Rows(world), held(world))
    assert notice is not None
    assert (notice.confirmed_height, notice.is_due) == (world.height, False)


def test_reaches_those_whose_grant_was_pruned_before(world: ExchangeWorld) -> None:
    world.advance(LIFETIME + 1)
    world.must(ANYBODY, PruneGrants(grants=[world.grant]))
    withdrawn(world)
    notice = notice_of(Rows(world), held(world))
    assert notice is not None
    assert (notice.pruned, notice.is_due) == (True, False)


def test_goes_when_consent_comes_back(world: ExchangeWorld) -> None:
    withdrawn(world)
    assert notice_of(Rows(world), held(world)) is not None
    world.advance()
    acknowledge(world, consent(world))
    assert notice_of(Rows(world), held(world)) is None


def test_of_several_those_alone_that_are_concerned(world: ExchangeWorld) -> None:
    other = world.offered(world.deployed(), world.record(record_id=b"\xdd" * 16))
    withdrawn(world)
    unknown = Held(bytes(32), bytes(32))
    found = list(notices(Rows(world), [unknown, Held(world.grant, other), held(world)]))
    assert [(each.grant, each.offer) for each in found] == [held(world)]
