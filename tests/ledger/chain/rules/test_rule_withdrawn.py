"""Consent that is withdrawn: what stops, whom it takes to say so, and how it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.as_json import value_json
from ledger.chain.codes import ResultCode
from ledger.chain.ids import consent_id
from ledger.chain.key_words import describe_key
from ledger.chain.state_keys import withdrawn_key
from ledger.schema.chain_channel_pb2 import OpenChannel, VoucherMode
from ledger.schema.chain_consent_pb2 import (
    AcknowledgeConsent,
    ConfirmErasure,
    GrantConsent,
    Withdrawal,
    WithdrawConsent,
    WithdrawnRecord,
)
from ledger.schema.chain_grant_pb2 import PruneGrants
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CONSENT_ACKNOWLEDGED,
    EVENT_KIND_CONSENT_GRANTED,
    EVENT_KIND_ERASURE_CONFIRMED,
    Event,
)
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.exchange_world import ANYBODY, LIFETIME, ExchangeWorld
from tests.ledger.chain.rules.grant_world import GrantWorld
from tests.ledger.chain.rules.sharing_world import ROBOT, SharingWorld, experience

RECORD = experience().record_id
OTHER = b"\xee" * 16
SUBJECT, SOMEBODY = b"s" * 32, b"t" * 32


def consent(
    world: SharingWorld,
    who: str = "alice",
    records: tuple[bytes, ...] = (RECORD,),
    subject: bytes = SUBJECT,
) -> bytes:
    """Granted by who is named, and not acknowledged unless that is the robot's side."""
    key = world.key(who)
    account = world.account(key)
    name = consent_id(world.chain, account_of(key), account.sequence if account else 0)
    message = GrantConsent(subject=subject, origin=ROBOT, record_id=records, purpose="to walk")
    world.must(key, message, fee=world.parameters.min_fee)
    return name


def acknowledge(world: SharingWorld, name: bytes, who: str = "authority") -> int:
    return world.do(world.key(who), AcknowledgeConsent(consent=name)).code


def withdraw(world: SharingWorld, name: bytes, who: str = "alice") -> int:
    return world.do(world.key(who), WithdrawConsent(consent=name)).code


def withdrawn(world: SharingWorld, who: str = "alice", **fields: Any) -> bytes:
    """A consent that was granted, acknowledged and withdrawn."""
    name = consent(world, who, **fields)
    if who != "authority":
        assert acknowledge(world, name) == ResultCode.OK
    assert withdraw(world, name, who) == ResultCode.OK
    return name


def row(world: SharingWorld, record_id: bytes = RECORD) -> WithdrawnRecord | None:
    return world.state.read(WithdrawnRecord, withdrawn_key(ROBOT, record_id))


def consents(world: SharingWorld, record_id: bytes = RECORD) -> list[bytes]:
    found = row(world, record_id)
    return [each.consent for each in found.withdrawals] if found else []


@pytest.fixture
def world() -> ExchangeWorld:
    return ExchangeWorld()


