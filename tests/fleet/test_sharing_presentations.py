"""Presentations that are forged, replayed, borrowed or turned to something else, on the chain.

Whoever tries holds a key of its own and signs with it, so a signature alone never stops it. A
refusal costs nobody anything: not the fleet's pool, and no account comes into being.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.transaction import sign_transaction
from ledger.credentials.grant_request import GrantRequest, round_time
from ledger.credentials.issuer_home import IssuerHome, read_gaps
from ledger.credentials.member_file import MemberFile, gap_of
from ledger.ed25519 import PrivateKey
from ledger.errors import RefusedError
from ledger.schema.chain_pb2 import Transaction, TransactionBody
from tests.fleet.sharing_chain import FEE, NEVER
from tests.fleet.sharing_market import BUYERS, YEAR_S, Offered, SharingMarket
from zkproofs import credential as zk
from zkproofs.errors import DecodingError
from zkproofs.group import group

POINT = 48
"""Bytes of a point of G1, compressed."""
IDENTITY = b"\xc0" + bytes(POINT - 1)


@pytest.fixture(scope="module")
def offered(market: SharingMarket) -> Offered:
    return market.offered(uses=50)


@pytest.fixture(scope="module")
def member(market: SharingMarket) -> zk.Credential:
    return market.member(robot_id=701)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharingMarket]:
    """Another chain with the same fleets and people on it."""
    root = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        yield SharingMarket(root, held)


def body_of(encoded: bytes) -> TransactionBody:
    return TransactionBody.FromString(Transaction.FromString(encoded).body)


def refused(
    market: SharingMarket,
    body: TransactionBody,
    key: PrivateKey,
    *codes: ResultCode,
) -> None:
    """Signed by a key of its own, a body is refused, and nothing has changed."""
    pool, height = market.pool, market.height()
    code = market.submit(sign_transaction(market.chain, key, body))
    assert code in (codes or (ResultCode.CREDENTIAL_NOT_PROVEN,))
    assert (market.pool, market.height()) == (pool, height)
    assert market.account(bytes(key.public_key)) is None


# Forged


def test_a_fleet_of_the_same_name_issues_for_nobody_here(
    market: SharingMarket, offered: Offered
) -> None:
    forger = IssuerHome.create(market.root / "forger", BUYERS)
    file = MemberFile(market.root / "forged")
    invitation = forger.invite("courier", 9, int(time.time()) + YEAR_S, 701)
    file.accept(forger.answer(file.request(invitation)))
    forged, key = file.credential(), PrivateKey.generate()
    asked = market.request(forged, offered, key, gap=gap_of(forged, forger.gaps()))
    refused(market, body_of(asked), key)


def test_a_gap_that_another_issuer_signed_hides_no_revocation(
    market: SharingMarket, offered: Offered, member: zk.Credential
) -> None:
    forger = IssuerHome.create(market.root / "forger of gaps", BUYERS)
    key = PrivateKey.generate()
    # One's own program would not use it; a forger's does.
    _, gaps = read_gaps(forger.gaps())
    forged = zk.find_gap(gaps, member.attributes.robot_id)
    asked = market.request(member, offered, key, gap=forged, use=8)
    refused(market, body_of(asked), key)


def test_every_part_of_a_presentation_counts(
    market: SharingMarket, offered: Offered, member: zk.Credential
) -> None:
    key = PrivateKey.generate()
    body = body_of(market.request(member, offered, key))
    whole = body.request_grant.presentation
    for at in range(0, len(whole), 32):
        spoilt = bytearray(whole)
        spoilt[at] ^= 1
        body.request_grant.presentation = bytes(spoilt)
        refused(market, body, key)
    for other in (b"", whole[:-1], whole + b"\0", bytes(len(whole)), whole[::-1]):
        body.request_grant.presentation = other
        refused(market, body, key)
    body.request_grant.presentation = whole
    assert market.submit(sign_transaction(market.chain, key, body)) == ResultCode.OK


def test_no_point_is_the_identity_and_none_is_in_anothers_place(
    market: SharingMarket, offered: Offered, member: zk.Credential
) -> None:
    key = PrivateKey.generate()
    body = body_of(market.request(member, offered, key, use=1))
    whole = body.request_grant.presentation
    places = list(points(whole))
    # Two of the nullifier, three of the signature, as many of the gap's, and the ranges'.
    assert len(places) > 10
    for at in places:
        body.request_grant.presentation = whole[:at] + IDENTITY + whole[at + POINT :]
        refused(market, body, key)
    for one, other in pairwise(places):
        swapped = bytearray(whole)
        swapped[one : one + POINT] = whole[other : other + POINT]
        swapped[other : other + POINT] = whole[one : one + POINT]
        body.request_grant.presentation = bytes(swapped)
        refused(market, body, key)


def points(presentation: bytes) -> Iterator[int]:
    """Where points are in a presentation, one after the other."""
    at = 0
    while at <= len(presentation) - POINT:
        try:
            group().decode_g1(presentation[at : at + POINT])
        except DecodingError:
            at += 1
        else:
            yield at
            at += POINT


# Replayed, borrowed


def test_a_request_that_was_granted_is_granted_once(
    market: SharingMarket, offered: Offered, member: zk.Credential
) -> None:
    key = PrivateKey.generate()
    asked = market.request(member, offered, key, use=2)
    assert market.submit(asked) == ResultCode.OK
    pool = market.pool
    assert market.submit(asked) == ResultCode.SEQUENCE_PAST
    # By the same key again, and by another one.
    body = body_of(asked)
    body.sequence = 1
    again = market.submit(sign_transaction(market.chain, key, body))
    assert again != ResultCode.OK
    refused(market, body_of(asked), PrivateKey.generate(), ResultCode.ALREADY_USED)
    assert market.pool == pool
    # Nor before its use is known: what was shown to the mempool is of no use to another.
    other = market.request(member, offered, PrivateKey.generate(), use=7)
    refused(market, body_of(other), PrivateKey.generate())


def test_a_nullifier_that_is_another_members_is_refused(
    market: SharingMarket, offered: Offered, member: zk.Credential
) -> None:
    """Else one could use up what another has, or go on after its own uses."""
    other, key = market.member(robot_id=702), PrivateKey.generate()
    body = body_of(market.request(member, offered, key, use=3))
    others = body_of(market.request(other, offered, key, use=3)).request_grant.presentation
    whole = body.request_grant.presentation
    start = next(points(whole))
    for length in (POINT, 2 * POINT):
        body.request_grant.presentation = (
            whole[:start] + others[start : start + length] + whole[start + length :]
        )
        refused(market, body, key)
    # And all of another's presentation under the own key.
    body.request_grant.presentation = others
    theirs = market.submit(sign_transaction(market.chain, key, body))
    assert theirs == ResultCode.OK, "the same key asked for both: this is no theft"
    market.granted(market.member(robot_id=703), offered, use=3)


def test_a_presentation_for_another_chain_is_refused(
    market: SharingMarket, offered: Offered, elsewhere: SharingMarket
) -> None:
    """Of a member of both: the issuer's key is the same on both chains."""
    file = MemberFile(market.root / "of both")
    issuer = elsewhere.issuer
    invitation = issuer.invite("courier", 5, int(time.time()) + YEAR_S, 704)
    file.accept(issuer.answer(file.request(invitation)))
    both, there = file.credential(), elsewhere.offered()
    key = PrivateKey.generate()
    gap = gap_of(both, issuer.gaps())
    right = elsewhere.request(both, there, key, gap=gap)
    # Its bytes, with the other chain's id in every place that is not in the open.
    asked = GrantRequest(
        chain=market.chain,
        offer=there.offer,
        contract=there.contract,
        fleet=elsewhere.buyers,
        use=0,
        purpose="training",
        issuer_epoch=0,
        revocation_epoch=0,
        time_s=round_time(int(time.time())),
        min_level=3,
    )
    wrong = asked.sign(both, gap, key, FEE, NEVER)
    assert elsewhere.submit(wrong) == ResultCode.WRONG_SIGNATURE
    refused(elsewhere, body_of(wrong), key)
    assert elsewhere.submit(right) == ResultCode.OK
    assert market.submit(right) == ResultCode.WRONG_SIGNATURE


