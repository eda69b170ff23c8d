"""Contracts whose policies err, or would go off, on a chain that goes on whatever they say."""

from __future__ import annotations

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.ids import contract_id
from ledger.chain.policy import read_policy
from ledger.chain.policy.errors import PolicyError
from ledger.chain.policy.text import MAX_BYTES, MAX_PATTERNS
from ledger.chain.state_keys import contract_key, contract_version_key
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    ContractRecord,
    ContractVersion,
    DeployContract,
)
from tests.fleet.sharing_market import REWARD_AT_LEAST, Offered, SharingMarket
from zkproofs import credential as zk

PERMIT = "permit (principal, action, resource) when { %s };"
OVERFLOWS = "context.price * 9223372036854775807 > 0"
"""More than 2^63 for any price, which is an error of the policy and no answer."""


@pytest.fixture(scope="module")
def member(market: SharingMarket) -> zk.Credential:
    return market.member(robot_id=801)


def deployed(market: SharingMarket, policy: str) -> bytes:
    """A contract of this policy."""
    _, wanted = market.template()
    wanted.uses = 20
    contract = contract_id(
        market.chain, market.seller_account, market.sequence(market.seller_account)
    )
    market.must(
        market.seller,
        DeployContract(fleet=market.sellers, name="a policy", policy=policy, terms=wanted),
    )
    return contract


def offer(market: SharingMarket, policy: str) -> Offered:
    return market.post(deployed(market, policy), market.husky, REWARD_AT_LEAST)


# Errors deny


@pytest.mark.parametrize(
    "policy",
    [
        # Cedar alone would skip the rule that errs, and allow by the other one.
        PERMIT % "true" + f"forbid (principal, action, resource) when {{ {OVERFLOWS} }};",
        PERMIT % "true" + PERMIT % OVERFLOWS,
        PERMIT % OVERFLOWS,
        PERMIT % f"true || {OVERFLOWS}" + PERMIT % f"{OVERFLOWS} || true",
        PERMIT % "true"
        + f"forbid (principal, action, resource) when {{ true }} unless {{ {OVERFLOWS} }};",
    ],
    ids=["forbid", "second permit", "permit", "or", "unless"],
)
def test_a_policy_that_errs_denies(
    market: SharingMarket, member: zk.Credential, policy: str
) -> None:
    erring, sound = offer(market, policy), offer(market, PERMIT % "true")
    pool = market.pool
    assert market.ask(member, erring) == ResultCode.POLICY_DENIES
    assert market.pool == pool
    # The same member, recording and price, without the error.
    market.granted(member, sound)


def test_an_amendment_that_errs_denies_from_then_on(
    market: SharingMarket, member: zk.Credential
) -> None:
    offered = offer(market, PERMIT % "true")
    bought = market.granted(member, offered)
    _, terms = market.template()
    terms.uses = 20
    market.must(
        market.seller,
        AmendContract(contract=offered.contract, policy=PERMIT % OVERFLOWS, terms=terms),
    )
    assert market.ask(member, offered, use=1) == ResultCode.POLICY_DENIES
    # What was bought stays bought.
    assert market.grant(bought.grant.grant) == bought.grant


# Bombs


def nested(opening: str, inner: str, closing: str, depth: int) -> str:
    return opening * depth + inner + closing * depth


