"""The file that a chain begins with: what it may say, and where it goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.chain_genesis import GenesisPlan, parse_allocation, parse_asset, read_plan
from ledger.errors import MalformedError
from tests.ledger.chain.rules.chain_world import account_of, known_key

ALICE, BOB = (account_of(known_key(name)).hex() for name in ("alice", "bob"))
GOOD: dict[str, Any] = {
    "origin": "example.com/money",
    "min_fee": "0.05",
    "treasury": ALICE,
    "governors": {"threshold": 1, "keys": [ALICE, BOB]},
    "assets": [{"symbol": "EUR", "decimals": 2}, {"symbol": "PTS"}],
    "allocations": [
        {"account": BOB, "asset": "EUR", "amount": "12.30"},
        {"account": BOB, "asset": "PTS", "amount": 7},
        {"account": BOB, "asset": "EUR", "amount": "0.20"},
    ],
    "block": {"transactions": 10, "bytes": 60_000},
    "delays": {"cap": 1, "recovery": 2, "overlap": 3, "challenge": 4},
}


def write(folder: Path, document: object) -> Path:
    path = folder / "genesis.yaml"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, GOOD))
    assert not plan.needs_governor
    genesis = plan.genesis(5, None)
    message, parameters = genesis.message, genesis.parameters
    assert (genesis.origin, genesis.time_ns) == ("example.com/money", 5)
    assert (parameters.min_fee, parameters.treasury.hex()) == (5, ALICE)
    assert [key.hex() for key in message.governors.keys] == sorted([ALICE, BOB])
    assert message.governors.threshold == 1
    assert [(each.id, each.symbol, each.decimals) for each in message.assets] == [
        (0, "EUR", 2),
        (1, "PTS", 0),
    ]
    assert [(each.asset, each.amount) for each in message.allocations] == [(0, 1250), (1, 7)]
    assert (parameters.max_block_transactions, parameters.max_block_bytes) == (10, 60_000)
    delays = (parameters.cap_delay, parameters.recovery_delay, parameters.max_overlap)
    assert (*delays, parameters.min_challenge) == (1, 2, 3, 4)


def test_nothing_need_be_said(tmp_path: Path) -> None:
    for plan in (GenesisPlan(), read_plan(write(tmp_path, "{}"))):
        assert plan.needs_governor
        genesis = plan.genesis(1, bytes.fromhex(ALICE))
        assert genesis.parameters.treasury.hex() == ALICE
        assert list(genesis.message.governors.keys) == [bytes.fromhex(ALICE)]
        (given,) = genesis.message.allocations
        assert (given.account.hex(), given.amount) == (ALICE, 10**12)


BAD: tuple[dict[str, Any] | str, ...] = (
    "origin: [",
    "[]",
    "7",
    {**GOOD, "orgin": "x"},
    {**GOOD, "origin": ""},
    {**GOOD, "origin": "a b"},
    {**GOOD, "origin": 1.5},
    {**GOOD, "min_fee": "0.051"},
    {**GOOD, "min_fee": 0.05},
    {**GOOD, "min_fee": "much"},
    {**GOOD, "treasury": "me"},
    {**GOOD, "treasury": "00" * 32},
    {**GOOD, "governors": {"threshold": 3, "keys": [ALICE, BOB]}},
    {**GOOD, "governors": {"threshold": 0, "keys": [ALICE]}},
    {**GOOD, "governors": {"keys": [ALICE, ALICE]}},
    {**GOOD, "governors": {"keys": "x"}},
    {**GOOD, "governors": [ALICE]},
    {**GOOD, "assets": [{"symbol": "eur"}]},
    {**GOOD, "assets": [{"symbol": "EUR", "decimals": 19}]},
    {**GOOD, "assets": [{"symbol": "EUR"}, {"symbol": "EUR"}]},
    {**GOOD, "assets": [{"decimals": 2}]},
    {**GOOD, "allocations": [{"account": BOB, "asset": "JPY", "amount": "1"}]},
    {**GOOD, "allocations": [{"account": BOB, "asset": "EUR", "amount": "0"}]},
    {**GOOD, "allocations": [{"account": BOB, "asset": "EUR", "amount": "-1"}]},
    {**GOOD, "allocations": [{"account": BOB, "asset": "EUR", "amount": 1.5}]},
    {**GOOD, "allocations": [{"account": BOB, "asset": "EUR", "amount": True}]},
    {**GOOD, "allocations": [{"account": BOB, "asset": "EUR"}]},
    {**GOOD, "block": {"transactions": 0}},
    {**GOOD, "block": {"bytes": 59_999}},
    {**GOOD, "block": {"bytes": "many"}},
    {**GOOD, "delays": {"cap": 0}},
    {**GOOD, "delays": {"nap": 1}},
)


@pytest.mark.parametrize("document", BAD, ids=str)
def test_what_it_may_not_say(tmp_path: Path, document: object) -> None:
    with pytest.raises(MalformedError):
        read_plan(write(tmp_path, document)).genesis(1, bytes.fromhex(ALICE))


def test_more_than_there_can_be(tmp_path: Path) -> None:
    most = {"account": BOB, "asset": "PTS", "amount": str(2**64 - 1)}
    read_plan(write(tmp_path, {**GOOD, "allocations": [most]})).genesis(1, None).state()
    for more in (BOB, ALICE):
        also = {"account": more, "asset": "PTS", "amount": 1}
        plan = read_plan(write(tmp_path, {**GOOD, "allocations": [most, also]}))
        with pytest.raises(MalformedError):
            plan.genesis(1, None).state()


@pytest.mark.parametrize("text", ["", "EUR", "EUR:", ":2", "EUR:x", "EUR:2:3", "EUR:-1", "EUR:999"])
def test_assets_on_the_command_line(text: str) -> None:
    with pytest.raises(MalformedError):
        GenesisPlan(assets=(parse_asset(text),)).genesis(1, bytes.fromhex(ALICE))


@pytest.mark.parametrize("text", ["", "=", "=5", ALICE, f"{ALICE}=", f"{ALICE}=:EUR"])
def test_allocations_on_the_command_line(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_allocation(text, [("EUR", 2)])
