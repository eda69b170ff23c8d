"""Rule learning: what a fleet says that its models were trained on."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.as_json import value_json
from ledger.chain.codes import ResultCode
from ledger.chain.ids import model_id
from ledger.chain.key_words import describe_key
from ledger.chain.rules.learning import MAX_GRANTS, MAX_INPUTS
from ledger.chain.state_keys import grant_key, model_key
from ledger.schema.chain_grant_pb2 import GrantRecord, PruneGrants
from ledger.schema.chain_learning_pb2 import (
    ModelRecord,
    RegisterModel,
    TrainedUnder,
    WithdrawModel,
)
from ledger.schema.chain_pb2 import (
    EVENT_KIND_MODEL_REGISTERED,
    EVENT_KIND_MODEL_WITHDRAWN,
    Event,
)
from tests.ledger.chain.rules.exchange_world import LIFETIME, ExchangeWorld

ROOT = b"m" * 32
INPUTS = (b"a" * 32, b"b" * 32)


@pytest.fixture
def world() -> ExchangeWorld:
    """Its buyers' fleet, whose authority is Bob, holds one grant."""
    return ExchangeWorld()


def another(world: ExchangeWorld, **fields: Any) -> bytes:
    """A further grant of the same recording, behind the rules' back."""
    record = GrantRecord()
    record.CopyFrom(world.granted)
    for name, value in fields.items():
        setattr(record, name, value)
    grant = bytes([1]) * 32
    world.state.write(grant_key(grant), record)
    world.state.keep()
    return grant


def registration(world: ExchangeWorld, **fields: Any) -> RegisterModel:
    values = {
        "fleet": world.buyers,
        "name": "grasp",
        "content_root": ROOT,
        "content_size": 5_000,
        "inputs": INPUTS,
        "grants": [world.grant],
        **fields,
    }
    return RegisterModel(**values)


def register(world: ExchangeWorld, who: str = "bob", **fields: Any) -> ResultCode:
    return world.code(world.key(who), registration(world, **fields))


def found(world: ExchangeWorld, root: bytes = ROOT) -> ModelRecord | None:
    name = model_id(world.chain, world.buyers, root)
    return world.state.read(ModelRecord, model_key(name))


def test_a_model_keeps_what_its_grants_said(world: ExchangeWorld) -> None:
    second = another(world, purpose="research", version=7)
    world.advance(2)
    assert register(world, grants=sorted([world.grant, second])) == ResultCode.OK
    name = model_id(world.chain, world.buyers, ROOT)
    assert world.last.events == (Event(kind=EVENT_KIND_MODEL_REGISTERED, subject=name, amount=2),)
    offer = world.offer(world.granted.offer)
    assert offer is not None

    def kept(grant: bytes, version: int, purpose: str) -> TrainedUnder:
        return TrainedUnder(
            grant=grant,
            contract=world.granted.contract,
            version=version,
            offer=world.granted.offer,
            leaf=offer.leaf,
            content_root=world.granted.content_root,
            purpose=purpose,
        )

    under = [kept(world.grant, 1, "rescue"), kept(second, 7, "research")]
    record = ModelRecord(
        fleet=world.buyers,
        name="grasp",
        content_root=ROOT,
        content_size=5_000,
        inputs=INPUTS,
        grants=sorted(under, key=lambda each: each.grant),
        height=world.height,
    )
    assert found(world) == record
    # The grant is pruned, and nothing of it is lost.
    world.advance(LIFETIME + 1)
    world.must(world.key("alice"), PruneGrants(grants=[world.grant]))
    assert found(world) == record


def test_of_own_recordings_alone_or_of_bought_ones_alone(world: ExchangeWorld) -> None:
    assert register(world, grants=[]) == ResultCode.OK
    assert register(world, content_root=b"n" * 32, inputs=[]) == ResultCode.OK
    only = found(world, b"n" * 32)
    assert only is not None
    assert (list(only.inputs), len(only.grants)) == ([], 1)


def test_the_same_content_is_one_model_of_a_fleet(world: ExchangeWorld) -> None:
    assert register(world) == ResultCode.OK
    assert register(world, name="another name", inputs=[]) == ResultCode.MODEL_EXISTS
    assert register(world, content_root=b"n" * 32) == ResultCode.OK
    # Another fleet may have it too.
    mine = {"fleet": world.sellers, "grants": []}
    assert register(world, "authority", **mine) == ResultCode.OK
    names = {
        model_id(world.chain, world.buyers, ROOT),
        model_id(world.chain, world.sellers, ROOT),
        model_id(bytes(32), world.buyers, ROOT),
    }
    assert len(names) == 3


