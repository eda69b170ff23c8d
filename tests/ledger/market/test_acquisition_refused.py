"""Who gets no grant learns why, by the chain's own code, and has spent and reserved nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import nullifier_key
from ledger.credentials.member_file import MemberFile
from ledger.errors import LedgerError, NotFoundError, RefusedError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Closed, Granted, Refused, Requested, Wished
from ledger.market.budget import OverBudgetError
from ledger.market.buying import AcquisitionCancelledError, TooDearError, abandon, acquire
from ledger.market.refusal import GrantRefusedError
from ledger.market.tools import Progress, Tools
from ledger.schema.chain_grant_pb2 import SetRevocationEpoch
from ledger.schema.chain_sharing_pb2 import AmendContract, WithdrawContract, WithdrawOffer
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import YEAR_S, Offered
from tests.ledger.market.buyers_world import BuyersWorld

HOUR_NS = 3_600 * 10**9


@pytest.fixture(scope="module")
def offered(world: BuyersWorld) -> Offered:
    return world.offered()


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


def stopped(acquisition: Acquisition, tools: Tools, at: type) -> Any:
    """The acquisition's state, once it was stopped where that is of a type."""
    with pytest.raises(AcquisitionCancelledError):
        acquire(acquisition, tools, cancelled=lambda: type(acquisition.state) is at)
    return acquisition.state


def refused(
    world: BuyersWorld,
    acquisition: Acquisition,
    tools: Tools,
    code: ResultCode,
    *,
    asked: bool = True,
) -> GrantRefusedError:
    """It is refused, in one line, and nothing of money or budget has changed."""
    budget, pool = world.budget(total=1_000), world.pool
    tools = world.tools(tools.member, budget=budget, now_s=tools.now_s, gaps=tools.gaps)
    with acquisition, pytest.raises(GrantRefusedError) as refusal:
        acquire(acquisition, tools)
    assert refusal.value.code == code
    assert asked or not refusal.value.asked
    assert refusal.value.message
    assert "\n" not in str(refusal.value)
    assert world.pool == pool
    standing = budget.standing()
    assert (standing.used(), dict(standing.reserved)) == (0, {})
    assert type(acquisition.state) is (Refused if asked else Wished)
    if asked:
        with Acquisition.open(acquisition.folder) as again:
            with pytest.raises(GrantRefusedError) as known:
                acquire(again, tools)
            assert known.value.code is code
            with pytest.raises(RefusedError, match="nothing to give up"):
                abandon(again, tools)
    return refusal.value


def test_a_level_that_is_too_low(world: BuyersWorld, offered: Offered) -> None:
    low = world.tools(world.member_file(11, level=1))
    # Nobody is told of somebody who is not let in anyway; who insists hears it from the chain.
    refused(world, world.begin(offered.offer), low, ResultCode.POLICY_DENIES, asked=False)
    refused(world, world.begin(offered.offer, min_level=1), low, ResultCode.POLICY_DENIES)
    lies = world.begin(offered.offer, min_level=3)
    refused(world, lies, low, ResultCode.CREDENTIAL_NOT_PROVEN, asked=False)


def test_no_more_than_the_contract_asks_for_is_proven(world: BuyersWorld, offered: Offered) -> None:
    high = world.tools(world.member_file(12, level=7))
    with world.begin(offered.offer) as acquisition:
        state = stopped(acquisition, high, Requested)
    body = world.body(state.request)
    assert (body.request_grant.min_level, body.request_grant.role) == (3, "")


def test_certifications_are_shown_where_a_contract_asks_for_them(world: BuyersWorld) -> None:
    offered = world.offered_to_the_certified("iso-13482")
    certified = world.tools(world.member_file(31, role="courier+ce+iso-13482"))
    with world.begin(offered.offer) as acquisition:
        state = stopped(acquisition, certified, Requested)
    shown = world.body(state.request).request_grant
    assert (shown.min_level, shown.role) == (0, "courier+ce+iso-13482")
    other = world.tools(world.member_file(32, role="courier+ce"))
    refused(world, world.begin(offered.offer), other, ResultCode.POLICY_DENIES, asked=False)
    lies = world.begin(offered.offer, role="courier+ce+iso-13482")
    refused(world, lies, other, ResultCode.CREDENTIAL_NOT_PROVEN, asked=False)


def test_another_purpose(world: BuyersWorld, offered: Offered, member: MemberFile) -> None:
    tools = world.tools(member)
    sold = world.begin(offered.offer, "advertising")
    refused(world, sold, tools, ResultCode.POLICY_DENIES, asked=False)
    sold = world.begin(offered.offer, "advertising", min_level=3)
    refused(world, sold, tools, ResultCode.POLICY_DENIES)


