"""Rule consent: granted, withdrawn, and erased as the robot's own log shows."""

from __future__ import annotations

from typing import Any, Final

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.ids import consent_id
from ledger.chain.state_keys import consent_key
from ledger.checkpoint import log_id
from ledger.experience.entry import Erasure, Pruning
from ledger.schema import entry_pb2
from ledger.schema.chain_consent_pb2 import (
    CONSENT_STATUS_ERASED,
    CONSENT_STATUS_GRANTED,
    CONSENT_STATUS_WITHDRAWN,
    ConsentRecord,
    GrantConsent,
    ReportErasure,
    WithdrawConsent,
)
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    ROBOT_STATUS_RETIRED,
    RobotStatus,
)
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CONSENT_GRANTED,
    EVENT_KIND_CONSENT_WITHDRAWN,
    EVENT_KIND_ERASURE_REPORTED,
)
from tests.ledger.chain.rules.chain_world import ChainWorld, account_of
from tests.ledger.chain.rules.robot_log import RobotLog

ROBOT: Final = "robot.example/1"
OTHER: Final = "robot.example/2"
SUBJECT: Final = bytes(range(32))
IDS: Final = tuple(bytes([number]) * 16 for number in range(1, 4))


@pytest.fixture
def world() -> ChainWorld:
    world = ChainWorld()
    fleet = world.create_fleet()
    for origin in (ROBOT, OTHER):
        world.register(fleet, origin)
    return world


def granting(**fields: Any) -> GrantConsent:
    values = {
        "subject": SUBJECT,
        "origin": ROBOT,
        "record_id": IDS,
        "purpose": "to learn to walk",
        **fields,
    }
    return GrantConsent(**values)


def grant(world: ChainWorld, **fields: Any) -> bytes:
    account = world.account(world.key("alice"))
    assert account is not None
    world.must(world.key("alice"), granting(**fields))
    return consent_id(world.chain, account_of(world.key("alice")), account.sequence)


def withdraw(world: ChainWorld, consent: bytes, who: str = "alice") -> int:
    return world.do(world.key(who), WithdrawConsent(consent=consent)).code


def consent_record(world: ChainWorld, consent: bytes) -> ConsentRecord:
    found = world.state.read(ConsentRecord, consent_key(consent))
    assert found is not None
    return found


@pytest.fixture
def log(world: ChainWorld) -> RobotLog:
    log = RobotLog(world, ROBOT)
    for _ in range(5):
        log.append(Pruning(record_ids=IDS))
    return log


class TestGrant:
    def test_says_what_was_granted(self, world: ChainWorld) -> None:
        world.fund(world.key("alice"))
        consent = grant(world, expiry_height=99)
        assert consent_record(world, consent) == ConsentRecord(
            grantor=account_of(world.key("alice")),
            subject=SUBJECT,
            origin=ROBOT,
            record_id=IDS,
            purpose="to learn to walk",
            expiry_height=99,
            height=1,
        )
        assert consent_record(world, consent).status == CONSENT_STATUS_GRANTED

    def test_each_is_one_of_its_own(self, world: ChainWorld) -> None:
        first, second = grant(world), grant(world)
        assert first != second
        assert withdraw(world, first) == ResultCode.OK
        assert consent_record(world, second).status == CONSENT_STATUS_GRANTED
        alice = account_of(world.key("alice"))
        assert consent_id(ChainWorld(cap_delay=9).chain, alice, 0) != first

    def test_tells(self, world: ChainWorld) -> None:
        (event,) = world.must(world.key("bob"), granting()).events
        consent = consent_id(world.chain, account_of(world.key("bob")), 0)
        assert (event.kind, event.subject) == (EVENT_KIND_CONSENT_GRANTED, consent)

    def test_of_a_robot_in_any_state_but_a_registered_one(self, world: ChainWorld) -> None:
        for status in (ROBOT_STATUS_FROZEN, ROBOT_STATUS_RETIRED):
            world.set_status(ROBOT, status)
            grant(world)
        code = world.do(world.key("alice"), granting(origin="robot.example/0")).code
        assert code == ResultCode.UNKNOWN_ROBOT

    def test_expiry(self, world: ChainWorld) -> None:
        world.advance(9)
        for height in (1, 9):
            code = world.do(world.key("alice"), granting(expiry_height=height)).code
            assert code == ResultCode.FIELD_REFUSED
        for height in (0, 10, 2**64 - 1):
            grant(world, expiry_height=height)

    @pytest.mark.parametrize(
        "fields",
        [
            {"subject": b""},
            {"subject": bytes(31)},
            {"subject": bytes(33)},
            {"origin": ""},
            {"origin": "o" * 256},
            {"record_id": []},
            {"record_id": [IDS[1], IDS[0]]},
            {"record_id": [IDS[0], IDS[0]]},
            {"record_id": [bytes(15)]},
            {"record_id": [bytes(16), b"\1" * 17]},
            {"record_id": [number.to_bytes(16, "big") for number in range(257)]},
            {"purpose": "p" * 129},
            {"purpose": "é" * 65},
            {"purpose": "two\nlines"},
        ],
        ids=lambda fields: str(fields)[:40],
    )
    def test_form(self, world: ChainWorld, fields: dict[str, Any]) -> None:
        code = world.do(world.key("alice"), granting(**fields)).code
        assert code == ResultCode.FIELD_REFUSED

    def test_at_its_limits(self, world: ChainWorld) -> None:
        grant(world, purpose="", record_id=[bytes(16)])
        ids = [number.to_bytes(16, "big") for number in range(256)]
        grant(world, purpose="é" * 64, record_id=ids)