def test_by_the_authority_of_the_fleet_alone(world: ExchangeWorld) -> None:
    for who in ("authority", "alice", "one time"):
        assert register(world, who) == ResultCode.NOT_ALLOWED
    assert register(world, fleet=bytes(32)) == ResultCode.UNKNOWN_FLEET


def test_only_grants_that_are_there_and_the_fleets_own(world: ExchangeWorld) -> None:
    other = another(world, fleet=world.sellers)
    assert register(world, grants=[bytes(32)]) == ResultCode.UNKNOWN_GRANT
    named = sorted([world.grant, other])
    assert register(world, grants=named) == ResultCode.OTHER_FLEETS_GRANT
    mine = {"fleet": world.sellers, "grants": [world.grant]}
    assert register(world, "authority", **mine) == ResultCode.OTHER_FLEETS_GRANT
    world.advance(LIFETIME + 1)
    # One that expired tells the same as before, until it is pruned.
    assert register(world) == ResultCode.OK
    world.must(world.key("alice"), PruneGrants(grants=[world.grant]))
    assert register(world, content_root=b"n" * 32) == ResultCode.UNKNOWN_GRANT


def hashes(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(count)]


@pytest.mark.parametrize(
    "fields",
    [
        {"fleet": b"short"},
        {"name": ""},
        {"name": "n" * 65},
        {"name": "two\nlines"},
        {"content_root": b""},
        {"content_root": bytes(31)},
        {"content_size": 0},
        {"inputs": [bytes(31)]},
        {"inputs": [bytes(32), bytes(32)]},
        {"inputs": [b"b" * 32, b"a" * 32]},
        {"inputs": hashes(MAX_INPUTS + 1)},
        {"grants": [bytes(33)]},
        {"grants": [bytes(32), bytes(32)]},
        {"grants": [b"b" * 32, b"a" * 32]},
        {"grants": hashes(MAX_GRANTS + 1), "inputs": []},
        {"inputs": [], "grants": []},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_form(world: ExchangeWorld, fields: dict[str, Any]) -> None:
    assert register(world, **fields) == ResultCode.FIELD_REFUSED


def test_at_its_limits(world: ExchangeWorld) -> None:
    assert register(world, name="é" * 32, inputs=hashes(MAX_INPUTS), grants=[]) == ResultCode.OK
    grants = []
    for number in range(MAX_GRANTS):
        grants.append(number.to_bytes(32, "big"))
        world.state.write(grant_key(grants[-1]), world.granted)
    world.state.keep()
    wide = {"inputs": hashes(MAX_INPUTS), "grants": grants, "content_root": b"n" * 32}
    assert register(world, **wide) == ResultCode.OK


class TestWithdraw:
    def withdraw(self, world: ExchangeWorld, who: str = "bob", model: bytes = b"") -> ResultCode:
        name = model or model_id(world.chain, world.buyers, ROOT)
        return world.code(world.key(who), WithdrawModel(model=name))

    def test_once_and_for_good(self, world: ExchangeWorld) -> None:
        assert register(world) == ResultCode.OK
        before = found(world)
        world.advance(3)
        assert self.withdraw(world) == ResultCode.OK
        name = model_id(world.chain, world.buyers, ROOT)
        assert world.last.events == (Event(kind=EVENT_KIND_MODEL_WITHDRAWN, subject=name),)
        after = found(world)
        assert before is not None
        assert after is not None
        assert after.withdrawn_height == world.height
        after.withdrawn_height = 0
        assert after == before
        assert self.withdraw(world) == ResultCode.MODEL_STATE
        assert register(world) == ResultCode.MODEL_EXISTS

    def test_by_the_authority_alone(self, world: ExchangeWorld) -> None:
        assert register(world) == ResultCode.OK
        for who in ("authority", "alice", "one time"):
            assert self.withdraw(world, who) == ResultCode.NOT_ALLOWED

    def test_of_nothing(self, world: ExchangeWorld) -> None:
        assert self.withdraw(world) == ResultCode.UNKNOWN_MODEL
        assert self.withdraw(world, model=bytes(31)) == ResultCode.FIELD_REFUSED


def test_people_read_it(world: ExchangeWorld) -> None:
    assert register(world) == ResultCode.OK
    key = model_key(model_id(world.chain, world.buyers, ROOT))
    assert describe_key(key) == f"model {key[1:].hex()}"
    told = value_json(key, world.rows()[key])
    assert told["name"] == "grasp"
    assert told["inputs"] == [each.hex() for each in INPUTS]
    assert told["grants"][0]["contract"] == world.granted.contract.hex()