BOMBS = {
    "parentheses": PERMIT % nested("(", "true", ")", 20_000),
    "brackets": PERMIT % (nested("[", "1", "]", 20_000) + ".contains(1)"),
    "records": PERMIT % (nested("{a: ", "1", "}", 8_000) + ".a == 1"),
    "choices": PERMIT % nested("if true then ", "true", " else false", 1_500),
    "nots": PERMIT % ("!" * 40_000 + "true"),
    "minuses": PERMIT % ("-" * 40_000 + "1 == 1"),
    "sums": PERMIT % ("1" + "+1" * 20_000 + " == 1"),
    "ands": PERMIT % ("true" + " && true" * 5_000),
    "ors": PERMIT % ("false" + " || false" * 5_000),
    "attributes": PERMIT % ("context" + ".a" * 20_000),
    "a huge set": PERMIT % ("[" + "1," * 20_000 + "1].contains(1)"),
    "a huge set of strings": PERMIT % ("[" + '"x",' * 10_000 + '"x"].contains("x")'),
    "many sets": PERMIT % " && ".join(["[1,1,1,1,1,1,1].contains(1)"] * 1_500),
    "a long string": PERMIT % ('"' + "a" * 50_000 + '" == ""'),
    "a long pattern": PERMIT % ('context.purpose like "' + "*a" * 25_000 + '"'),
    "a long name": PERMIT % ("context." + "a" * 50_000),
    "a long number": PERMIT % ("9" * 50_000 + " == 1"),
    "a long comment": "//" + "a" * 50_000 + "\n" + PERMIT % "true",
    "many policies": PERMIT % "true" * 900,
    "many small policies": "permit(principal,action,resource);" * 1_600,
    "annotations": '@a("b")' * 7_000 + PERMIT % "true",
    "blanks": " " * 50_000 + PERMIT % "true",
    "open for ever": PERMIT % ("(" * 20_000),
    "closed too often": PERMIT % (")" * 20_000),
    "an open string": 'permit (principal, action, resource) when { "' + "a" * 50_000,
}
SMALL_BOMBS = {
    "small parentheses": PERMIT % nested("(", "true", ")", 1_000),
    "small brackets": PERMIT % (nested("[", "1", "]", 1_000) + ".contains(1)"),
    "small records": PERMIT % (nested("{a: ", "1", "}", 1_000) + ".a == 1"),
    "small choices": PERMIT % nested("if true then ", "true", " else false", 300),
    "small nots": PERMIT % ("!" * 1_000 + "true"),
    "small minuses": PERMIT % ("-" * 1_000 + "1 == 1"),
    "small sums": PERMIT % ("1" + "+1" * 1_000 + " == 1"),
    "small ands": PERMIT % ("true" + " && true" * 500),
    "small attributes": PERMIT % ("context" + ".a" * 1_000),
    "a string": PERMIT % ('"' + "a" * 5_000 + '" == ""'),
    "a pattern": PERMIT % ('context.purpose like "' + "*a" * 2_500 + '"'),
    "policies": "permit(principal,action,resource);" * 200,
    "patterns": PERMIT
    % " || ".join(['resource.media_type like "' + "*aaaaaaaa" * 20 + '*b"'] * (MAX_PATTERNS + 1)),
}
"""No longer than a policy may be."""
BOMBS |= SMALL_BOMBS


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_when_it_is_deployed(
    market: SharingMarket, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its text, before Cedar's parser sees any of it: that is what would go off."""

    def gone_off(*_: object) -> None:
        raise AssertionError("Cedar was given a bomb")

    contract = deployed(market, PERMIT % "true")
    _, terms = market.template()
    for reader in ("PolicySet", "policies_to_json_str", "validate_policies"):
        monkeypatch.setattr(f"ledger.chain.policy.cedar.cedarpy.{reader}", gone_off)
    bomb, sequence = BOMBS[name], market.sequence(market.seller_account)
    assert len(bomb) <= MAX_BYTES or name not in SMALL_BOMBS
    with pytest.raises(PolicyError):
        read_policy(bomb)
    next_contract = contract_id(market.chain, market.seller_account, sequence)
    deploy = DeployContract(fleet=market.sellers, name="bomb", policy=bomb, terms=terms)
    assert market.do(market.seller, deploy) == ResultCode.POLICY_REFUSED
    amend = AmendContract(contract=contract, policy=bomb, terms=terms)
    assert market.do(market.seller, amend) == ResultCode.POLICY_REFUSED
    # Nothing is left of it.
    assert market.sequence(market.seller_account) == sequence
    assert market.read(ContractRecord, contract_key(next_contract)) is None
    assert market.read(ContractVersion, contract_version_key(contract, 2)) is None


def test_after_all_bombs_the_chain_sells_on(market: SharingMarket, member: zk.Credential) -> None:
    market.granted(member, offer(market, PERMIT % "true"))


@pytest.mark.parametrize(
    "condition",
    ["!(principal.proven_min_level < 3)", "principal.proven_min_level <= 5"],
    ids=["negation", "upper bound"],
)
def test_a_hidden_level_is_no_reason_to_refuse_anybody(
    market: SharingMarket, condition: str
) -> None:
    """Who proves less than it has would be let in where who proves all is not."""
    _, terms = market.template()
    for policy in (
        PERMIT % condition,
        PERMIT % "true"
        + "forbid (principal, action, resource) when { principal.proven_min_level >= 5 };",
    ):
        deploy = DeployContract(fleet=market.sellers, name="levels", policy=policy, terms=terms)
        assert market.do(market.seller, deploy) == ResultCode.POLICY_REFUSED
