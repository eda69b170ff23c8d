"""Presentations that are forged, replayed, borrowed, of another scope, late or revoked.

Each is a request that would be granted but for what is wrong with its proof.
"""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.presentation_claim import scope_of
from ledger.chain.presentations import verify_claim, verify_claims
from ledger.chain.rules import grant as rule
from ledger.credentials.grant_request import choose_use, round_time
from ledger.errors import RefusedError
from ledger.schema.chain_pb2 import Transaction, TransactionBody
from tests.ledger.chain.rules.chain_world import ChainWorld
from tests.ledger.chain.rules.grant_world import (
    EXPIRY,
    NOW_S,
    GrantWorld,
    gaps,
    issuer,
    member,
    renewed,
)
from zkproofs import credential as zk
from zkproofs.errors import VerificationError

EVERYBODY = "permit (principal, action, resource);"


@pytest.fixture(scope="module")
def world() -> GrantWorld:
    """One world for all: what is refused leaves it as it was, which `ChainWorld` checks."""
    return GrantWorld(policy=EVERYBODY, uses=5)


@pytest.fixture(scope="module")
def good(world: GrantWorld) -> bytes:
    """A request that is not sent, but as others change it."""
    return world.request(member(30), use=4)


def not_proven(world: GrantWorld, encoded: bytes) -> bool:
    return world.submit(encoded).code == ResultCode.CREDENTIAL_NOT_PROVEN


# Forged and replayed


@pytest.mark.parametrize(
    "fields",
    [
        {"use": 3},
        {"purpose": "research"},
        {"time_s": NOW_S - 1},
        {"time_s": NOW_S + 1},
        {"min_level": 1},
        {"min_level": 3},
        {"fee": 4},
        {"expiry_height": 7},
        {"version": 1, "key": "somebody else"},
    ],
)
def test_one_that_was_made_for_another_request(
    world: GrantWorld, good: bytes, fields: dict[str, Any]
) -> None:
    """Every field of the body is bound, the one-time key among them."""
    assert not_proven(world, world.altered(good, **{"key": "one time", **fields}))


def test_one_for_another_offer(world: GrantWorld, good: bytes) -> None:
    """Of the same contract, so of the same scope."""
    second = world.record(name="another drive")
    offer = world.offered(world.contract_id, second)
    assert not_proven(world, world.altered(good, offer=offer))


def test_one_for_another_contract(world: GrantWorld, good: bytes) -> None:
    contract = world.deployed(policy=EVERYBODY)
    offer = world.offered(contract, world.index)
    assert not_proven(world, world.altered(good, offer=offer, use=1))
    assert not_proven(world, world.request(offer=offer))


def test_one_for_another_chain(world: GrantWorld) -> None:
    """The same fleet, key and contract under another genesis, whose id is another."""
    other = ChainWorld(cap_delay=77).chain
    credential, gap = member(31), zk.find_gap(gaps(), 31)
    elsewhere = world.wanted(chain=other).sign(credential, gap, world.one_time(), 3, 200)
    # Signed anew for this chain, so that the presentation alone is foreign.
    assert not_proven(world, world.altered(elsewhere))


def test_every_part_of_it_counts(world: GrantWorld, good: bytes) -> None:
    body = TransactionBody.FromString(Transaction.FromString(good).body)
    shown = body.request_grant.presentation
    for place in range(0, len(shown), 61):
        spoilt = bytearray(shown)
        spoilt[place] ^= 1
        assert not_proven(world, world.altered(good, presentation=bytes(spoilt))), place


# Borrowed


def test_a_member_of_another_fleet(world: GrantWorld) -> None:
    """In its own name it may be refused by the policy; in the buyers' it proves nothing."""
    stranger = member(7, fleet="buyers", key="strangers")
    gap = zk.find_gap(gaps(key="strangers"), 7)
    assert not_proven(world, world.request(stranger, gap=gap))
    with pytest.raises(RefusedError, match="another fleet"):
        world.request(member(7, fleet="others"))


def test_a_role_that_is_not_the_members(world: GrantWorld) -> None:
    shows = world.request(member(32), key="shows a role", role="courier")
    assert not_proven(world, world.altered(shows, key="shows a role", role="surveyor"))
    assert not_proven(world, world.altered(shows, key="shows a role", role="courier+iso-13482"))
    with pytest.raises(RefusedError, match="another role"):
        world.request(member(32), role="surveyor")
    assert world.submit(shows).code == ResultCode.OK


def test_a_level_that_is_too_low(world: GrantWorld) -> None:
    low = member(33, level=1)
    with pytest.raises(RefusedError, match="does not answer"):
        world.request(low, min_level=2)
    assert not_proven(world, world.altered(world.request(low, min_level=1), min_level=2))


# Late and revoked


def test_one_that_expired_a_second_ago(world: GrantWorld) -> None:
    late = member(34, expiry=NOW_S)
    with pytest.raises(RefusedError, match="does not answer"):
        world.request(late, time_s=NOW_S + 1)
    last = world.request(late, key="last second", time_s=NOW_S)
    assert not_proven(world, world.altered(last, key="last second", time_s=NOW_S + 1))
    assert world.submit(last).code == ResultCode.OK
    # Renewed, it goes on, with the uses it had.
    again = renewed(late, expiry=EXPIRY)
    assert world.ask(again, key="again", time_s=NOW_S + 1) == ResultCode.ALREADY_USED
    assert world.ask(again, key="again", time_s=NOW_S + 1, use=1) == ResultCode.OK


