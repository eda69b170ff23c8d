"""What no rule lets happen, had it happened: named by the audit of the past, each by itself.

The past of a sound chain is altered as an operator who goes past the rules would have it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from ledger.chain.audit.audit import ChainPast
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.exchange_check import check_exchange
from ledger.chain.audit.model_check import check_models
from ledger.chain.audit.notice_check import check_notices
from ledger.chain.audit.sharing_check import check_presentations, check_sharing
from ledger.chain.chronicle.chronicle import AssetName, Chronicle
from ledger.chain.chronicle.facts import GrantFact, Moment, SaleFact, SaleStage
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.schema.chain_pb2 import TransactionBody
from tests.ledger.report.traded import CLINIC, Traded

K = FindingKind
LATE = 10_000


@pytest.fixture(scope="module")
def past(sound_trade: Traded) -> ChainPast:
    return sound_trade.read()[1]


@pytest.fixture
def told(past: ChainPast) -> Chronicle:
    """A chronicle to be altered."""
    return copy.deepcopy(past.chronicle)


def audited(told: Chronicle) -> AuditTrail:
    counters = ChainCounters()
    trail = AuditTrail(counters)
    for check in (check_sharing, check_exchange, check_models, check_notices):
        check(told, trail, counters)
    return trail


def a_grant(told: Chronicle) -> GrantFact:
    """A grant of a recording that everybody may still use."""
    sharing = told.sharing
    return next(
        each for each in sharing.grants.values() if sharing.offers[each.offer].origin != CLINIC
    )


def a_sale(told: Chronicle) -> SaleFact:
    return next(each for each in told.exchange.sales.values() if each.stage is SaleStage.SETTLED)


def withdraw_contract(told: Chronicle) -> None:
    grant = a_grant(told)
    told.sharing.contracts[grant.contract].withdrawn_height = grant.at.height - 1


def expire_contract(told: Chronicle) -> None:
    grant = a_grant(told)
    terms = copy.deepcopy(grant.terms)
    terms.expiry_height = grant.at.height - 1
    grant.terms = terms


def withdraw_offer(told: Chronicle) -> None:
    grant = a_grant(told)
    told.sharing.offers[grant.offer].withdrawn_height = grant.at.height - 1


def freeze_robot(told: Chronicle) -> None:
    grant = a_grant(told)
    robot = told.robots[told.sharing.offers[grant.offer].origin]
    robot.frozen_height = grant.at.height - 1


def go_over_uses(told: Chronicle) -> None:
    grant = a_grant(told)
    grant.use = grant.terms.uses


def use_twice(told: Chronicle) -> None:
    first, second = list(told.sharing.grants.values())[:2]
    told.sharing.uses[first.nullifier].append(second.id)


def grant_to_nobody(told: Chronicle) -> None:
    told.learning.models.clear()
    a_grant(told).fleet = b"x" * 32


def grant_what_is_not_offered(told: Chronicle) -> None:
    grant = a_grant(told)
    grant.offer = b"x" * 32


def grant_after_consent(told: Chronicle) -> None:
    sharing = told.sharing
    for grant in sharing.grants.values():
        if sharing.offers[grant.offer].origin == CLINIC:
            grant.at = Moment(LATE, grant.at.time_ns)


def post_after_withdrawal(told: Chronicle) -> None:
    offer = next(iter(told.sharing.offers.values()))
    told.sharing.contracts[offer.contract].withdrawn_height = offer.at.height - 1
    told.sharing.grants.clear()
    told.learning.models.clear()
    told.exchange.sales.clear()


def offer_of_another_fleet(told: Chronicle) -> None:
    offer = next(iter(told.sharing.offers.values()))
    told.robots[offer.origin].fleet = b"x" * 32


WRONG_SHARING: list[tuple[Callable[[Chronicle], None], FindingKind, str]] = [
    (withdraw_contract, K.GRANT_WRONG, "its contract was withdrawn before"),
    (expire_contract, K.GRANT_WRONG, "its contract was good up to block"),
    (withdraw_offer, K.GRANT_WRONG, "its offer was withdrawn before"),
    (freeze_robot, K.GRANT_WRONG, "was frozen before"),
    (go_over_uses, K.GRANT_WRONG, "of a contract that gives 3"),
    (use_twice, K.GRANT_WRONG, "is of the same member and use"),
    (grant_to_nobody, K.GRANT_WRONG, "it is to a fleet that there is not"),
    (grant_what_is_not_offered, K.GRANT_WRONG, "it is of an offer that nobody posted"),
    (grant_after_consent, K.GRANT_WRONG, "consent to the recording was withdrawn before"),
    (post_after_withdrawal, K.OFFER_WRONG, "it was posted after its contract was withdrawn"),
    (offer_of_another_fleet, K.OFFER_WRONG, "not of the fleet whose contract it is"),
]


def claim_beyond_deposit(told: Chronicle) -> None:
    channel = next(each for each in told.exchange.channels.values() if each.closed)
    channel.claimed = channel.deposit + 1
    channel.parts = ()


def pay_out_too_much(told: Chronicle) -> None:
    channel = next(each for each in told.exchange.channels.values() if each.claimed)
    channel.parts = ((b"a" * 32, 20_000),)
    channel.claimed = channel.deposit


def sell_for_another_price(told: Chronicle) -> None:
    a_sale(told).price += 1


def put_up_less(told: Chronicle) -> None:
    a_sale(told).deposit -= 1


def sell_for_another(told: Chronicle) -> None:
    a_sale(told).seller = b"x" * 32


def settle_early(told: Chronicle) -> None:
    sale = a_sale(told)
    sale.ended = Moment(sale.revealed_height, 1)


def sell_without_a_grant(told: Chronicle) -> None:
    a_sale(told).grant = b"x" * 32


WRONG_EXCHANGE: list[tuple[Callable[[Chronicle], None], FindingKind, str]] = [
    (claim_beyond_deposit, K.EXCHANGE_WRONG, "were claimed of a deposit of"),
    (pay_out_too_much, K.EXCHANGE_WRONG, "royalties of"),
    (sell_for_another_price, K.EXCHANGE_WRONG, "and its grant says"),
    (put_up_less, K.EXCHANGE_WRONG, "and its contract says"),
    (sell_for_another, K.EXCHANGE_WRONG, "not those of its grant"),
    (settle_early, K.EXCHANGE_WRONG, "and its buyer had up to block"),
    (sell_without_a_grant, K.EXCHANGE_WRONG, "under a grant that nobody was given"),
]


def model_of_no_grant(told: Chronicle) -> None:
    (model,) = told.learning.models.values()
    model.grants = (*model.grants, b"x" * 32)


def model_of_anothers_grant(told: Chronicle) -> None:
    (model,) = told.learning.models.values()
    model.fleet = b"x" * 32


def model_before_its_grant(told: Chronicle) -> None:
    (model,) = told.learning.models.values()
    model.at = Moment(1, model.at.time_ns)


WRONG_MODELS: list[tuple[Callable[[Chronicle], None], FindingKind, str]] = [
    (model_of_no_grant, K.MODEL_WRONG, f"there is no grant {(b'x' * 32).hex()}"),
    (model_of_anothers_grant, K.MODEL_WRONG, "is to another fleet"),
    (model_before_its_grant, K.MODEL_WRONG, "was given after it was registered"),
]


def test_the_sound_past_has_nothing_wrong(told: Chronicle) -> None:
    assert audited(told).findings == []


@pytest.mark.parametrize(
    ("alter", "kind", "words"),
    WRONG_SHARING + WRONG_EXCHANGE + WRONG_MODELS,
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_no_rule_allows_is_named(
    told: Chronicle, alter: Callable[[Chronicle], None], kind: FindingKind, words: str
) -> None:
    alter(told)
    findings = audited(told).findings
    assert findings
    assert {each.kind for each in findings} == {kind}
    assert all(words in each.message for each in findings), findings


def test_a_presentation_that_proves_nothing(told: Chronicle) -> None:
    """The replay has verified those of its blocks; of others --deep verifies them anew."""
    grant = a_grant(told)
    body = TransactionBody.FromString(grant.body)
    presentation = bytearray(body.request_grant.presentation)
    presentation[-1] ^= 1
    body.request_grant.presentation = bytes(presentation)
    grant.body = body.SerializeToString()
    for deep, height, named in ((True, 0, 1), (False, 0, 0), (True, LATE, 0)):
        counters = ChainCounters()
        trail = AuditTrail(counters)
        check_presentations(told, height, trail, counters, deep=deep)
        assert len(trail.findings) == named
        assert counters.presentations == (len(told.sharing.grants) if deep or height else 0)
    counters = ChainCounters()
    trail = AuditTrail(counters)
    check_presentations(told, 0, trail, counters, deep=True)
    (finding,) = trail.findings
    assert (finding.kind, finding.subject) == (K.GRANT_WRONG, f"grant {grant.id.hex()}")


def test_a_pruned_use_may_come_again(told: Chronicle) -> None:
    use_twice(told)
    told.sharing.pruned_uses.update(told.sharing.uses)
    assert audited(told).findings == []


def test_what_is_open_is_listed_with_money_as_people_write_it(told: Chronicle) -> None:
    sale, channel = a_sale(told), next(iter(told.exchange.channels.values()))
    sale.stage, channel.closed = SaleStage.REVEALED, None
    sale.deposit, sale.price, channel.deposit = 5_000_000, 520_000, 7
    told.assets[sale.asset] = AssetName("QPU", 6)
    notes = audited(told).notes
    assert any(each.endswith("holds 5.520000 QPU") for each in notes), notes
    assert any(each.endswith("it holds 0.000007 QPU") for each in notes), notes
    # The block that made the asset was pruned.
    del told.assets[sale.asset]
    assert any(each.endswith("holds 5520000 units") for each in audited(told).notes)


def test_complaints_and_late_confirmations_are_listed(told: Chronicle) -> None:
    sale = a_sale(told)
    sale.stage = SaleStage.COMPLAINED
    clinic = [
        each
        for each in told.sharing.grants.values()
        if told.sharing.offers[each.offer].origin == CLINIC
    ]
    for grant in clinic:
        grant.erased_height, grant.pruned_height = 0, 1
    trail = audited(told)
    notes = "\n".join(trail.notes)
    assert f"sale {sale.id.hex()}: a complaint was upheld" in notes
    assert "2 grant(s) had been pruned before" in notes
    assert trail.counters.to_json()["complaints"] == 1
    assert trail.counters.to_json()["receipts_missing"] == 2


def test_a_chain_that_begins_with_a_snapshot_is_not_blamed_for_what_it_forgot(
    told: Chronicle,
) -> None:
    told.whole = False
    told.sharing.offers.clear()
    told.sharing.contracts.clear()
    told.exchange.sales.clear()
    told.learning.models.clear()
    assert audited(told).findings == []
