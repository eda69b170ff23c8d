"""Who gets no grant, and why: each next to somebody who gets one, so that the reason is it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import grant_key, robot_key
from ledger.chain.transaction import sign_transaction
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.credentials.grant_request import round_time
from ledger.credentials.member_file import gap_of
from ledger.ed25519 import PrivateKey
from ledger.errors import RefusedError
from ledger.schema.chain_anchor_pb2 import ReportFork
from ledger.schema.chain_grant_pb2 import GrantRecord, SetRevocationEpoch
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN, RobotRecord
from ledger.schema.chain_pb2 import Transaction, TransactionBody
from ledger.schema.chain_sharing_pb2 import WithdrawContract, WithdrawOffer
from ledger.witnessing.evidence import ForkClaim
from tests.fleet.sharing_market import (
    ANONYMOUS_AMOUNT,
    REWARD_AT_LEAST,
    Offered,
    SharingMarket,
)

HOUR_NS = 3_600 * 10**9


@pytest.fixture(scope="module")
def offered(market: SharingMarket) -> Offered:
    """What those want who are refused."""
    return market.offered()


def refused(market: SharingMarket, encoded: bytes, code: ResultCode) -> None:
    """A request is refused, and cost nobody anything: not its fleet, not its key."""
    pool, body = market.pool, TransactionBody.FromString(Transaction.FromString(encoded).body)
    assert market.submit(encoded) == code
    assert market.pool == pool
    assert market.account(body.signer) is None


def test_a_member_below_level_3_is_refused(market: SharingMarket, offered: Offered) -> None:
    low = market.member(robot_id=101, level=1)
    # It can prove no more than it has, and what it has is too little.
    with pytest.raises(RefusedError):
        market.request(low, offered, min_level=3)
    refused(market, market.request(low, offered, min_level=1), ResultCode.POLICY_DENIES)
    # A proof of level 1 that says it is one of level 3 proves nothing.
    key = PrivateKey.generate()
    body = TransactionBody.FromString(
        Transaction.FromString(market.request(low, offered, key, min_level=1)).body
    )
    body.request_grant.min_level = 3
    forged = sign_transaction(market.chain, key, body)
    refused(market, forged, ResultCode.CREDENTIAL_NOT_PROVEN)
    market.granted(market.member(robot_id=102, level=3), offered)


def test_another_purpose_is_refused(market: SharingMarket, offered: Offered) -> None:
    member = market.member(robot_id=111)
    asked = market.request(member, offered, purpose="advertising")
    refused(market, asked, ResultCode.POLICY_DENIES)
    bought = market.granted(member, offered, purpose="evaluation")
    record = market.read(GrantRecord, grant_key(bought.grant.grant))
    assert record is not None
    assert record.purpose == "evaluation"


def test_an_expired_credential_is_refused(market: SharingMarket, offered: Offered) -> None:
    now = int(time.time())
    path = market.root / market.name("expired")
    late = market.member(robot_id=121, expiry_s=now - 60, path=path)
    with pytest.raises(RefusedError):
        market.request(late, offered)
    # It was good a while ago; that is no time to ask with.
    asked = market.request(late, offered, time_s=now - 120)
    refused(market, asked, ResultCode.TIME_REFUSED)
    renewed = market.member(robot_id=121, expiry_s=round_time(now) + 3_600, path=path)
    assert renewed.nym == late.nym
    market.granted(renewed, offered)


def test_a_revoked_member_is_refused_and_the_others_go_on(
    market: SharingMarket, offered: Offered
) -> None:
    bad, good = market.member(robot_id=131), market.member(robot_id=132)
    old = gap_of(bad, market.issuer.gaps())
    before = market.issuer.revoked().epoch
    market.granted(bad, offered)
    revoked = market.issuer.revoke([131])
    assert (revoked.epoch, revoked.robot_ids) == (before + 1, (131,))
    market.must(market.authority, SetRevocationEpoch(fleet=market.buyers, epoch=revoked.epoch))
    with pytest.raises(RefusedError, match="revoked"):
        gap_of(bad, market.issuer.gaps())
    # Neither the epoch in which it was good, nor its old gap said to be of the new one.
    asked = market.request(bad, offered, gap=old, use=1, revocation_epoch=before)
    refused(market, asked, ResultCode.REVOCATION_EPOCH)
    key = PrivateKey.generate()
    asked = market.request(bad, offered, key, gap=old, use=1, revocation_epoch=before)
    body = TransactionBody.FromString(Transaction.FromString(asked).body)
    body.request_grant.revocation_epoch = revoked.epoch
    refused(
        market,
        sign_transaction(market.chain, key, body),
        ResultCode.CREDENTIAL_NOT_PROVEN,
    )
    market.granted(good, offered)


def test_a_recording_that_is_too_old_is_refused(market: SharingMarket) -> None:
    fresh = market.offered(max_age_ns=HOUR_NS)
    member = market.member(robot_id=141)
    refused(market, market.request(member, fresh), ResultCode.STALE)
    market.granted(member, market.offered(max_age_ns=50 * 365 * 24 * HOUR_NS))


def test_nobody_has_more_uses_than_the_contract_gives(market: SharingMarket) -> None:
    offered = market.offered(uses=2)
    member, other = market.member(robot_id=151), market.member(robot_id=152)
    used = set()
    for _ in range(2):
        use = market.choose(member, offered.contract, 2)
        # Nobody knows who asked; yet the same member does not get the same use again.
        market.granted(member, offered, use=use)
        asked = market.request(member, offered, use=use)
        refused(market, asked, ResultCode.ALREADY_USED)
        used.add(use)
    assert used == {0, 1}
    with pytest.raises(RefusedError, match="all 2 uses"):
        market.choose(member, offered.contract, 2)
    for use, code in (
        (0, ResultCode.ALREADY_USED),
        (1, ResultCode.ALREADY_USED),
        (2, ResultCode.OVER_USES),
    ):
        refused(market, market.request(member, offered, use=use), code)
    for use in (0, 1):
        market.granted(other, offered, use=use)


def test_a_renewed_credential_brings_no_new_use(market: SharingMarket) -> None:
    offered = market.offered(uses=1)
    path = market.root / market.name("renewed")
    first = market.member(robot_id=161, path=path)
    market.granted(first, offered)
    again = market.member(robot_id=161, level=5, path=path)
    assert again.attributes.level == 5
    refused(market, market.request(again, offered), ResultCode.ALREADY_USED)


def test_a_presentation_is_good_for_its_request_alone(
    market: SharingMarket, offered: Offered
) -> None:
    member, thief = market.member(robot_id=171), PrivateKey.generate()
    asked = market.request(member, offered)
    body = TransactionBody.FromString(Transaction.FromString(asked).body)
    borrowed = TransactionBody.FromString(body.SerializeToString())
    borrowed.signer = bytes(thief.public_key)
    refused(
        market,
        sign_transaction(market.chain, thief, borrowed),
        ResultCode.CREDENTIAL_NOT_PROVEN,
    )
    elsewhere = market.offered()
    key = PrivateKey.generate()
    rescoped = TransactionBody.FromString(
        Transaction.FromString(market.request(member, offered, key)).body
    )
    rescoped.request_grant.offer = elsewhere.offer
    refused(
        market,
        sign_transaction(market.chain, key, rescoped),
        ResultCode.CREDENTIAL_NOT_PROVEN,
    )
    assert market.submit(asked) == ResultCode.OK
    pool = market.pool
    assert market.submit(asked) == ResultCode.SEQUENCE_PAST
    assert market.pool == pool


def test_nothing_is_granted_under_a_withdrawn_contract(market: SharingMarket) -> None:
    offered, member = market.offered(), market.member(robot_id=181)
    early = market.request(member, offered)
    market.granted(market.member(robot_id=182), offered)
    market.must(market.seller, WithdrawContract(contract=offered.contract))
    refused(market, early, ResultCode.CONTRACT_OVER)
    posting = market.posting(offered.contract, market.husky, REWARD_AT_LEAST)
    assert market.do(market.seller, posting) == ResultCode.CONTRACT_OVER


def test_nothing_is_granted_of_a_withdrawn_offer(market: SharingMarket) -> None:
    offered, member = market.offered(), market.member(robot_id=191)
    market.must(market.seller, WithdrawOffer(offer=offered.offer))
    refused(market, market.request(member, offered), ResultCode.OFFER_STATE)


def test_a_contract_that_is_over_grants_nothing(market: SharingMarket) -> None:
    last = market.height() + 4
    offered, member = market.offered(expiry_height=last), market.member(robot_id=201)
    market.pass_blocks(max(0, last - market.height()))
    refused(market, market.request(member, offered), ResultCode.CONTRACT_OVER)


def test_an_offer_without_the_proof_that_the_policy_asks_for_is_not_granted(
    market: SharingMarket,
) -> None:
    contract, member = market.deploy(), market.member(robot_id=211)
    offered = market.post(contract, market.husky)
    refused(market, market.request(member, offered), ResultCode.POLICY_DENIES)
    # A poorer claim is true too, and too little.
    poorer = market.post(market.deploy(), market.husky, "reward>=0.799")
    refused(market, market.request(member, poorer), ResultCode.POLICY_DENIES)


def test_a_proof_of_quality_says_nothing_of_another_offer(market: SharingMarket) -> None:
    posting = market.posting(market.deploy(), market.husky, REWARD_AT_LEAST)
    posting.qualities[0].low += 1
    assert market.do(market.seller, posting) == ResultCode.QUALITY_NOT_PROVEN


def test_a_robot_whose_log_forked_sells_nothing(market: SharingMarket) -> None:
    forked = market.robot("sellers.example/forked", seed=2, seconds=4.0)
    offered = market.offered(forked)
    note = forked.home.log.latest_checkpoint()
    assert note is not None
    true = Checkpoint.of_note(note)
    other = sign_checkpoint(replace(true, root=b"\1" * 32), forked.home.signers())
    claim = ForkClaim.of(note, other).encode()
    market.must(market.authority, ReportFork(evidence=claim))
    robot = market.read(RobotRecord, robot_key(forked.origin))
    assert robot is not None
    assert robot.status == ROBOT_STATUS_FROZEN
    posting = market.posting(market.deploy(), forked, REWARD_AT_LEAST)
    assert market.do(market.seller, posting) == ResultCode.ROBOT_FROZEN
    asked = market.request(market.member(robot_id=221), offered)
    refused(market, asked, ResultCode.ROBOT_FROZEN)


def test_a_pool_pays_no_more_than_its_fleet_allows(market: SharingMarket) -> None:
    offered, member = market.offered(), market.member(robot_id=231)
    dear = market.request(member, offered, fee=ANONYMOUS_AMOUNT + 1)
    refused(market, dear, ResultCode.NOT_SPONSORED)
    market.granted(member, offered)
