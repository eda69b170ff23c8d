"""Who may have what: one row a case, each with the member next to it that differs in one thing.

`test_sharing_refusals` has each refusal with its causes; here every template that people begin
with meets the members that it is for, and those that it is not for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.ids import contract_id
from ledger.credentials.member_file import MemberFile
from ledger.ed25519 import PrivateKey
from ledger.errors import LedgerError
from ledger.exchange.transport import InProcess
from ledger.experience.erasure import erase
from ledger.market.acquisition_states import Closed
from ledger.market.budget import OverBudgetError
from ledger.market.buying import TooDearError, acquire
from ledger.market.refusal import GrantRefusedError
from ledger.schema.chain_payment_pb2 import SetSpendingCap, Transfer
from ledger.schema.chain_sharing_pb2 import DeployContract, WithdrawContract
from ledger.wallet.key_file import read_key
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import REWARD_AT_LEAST, YEAR_S, Offered, SharingMarket
from tests.ledger.market.buyers_world import BuyersWorld

OK, DENIED = ResultCode.OK, ResultCode.POLICY_DENIES
YEARS_S = "1576800000"
"""Fifty: the recording is of 2023, whenever this runs."""


@dataclass(frozen=True)
class Row:
    """What somebody wants under a template, and what comes of it."""

    name: str
    template: str
    code: ResultCode
    level: int = 5
    role: str = "courier"
    asked: dict[str, Any] = field(default_factory=dict)
    edits: tuple[tuple[str, str], ...] = ()
    """Of the policy, as people edit it."""


RESCUE = (("259200", YEARS_S),)
OURS = (('"our-fleet"', '"buyers"'),)
CLINIC = (("consent=given", "kind=episode"), ('"our-clinic"', '"buyers"'))
CERTIFIED = (("principal.proven_min_level >= 3", 'principal.certifications.contains("iso-13482")'),)

ROWS = (
    Row("a training set, for training", "paid-dataset", OK, asked={"min_level": 3}),
    Row("for evaluation", "paid-dataset", OK, asked={"min_level": 3, "purpose": "evaluation"}),
    Row("at the least level", "paid-dataset", OK, level=3, asked={"min_level": 3}),
    Row("below the level", "paid-dataset", DENIED, level=2, asked={"min_level": 2}),
    Row("a level that is not shown", "paid-dataset", DENIED, asked={"min_level": 2}),
    Row("for another purpose", "paid-dataset", DENIED, asked={"min_level": 3, "purpose": "war"}),
    Row("for none", "paid-dataset", DENIED, asked={"min_level": 3, "purpose": ""}),
    Row(
        "a purpose that looks alike",
        "paid-dataset",
        DENIED,
        asked={"min_level": 3, "purpose": "Training"},
    ),
    Row(
        "to rescue",
        "disaster-response",
        OK,
        asked={"min_level": 2, "purpose": "rescue"},
        edits=RESCUE,
    ),
    Row("last week's rubble", "disaster-response", DENIED, asked={"purpose": "rescue"}),
    Row(
        "to rescue, of a low level",
        "disaster-response",
        DENIED,
        level=1,
        asked={"min_level": 1, "purpose": "rescue"},
        edits=RESCUE,
    ),
    Row("a member of the fleet", "fleet-only", OK, asked={"min_level": 0}, edits=OURS),
    Row("a member of another fleet", "fleet-only", DENIED, level=9, asked={"min_level": 9}),
    Row(
        "a robot that shows its certifications",
        "paid-dataset",
        OK,
        role="courier+ce+iso-13482",
        asked={"role": "courier+ce+iso-13482"},
        edits=CERTIFIED,
    ),
    Row(
        "a robot that does not show them",
        "paid-dataset",
        DENIED,
        role="courier+ce+iso-13482",
        asked={"role": ""},
        edits=CERTIFIED,
    ),
    Row(
        "a robot that has another certification",
        "paid-dataset",
        DENIED,
        role="courier+ce",
        asked={"role": "courier+ce"},
        edits=CERTIFIED,
    ),
    Row(
        "a clinician",
        "patient-consent",
        OK,
        role="clinician",
        asked={"min_level": 4, "role": "clinician", "purpose": "care"},
        edits=CLINIC,
    ),
    Row(
        "a clinician that does not say so",
        "patient-consent",
        DENIED,
        role="clinician",
        asked={"min_level": 4, "purpose": "care"},
        edits=CLINIC,
    ),
    Row(
        "a courier",
        "patient-consent",
        DENIED,
        asked={"min_level": 4, "role": "courier", "purpose": "care"},
        edits=CLINIC,
    ),
    Row(
        "a clinician of a fleet that was not named",
        "patient-consent",
        DENIED,
        role="clinician",
        asked={"min_level": 4, "role": "clinician", "purpose": "care"},
        edits=CLINIC[:1],
    ),
    Row(
        "a recording without consent",
        "patient-consent",
        DENIED,
        role="clinician",
        asked={"min_level": 4, "role": "clinician", "purpose": "care"},
        edits=CLINIC[1:],
    ),
)


@pytest.fixture(scope="module")
def members(market: SharingMarket) -> dict[tuple[int, str], Any]:
    """A member of each level and role that a row has."""
    wanted = sorted({(row.level, row.role) for row in ROWS})
    found = {}
    for place, (level, role) in enumerate(wanted):
        path = market.root / market.name("member")
        found[level, role] = member_of(market, path, 900 + place, level, role)
    return found


def member_of(market: SharingMarket, path: Any, robot_id: int, level: int, role: str) -> Any:
    file = MemberFile(path)
    expiry = int(time.time()) + YEAR_S
    invitation = market.issuer.invite(role, level, expiry, robot_id)
    file.accept(market.issuer.answer(file.request(invitation)))
    return file.credential()


@pytest.fixture(scope="module")
def offers(market: SharingMarket) -> dict[tuple[str, tuple[tuple[str, str], ...]], Offered]:
    """The recording under each template, as the rows edit it."""
    found = {}
    for template, edits in sorted({(row.template, row.edits) for row in ROWS}):
        policy, terms = market.template(template)
        for old, new in edits:
            assert old in policy
            policy = policy.replace(old, new)
        terms.uses, terms.max_age_ns = 50, 0
        sequence = market.sequence(market.seller_account)
        contract = contract_id(market.chain, market.seller_account, sequence)
        market.must(
            market.seller,
            DeployContract(fleet=market.sellers, name=template, policy=policy, terms=terms),
        )
        found[template, edits] = market.post(contract, market.husky, REWARD_AT_LEAST)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.template}: {row.name}")
def test_who_may_have_what_under_which_template(
    market: SharingMarket,
    members: dict[tuple[int, str], Any],
    offers: dict[tuple[str, tuple[tuple[str, str], ...]], Offered],
    row: Row,
) -> None:
    member, offered = members[row.level, row.role], offers[row.template, row.edits]
    use, pool = ROWS.index(row), market.pool
    asked = market.request(member, offered, use=use, **row.asked)
    assert market.submit(asked) == row.code
    # The fleet pays for what was granted, and for nothing else.
    assert market.pool == pool - (FEE if row.code == OK else 0)


def test_every_template_says_yes_and_no() -> None:
    for template in {row.template for row in ROWS}:
        assert {row.code for row in ROWS if row.template == template} == {OK, DENIED}


# Over the cap: the account's, the buyer's budget, the price that it would pay


def test_over_the_accounts_spending_cap(market: SharingMarket) -> None:
    """What a fleet's authority cannot spend, nobody can have of it, and a higher cap waits."""
    bought = market.granted(market.member(robot_id=951), market.offered())
    wallet = bought.wallet
    key, price = read_key(wallet.root / "key"), bought.grant.price
    market.fund(bought, price + 20 * FEE)
    market.must(key, SetSpendingCap(asset=0, amount=price - 1, period=1_000))
    stranger = bytes(PrivateKey.generate().public_key)
    assert market.do(key, Transfer(recipient=stranger, amount=price)) == ResultCode.OVER_CAP
    opening = wallet.open_channel(
        market.chain,
        market.sequence(wallet.account),
        payee=bought.grant.seller,
        asset=0,
        deposit=price,
        expiry_height=market.height() + 1_000,
        challenge=5,
        grant=bought.grant.grant,
    )
    assert market.do(key, opening.message) == ResultCode.OVER_CAP
    # To raise it takes effect later, so that a stolen key does not spend at once.
    market.must(key, SetSpendingCap(asset=0, amount=10 * price, period=1_000))
    assert market.do(key, opening.message) == ResultCode.OVER_CAP
    market.pass_blocks(12)
    assert market.do(key, opening.message) == OK
    opening.release()