class TestWithdraw:
    def test_by_the_grantor_once(self, world: ChainWorld) -> None:
        consent = grant(world)
        for who in ("bob", ROBOT, "authority"):
            assert withdraw(world, consent, who) == ResultCode.NOT_ALLOWED
        world.advance(3)
        (event,) = world.must(world.key("alice"), WithdrawConsent(consent=consent)).events
        assert (event.kind, event.subject) == (EVENT_KIND_CONSENT_WITHDRAWN, consent)
        record = consent_record(world, consent)
        assert (record.status, record.withdrawn_height) == (CONSENT_STATUS_WITHDRAWN, 4)
        assert withdraw(world, consent) == ResultCode.CONSENT_STATE

    def test_after_it_expired(self, world: ChainWorld) -> None:
        consent = grant(world, expiry_height=5)
        world.advance(10)
        assert withdraw(world, consent) == ResultCode.OK

    def test_once_all_is_erased_for_those_who_bought_it(
        self, world: ChainWorld, log: RobotLog
    ) -> None:
        consent, index = grant(world), log.erase(*IDS)
        log.anchor()
        world.must(world.key("bob"), log.report(consent, index))
        assert withdraw(world, consent) == ResultCode.OK
        record = consent_record(world, consent)
        assert (record.status, record.withdrawn_height) == (CONSENT_STATUS_ERASED, 1)
        assert withdraw(world, consent) == ResultCode.CONSENT_STATE

    def test_of_nothing(self, world: ChainWorld) -> None:
        assert withdraw(world, bytes(32)) == ResultCode.UNKNOWN_CONSENT
        assert withdraw(world, bytes(31)) == ResultCode.FIELD_REFUSED