def test_one_that_is_revoked() -> None:
    world = GrantWorld()
    before = world.request(member(7), key="before")
    assert world.set_epoch(3).code == ResultCode.OK
    # What was made in the old epoch is too late, however it is called.
    assert world.submit(before).code == ResultCode.REVOCATION_EPOCH
    assert not_proven(world, world.altered(before, key="before", revocation_epoch=3))
    with pytest.raises(RefusedError, match="another epoch"):
        world.request(member(7), revocation_epoch=3)
    revoked = gaps(3, (7,))
    with pytest.raises(VerificationError, match="revoked"):
        zk.find_gap(revoked, 7)
    # Nor is it in a gap of others, nor in one that another fleet has signed.
    for gap in revoked:
        with pytest.raises(RefusedError, match="does not answer"):
            world.request(member(7), gap=gap, revocation_epoch=3)
    forged = zk.find_gap(gaps(3, key="strangers"), 7)
    assert not_proven(world, world.request(member(7), gap=forged, revocation_epoch=3))
    other = zk.find_gap(revoked, 8)
    assert world.ask(member(8), gap=other, revocation_epoch=3) == ResultCode.OK


# Many at once


def test_verdicts_of_a_batch_are_those_of_each(world: GrantWorld, good: bytes) -> None:
    requests = [world.request(member(number), use=3) for number in (40, 41, 42)]
    requests.insert(0, world.altered(good, purpose="research"))
    requests.insert(2, world.altered(good, use=2))
    requests += [world.unproven(), good]
    claims = [
        rule.claim_of(world.state, world.chain, Transaction.FromString(each).body)
        for each in requests
    ]
    single = [verify_claim(claim) for claim in claims]
    assert single == [False, True, False, True, True, False, True]
    assert verify_claims(claims) == single
    # Two that are wrong by opposite amounts do not make up for each other.
    assert verify_claims([claims[0], claims[2]]) == [False, False]
    assert verify_claims([claims[1]] * 3) == [True] * 3
    assert verify_claims([]) == []


# Unlinkable


def test_nothing_tells_members_apart(world: GrantWorld) -> None:
    """Two requests of one member, and one each of others: all fields, all sizes, all bytes."""
    level_9 = member(90, level=9, expiry=EXPIRY + 10**6)
    asked = [
        world.request(member(80), key="a", use=0),
        world.request(member(80), key="b", use=1),
        world.request(member(2**32 - 2), key="c", use=0),
        world.request(level_9, key="d", use=1),
    ]
    bodies = [TransactionBody.FromString(Transaction.FromString(each).body) for each in asked]
    assert len({body.request_grant.presentation for body in bodies}) == 4
    # Beside key and presentation, who asked for the same use said the same.
    for one, other in ((0, 2), (1, 3)):
        assert _open_part(bodies[one]) == _open_part(bodies[other])
    # Sizes differ by the number of the use, which does not need a member to know.
    assert {len(each) for each in (asked[0], asked[2])} == {len(asked[0])}
    assert {len(each) for each in (asked[1], asked[3])} == {len(asked[1])}
    # No eight bytes of a presentation, nor of a key, are in another request.
    for place, body in enumerate(bodies):
        secret = body.request_grant.presentation + body.signer
        pieces = {secret[at : at + 8] for at in range(len(secret) - 7)}
        for other in bodies[:place]:
            shown = other.request_grant.presentation + other.signer
            assert not any(shown[at : at + 8] in pieces for at in range(len(shown) - 7))
    # And what the chain keeps of them differs in the key and the nullifier alone.
    assert all(world.submit(each).code == ResultCode.OK for each in asked)
    records = [world.grant_of(key) for key in "abcd"]
    assert len({record.nullifier for record in records if record}) == 4
    kept = set()
    for record in records:
        assert record is not None
        record.ClearField("key")
        record.ClearField("nullifier")
        kept.add(record.SerializeToString())
    assert len(kept) == 1


def _open_part(body: TransactionBody) -> bytes:
    seen = TransactionBody()
    seen.CopyFrom(body)
    seen.ClearField("signer")
    seen.request_grant.ClearField("presentation")
    return seen.SerializeToString()


def test_times_and_uses_say_nothing_of_who_asks(world: GrantWorld) -> None:
    assert {round_time(now) for now in range(6_000_000, 6_000_541)} == {6_000_600}
    assert round_time(6_000_541) == 6_001_200
    scopes = [scope_of(world.chain, world.contract_id, use) for use in (0, 2)]
    used = {zk.nullifier_of(member(), scope).to_bytes() for scope in scopes}

    def chosen() -> int:
        return choose_use(member(), world.chain, world.contract_id, 4, used.__contains__)

    assert {chosen() for _ in range(60)} == {1, 3}
    with pytest.raises(RefusedError, match="all 4 uses"):
        choose_use(member(), world.chain, world.contract_id, 4, lambda _: True)


def test_the_issuers_secret_is_in_no_row(world: GrantWorld) -> None:
    secret = issuer().to_bytes()
    assert not any(secret in row for row in world.rows().values())