class TestMark:
    def test_names_who_withdrew_and_when(self, world: ExchangeWorld) -> None:
        name = consent(world, records=(RECORD, OTHER))
        assert acknowledge(world, name) == ResultCode.OK
        assert row(world) is None
        world.advance(4)
        assert withdraw(world, name) == ResultCode.OK
        marked = WithdrawnRecord(
            withdrawals=[
                Withdrawal(
                    grantor=account_of(world.key("alice")),
                    subject=SUBJECT,
                    consent=name,
                    height=world.height,
                )
            ]
        )
        assert row(world) == row(world, OTHER) == marked
        # Of another robot's record with this id it says nothing.
        assert world.state.get(withdrawn_key("robot.example/other", RECORD)) is None

    def test_takes_the_robots_side_to_acknowledge(self, world: ExchangeWorld) -> None:
        name = consent(world)
        assert withdraw(world, name) == ResultCode.OK
        assert row(world) is None
        for who in ("alice", "bob", "carol"):
            assert acknowledge(world, name, who) == ResultCode.NOT_ALLOWED
        assert acknowledge(world, name, ROBOT) == ResultCode.OK
        assert consents(world) == [name]
        assert acknowledge(world, name) == ResultCode.CONSENT_STATE
        assert acknowledge(world, bytes(32)) == ResultCode.UNKNOWN_CONSENT
        assert acknowledge(world, bytes(31)) == ResultCode.FIELD_REFUSED

    def test_an_older_key_of_the_robot_acknowledges_while_it_is_valid(
        self, world: ExchangeWorld
    ) -> None:
        first, second = consent(world), consent(world)
        world.fund(world.key("second"))
        world.must(world.seller, world.rotation(ROBOT, ROBOT, "second", overlap=3))
        assert acknowledge(world, first, ROBOT) == ResultCode.OK
        world.advance(4)
        assert acknowledge(world, second, ROBOT) == ResultCode.NOT_ALLOWED
        assert acknowledge(world, second, "second") == ResultCode.OK

    @pytest.mark.parametrize("who", [ROBOT, "authority"])
    def test_needs_nothing_more_of_what_they_granted_themselves(
        self, world: ExchangeWorld, who: str
    ) -> None:
        name = consent(world, who)
        assert acknowledge(world, name) == ResultCode.CONSENT_STATE
        assert withdraw(world, name, who) == ResultCode.OK
        assert consents(world) == [name]

    def test_tells(self, world: ExchangeWorld) -> None:
        name = consent(world)
        result = world.do(world.authority, AcknowledgeConsent(consent=name))
        assert result.events == (Event(kind=EVENT_KIND_CONSENT_ACKNOWLEDGED, subject=name),)
        message = GrantConsent(subject=SUBJECT, origin=ROBOT, record_id=[RECORD])
        kinds = [event.kind for event in world.must(world.authority, message).events]
        assert kinds == [EVENT_KIND_CONSENT_GRANTED, EVENT_KIND_CONSENT_ACKNOWLEDGED]

    def test_people_read_it(self, world: ExchangeWorld) -> None:
        name = withdrawn(world)
        key = withdrawn_key(ROBOT, RECORD)
        assert describe_key(key) == f"withdrawn {ROBOT} {RECORD.hex()}"
        told = value_json(key, world.rows()[key])
        assert told["withdrawals"][0]["consent"] == name.hex()


class TestLift:
    def again(self, world: ExchangeWorld, who: str = "alice", **fields: Any) -> None:
        name = consent(world, who, **fields)
        if who != "authority":
            assert acknowledge(world, name) == ResultCode.OK

    def test_by_who_withdrew_and_by_nobody_else(self, world: ExchangeWorld) -> None:
        withdrawn(world)
        world.advance()
        self.again(world, "bob")
        self.again(world, "authority")
        self.again(world, subject=SOMEBODY)
        assert len(consents(world)) == 1
        self.again(world)
        assert row(world) is None
        assert withdrawn_key(ROBOT, RECORD) not in world.rows()

    def test_only_once_it_is_acknowledged(self, world: ExchangeWorld) -> None:
        withdrawn(world)
        world.advance()
        name = consent(world)
        assert len(consents(world)) == 1
        assert acknowledge(world, name) == ResultCode.OK
        assert row(world) is None

    def test_not_by_a_consent_of_before(self, world: ExchangeWorld) -> None:
        earlier = consent(world)
        world.advance()
        name = withdrawn(world)
        assert acknowledge(world, earlier) == ResultCode.OK
        assert consents(world) == [name]
        # Of one block nobody can tell which came first.
        self.again(world)
        assert consents(world) == [name]

    def test_of_those_records_that_it_is_about(self, world: ExchangeWorld) -> None:
        name = withdrawn(world, records=(RECORD, OTHER))
        world.advance()
        self.again(world, records=(OTHER,))
        assert (consents(world), row(world, OTHER)) == ([name], None)

    def test_one_of_several_is_not_enough(self, world: ExchangeWorld) -> None:
        withdrawn(world)
        second = withdrawn(world, "bob")
        third = withdrawn(world, "bob", subject=SOMEBODY)
        assert len(consents(world)) == 3
        world.advance()
        self.again(world)
        assert consents(world) == [second, third]
        for fields in ({}, {"subject": SOMEBODY}):
            assert row(world) is not None
            self.again(world, "bob", **fields)
        assert row(world) is None

    def test_a_later_withdrawal_takes_the_place_of_the_one_before(
        self, world: ExchangeWorld
    ) -> None:
        first = withdrawn(world)
        world.advance()
        second = withdrawn(world)
        # The second grant lifted the first mark, the second withdrawal made another.
        assert consents(world) == [second]
        third = withdrawn(world)
        assert consents(world) == [third]
        assert first != second != third

    def test_marks_are_in_their_order(self, world: ExchangeWorld) -> None:
        for who in ("bob", "alice", "authority", "alice"):
            for subject in (SOMEBODY, SUBJECT):
                withdrawn(world, who, subject=subject)
        found = row(world)
        assert found is not None
        whose = [(each.grantor, each.subject) for each in found.withdrawals]
        assert whose == sorted(set(whose))
        assert len(whose) == 6