class TestReport:
    @pytest.mark.parametrize("who", ["alice", "bob", ROBOT, "authority"])
    def test_by_anybody(self, world: ChainWorld, log: RobotLog, who: str) -> None:
        consent = grant(world)
        assert withdraw(world, consent) == ResultCode.OK
        index = log.erase(*IDS, b"\x09" * 16)
        log.append(Pruning(record_ids=IDS))
        log.anchor()
        (event,) = world.must(world.key(who), log.report(consent, index)).events
        assert (event.kind, event.subject, event.amount) == (
            EVENT_KIND_ERASURE_REPORTED,
            consent,
            3,
        )
        record = consent_record(world, consent)
        assert record.status == CONSENT_STATUS_ERASED
        assert list(record.erased) == list(IDS)
        assert not record.vouched

    def test_bit_by_bit(self, world: ChainWorld, log: RobotLog) -> None:
        consent = grant(world)
        last, first, middle = log.erase(IDS[2]), log.erase(IDS[0]), log.erase(*IDS[:2])
        log.anchor()
        world.must(world.key("bob"), log.report(consent, last))
        assert consent_record(world, consent).status == CONSENT_STATUS_GRANTED
        assert withdraw(world, consent) == ResultCode.OK
        world.must(world.key("bob"), log.report(consent, first))
        record = consent_record(world, consent)
        assert (record.status, list(record.erased)) == (
            CONSENT_STATUS_WITHDRAWN,
            [IDS[0], IDS[2]],
        )
        for again in (last, first):
            code = world.do(world.key("bob"), log.report(consent, again)).code
            assert code == ResultCode.CONSENT_STATE
        (event,) = world.must(world.key("bob"), log.report(consent, middle)).events
        assert event.amount == 1
        assert consent_record(world, consent).status == CONSENT_STATUS_ERASED
        code = world.do(world.key("bob"), log.report(consent, middle)).code
        assert code == ResultCode.CONSENT_STATE

    def test_in_every_place_of_a_log(self, world: ChainWorld) -> None:
        for size in range(1, 10):
            for index in range(size):
                log = RobotLog(world, ROBOT)
                for number in range(size):
                    kind = Erasure if number == index else Pruning
                    log.append(kind(record_ids=IDS))
                log.anchor()
                world.must(world.key("bob"), log.report(grant(world), index))

    def test_signed_by_any_key_the_robot_ever_had(self, world: ChainWorld, log: RobotLog) -> None:
        consent = grant(world)
        index = log.erase(*IDS[:2])
        world.must(world.key(ROBOT), world.rotation(ROBOT, ROBOT, "second"))
        world.advance(50)
        other = log.erase(IDS[2], key=world.key("second"))
        log.anchor()
        world.must(world.key("bob"), log.report(consent, index))
        world.must(world.key("bob"), log.report(consent, other))
        assert consent_record(world, consent).status == CONSENT_STATUS_ERASED

    def test_signed_by_anybody_else(self, world: ChainWorld, log: RobotLog) -> None:
        consent = grant(world)
        for name in ("alice", OTHER, "authority"):
            index = log.erase(*IDS, key=world.key(name))
            log.anchor()
            code = world.do(world.key("bob"), log.report(consent, index)).code
            assert code == ResultCode.NOT_AN_ERASURE

    def test_of_another_robots_log(self, world: ChainWorld, log: RobotLog) -> None:
        # Signed by this robot's key, but for the other's log.
        consent, other = grant(world), RobotLog(world, OTHER)
        index = other.erase(*IDS, key=world.key(ROBOT))
        message = other.report(consent, index)
        log.entries[:] = other.entries
        log.anchor()
        assert world.do(world.key("bob"), message).code == ResultCode.NOT_AN_ERASURE

    def test_that_erases_something_else(self, world: ChainWorld, log: RobotLog) -> None:
        consent = grant(world, record_id=IDS[:1])
        index = log.erase(*IDS[1:])
        log.anchor()
        code = world.do(world.key("bob"), log.report(consent, index)).code
        assert code == ResultCode.NOT_AN_ERASURE

    def test_what_is_no_erasure(self, world: ChainWorld, log: RobotLog) -> None:
        consent, index = grant(world), log.erase(*IDS)
        log.anchor()
        message = log.report(consent, 2)  # a Pruning of the same records
        assert world.do(world.key("bob"), message).code == ResultCode.NOT_AN_ERASURE
        good = log.entries[index]
        for bad in (b"", b"\0", good[:-1], good + b"\0", good * 2, good[2:]):
            message = log.report(consent, index)
            message.entry = bad
            assert world.do(world.key("bob"), message).code == ResultCode.NOT_AN_ERASURE

    def test_every_byte_of_entry_and_path(self, world: ChainWorld, log: RobotLog) -> None:
        consent, index = grant(world), log.erase(*IDS)
        log.anchor()
        good = log.report(consent, index)
        for at in range(len(good.entry)):
            spoilt = bytearray(good.entry)
            spoilt[at] ^= 1
            message = ReportErasure()
            message.CopyFrom(good)
            message.entry = bytes(spoilt)
            assert world.do(world.key("bob"), message).code == ResultCode.NOT_AN_ERASURE, at
        for step in range(len(good.path)):
            for at in (0, 17, 31):
                node = bytearray(good.path[step])
                node[at] ^= 0x80
                message = ReportErasure()
                message.CopyFrom(good)
                message.path[step] = bytes(node)
                assert world.do(world.key("bob"), message).code == ResultCode.NOT_ANCHORED
        world.must(world.key("bob"), good)

    def test_paths_that_lead_elsewhere(self, world: ChainWorld, log: RobotLog) -> None:
        consent, index = grant(world), log.erase(*IDS)
        good = log.report(consent, index)
        assert world.do(world.key("bob"), good).code == ResultCode.NOT_ANCHORED  # no anchor yet
        log.anchor()
        for path in ([], good.path[:-1], [*good.path, bytes(32)], list(reversed(good.path))):
            message = log.report(consent, index)
            del message.path[:]
            message.path.extend(path)
            assert world.do(world.key("bob"), message).code == ResultCode.NOT_ANCHORED
        for other in (0, index - 1, index + 1, 2**63, 2**64 - 1):
            message = log.report(consent, index)
            message.index = other
            assert world.do(world.key("bob"), message).code == ResultCode.NOT_ANCHORED
        # The log grew: the old path no longer fits, the new one does.
        log.append(Pruning(record_ids=IDS))
        log.anchor()
        assert world.do(world.key("bob"), good).code == ResultCode.NOT_ANCHORED
        world.must(world.key("bob"), log.report(consent, index))

    def test_an_entry_of_another_place(self, world: ChainWorld, log: RobotLog) -> None:
        # In the log, signed, but not where it says that it is.
        consent = grant(world)
        index = log.append(Erasure(record_ids=IDS), sequence=17)
        log.anchor()
        code = world.do(world.key("bob"), log.report(consent, index)).code
        assert code == ResultCode.NOT_ANCHORED

    def test_of_nothing(self, world: ChainWorld, log: RobotLog) -> None:
        index = log.erase(*IDS)
        log.anchor()
        code = world.do(world.key("bob"), log.report(bytes(32), index)).code
        assert code == ResultCode.UNKNOWN_CONSENT

    def test_form(self, world: ChainWorld, log: RobotLog) -> None:
        consent, index = grant(world), log.erase(*IDS)
        log.anchor()
        message = log.report(consent, index)
        message.consent = consent[1:]
        assert world.do(world.key("bob"), message).code == ResultCode.FIELD_REFUSED
        for node in (b"", bytes(31), bytes(33)):
            message = log.report(consent, index)
            message.path[0] = node
            assert world.do(world.key("bob"), message).code == ResultCode.FIELD_REFUSED

    def test_an_entry_with_an_unknown_field(self, world: ChainWorld, log: RobotLog) -> None:
        consent, index = grant(world), log.erase(*IDS)
        outer = entry_pb2.Entry.FromString(log.entries[index])
        outer.body += b"\xf8\x07\x01"
        outer.signature = world.key(ROBOT).sign(b"quipu/entry/v1\0" + log_id(ROBOT) + outer.body)
        log.entries[index] = outer.SerializeToString()
        log.anchor()
        code = world.do(world.key("bob"), log.report(consent, index)).code
        assert code == ResultCode.NOT_AN_ERASURE


