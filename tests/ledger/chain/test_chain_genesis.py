"""A genesis of good form, the state that it makes, and everything that is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.account import MAX_AMOUNT, Account
from ledger.chain.genesis import Genesis
from ledger.chain.leaf import LeafKind, decode_leaf, leaf_id
from ledger.chain.state_keys import GOVERNORS_KEY, PARAMETERS_KEY, account_key, asset_key
from ledger.errors import MalformedError
from ledger.schema.canonical import serialize_message
from ledger.schema.chain_payment_pb2 import Asset, AssetRecord
from ledger.schema.chain_pb2 import Allocation
from ledger.schema.chain_pb2 import Genesis as Message
from tests.ledger.chain.rules.chain_world import (
    BANK_MONEY,
    PEOPLE_MONEY,
    account_of,
    known_key,
    make_genesis,
)
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS

Spoil = Callable[[Message], object]
BANK: Final = account_of(known_key("bank"))


def spoilt(spoil: Spoil) -> Message:
    message = Message()
    message.CopyFrom(make_genesis().message)
    spoil(message)
    return message


def test_is_read_as_it_was_made() -> None:
    made = make_genesis()
    read = Genesis.parse(made.encoded)
    assert read == made
    assert read.chain == leaf_id(LeafKind.GENESIS, made.encoded)
    assert decode_leaf(read.leaf) == (LeafKind.GENESIS, made.encoded)
    assert (read.origin, read.time_ns) == (made.message.origin, made.message.time_ns)


def test_the_state_is_what_it_says() -> None:
    genesis = make_genesis()
    state = genesis.state()
    assert state[account_key(BANK)] == Account(0, 0, ((0, BANK_MONEY), (1, BANK_MONEY))).encode()
    assert state[account_key(genesis.parameters.treasury)] == Account().encode()
    assert state[PARAMETERS_KEY] == genesis.parameters.SerializeToString()
    assert state[GOVERNORS_KEY] == genesis.message.governors.SerializeToString()
    row = state[asset_key(0)]
    assert row is not None
    record = AssetRecord.FromString(row)
    assert (record.asset.symbol, record.minted, record.mints) == (
        "QPU",
        BANK_MONEY + 3 * PEOPLE_MONEY,
        0,
    )
    # Four accounts and the treasury, two assets, parameters and governors.
    assert len(state) == 9


def test_every_parameter_makes_another_chain() -> None:
    fields = (
        "min_fee",
        "max_block_transactions",
        "cap_delay",
        "recovery_delay",
        "max_overlap",
        "min_challenge",
    )
    chains = {make_genesis().chain} | {make_genesis(**{field: 77}).chain for field in fields}
    assert len(chains) == 7


def _give(message: Message, *amounts: int) -> None:
    del message.allocations[:]
    keys = sorted(account_of(known_key(str(number))) for number in range(len(amounts)))
    for key, amount in zip(keys, amounts, strict=True):
        message.allocations.append(Allocation(account=key, asset=0, amount=amount))


GOOD: dict[str, Spoil] = {
    "nobody has anything": lambda m: m.ClearField("allocations"),
    "nobody governs": lambda m: m.ClearField("governors"),
    "everybody has to agree": lambda m: setattr(m.governors, "threshold", 3),
    "all of an asset": lambda m: _give(m, MAX_AMOUNT),
    "all of an asset, to two": lambda m: _give(m, MAX_AMOUNT - 1, 1),
    "the last moment": lambda m: setattr(m, "time_ns", 2**63 - 1),
    "the longest delays": lambda m: setattr(m.parameters, "cap_delay", 10_000_000),
    "the largest block": lambda m: setattr(m.parameters, "max_block_bytes", 64 << 20),
    "the smallest block": lambda m: setattr(m.parameters, "max_block_bytes", 60_000),
    "one transaction a block": lambda m: setattr(m.parameters, "max_block_transactions", 1),
    "a fee that nobody can pay": lambda m: setattr(m.parameters, "min_fee", MAX_AMOUNT),
    "an asset of the last number": lambda m: m.assets.append(Asset(id=2**32 - 1, symbol="Z")),
    "the treasury has money": lambda m: _give_treasury(m),
}


def _give_treasury(message: Message) -> None:
    _give(message, 1)
    message.allocations[0].account = message.parameters.treasury


@pytest.mark.parametrize("spoil", GOOD.values(), ids=GOOD)
def test_limits_that_it_may_reach(spoil: Spoil) -> None:
    genesis = Genesis.make(spoilt(spoil))
    assert genesis.state()


BAD: dict[str, Spoil] = {
    "version 0": lambda m: setattr(m, "version", 0),
    "version 2": lambda m: setattr(m, "version", 2),
    "no origin": lambda m: setattr(m, "origin", ""),
    "an origin with a space": lambda m: setattr(m, "origin", "my chain"),
    "an origin with a plus": lambda m: setattr(m, "origin", "a+b"),
    "an origin of two lines": lambda m: setattr(m, "origin", "a\nb"),
    "no time": lambda m: setattr(m, "time_ns", 0),
    "a time beyond 2^63": lambda m: setattr(m, "time_ns", 2**63),
    "no parameters": lambda m: m.ClearField("parameters"),
    "no treasury": lambda m: m.parameters.ClearField("treasury"),
    "a short treasury": lambda m: setattr(m.parameters, "treasury", bytes(31)),
    "no asset 0": lambda m: m.assets.pop(0),
    "no asset": lambda m: m.ClearField("assets"),
    "assets out of order": lambda m: m.assets.reverse(),
    "an asset twice": lambda m: m.assets.append(m.assets[1]),
    "a symbol in small letters": lambda m: setattr(m.assets[0], "symbol", "qpu"),
    "a symbol of 13": lambda m: setattr(m.assets[0], "symbol", "A" * 13),
    "no symbol": lambda m: setattr(m.assets[0], "symbol", ""),
    "19 decimals": lambda m: setattr(m.assets[0], "decimals", 19),
    "allocations out of order": lambda m: m.allocations.reverse(),
    "an allocation twice": lambda m: m.allocations.append(m.allocations[-1]),
    "of an asset that is not there": lambda m: setattr(m.allocations[-1], "asset", 2),
    "an allocation of nothing": lambda m: setattr(m.allocations[0], "amount", 0),
    "to no key": lambda m: setattr(m.allocations[0], "account", b""),
    "threshold 0": lambda m: setattr(m.governors, "threshold", 0),
    "a threshold beyond the keys": lambda m: setattr(m.governors, "threshold", 4),
    "a threshold of nobody": lambda m: m.governors.ClearField("keys"),
    "governors out of order": lambda m: m.governors.keys.reverse(),
    "a governor twice": lambda m: m.governors.keys.append(m.governors.keys[-1]),
    "a short governor": lambda m: m.governors.keys.insert(0, b""),
    "no transactions": lambda m: setattr(m.parameters, "max_block_transactions", 0),
    "too many": lambda m: setattr(m.parameters, "max_block_transactions", 100_001),
    "blocks too small": lambda m: setattr(m.parameters, "max_block_bytes", 59_999),
    "blocks too large": lambda m: setattr(m.parameters, "max_block_bytes", (64 << 20) + 1),
    **{
        f"{field} of {value}": lambda m, field=field, value=value: setattr(  # type: ignore[misc]
            m.parameters, field, value
        )
        for field in ("cap_delay", "recovery_delay", "max_overlap", "min_challenge")
        for value in (0, 10_000_001)
    },
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_what_is_none(spoil: Spoil) -> None:
    with pytest.raises(MalformedError):
        Genesis.make(spoilt(spoil)).state()


@pytest.mark.parametrize("weak", WEAK_KEYS, ids=lambda key: key.hex()[:8])
def test_weak_keys(weak: bytes) -> None:
    with pytest.raises(MalformedError, match="treasury"):
        make_genesis(treasury=weak)
    message = make_genesis().message
    governed = Message()
    governed.CopyFrom(message)
    del governed.governors.keys[:]
    governed.governors.keys.extend(sorted([weak, *message.governors.keys]))
    with pytest.raises(MalformedError, match="governor"):
        Genesis.make(governed)
    paid = Message()
    paid.CopyFrom(message)
    del paid.allocations[:]
    paid.allocations.append(Allocation(account=weak, asset=0, amount=1))
    with pytest.raises(MalformedError, match="genesis"):
        Genesis.make(paid).state()


@pytest.mark.parametrize(
    "amounts", [(MAX_AMOUNT, 1), (MAX_AMOUNT, MAX_AMOUNT, MAX_AMOUNT), (2**63, 2**63)]
)
def test_more_than_there_can_be(amounts: tuple[int, ...]) -> None:
    genesis = Genesis.make(spoilt(lambda message: _give(message, *amounts)))
    with pytest.raises(MalformedError, match=r"2\^64"):
        genesis.state()


def test_larger_than_a_transaction() -> None:
    def give_many(message: Message) -> None:
        del message.allocations[:]
        for number in range(1_600):
            name = number.to_bytes(32, "big")
            message.allocations.append(Allocation(account=name, asset=0, amount=1))

    with pytest.raises(MalformedError, match="60,000"):
        Genesis.make(spoilt(give_many))


def test_every_byte_matters() -> None:
    genesis = make_genesis()
    for at in range(len(genesis.encoded)):
        changed = bytearray(genesis.encoded)
        changed[at] ^= 1
        try:
            other = Genesis.parse(bytes(changed))
        except MalformedError:
            continue
        assert other.chain != genesis.chain


def test_one_encoding() -> None:
    good = make_genesis().encoded
    for bad in (b"", good + b"\0", good[:-1], good + b"\xf8\x07\x01", b"\x08\x01" + good):
        with pytest.raises(MalformedError):
            Genesis.parse(bad)
    assert Genesis.parse(good).encoded == serialize_message(make_genesis().message, "genesis")


@given(st.binary(max_size=200))
def test_noise(noise: bytes) -> None:
    with pytest.raises(MalformedError):
        Genesis.parse(noise)
