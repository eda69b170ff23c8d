"""What every transaction goes through before its rule: form, account, sequence, fee, and so on."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import pytest
from google.protobuf.message import Message

from ledger.chain.account import IS_POOL, MAX_ASSETS, Account, credit, write_account
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.execution import carry_out, check_form
from ledger.chain.rules.registry import ACTIONS
from ledger.chain.transaction import parse_transaction
from ledger.ed25519 import PrivateKey, is_signed
from ledger.schema import chain_pb2
from ledger.schema.chain_consent_pb2 import WithdrawConsent
from ledger.schema.chain_payment_pb2 import Transfer
from tests.ledger.chain.rules.chain_world import (
    ACTION_FIELDS,
    PEOPLE_MONEY,
    ChainWorld,
    account_of,
    name_attachments,
)

DATA: Final = b"what a rule looks at"


@pytest.fixture
def world() -> ChainWorld:
    return ChainWorld()


def transfer(world: ChainWorld, amount: int = 5) -> Transfer:
    return Transfer(recipient=account_of(world.key("bob")), amount=amount)


def code(
    world: ChainWorld, given: tuple[bytes, ...] = (), who: str = "alice", **fields: Any
) -> int:
    return world.do(world.key(who), transfer(world), given, **fields).code


class TestSequence:
    def test_rises_by_one_with_each_success(self, world: ChainWorld) -> None:
        for sequence in range(3):
            assert code(world, sequence=sequence) == ResultCode.OK

    def test_of_the_past_and_ahead(self, world: ChainWorld) -> None:
        assert code(world, sequence=1) == ResultCode.SEQUENCE_AHEAD
        assert code(world, sequence=2**64 - 1) == ResultCode.SEQUENCE_AHEAD
        assert code(world) == ResultCode.OK
        assert code(world, sequence=0) == ResultCode.SEQUENCE_PAST

    def test_the_same_transaction_twice(self, world: ChainWorld) -> None:
        encoded = world.sign(world.key("alice"), transfer(world))
        assert world.submit(encoded).code == ResultCode.OK
        assert world.submit(encoded).code == ResultCode.SEQUENCE_PAST
        world.advance()
        assert world.submit(encoded).code == ResultCode.SEQUENCE_PAST

    def test_stays_when_the_rule_refuses(self, world: ChainWorld) -> None:
        message = transfer(world, PEOPLE_MONEY + 1)
        assert world.do(world.key("alice"), message).code == ResultCode.INSUFFICIENT_FUNDS
        assert code(world, sequence=0) == ResultCode.OK


class TestSignature:
    def test_for_another_chain(self, world: ChainWorld) -> None:
        other = ChainWorld(cap_delay=11)
        assert other.chain != world.chain
        encoded = world.sign(world.key("alice"), transfer(world), chain=other.chain)
        assert world.submit(encoded).code == ResultCode.WRONG_SIGNATURE
        assert other.submit(encoded).code == ResultCode.OK

    def test_of_somebody_else_in_the_signers_name(self, world: ChainWorld) -> None:
        encoded = world.sign(world.key("alice"), transfer(world))
        outer = chain_pb2.Transaction.FromString(encoded)
        theirs = chain_pb2.Transaction.FromString(world.sign(world.key("bob"), transfer(world)))
        outer.signature = theirs.signature
        assert world.submit(outer.SerializeToString()).code == ResultCode.WRONG_SIGNATURE

    def test_every_byte_of_it(self, world: ChainWorld) -> None:
        encoded = world.sign(world.key("alice"), transfer(world))
        for at in range(len(encoded) - 64, len(encoded)):
            spoilt = bytearray(encoded)
            spoilt[at] ^= 1
            assert world.submit(bytes(spoilt)).code == ResultCode.WRONG_SIGNATURE
        assert world.submit(encoded).code == ResultCode.OK

    def test_of_a_pool(self, world: ChainWorld) -> None:
        # No key has the hash that names a pool; were there one, the flag would hold it back.
        key = world.key("alice")
        write_account(world.state, account_of(key), Account(IS_POOL, 0, ((0, PEOPLE_MONEY),)))
        world.state.keep()
        assert code(world) == ResultCode.POOL_ACCOUNT


class TestExpiry:
    def test_the_last_block_is_included(self, world: ChainWorld) -> None:
        world.advance(9)
        assert code(world, expiry_height=9) == ResultCode.EXPIRED
        assert code(world, expiry_height=0) == ResultCode.EXPIRED
        assert code(world, expiry_height=10) == ResultCode.OK
        assert code(world, expiry_height=2**64 - 1) == ResultCode.OK

    def test_while_it_waited(self, world: ChainWorld) -> None:
        encoded = world.sign(world.key("alice"), transfer(world), expiry_height=3)
        world.advance(3)
        assert world.submit(encoded).code == ResultCode.EXPIRED


def test_an_account_that_nobody_paid(world: ChainWorld) -> None:
    assert code(world, who="nobody") == ResultCode.UNKNOWN_ACCOUNT


def test_the_order_of_refusals(world: ChainWorld) -> None:
    """Replicas must name the same one, so it is part of the format."""
    world = ChainWorld(min_fee=3)
    world.advance(5)
    other, message = ChainWorld().chain, transfer(world, PEOPLE_MONEY + 1)
    wrong: dict[str, Any] = {
        "expiry_height": 1,
        "sequence": 7,
        "fee": 2,
        "attachments": name_attachments([DATA]),
    }
    nobody, alice = world.key("nobody"), world.key("alice")

    def code_of(key: PrivateKey, chain: bytes | None = None) -> int:
        return world.submit(world.sign(key, message, chain=chain, **wrong)).code

    assert code_of(nobody, other) == ResultCode.EXPIRED
    del wrong["expiry_height"]
    assert code_of(nobody, other) == ResultCode.UNKNOWN_ACCOUNT
    assert code_of(alice, other) == ResultCode.SEQUENCE_AHEAD
    del wrong["sequence"]
    assert code_of(alice, other) == ResultCode.WRONG_SIGNATURE
    assert code_of(alice) == ResultCode.FEE_TOO_LOW
    del wrong["fee"]
    assert code_of(alice) == ResultCode.ATTACHMENT_MISSING
    del wrong["attachments"]
    assert code_of(alice) == ResultCode.INSUFFICIENT_FUNDS


class TestFee:
    def test_a_full_treasury_takes_fees_still(self) -> None:
        # Whoever pays it sixty-four other assets must not stop the chain.
        world = ChainWorld(min_fee=1)
        treasury = account_of(world.key("treasury"))
        for asset in range(1, MAX_ASSETS + 1):
            credit(world.state, treasury, asset, 1)
        context = world.context()
        encoded = world.sign(world.key("alice"), transfer(world))
        transaction = parse_transaction(world.chain, encoded)
        world.state.keep()
        result = carry_out(context, transaction, is_signed(*transaction.claim), {})
        assert result.code == ResultCode.OK
        assert world.balance(treasury) == 1


class TestAttachments:
    def test_reach_the_rule(self, world: ChainWorld) -> None:
        assert code(world, (DATA,)) == ResultCode.OK
        assert code(world, (DATA, b"more", b"x" * (1 << 20), b"4")) == ResultCode.OK

    def test_missing(self, world: ChainWorld) -> None:
        named = name_attachments([DATA])
        assert code(world, attachments=named) == ResultCode.ATTACHMENT_MISSING
        assert code(world, (b"another",), attachments=named) == ResultCode.ATTACHMENT_MISSING

    def test_of_another_size(self, world: ChainWorld) -> None:
        for size in (len(DATA) - 1, len(DATA) + 1, 1 << 20):
            named = [chain_pb2.Attachment(hash=sha256(DATA).digest(), size=size)]
            assert code(world, (DATA,), attachments=named) == ResultCode.ATTACHMENT_MISSING

    def test_given_under_a_name_that_is_not_theirs(self, world: ChainWorld) -> None:
        encoded = world.sign(
            world.key("alice"), transfer(world), attachments=name_attachments([DATA])
        )
        transaction = parse_transaction(world.chain, encoded)
        forged = {sha256(DATA).digest(): b"!" * len(DATA)}
        result = carry_out(world.context(), transaction, True, forged)
        assert result.code == ResultCode.ATTACHMENT_MISSING

    def test_those_of_others_stay_theirs(self, world: ChainWorld) -> None:
        encoded = world.sign(world.key("alice"), transfer(world))
        transaction, context = parse_transaction(world.chain, encoded), world.context()
        assert carry_out(context, transaction, True, {sha256(DATA).digest(): DATA}).code == 0
        assert context.attachments == {}

    def test_form(self, world: ChainWorld) -> None:
        one, two = name_attachments([DATA, b"more"])
        five = name_attachments(bytes([number]) for number in range(5))
        for named in (
            [two, one],
            [one, one],
            five,
            [chain_pb2.Attachment(hash=one.hash, size=0)],
            [chain_pb2.Attachment(hash=one.hash, size=(1 << 20) + 1)],
            [chain_pb2.Attachment(hash=one.hash, size=2**64 - 1)],
            [chain_pb2.Attachment(hash=one.hash[1:], size=1)],
            [chain_pb2.Attachment()],
        ):
            assert code(world, (DATA, b"more"), attachments=named) == ResultCode.FIELD_REFUSED


class TestActions:
    def test_every_action_of_the_schema_has_a_rule(self) -> None:
        assert set(ACTIONS) == set(ACTION_FIELDS.values())
        for action in ACTIONS.values():
            assert ACTION_FIELDS[action.message.DESCRIPTOR.name] == action.name

    @pytest.mark.parametrize("name", sorted(ACTIONS))
    def test_an_empty_one_is_refused_with_a_code(self, world: ChainWorld, name: str) -> None:
        # The empty message of every kind asks for nothing that could be done.
        result = world.do(world.key("alice"), ACTIONS[name].message())
        assert result.code not in (ResultCode.OK, ResultCode.MALFORMED)

    def test_one_without_a_rule(self, world: ChainWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        encoded = world.sign(world.key("alice"), transfer(world))
        transaction = parse_transaction(world.chain, encoded)
        unknown = transaction._replace(action="teleport")
        with pytest.raises(RefusalError) as refusal:
            check_form(unknown)
        assert refusal.value.code == ResultCode.UNKNOWN_ACTION
        before = world.rows()
        assert carry_out(world.context(), unknown, True, {}).code == ResultCode.UNKNOWN_ACTION
        world.state.keep()
        assert world.rows() == before


@pytest.mark.parametrize(
    "message",
    [Transfer(recipient=bytes(32), amount=0), WithdrawConsent(consent=b"short")],
    ids=lambda message: type(message).__name__,
)
def test_form_is_checked_again_in_the_block(world: ChainWorld, message: Message) -> None:
    # A block's proposer may have skipped admission.
    encoded = world.sign(world.key("alice"), message)
    result = carry_out(world.context(), parse_transaction(world.chain, encoded), True, {})
    assert result.code == ResultCode.FIELD_REFUSED
    assert result.transaction == leaf_id(LeafKind.TRANSACTION, encoded)