@pytest.mark.parametrize("status", [ROBOT_STATUS_FROZEN, ROBOT_STATUS_RETIRED])
class TestRobotsThatAnchorNoMore:
    def test_what_is_anchored_counts(
        self, world: ChainWorld, log: RobotLog, status: RobotStatus
    ) -> None:
        consent, index = grant(world), log.erase(*IDS)
        log.anchor()
        world.set_status(ROBOT, status)
        world.must(world.key("bob"), log.report(consent, index))
        assert not consent_record(world, consent).vouched

    def test_the_fleet_vouches_for_the_rest(
        self, world: ChainWorld, log: RobotLog, status: RobotStatus
    ) -> None:
        consent = grant(world)
        anchored = log.erase(IDS[0])
        log.anchor()
        shown = log.report(consent, anchored)
        world.set_status(ROBOT, status)
        index = log.erase(*IDS[1:])
        message = ReportErasure(consent=consent, entry=log.entries[index], index=index)
        for who in ("bob", "alice", ROBOT):
            assert world.do(world.key(who), message).code == ResultCode.NOT_ANCHORED
        world.must(world.key("authority"), message)
        record = consent_record(world, consent)
        assert (list(record.erased), record.vouched) == ([IDS[1], IDS[2]], True)
        world.must(world.key("bob"), shown)
        record = consent_record(world, consent)
        assert (record.status, record.vouched) == (CONSENT_STATUS_ERASED, True)

    def test_but_not_for_what_the_robot_did_not_sign(
        self, world: ChainWorld, log: RobotLog, status: RobotStatus
    ) -> None:
        consent = grant(world)
        world.set_status(ROBOT, status)
        index = log.erase(*IDS, key=world.key("authority"))
        message = ReportErasure(consent=consent, entry=log.entries[index], index=index)
        assert world.do(world.key("authority"), message).code == ResultCode.NOT_AN_ERASURE

    def test_nor_with_a_path_that_leads_nowhere(
        self, world: ChainWorld, log: RobotLog, status: RobotStatus
    ) -> None:
        consent, index = grant(world), log.erase(*IDS)
        world.set_status(ROBOT, status)
        code = world.do(world.key("authority"), log.report(consent, index)).code
        assert code == ResultCode.NOT_ANCHORED


def test_of_a_robot_at_work_nobody_vouches(world: ChainWorld, log: RobotLog) -> None:
    consent, index = grant(world), log.erase(*IDS)
    message = ReportErasure(consent=consent, entry=log.entries[index], index=index)
    for who in ("authority", ROBOT):
        assert world.do(world.key(who), message).code == ResultCode.NOT_ANCHORED
