"""Rule grant: who gets one, and everything that is refused before the proof is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.account import Account
from ledger.chain.codes import ResultCode
from ledger.chain.ids import grant_id
from ledger.chain.presentation_claim import scope_of
from ledger.chain.rules.grant import MAX_AHEAD_S
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import grant_key, nullifier_key
from ledger.schema.chain_grant_pb2 import (
    GrantRecord,
    NullifierRecord,
    PruneGrants,
    SetRevocationEpoch,
)
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_ACTIVE,
    ROBOT_STATUS_FROZEN,
    SetSponsorship,
)
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import EVENT_KIND_GRANTED, Event
from tests.ledger.chain.rules.chain_world import START_NS, account_of
from tests.ledger.chain.rules.grant_world import FEE, GrantWorld, member, renewed
from tests.ledger.chain.rules.sharing_world import ROBOT, experience, terms
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS
from zkproofs.credential import nullifier_of


@pytest.fixture
def world() -> GrantWorld:
    return GrantWorld()


def nullifier(world: GrantWorld, robot_id: int = 7, use: int = 0) -> bytes:
    scope = scope_of(world.chain, world.contract_id, use)
    return nullifier_of(member(robot_id), scope).to_bytes()


def test_a_member_gets_a_grant_and_nobody_knows_which(world: GrantWorld) -> None:
    key, pool = world.one_time(), world.balance(pool_account(world.buyers))
    assert world.account(key) is None
    result = world.submit(world.request())
    assert result.code == ResultCode.OK
    name = grant_id(world.chain, account_of(key))
    assert result.events == (Event(kind=EVENT_KIND_GRANTED, subject=name, amount=21),)
    assert world.grant_of() == GrantRecord(
        offer=world.offer_id,
        contract=world.contract_id,
        version=1,
        terms=terms(),
        key=account_of(key),
        fleet=world.buyers,
        purpose="rescue",
        expiry_height=world.height + 20,
        nullifier=nullifier(world),
        seller=account_of(world.seller),
        content_root=experience().content_root,
        content_size=600_000,
    )
    assert world.rows()[nullifier_key(nullifier(world))] == (
        NullifierRecord(contract=world.contract_id).SerializeToString()
    )
    # The key has an account now, and the fleet has paid.
    assert world.account(key) == Account(sequence=1)
    assert world.balance(pool_account(world.buyers)) == pool - FEE
    world.fund(key, 10)
    assert world.do(key, Transfer(recipient=account_of(world.seller), amount=1)).code == 0


def test_each_member_has_the_contracts_uses_and_no_more(world: GrantWorld) -> None:
    assert world.ask(key="1") == ResultCode.OK
    assert world.ask(key="2") == ResultCode.ALREADY_USED
    # A credential that was issued again has the nym of the one before: no new uses.
    assert world.ask(renewed(member(), level=9), key="2") == ResultCode.ALREADY_USED
    assert world.ask(key="2", use=1) == ResultCode.OK
    assert world.ask(key="3", use=1) == ResultCode.ALREADY_USED
    assert world.code_of(key="3", use=2) == ResultCode.OVER_USES
    assert world.code_of(key="3", use=2**32 - 1) == ResultCode.OVER_USES
    assert world.ask(member(8), key="3") == ResultCode.OK


def test_an_amendment_gives_nobody_new_uses_but_those_it_adds(world: GrantWorld) -> None:
    assert world.ask(key="1") == ResultCode.OK
    before = world.grant_of("1")
    everybody = "permit (principal, action, resource);"
    world.amend(world.contract_id, policy=everybody, terms=terms(uses=3, chunk_price=99))
    assert world.ask(key="2") == ResultCode.ALREADY_USED
    assert world.ask(key="2", use=2) == ResultCode.OK
    granted = world.grant_of("2")
    assert granted is not None
    assert (granted.version, granted.terms.chunk_price) == (2, 99)
    assert world.grant_of("1") == before
    world.amend(world.contract_id, policy=everybody, terms=terms(uses=1))
    assert world.code_of(key="3", use=1) == ResultCode.OVER_USES


def test_what_was_used_of_one_contract_says_nothing_of_another(world: GrantWorld) -> None:
    assert world.ask(key="1") == ResultCode.OK
    contract = world.deployed(policy="permit (principal, action, resource);")
    offer = world.offered(contract, world.index)
    assert world.ask(key="2", contract=contract, offer=offer) == ResultCode.OK
    grants = [world.grant_of(key) for key in ("1", "2")]
    assert len({each.nullifier for each in grants if each}) == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"offer": b"short"}, ResultCode.FIELD_REFUSED),
        ({"fleet": b"short"}, ResultCode.FIELD_REFUSED),
        ({"purpose": "p" * 65}, ResultCode.FIELD_REFUSED),
        ({"purpose": "a\nb"}, ResultCode.FIELD_REFUSED),
        ({"role": "r" * 64}, ResultCode.FIELD_REFUSED),
        ({"role": "courier+"}, ResultCode.FIELD_REFUSED),
        ({"role": "courier+b+a"}, ResultCode.FIELD_REFUSED),
        ({"time_s": 2**32}, ResultCode.FIELD_REFUSED),
        ({"presentation": b""}, ResultCode.CREDENTIAL_NOT_PROVEN),
        ({"presentation": bytes(2_531)}, ResultCode.CREDENTIAL_NOT_PROVEN),
        ({"presentation": bytes(2_533)}, ResultCode.CREDENTIAL_NOT_PROVEN),
        ({"presentation": bytes(2_532)}, ResultCode.CREDENTIAL_NOT_PROVEN),
        ({"presentation": bytes(2_500)}, ResultCode.CREDENTIAL_NOT_PROVEN),
        ({"offer": bytes(32)}, ResultCode.UNKNOWN_OFFER),
        ({"fleet": bytes(32), "sponsor": bytes(32)}, ResultCode.NOT_SPONSORED),
        ({"issuer_epoch": 0}, ResultCode.ISSUER_EPOCH),
        ({"issuer_epoch": 2}, ResultCode.ISSUER_EPOCH),
        ({"revocation_epoch": 1}, ResultCode.REVOCATION_EPOCH),
        ({"min_level": 1}, ResultCode.POLICY_DENIES),
        ({"purpose": "war"}, ResultCode.POLICY_DENIES),
        ({"purpose": ""}, ResultCode.POLICY_DENIES),
        ({"sequence": 1}, ResultCode.SEQUENCE_AHEAD),
        ({"sponsor": b""}, ResultCode.NOT_SPONSORED),
        ({"fee": 0}, ResultCode.FEE_TOO_LOW),
        ({"fee": 100 * FEE + 1}, ResultCode.NOT_SPONSORED),
        ({"expiry_height": 0}, ResultCode.EXPIRED),
    ],
)
def test_what_is_refused_without_a_proof(
    world: GrantWorld, fields: dict[str, Any], code: ResultCode
) -> None:
    assert world.code_of(**fields) == code


def test_the_time_is_the_blocks_or_a_little_later(world: GrantWorld) -> None:
    now = world.time_ns // 10**9
    for time_s in (0, now - 1, now + MAX_AHEAD_S + 1):
        assert world.code_of(time_s=time_s) == ResultCode.TIME_REFUSED
    for time_s in (now, now + MAX_AHEAD_S):
        assert world.code_of(time_s=time_s) == ResultCode.CREDENTIAL_NOT_PROVEN
    assert now >= START_NS // 10**9


def test_what_the_contract_and_the_seller_are_in_no_state_for(world: GrantWorld) -> None:
    world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
    assert world.code_of() == ResultCode.ROBOT_FROZEN
    world.set_status(ROBOT, ROBOT_STATUS_ACTIVE)
    assert world.code_of() == ResultCode.CREDENTIAL_NOT_PROVEN
    world.amend(world.contract_id, terms=terms(max_age_ns=1))
    assert world.code_of() == ResultCode.STALE
    world.amend(world.contract_id, terms=terms(expiry_height=world.height))
    world.advance()
    assert world.code_of() == ResultCode.CONTRACT_OVER
    world.amend(world.contract_id, terms=terms())
    assert world.code_of() == ResultCode.CREDENTIAL_NOT_PROVEN
    world.withdraw_offer(world.offer_id, world.seller)
    assert world.code_of() == ResultCode.OFFER_STATE
    world.withdraw(world.contract_id)
    assert world.code_of() in (ResultCode.CONTRACT_OVER, ResultCode.OFFER_STATE)


def test_a_contract_that_is_withdrawn_grants_nothing(world: GrantWorld) -> None:
    world.withdraw(world.contract_id)
    assert world.code_of() == ResultCode.CONTRACT_OVER


class TestOneTimeKey:
    def test_one_that_has_signed_before(self, world: GrantWorld) -> None:
        world.fund(world.one_time(), 10)
        world.must(world.one_time(), Transfer(recipient=account_of(world.seller), amount=1), fee=1)
        assert world.code_of(sequence=1) == ResultCode.KEY_NOT_FRESH
        assert world.code_of(sequence=0) == ResultCode.SEQUENCE_PAST

    def test_one_that_somebody_paid_first(self, world: GrantWorld) -> None:
        # Whoever sees the request before it is in a block could spoil it otherwise.
        encoded = world.request()
        world.fund(world.one_time(), 1)
        assert world.submit(encoded).code == ResultCode.OK
        assert world.balance(world.one_time()) == 1

    @pytest.mark.parametrize("key", WEAK_KEYS)
    def test_one_that_everybody_can_sign_for(self, world: GrantWorld, key: bytes) -> None:
        encoded = world.unproven()
        assert encoded.count(account_of(world.one_time())) == 1
        weak = encoded.replace(account_of(world.one_time()), key)
        assert world.submit(weak).code == ResultCode.WEAK_KEY

    def test_a_signature_that_is_not_its_own(self, world: GrantWorld) -> None:
        encoded = bytearray(world.unproven())
        encoded[-1] ^= 1
        assert world.submit(bytes(encoded)).code == ResultCode.WRONG_SIGNATURE

    def test_no_other_action_goes_without_an_account(self, world: GrantWorld) -> None:
        for message in (
            Transfer(recipient=account_of(world.seller), amount=1),
            PruneGrants(grants=[bytes(32)]),
            SetRevocationEpoch(fleet=world.buyers, epoch=1),
        ):
            result = world.do(world.one_time(), message, sponsor=world.buyers)
            assert result.code == ResultCode.UNKNOWN_ACCOUNT


class TestQuota:
    def set(self, world: GrantWorld, amount: int, period: int) -> int:
        message = SetSponsorship(
            fleet=world.buyers, period=1, anonymous_amount=amount, anonymous_period=period
        )
        return world.do(world.key("bob"), message).code

    def test_is_of_all_members_together_and_begins_anew(self, world: GrantWorld) -> None:
        assert self.set(world, FEE, 4) == ResultCode.OK
        assert world.ask(key="1") == ResultCode.OK
        assert world.code_of(key="2") == ResultCode.NOT_SPONSORED
        world.advance(3)
        assert world.code_of(key="2") == ResultCode.NOT_SPONSORED
        world.advance()
        assert world.ask(member(8), key="2") == ResultCode.OK

    def test_is_none_unless_the_fleet_says_so(self, world: GrantWorld) -> None:
        assert self.set(world, 0, 0) == ResultCode.OK
        assert world.code_of() == ResultCode.NOT_SPONSORED

    def test_of_another_fleet_pays_for_nobody(self, world: GrantWorld) -> None:
        message = SetSponsorship(
            fleet=world.sellers, period=1, anonymous_amount=9, anonymous_period=9
        )
        world.must(world.authority, message)
        world.fund(pool_account(world.sellers), 100)
        assert world.code_of(sponsor=world.sellers) == ResultCode.NOT_SPONSORED

    def test_does_not_help_an_empty_pool(self, world: GrantWorld) -> None:
        assert self.set(world, 2_000, 9) == ResultCode.OK
        assert world.code_of(fee=1_001) == ResultCode.INSUFFICIENT_FUNDS

    @pytest.mark.parametrize(("amount", "period"), [(1, 0), (0, 1), (1, 10_000_001)])
    def test_has_one_way_to_be_written(self, world: GrantWorld, amount: int, period: int) -> None:
        assert self.set(world, amount, period) == ResultCode.FIELD_REFUSED


class TestPruning:
    def prune(self, world: GrantWorld, **named: list[bytes]) -> int:
        return world.do(world.key("alice"), PruneGrants(**named)).code

    def test_of_grants_that_are_over_leaves_the_use_counted(self, world: GrantWorld) -> None:
        assert world.ask() == ResultCode.OK
        name = world.grant_name()
        world.advance(20)
        assert self.prune(world, grants=[name]) == ResultCode.GRANT_STATE
        world.advance()
        assert self.prune(world, grants=[name]) == ResultCode.OK
        assert grant_key(name) not in world.rows()
        assert self.prune(world, grants=[name]) == ResultCode.UNKNOWN_GRANT
        assert world.ask(key="another") == ResultCode.ALREADY_USED

    def test_of_uses_once_their_contract_is_over_for_good(self, world: GrantWorld) -> None:
        world.amend(world.contract_id, policy="permit (principal, action, resource);")
        assert world.ask() == ResultCode.OK
        used = nullifier(world)
        world.amend(world.contract_id, terms=terms(expiry_height=world.height))
        world.advance()
        # An amendment may let it go on.
        assert self.prune(world, nullifiers=[used]) == ResultCode.GRANT_STATE
        world.withdraw(world.contract_id)
        assert self.prune(world, nullifiers=[used]) == ResultCode.OK
        assert nullifier_key(used) not in world.rows()
        assert self.prune(world, nullifiers=[used]) == ResultCode.UNKNOWN_GRANT

    def test_all_or_nothing(self, world: GrantWorld) -> None:
        assert world.ask() == ResultCode.OK
        world.advance(21)
        names = sorted([world.grant_name(), bytes(32)])
        assert self.prune(world, grants=names) == ResultCode.UNKNOWN_GRANT
        assert world.grant_of() is not None

    @pytest.mark.parametrize(
        "named",
        [
            {},
            {"grants": [b"short"]},
            {"nullifiers": [bytes(32)]},
            {"grants": [bytes(32), bytes(32)]},
            {"nullifiers": [bytes(47) + b"\1", bytes(48)]},
            {"grants": [number.to_bytes(32, "big") for number in range(257)]},
        ],
    )
    def test_has_one_form(self, world: GrantWorld, named: dict[str, list[bytes]]) -> None:
        assert self.prune(world, **named) == ResultCode.FIELD_REFUSED


class TestRevocationEpoch:
    def test_goes_up_and_is_the_authoritys(self, world: GrantWorld) -> None:
        assert world.set_epoch(5).code == ResultCode.OK
        assert world.set_epoch(5).code == ResultCode.REVOCATION_EPOCH
        assert world.set_epoch(4).code == ResultCode.REVOCATION_EPOCH
        message = SetRevocationEpoch(fleet=world.buyers, epoch=6)
        assert world.do(world.key("alice"), message).code == ResultCode.NOT_ALLOWED
        message = SetRevocationEpoch(fleet=b"short", epoch=6)
        assert world.do(world.key("bob"), message).code == ResultCode.FIELD_REFUSED
        message = SetRevocationEpoch(fleet=bytes(32), epoch=6)
        assert world.do(world.key("bob"), message).code == ResultCode.UNKNOWN_FLEET

    def test_an_older_one_is_refused(self, world: GrantWorld) -> None:
        world.set_epoch(1)
        assert world.code_of(revocation_epoch=0) == ResultCode.REVOCATION_EPOCH
        assert world.code_of(revocation_epoch=1) == ResultCode.CREDENTIAL_NOT_PROVEN


def test_a_new_issuers_key_leaves_time_to_renew(world: GrantWorld) -> None:
    encoded = world.request()
    world.must(world.key("bob"), world.announced(4, key="the next"))
    world.advance(5)
    assert world.code_of(issuer_epoch=1) == ResultCode.CREDENTIAL_NOT_PROVEN
    assert world.submit(encoded).code == ResultCode.OK
    world.advance()
    assert world.code_of(key="2", issuer_epoch=1) == ResultCode.ISSUER_EPOCH
    assert world.code_of(key="2", issuer_epoch=4) == ResultCode.CREDENTIAL_NOT_PROVEN


def test_a_fleet_whose_name_no_credential_holds() -> None:
    world = GrantWorld(policy="permit (principal, action, resource);")
    fleet = world.create_fleet("f" * 64, authority="bob")
    world.must(world.key("bob"), world.announced(1, fleet=fleet))
    paid = SetSponsorship(fleet=fleet, period=1, anonymous_amount=9, anonymous_period=9)
    world.must(world.key("bob"), paid)
    world.fund(pool_account(fleet), 9)
    assert world.code_of(fleet=fleet, sponsor=fleet) == ResultCode.CREDENTIAL_NOT_PROVEN