# Re-scoped


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("use", 4),
        ("purpose", "evaluation"),
        ("min_level", 4),
        ("role", "courier"),
        ("time_s", 600),
        ("revocation_epoch", 1),
        ("issuer_epoch", 1),
        ("fleet", bytes(32)),
        ("offer", bytes(32)),
    ],
)
def test_a_presentation_is_good_for_what_was_asked_with_it_alone(
    market: SharingMarket, offered: Offered, member: zk.Credential, field: str, value: Any
) -> None:
    key = PrivateKey.generate()
    body = body_of(market.request(member, offered, key, use=5))
    message = body.request_grant
    setattr(message, field, getattr(message, field) + value if field == "time_s" else value)
    codes = {
        "revocation_epoch": (ResultCode.REVOCATION_EPOCH,),
        "issuer_epoch": (ResultCode.ISSUER_EPOCH,),
        "fleet": (ResultCode.UNKNOWN_FLEET, ResultCode.NOT_SPONSORED, ResultCode.FIELD_REFUSED),
        "offer": (ResultCode.UNKNOWN_OFFER,),
    }
    refused(market, body, key, *codes.get(field, ()))


@pytest.mark.parametrize(("field", "value"), [("fee", FEE + 1), ("expiry_height", NEVER - 1)])
def test_nor_for_another_transaction_around_it(
    market: SharingMarket, offered: Offered, member: zk.Credential, field: str, value: int
) -> None:
    key = PrivateKey.generate()
    body = body_of(market.request(member, offered, key, use=5))
    setattr(body, field, value)
    refused(market, body, key)


def test_one_for_another_offer_of_the_contract_or_another_contract(
    market: SharingMarket, offered: Offered, member: zk.Credential
) -> None:
    other, key = market.offered(uses=50), PrivateKey.generate()
    body = body_of(market.request(member, offered, key, use=6))
    body.request_grant.offer = other.offer
    refused(market, body, key)


def test_expired_by_one(market: SharingMarket, offered: Offered) -> None:
    """Good in its last second; in the next it proves nothing, whatever time is said."""
    last = round_time(int(time.time()))
    ends, key = market.member(robot_id=705, expiry_s=last), PrivateKey.generate()
    with pytest.raises(RefusedError):
        market.request(ends, offered, key, time_s=last + 1)
    body = body_of(market.request(ends, offered, key, time_s=last))
    body.request_grant.time_s = last + 1
    refused(market, body, key)
    body.request_grant.time_s = last
    assert market.submit(sign_transaction(market.chain, key, body)) == ResultCode.OK