def test_uses_beyond_those_of_the_contract(world: BuyersWorld, member: MemberFile) -> None:
    offered, tools = world.offered(uses=1), world.tools(member)
    with world.begin(offered.offer) as acquisition:
        acquire(acquisition, tools)
    refused(world, world.begin(offered.offer), tools, ResultCode.OVER_USES, asked=False)
    refused(world, world.begin(offered.offer, use=0), tools, ResultCode.ALREADY_USED)
    refused(world, world.begin(offered.offer, use=1), tools, ResultCode.OVER_USES)


def test_uses_are_chosen_without_asking_the_chain(
    world: BuyersWorld, member: MemberFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever serves the chain could tell by what is looked up that two requests are of one."""
    offered, tools, looked = world.offered(uses=2), world.tools(member), []
    answer = world.engine.answer

    def listen(key: bytes, height: int | None = None) -> bytes:
        looked.append(key)
        return answer(key, height)

    monkeypatch.setattr(world.engine, "answer", listen)
    with world.begin(offered.offer) as first, world.begin(offered.offer) as second:
        assert {stopped(each, tools, Requested).use for each in (first, second)} == {0, 1}
        for each in (first, second):
            acquire(each, tools)
    refused(world, world.begin(offered.offer), tools, ResultCode.OVER_USES, asked=False)
    assert looked
    assert nullifier_key(b"")[:1] not in {key[:1] for key in looked}


def test_a_member_that_forgot_its_uses(world: BuyersWorld, member: MemberFile) -> None:
    """As on another machine: it hears from the chain which were made, and has no more of them."""
    offered, tools = world.offered(uses=3), world.tools(member)
    for _ in range(2):
        with world.begin(offered.offer) as acquisition:
            acquire(acquisition, tools)
    copy = MemberFile(member.path.with_name("copy"))
    copy.path.write_bytes(member.path.read_bytes())
    copy.path.chmod(0o600)
    elsewhere = world.tools(copy)
    with world.begin(offered.offer) as acquisition:
        assert isinstance(acquire(acquisition, elsewhere), Closed)
    refusal = refused(world, world.begin(offered.offer), tools, ResultCode.OVER_USES)
    assert refusal.asked is False  # of its last try; the one before was the chain's word


def test_a_use_that_was_for_nothing_is_free_again(world: BuyersWorld, member: MemberFile) -> None:
    offered, tools = world.offered(uses=1), world.tools(member)
    with world.begin(offered.offer) as first:
        stopped(first, tools, Requested)
        refused(world, world.begin(offered.offer), tools, ResultCode.OVER_USES, asked=False)
        abandon(first, tools)
    other = world.begin(offered.offer, "advertising", min_level=3)
    with other, pytest.raises(GrantRefusedError):
        acquire(other, tools)
    with world.begin(offered.offer) as second:
        assert isinstance(acquire(second, tools), Closed)


def test_a_recording_that_is_too_old(world: BuyersWorld, member: MemberFile) -> None:
    offered = world.offered(max_age_ns=HOUR_NS)
    refused(world, world.begin(offered.offer), world.tools(member), ResultCode.STALE)


def test_what_was_withdrawn(world: BuyersWorld, member: MemberFile) -> None:
    tools, offered = world.tools(member), world.offered()
    early, late = world.begin(offered.offer), world.begin(offered.offer)
    stopped(early, tools, Requested)
    world.must(world.seller, WithdrawOffer(offer=offered.offer))
    refused(world, early, tools, ResultCode.OFFER_STATE)
    refused(world, late, tools, ResultCode.OFFER_STATE, asked=False)

    offered = world.offered()
    early, late = world.begin(offered.offer), world.begin(offered.offer)
    stopped(early, tools, Requested)
    world.must(world.seller, WithdrawContract(contract=offered.contract))
    refused(world, early, tools, ResultCode.CONTRACT_OVER)
    refused(world, late, tools, ResultCode.CONTRACT_OVER, asked=False)
    nothing = world.begin(bytes(32))
    refused(world, nothing, tools, ResultCode.UNKNOWN_OFFER, asked=False)


def test_a_member_that_is_revoked(world: BuyersWorld, offered: Offered) -> None:
    bad, good = world.member_file(21), world.member_file(22)
    gaps = world.issuer.gaps()
    early = world.begin(offered.offer)
    stopped(early, world.tools(good), Requested)
    revoked = world.issuer.revoke([21])
    old = world.tools(good, gaps=lambda: gaps)
    world.must(world.authority, SetRevocationEpoch(fleet=world.buyers, epoch=revoked.epoch))
    code = ResultCode.REVOCATION_EPOCH
    refused(world, world.begin(offered.offer), world.tools(bad), code, asked=False)
    refused(world, world.begin(offered.offer), old, code, asked=False)
    # The request of a member that is good was signed before: it is signed anew.
    with early:
        assert isinstance(acquire(early, world.tools(good)), Closed)


def test_gaps_are_handed_out_before_their_epoch_is_on_the_chain(
    world: BuyersWorld, offered: Offered
) -> None:
    bad, good = world.member_file(25), world.member_file(26)
    epoch = world.issuer.revoke([25]).epoch
    letter = world.issuer.gaps()
    tools = world.tools(good, gaps=lambda: letter)
    with world.begin(offered.offer) as before:
        assert isinstance(acquire(before, tools), Closed)
    world.must(world.authority, SetRevocationEpoch(fleet=world.buyers, epoch=epoch))
    with world.begin(offered.offer) as after:
        assert isinstance(acquire(after, tools), Closed)
    code = ResultCode.REVOCATION_EPOCH
    known = world.tools(bad, gaps=lambda: letter)
    refused(world, world.begin(offered.offer), known, code, asked=False)
    # Two epochs at once are one too many: the authority has to put the newest on the chain.
    for _ in range(2):
        epoch = world.issuer.revoke([]).epoch
    error = refused(world, world.begin(offered.offer), world.tools(good), code, asked=False)
    assert "of a later epoch than the chain has" in error.message
    world.must(world.authority, SetRevocationEpoch(fleet=world.buyers, epoch=epoch))


def test_a_credential_that_is_over(world: BuyersWorld, offered: Offered) -> None:
    late = world.tools(world.member_file(23), now_s=lambda: int(time.time()) + 2 * YEAR_S)
    code = ResultCode.TIME_REFUSED
    refused(world, world.begin(offered.offer), late, code, asked=False)
    slow = world.tools(world.member_file(24), now_s=lambda: int(time.time()) - 3_600)
    refused(world, world.begin(offered.offer), slow, code)


def test_a_request_that_waited_too_long_is_signed_anew(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    with world.begin(offered.offer) as acquisition:
        slow = world.tools(member, now_s=lambda: int(time.time()) - 3_600)
        first = stopped(acquisition, slow, Requested).request
        heard: list[Progress] = []
        end = acquire(acquisition, world.tools(member), heard.append)
        assert isinstance(end, Closed)
        assert world.body(first).signer == end.grant.buyer


def test_what_costs_too_much(world: BuyersWorld, offered: Offered, member: MemberFile) -> None:
    pool = world.pool
    with world.begin(offered.offer, max_price=52) as acquisition, pytest.raises(TooDearError):
        acquire(acquisition, world.tools(member))
    with world.begin(offered.offer) as acquisition:
        for limits in ({"total": 53}, {"purchase": 53}, {"purposes": {"training": 53}}):
            budget = world.budget(**limits)
            with pytest.raises(OverBudgetError):
                acquire(acquisition, world.tools(member, budget=budget))
            assert budget.standing().used() == 0
        assert type(acquisition.state) is Wished
        assert world.pool == pool
        enough = world.budget(total=53 + 6 * FEE, purposes={"evaluation": 0})
        acquire(acquisition, world.tools(member, budget=enough))
    assert world.pool == pool - 53 - 3 * FEE


def test_a_price_that_rises_while_it_is_asked_for(world: BuyersWorld, member: MemberFile) -> None:
    offered, budget = world.offered(), world.budget(total=1_000)
    tools = world.tools(member, budget=budget)
    with world.begin(offered.offer, max_price=60) as acquisition:
        stopped(acquisition, tools, Requested)
        policy, terms = world.template()
        terms.record_price = 100
        world.must(
            world.seller, AmendContract(contract=offered.contract, policy=policy, terms=terms)
        )
        pool = world.pool
        with pytest.raises(TooDearError):
            acquire(acquisition, tools)
        assert type(acquisition.state) is Granted
        assert abandon(acquisition, tools).spent == 0
        assert budget.standing().used() == 0
        assert world.pool == pool - FEE  # of the request


def test_a_member_of_no_fleet_of_this_chain(world: BuyersWorld, offered: Offered) -> None:
    nobody = MemberFile(world.root / world.name("member"))
    with world.begin(offered.offer) as acquisition:
        with pytest.raises(NotFoundError):
            acquire(acquisition, world.tools(nobody))
        assert type(acquisition.state) is Wished


def test_every_refusal_is_one_line() -> None:
    for code in ResultCode:
        error: LedgerError = GrantRefusedError(code, "words")
        assert len(str(error)) < 160
        assert "\n" not in str(error)