class TestWhatStops:
    def test_offers(self, world: ExchangeWorld) -> None:
        withdrawn(world)
        contract = world.deployed()
        index = world.record()
        posting = world.posting(contract, index)
        assert world.do(world.seller, posting).code == ResultCode.CONSENT_WITHDRAWN
        # Another record of the robot is not concerned.
        other = world.record(record_id=OTHER)
        assert world.do(world.seller, world.posting(contract, other)).code == ResultCode.OK
        world.advance()
        assert acknowledge(world, consent(world)) == ResultCode.OK
        assert world.do(world.seller, world.posting(contract, index)).code == ResultCode.OK

    def test_not_while_it_is_not_acknowledged(self, world: ExchangeWorld) -> None:
        assert withdraw(world, consent(world)) == ResultCode.OK
        posting = world.posting(world.deployed(), world.record())
        assert world.do(world.seller, posting).code == ResultCode.OK

    def test_grants(self) -> None:
        world = GrantWorld()
        world.fund(world.authority)
        assert world.code_of() == ResultCode.CREDENTIAL_NOT_PROVEN
        name = consent(world, "alice")
        message = AcknowledgeConsent(consent=name)
        world.must(world.authority, message, fee=1)
        world.must(world.key("alice"), WithdrawConsent(consent=name), fee=1)
        assert world.code_of() == ResultCode.CONSENT_WITHDRAWN

    def test_sales_but_none_that_is_locked(self, world: ExchangeWorld) -> None:
        world.revealed()
        locked = world.sale
        world.sale = world.next_sale()
        assert world.propose() == ResultCode.OK
        withdrawn(world)
        assert world.lock() == ResultCode.CONSENT_WITHDRAWN
        assert world.propose() == ResultCode.CONSENT_WITHDRAWN
        world.sale = locked
        world.advance(7)
        assert world.settle() == ResultCode.OK

    def test_channels_of_the_grant(self, world: ExchangeWorld) -> None:
        opening = OpenChannel(
            payee=account_of(world.seller),
            deposit=9,
            expiry_height=99,
            challenge=5,
            voucher=VoucherMode(),
            grant=world.grant,
        )
        assert world.code(world.buyer, opening) == ResultCode.OK
        withdrawn(world)
        assert world.code(world.buyer, opening) == ResultCode.CONSENT_WITHDRAWN
        opening.grant = b""
        assert world.code(world.buyer, opening) == ResultCode.OK


class TestReceipts:
    def confirm(self, world: ExchangeWorld, who: str = "one time") -> ResultCode:
        return world.code(world.key(who), ConfirmErasure(grant=world.grant))

    def test_are_signed_by_the_grants_key_once(self, world: ExchangeWorld) -> None:
        withdrawn(world)
        for who in ("bob", ROBOT, "authority", "alice"):
            assert self.confirm(world, who) == ResultCode.NOT_ALLOWED
        world.advance(3)
        assert self.confirm(world) == ResultCode.OK
        assert world.last.events == (Event(kind=EVENT_KIND_ERASURE_CONFIRMED, subject=world.grant),)
        record = world.granted
        record.erased_height = world.height
        assert world.rows()[b"\x60" + world.grant] == record.SerializeToString()
        assert self.confirm(world) == ResultCode.GRANT_STATE

    def test_are_good_before_any_withdrawal(self, world: ExchangeWorld) -> None:
        assert self.confirm(world) == ResultCode.OK

    def test_are_of_a_grant(self, world: ExchangeWorld) -> None:
        for grant, code in (
            (b"short", ResultCode.FIELD_REFUSED),
            (bytes(32), ResultCode.UNKNOWN_GRANT),
        ):
            assert world.code(world.buyer, ConfirmErasure(grant=grant)) == code

    def test_are_waited_for_before_a_grant_is_pruned(self, world: ExchangeWorld) -> None:
        withdrawn(world)
        world.advance(LIFETIME + 1)
        prune = PruneGrants(grants=[world.grant])
        assert world.code(ANYBODY, prune) == ResultCode.GRANT_STATE
        assert self.confirm(world) == ResultCode.OK
        assert world.code(ANYBODY, prune) == ResultCode.OK
        assert self.confirm(world) == ResultCode.UNKNOWN_GRANT

    def test_are_not_waited_for_where_no_notice_is_due(self, world: ExchangeWorld) -> None:
        assert withdraw(world, consent(world)) == ResultCode.OK
        world.advance(LIFETIME + 1)
        assert world.code(ANYBODY, PruneGrants(grants=[world.grant])) == ResultCode.OK
