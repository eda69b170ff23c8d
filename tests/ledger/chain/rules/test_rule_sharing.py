"""Rule sharing: contracts deployed, amended and withdrawn."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.ids import contract_id
from ledger.chain.rules.fleet import authority_message
from ledger.chain.rules.sharing import MAX_ROYALTIES, MAX_USES, policy_of
from ledger.chain.state_keys import contract_version_key
from ledger.errors import CorruptStoreError
from ledger.schema.chain_identity_pb2 import ChangeAuthority
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CONTRACT_AMENDED,
    EVENT_KIND_CONTRACT_DEPLOYED,
    EVENT_KIND_CONTRACT_WITHDRAWN,
    Event,
)
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    ContractRecord,
    ContractVersion,
    Royalty,
    WithdrawContract,
)
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.sharing_world import (
    OTHER_POLICY,
    POLICY,
    SharingWorld,
    terms,
)
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS


@pytest.fixture
def world() -> SharingWorld:
    return SharingWorld()


def royalty(world: SharingWorld, name: str, parts: int) -> Royalty:
    return Royalty(account=account_of(world.key(name)), parts=parts)


def royalties(world: SharingWorld, *parts: int) -> list[Royalty]:
    made = [royalty(world, f"owner {number}", each) for number, each in enumerate(parts)]
    return sorted(made, key=lambda each: each.account)


def test_a_contract_is_written_down(world: SharingWorld) -> None:
    agreed = terms(royalties=royalties(world, 500, 9_500), expiry_height=50, deposit=7)
    result, contract = world.deploy(terms=agreed)
    assert result.code == ResultCode.OK
    assert result.events == (Event(kind=EVENT_KIND_CONTRACT_DEPLOYED, subject=contract, amount=1),)
    assert world.contract(contract) == ContractRecord(fleet=world.sellers, name="drives", version=1)
    assert world.version(contract, 1) == ContractVersion(policy=POLICY, terms=agreed, height=1)
    # Whoever is to be paid can be.
    assert world.account(world.key("owner 0")) is not None
    # The same again is another contract.
    assert world.deployed(terms=agreed) != contract


def test_its_id_is_of_its_chain_its_signer_and_their_sequence() -> None:
    one = contract_id(bytes(32), bytes(32), 1)
    others = (
        contract_id(bytes(31) + b"\1", bytes(32), 1),
        contract_id(bytes(32), bytes(31) + b"\1", 1),
        contract_id(bytes(32), bytes(32), 2),
    )
    assert len({one, *others}) == 4


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"fleet": b"short"}, ResultCode.FIELD_REFUSED),
        ({"name": ""}, ResultCode.FIELD_REFUSED),
        ({"name": "n" * 65}, ResultCode.FIELD_REFUSED),
        ({"name": "a\nb"}, ResultCode.FIELD_REFUSED),
        ({"fleet": bytes(32)}, ResultCode.UNKNOWN_FLEET),
        ({"who": "alice"}, ResultCode.NOT_ALLOWED),
        ({"who": "bob"}, ResultCode.NOT_ALLOWED),
    ],
)
def test_what_no_contract_is_called_or_by_whom(
    world: SharingWorld, fields: dict[str, Any], code: ResultCode
) -> None:
    assert world.deploy(**fields)[0].code == code


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "permit",
        POLICY.replace("fleet", "name"),
        "permit (principal == ?principal, action, resource);",
        POLICY.replace("when", "unless").replace(
            'principal.fleet == "buyers"', "principal.proven_min_level >= 3"
        ),
        "permit (principal, action, resource) when { " + "(" * 400 + "true" + ")" * 400 + " };",
    ],
)
def test_a_policy_that_is_none_is_refused(world: SharingWorld, policy: str) -> None:
    assert world.deploy(policy=policy)[0].code == ResultCode.POLICY_REFUSED
    contract = world.deployed()
    assert world.amend(contract, policy=policy).code == ResultCode.POLICY_REFUSED


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"uses": 0}, ResultCode.BAD_TERMS),
        ({"uses": MAX_USES + 1}, ResultCode.BAD_TERMS),
        ({"grant_lifetime": 0}, ResultCode.BAD_TERMS),
        ({"grant_lifetime": 10_000_001}, ResultCode.BAD_TERMS),
        ({"expiry_height": 4}, ResultCode.BAD_TERMS),
        ({"asset": 9}, ResultCode.UNKNOWN_ASSET),
    ],
)
def test_terms_of_no_possible_form_are_refused(
    world: SharingWorld, fields: dict[str, Any], code: ResultCode
) -> None:
    world.advance(4)
    assert world.deploy(terms=terms(**fields))[0].code == code
    contract = world.deployed(terms=terms(expiry_height=5, asset=1, uses=MAX_USES))
    assert world.amend(contract, terms=terms(**fields)).code == code


def test_terms_that_are_not_there_are_refused(world: SharingWorld) -> None:
    assert world.deploy(terms=None)[0].code == ResultCode.BAD_TERMS


def test_royalties_are_in_order_and_not_more_than_all(world: SharingWorld) -> None:
    whole = royalties(world, 1, 9_999)
    refused = {
        "unordered": whole[::-1],
        "twice": [whole[0], whole[0]],
        "nothing": [royalty(world, "owner", 0)],
        "too much": royalties(world, 1, 10_000),
        "overflow": royalties(world, 2**32 - 1, 2**32 - 1),
        "many": royalties(world, *[1] * (MAX_ROYALTIES + 1)),
    }
    for name, given in refused.items():
        code = world.deploy(terms=terms(royalties=given))[0].code
        assert code == ResultCode.BAD_TERMS, name
    short = [Royalty(account=b"short", parts=1)]
    assert world.deploy(terms=terms(royalties=short))[0].code == ResultCode.FIELD_REFUSED
    for given in (whole, royalties(world, *[1] * MAX_ROYALTIES)):
        assert world.deploy(terms=terms(royalties=given))[0].code == ResultCode.OK


@pytest.mark.parametrize("key", WEAK_KEYS)
def test_nobody_is_owed_who_cannot_be_paid(world: SharingWorld, key: bytes) -> None:
    owed = terms(royalties=[Royalty(account=key, parts=1)])
    assert world.deploy(terms=owed)[0].code == ResultCode.WEAK_KEY


def test_an_amendment_is_a_version_of_its_own(world: SharingWorld) -> None:
    contract = world.deployed()
    world.advance()
    dearer = terms(chunk_price=99, expiry_height=100)
    result = world.amend(contract, terms=dearer)
    assert result.code == ResultCode.OK
    assert result.events == (Event(kind=EVENT_KIND_CONTRACT_AMENDED, subject=contract, amount=2),)
    assert world.contract(contract).version == 2
    # What was agreed before stays as it was.
    assert world.version(contract, 1) == ContractVersion(policy=POLICY, terms=terms(), height=1)
    assert world.version(contract, 2) == ContractVersion(
        policy=OTHER_POLICY, terms=dearer, height=2
    )
    assert world.version(contract, 3) is None


def test_a_contract_that_expired_may_go_on_by_an_amendment(world: SharingWorld) -> None:
    contract = world.deployed(terms=terms(expiry_height=2))
    world.advance(5)
    assert world.amend(contract).code == ResultCode.OK


@pytest.mark.parametrize("act", ["amend", "withdraw"])
def test_who_may_amend_and_withdraw(world: SharingWorld, act: str) -> None:
    contract, change = world.deployed(), getattr(world, act)
    assert change(b"short").code == ResultCode.FIELD_REFUSED
    assert change(bytes(32)).code == ResultCode.UNKNOWN_CONTRACT
    for stranger in ("alice", "bob"):
        assert change(contract, who=stranger).code == ResultCode.NOT_ALLOWED
    assert world.do(world.seller, _message(act, contract)).code == ResultCode.NOT_ALLOWED
    assert change(contract).code == ResultCode.OK


def _message(act: str, contract: bytes) -> Any:
    if act == "amend":
        return AmendContract(contract=contract, policy=POLICY, terms=terms())
    return WithdrawContract(contract=contract)


def test_the_authority_of_now_speaks_for_the_contract(world: SharingWorld) -> None:
    contract = world.deployed()
    old, new = account_of(world.authority), account_of(world.key("alice"))
    signature = world.key("alice").sign(authority_message(world.chain, world.sellers, old, new))
    change = ChangeAuthority(fleet=world.sellers, new_authority=new, new_signature=signature)
    world.must(world.authority, change)
    assert world.amend(contract).code == ResultCode.NOT_ALLOWED
    assert world.amend(contract, who="alice").code == ResultCode.OK


def test_a_withdrawal_is_for_good(world: SharingWorld) -> None:
    contract = world.deployed()
    world.advance(3)
    result = world.withdraw(contract)
    assert result.code == ResultCode.OK
    assert result.events == (Event(kind=EVENT_KIND_CONTRACT_WITHDRAWN, subject=contract, amount=1),)
    assert world.contract(contract).withdrawn_height == 4
    assert world.withdraw(contract).code == ResultCode.CONTRACT_OVER
    assert world.amend(contract).code == ResultCode.CONTRACT_OVER
    # Whoever was granted something under it can still show its terms.
    assert world.version(contract, 1) is not None


def test_a_policy_of_the_state_that_is_none_stops_the_chain(world: SharingWorld) -> None:
    contract = world.deployed()
    damaged = ContractVersion(policy="permit", terms=terms(), height=1)
    world.state.write(contract_version_key(contract, 1), damaged)
    world.state.keep()
    version = world.version(contract, 1)
    assert version is not None
    with pytest.raises(CorruptStoreError):
        policy_of(version)