@pytest.fixture(scope="module")
def buyers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuyersWorld]:
    root = tmp_path_factory.mktemp("buyers")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        yield BuyersWorld(root, held)


def test_over_the_buyers_budget(buyers: BuyersWorld) -> None:
    offered, member, pool = buyers.offered(), buyers.member_file(961), buyers.pool
    for limits in ({"total": 50}, {"purchase": 50}, {"purposes": {"training": 50}}):
        tools = buyers.tools(member, budget=buyers.budget(**limits))
        with buyers.begin(offered.offer) as acquisition, pytest.raises(OverBudgetError):
            acquire(acquisition, tools)
    with buyers.begin(offered.offer, max_price=5) as acquisition, pytest.raises(TooDearError):
        acquire(acquisition, buyers.tools(member))
    assert buyers.pool == pool
    tools = buyers.tools(member, budget=buyers.budget(total=100, purposes={"training": 100}))
    with buyers.begin(offered.offer) as acquisition:
        assert isinstance(acquire(acquisition, tools), Closed)


def test_refusals_reach_whoever_buys_with_their_reason(buyers: BuyersWorld) -> None:
    """The matrix again, through the driver that robots buy with."""
    once = buyers.offered(uses=1)
    member, low = buyers.member_file(971), buyers.member_file(972, level=1)
    with buyers.begin(once.offer) as acquisition:
        acquire(acquisition, buyers.tools(member))

    def reason(who: Any, offer: bytes, **wish: Any) -> ResultCode | str:
        with buyers.begin(offer, **wish) as acquisition:
            try:
                acquire(acquisition, buyers.tools(who))
            except GrantRefusedError as refusal:
                return refusal.code
            except RefusalError as refusal:
                return refusal.code
            except LedgerError as error:
                return type(error).__name__
        return OK

    assert reason(member, once.offer) in (ResultCode.OVER_USES, ResultCode.ALREADY_USED)
    assert reason(low, once.offer) == DENIED
    assert reason(buyers.member_file(973), once.offer, purpose="war") == DENIED
    assert reason(buyers.member_file(974), once.offer) == OK
    buyers.must(buyers.seller, WithdrawContract(contract=once.contract))
    assert reason(buyers.member_file(975), once.offer) == ResultCode.CONTRACT_OVER


def test_erased_content_is_bought_by_nobody(buyers: BuyersWorld) -> None:
    robot = buyers.robot("sellers.example/clinic", seed=5, seconds=4.0)
    counter = buyers.counter_of(buyers.contents_of(robot))
    offered = buyers.offered(robot)
    erase(robot.home.experiences, [robot.recorded.record_id], "consent was withdrawn")
    tools = buyers.tools(buyers.member_file(981), way=lambda grant: InProcess(counter))
    with buyers.begin(offered.offer) as acquisition, pytest.raises(LedgerError) as error:
        acquire(acquisition, tools)
    assert "gone" in str(error.value)
