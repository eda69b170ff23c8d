"""Rule offers: what a robot's own log says, and what is proven of what it hides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.ids import offer_id
from ledger.chain.rules.offers import MAX_PATH, MAX_TAGS, MAX_TEXT, MAX_TOPICS
from ledger.chain.rules.quality_proofs import MAX_PROOF_BYTES, MAX_PROOFS
from ledger.checkpoint import log_id
from ledger.experience.entry import encode_entry
from ledger.experience.kinds import CommitmentKind, RewardSource, Tag, Topic
from ledger.merkle.hashing import EMPTY_ROOT, leaf_hash
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN, ROBOT_STATUS_RETIRED
from ledger.schema.chain_pb2 import EVENT_KIND_OFFER_POSTED, EVENT_KIND_OFFER_WITHDRAWN, Event
from ledger.schema.chain_sharing_pb2 import OfferRecord, QualityBound, QualityProof
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.sharing_world import (
    AT_LEAST_0_8,
    LENGTH,
    REWARD_OFFSET,
    REWARD_SCALE,
    ROBOT,
    SharingWorld,
    experience,
    terms,
)
from zkproofs.errors import ParameterError


@pytest.fixture
def world() -> SharingWorld:
    return SharingWorld()


@pytest.fixture
def contract(world: SharingWorld) -> bytes:
    return world.deployed()


def test_an_offer_says_what_the_robots_entry_says(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    length = world.proof(
        index,
        (0, 2**16 - 1),
        LENGTH,
        CommitmentKind.LENGTH,
        RewardSource.UNSPECIFIED,
    )
    result = world.do(
        world.seller, world.posting(contract, index, qualities=[world.proof(index), length])
    )
    assert result.code == ResultCode.OK
    offer = offer_id(world.chain, contract, world.leaf(index))
    assert result.events == (Event(kind=EVENT_KIND_OFFER_POSTED, subject=offer, amount=600_000),)
    assert world.offer(offer) == OfferRecord(
        contract=contract,
        version=1,
        seller=account_of(world.seller),
        origin=ROBOT,
        leaf=world.leaf(index),
        index=index,
        content_root=experience().content_root,
        content_size=600_000,
        kind="episode",
        media_type="application/mcap",
        tags=["kind=episode", "site=harbour"],
        topics=["/camera", "/imu"],
        start_ns=experience().start_ns,
        end_ns=experience().end_ns,
        qualities=[
            QualityBound(
                kind=1,
                source=2,
                low=AT_LEAST_0_8[0],
                high=AT_LEAST_0_8[1],
                offset=REWARD_OFFSET,
                scale=REWARD_SCALE,
            ),
            QualityBound(kind=3, low=0, high=2**16 - 1, scale=1_000),
        ],
        height=1,
        record_id=experience().record_id,
    )


def test_the_fleet_offers_for_its_robots_and_a_robot_for_itself(
    world: SharingWorld, contract: bytes
) -> None:
    one, other = world.record(), world.record()
    assert world.do(world.authority, world.posting(contract, one)).code == ResultCode.OK
    assert world.do(world.seller, world.posting(contract, other)).code == ResultCode.OK
    for stranger in ("alice", "bob"):
        given = world.posting(contract, one)
        assert world.do(world.key(stranger), given).code == ResultCode.NOT_ALLOWED
    # Another robot of the fleet is a stranger too.
    second = world.register(world.sellers, "robot.example/second")
    world.fund(second)
    assert world.do(second, world.posting(contract, one)).code == ResultCode.NOT_ALLOWED


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"contract": b"short"}, ResultCode.FIELD_REFUSED),
        ({"contract": bytes(32)}, ResultCode.UNKNOWN_CONTRACT),
        ({"origin": ""}, ResultCode.FIELD_REFUSED),
        ({"origin": "robot.example/nobody"}, ResultCode.UNKNOWN_ROBOT),
        ({"path": [b"short"]}, ResultCode.FIELD_REFUSED),
        ({"path": [bytes(32)] * (MAX_PATH + 1)}, ResultCode.FIELD_REFUSED),
        ({"path": []}, ResultCode.NOT_ANCHORED),
        ({"index": 0}, ResultCode.NOT_ANCHORED),
        ({"index": 2**63}, ResultCode.NOT_ANCHORED),
        ({"entry": b""}, ResultCode.NOT_AN_EXPERIENCE),
        ({"entry": b"\xff" * 70}, ResultCode.NOT_AN_EXPERIENCE),
    ],
)
def test_what_does_not_lead_to_an_entry_is_refused(
    world: SharingWorld, contract: bytes, fields: dict[str, Any], code: ResultCode
) -> None:
    given = world.posting(contract, world.record(), **fields)
    assert world.do(world.seller, given).code == code


def test_every_hash_of_the_path_counts(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    path = world.log.path(index)
    assert len(path) > 1
    for place in range(len(path)):
        broken = [*path]
        broken[place] = bytes([broken[place][0] ^ 1]) + broken[place][1:]
        given = world.posting(contract, index, path=broken)
        assert world.do(world.seller, given).code == ResultCode.NOT_ANCHORED
    for other in (path[:-1], [*path, bytes(32)], path[::-1]):
        given = world.posting(contract, index, path=other)
        assert world.do(world.seller, given).code == ResultCode.NOT_ANCHORED


def test_what_is_not_anchored_yet_is_refused(world: SharingWorld, contract: bytes) -> None:
    world.record()
    index = world.log.append(experience())
    given = world.posting(contract, index)
    assert world.do(world.seller, given).code == ResultCode.NOT_ANCHORED
    world.log.anchor()
    assert world.do(world.seller, world.posting(contract, index)).code == ResultCode.OK


def test_a_log_that_was_never_anchored_offers_nothing(world: SharingWorld, contract: bytes) -> None:
    index = world.log.append(experience())
    given = world.posting(contract, index)
    assert world.do(world.seller, given).code == ResultCode.NOT_ANCHORED


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": tuple(Tag("n", f"{number:03}") for number in range(MAX_TAGS + 1))},
        {"topics": tuple(Topic(f"/{number:03}", "t", 1) for number in range(MAX_TOPICS + 1))},
        {"contract_id": bytes(32)},
        {"media_type": "t" * (MAX_TEXT + 1)},
        {"tags": (Tag("n", "v" * (MAX_TEXT - 1)),)},
        {"topics": (Topic("/" + "é" * (MAX_TEXT // 2 + 1), "t", 1),)},
    ],
)
def test_an_experience_that_cannot_be_offered(
    world: SharingWorld, contract: bytes, fields: dict[str, Any]
) -> None:
    given = world.posting(contract, world.record(**fields))
    assert world.do(world.seller, given).code == ResultCode.NOT_AN_EXPERIENCE


def test_one_without_content_is_nothing_to_sell(world: SharingWorld, contract: bytes) -> None:
    index = world.record(content_root=EMPTY_ROOT, content_size=0, files=_empty_file())
    given = world.posting(contract, index)
    assert world.do(world.seller, given).code == ResultCode.NOT_AN_EXPERIENCE
    # Nor is an entry of another kind.
    given = world.posting(contract, index - 1)
    assert world.do(world.seller, given).code == ResultCode.NOT_AN_EXPERIENCE


def _empty_file() -> tuple[Any, ...]:
    return (replace(experience().files[0], size=0),)


def test_the_contract_that_an_entry_names_is_the_one(world: SharingWorld, contract: bytes) -> None:
    index = world.record(contract_id=contract)
    assert world.do(world.seller, world.posting(contract, index)).code == ResultCode.OK
    other = world.posting(world.deployed(), index)
    assert world.do(world.seller, other).code == ResultCode.NOT_AN_EXPERIENCE


def test_an_entry_that_the_robot_did_not_sign_is_refused(
    world: SharingWorld, contract: bytes
) -> None:
    index = world.record(key=world.key("alice"))
    given = world.posting(contract, index)
    assert world.do(world.seller, given).code == ResultCode.NOT_AN_EXPERIENCE
    # Nor one that it signed for another log, or whose signature was altered.
    for altered in (
        encode_entry(log_id("robot.example/other"), index, experience(), world.seller),
        world.log.entries[world.record()][:-1] + b"\0",
    ):
        place = len(world.log.entries)
        world.log.entries.append(altered)
        world.log.anchor()
        given = world.posting(contract, place)
        assert world.do(world.seller, given).code == ResultCode.NOT_AN_EXPERIENCE


def test_an_entry_says_itself_which_it_is(world: SharingWorld, contract: bytes) -> None:
    index = world.log.append(experience(), sequence=7)
    world.log.anchor()
    given = world.posting(contract, index)
    assert world.do(world.seller, given).code == ResultCode.NOT_ANCHORED


def test_an_old_key_of_the_robot_signed_it(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    old = world.seller
    world.must(old, world.rotation(ROBOT, ROBOT, "new"))
    world.advance(3)
    given = world.posting(contract, index)
    assert world.do(old, given).code == ResultCode.NOT_ALLOWED
    world.fund(world.key("new"))
    assert world.do(world.key("new"), given).code == ResultCode.OK


def test_a_frozen_robot_offers_nothing_and_may_withdraw(
    world: SharingWorld, contract: bytes
) -> None:
    index = world.record()
    offer, other = world.offered(contract, index), world.record()
    world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
    for key in (world.seller, world.authority):
        given = world.posting(contract, other)
        assert world.do(key, given).code == ResultCode.ROBOT_FROZEN
    assert world.withdraw_offer(offer, world.seller).code == ResultCode.OK


def test_the_fleet_offers_what_a_retired_robot_left(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    world.set_status(ROBOT, ROBOT_STATUS_RETIRED)
    given = world.posting(contract, index)
    assert world.do(world.seller, given).code == ResultCode.NOT_ALLOWED
    assert world.do(world.authority, given).code == ResultCode.OK


def test_nothing_is_offered_under_another_fleets_contract(world: SharingWorld) -> None:
    theirs = world.deployed(who="bob", fleet=world.buyers)
    given = world.posting(theirs, world.record())
    assert world.do(world.seller, given).code == ResultCode.NOT_ALLOWED


def test_nothing_is_offered_under_a_contract_that_is_over(
    world: SharingWorld, contract: bytes
) -> None:
    index = world.record()
    expiring = world.deployed(terms=terms(expiry_height=3))
    world.advance(2)
    assert world.do(world.seller, world.posting(expiring, index)).code == ResultCode.OK
    world.advance()
    given = world.posting(expiring, world.record())
    assert world.do(world.seller, given).code == ResultCode.CONTRACT_OVER
    assert not world.withdraw(contract).code
    given = world.posting(contract, index)
    assert world.do(world.seller, given).code == ResultCode.CONTRACT_OVER


def test_an_offer_stands_until_it_is_withdrawn_and_may_be_posted_again(
    world: SharingWorld, contract: bytes
) -> None:
    index = world.record()
    offer = world.offered(contract, index)
    assert world.do(world.seller, world.posting(contract, index)).code == ResultCode.OFFER_STATE
    for stranger in ("alice", "bob"):
        assert world.withdraw_offer(offer, world.key(stranger)).code == ResultCode.NOT_ALLOWED
    assert world.withdraw_offer(b"short", world.seller).code == ResultCode.FIELD_REFUSED
    assert world.withdraw_offer(bytes(32), world.seller).code == ResultCode.UNKNOWN_OFFER
    world.advance()
    result = world.withdraw_offer(offer, world.authority)
    assert result.code == ResultCode.OK
    assert result.events == (Event(kind=EVENT_KIND_OFFER_WITHDRAWN, subject=offer),)
    found = world.offer(offer)
    assert found is not None
    assert found.withdrawn_height == 2
    assert world.withdraw_offer(offer, world.seller).code == ResultCode.OFFER_STATE
    assert not world.amend(contract).code
    assert world.do(world.authority, world.posting(contract, index)).code == ResultCode.OK
    found = world.offer(offer)
    assert found is not None
    assert (found.withdrawn_height, found.version) == (0, 2)
    assert found.seller == account_of(world.authority)


# Proofs of quality


def post(world: SharingWorld, contract: bytes, index: int, *proofs: QualityProof) -> int:
    return world.do(world.seller, world.posting(contract, index, qualities=proofs)).code


def test_a_proof_is_of_what_the_entry_commits_to(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    for kind, source in ((2, 2), (1, 1), (1, 0), (3, 2), (9, 9)):
        proof = world.proof(index)
        proof.kind, proof.source = kind, source
        assert post(world, contract, index, proof) == ResultCode.QUALITY_NOT_PROVEN
    # A commitment to something else is another statement.
    swapped = world.proof(index)
    swapped.kind, swapped.source = 3, 0
    assert post(world, contract, index, swapped) == ResultCode.QUALITY_NOT_PROVEN


def test_a_proof_is_tied_to_its_chain_seller_entry_and_content(
    world: SharingWorld, contract: bytes
) -> None:
    index, other = world.record(), world.record(name="another")
    for tied_to in (
        {"chain": bytes(32)},
        {"seller": account_of(world.authority)},
        {"leaf": world.leaf(other)},
        {"content_root": bytes(32)},
    ):
        proof = world.proof(index, **tied_to)
        assert post(world, contract, index, proof) == ResultCode.QUALITY_NOT_PROVEN
    # So nobody posts another's proof as its own.
    proof = world.proof(index)
    given = world.posting(contract, index, qualities=[proof])
    assert world.do(world.authority, given).code == ResultCode.QUALITY_NOT_PROVEN
    assert post(world, contract, index, proof) == ResultCode.OK


def test_every_part_of_a_proof_counts(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    proof = world.proof(index)
    low, high = AT_LEAST_0_8
    for bounds in ((low + 1, high + 1), (low - 1, high - 1), (low, high - 1), (low + 1, high)):
        altered = QualityProof(kind=1, source=2, low=bounds[0], high=bounds[1], proof=proof.proof)
        assert post(world, contract, index, altered) == ResultCode.QUALITY_NOT_PROVEN
    for place in range(0, len(proof.proof), 47):
        broken = bytearray(proof.proof)
        broken[place] ^= 1
        altered = QualityProof(kind=1, source=2, low=low, high=high, proof=bytes(broken))
        assert post(world, contract, index, altered) == ResultCode.QUALITY_NOT_PROVEN
    for other in (proof.proof[:-1], proof.proof + b"\0", b"\0"):
        altered = QualityProof(kind=1, source=2, low=low, high=high, proof=other)
        assert post(world, contract, index, altered) == ResultCode.QUALITY_NOT_PROVEN


def test_what_is_not_so_cannot_be_proven(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    low, high = AT_LEAST_0_8
    with pytest.raises(ParameterError):
        world.proof(index, (low + 200_000, high + 200_000))


def test_one_bad_proof_among_good_ones_is_found(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    length = (LENGTH, CommitmentKind.LENGTH, RewardSource.UNSPECIFIED)
    good, bad = world.proof(index), world.proof(index, (0, 65_535), *length, chain=bytes(32))
    assert post(world, contract, index, good, bad) == ResultCode.QUALITY_NOT_PROVEN
    assert post(world, contract, index, good, world.proof(index, (0, 65_535), *length)) == 0


def test_proofs_of_no_possible_form_are_refused(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    proof = world.proof(index)

    def altered(**fields: Any) -> QualityProof:
        given = QualityProof()
        given.CopyFrom(proof)
        for name, value in fields.items():
            setattr(given, name, value)
        return given

    later = altered(kind=3, source=0)
    for proofs in (
        [proof, proof],
        [later, proof],
        [altered(source=number) for number in range(MAX_PROOFS + 1)],
        [altered(low=proof.high, high=proof.low)],
        [altered(proof=b"")],
        [altered(proof=bytes(MAX_PROOF_BYTES + 1))],
    ):
        assert post(world, contract, index, *proofs) == ResultCode.FIELD_REFUSED


def test_the_widest_interval_is_no_fault_of_ours(world: SharingWorld, contract: bytes) -> None:
    index = world.record()
    widest = QualityProof(kind=1, source=2, low=-(2**63), high=2**63 - 1, proof=bytes(64))
    assert post(world, contract, index, widest) == ResultCode.QUALITY_NOT_PROVEN


def test_a_commitment_that_is_no_point_proves_nothing(world: SharingWorld, contract: bytes) -> None:
    no_point = replace(experience().commitments[0], point=b"\xff" * 48)
    index = world.record(commitments=(no_point,))
    proof = world.proof(index)
    assert post(world, contract, index, proof) == ResultCode.QUALITY_NOT_PROVEN
    # Without a proof nobody asks.
    assert post(world, contract, index) == ResultCode.OK


def test_an_offers_id_is_of_its_chain_contract_and_entry() -> None:
    ones = (bytes(32), bytes(32), leaf_hash(b""))
    ids = {offer_id(*ones)}
    for place in range(3):
        changed = [*ones]
        changed[place] = bytes(31) + b"\1"
        ids.add(offer_id(*changed))
    assert len(ids) == 4
