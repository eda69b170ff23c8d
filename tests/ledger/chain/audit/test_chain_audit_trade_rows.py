"""Contracts, offers, grants, channels, sales, consents and models in the state: each row is
held against what transactions did, wherever the rules cannot tell any more."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.chain.account import Account
from ledger.chain.audit.audit import ChainPast
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.fact_check import check_facts
from ledger.chain.state.hashing import path_of
from ledger.chain.state.leaf import decode_leaf, encode_leaf
from ledger.chain.state_keys import grant_key
from ledger.fsck.findings import AuditTrail, Depth, Finding, FindingKind
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_consent_pb2 import ConsentRecord, WithdrawnRecord
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_grant_pb2 import GrantRecord, NullifierRecord
from ledger.schema.chain_learning_pb2 import ModelRecord
from ledger.schema.chain_payment_pb2 import AssetRecord
from ledger.schema.chain_sharing_pb2 import ContractRecord, ContractVersion, OfferRecord
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.audit.test_chain_audit_forgery import ForgedChain, honest_effects, pay
from tests.ledger.report.traded import CLINIC, Traded

K = FindingKind

ROWS: dict[int, tuple[type[Message], FindingKind, str, dict[str, Any]]] = {
    0x02: (AssetRecord, K.MONEY_WRONG, "asset", {"minted": 1}),
    0x30: (ChannelRecord, K.EXCHANGE_WRONG, "channel", {"deposit": 1}),
    0x40: (ConsentRecord, K.CONSENT_WRONG, "consent", {"withdrawn_height": 3}),
    0x41: (WithdrawnRecord, K.CONSENT_WRONG, "", {}),
    0x50: (ContractRecord, K.CONTRACT_WRONG, "contract", {"fleet": b"f" * 32}),
    0x51: (OfferRecord, K.OFFER_WRONG, "offer", {"content_root": b"r" * 32}),
    0x52: (ContractVersion, K.CONTRACT_WRONG, "terms of contract", {"policy": "forbid (x);"}),
    0x60: (GrantRecord, K.GRANT_WRONG, "grant", {"purpose": "resale"}),
    0x61: (NullifierRecord, K.GRANT_WRONG, "nullifier", {"contract": b"c" * 32}),
    0x70: (SaleRecord, K.EXCHANGE_WRONG, "sale", {"price": 1}),
    0x80: (ModelRecord, K.MODEL_WRONG, "", {"inputs": [b"i" * 32]}),
}
"""Of each family: its record, what a wrong one is called, its name, and a change."""


@pytest.fixture(scope="module")
def past(sound_trade: Traded) -> ChainPast:
    return sound_trade.read()[1]


@pytest.fixture(scope="module")
def state(sound_trade: Traded) -> dict[bytes, bytes]:
    storage = LmdbStorage.open_reader(sound_trade.chain / "log", StoreKind.CHAIN)
    try:
        with storage.read() as txn:
            return dict(decode_leaf(row) for _, row in txn.scan(Table.STATE_LEAVES))
    finally:
        storage.close()


def found(state: dict[bytes, bytes], past: ChainPast) -> list[Finding]:
    trail = AuditTrail(ChainCounters())
    check_facts(state.items(), past.chronicle, trail)
    return trail.findings


def test_a_sound_world_is_whole_and_counted(sound_trade: Traded) -> None:
    for depth in Depth:
        report, past = sound_trade.read(depth)
        assert report.findings == ()
        assert past.chronicle.whole
        counted = report.counters.to_json()
        expected = {
            "contracts": 2,
            "offers": 4,
            "offers_checked": 4,
            "grants": 8,
            "uses": 8,
            "presentations": 8,
            "channels": 5,
            "channels_open": 1,
            "sales": 2,
            "sales_open": 1,
            "complaints": 0,
            "consents": 1,
            "consents_withdrawn": 1,
            "erasures_missing": 0,
            "notices": 2,
            "receipts_missing": 1,
            "models": 1,
            "robots": 5,
            "acquisitions": 3,
            "trainings": 1,
        }
        assert {name: counted[name] for name in expected} == expected


def test_what_is_open_or_owed_is_listed(sound_trade: Traded) -> None:
    report, past = sound_trade.read()
    notes = "\n".join(report.notes)
    exchange = past.chronicle.exchange
    open_channel = next(each for each in exchange.channels.values() if each.closed is None)
    open_sale = next(each for each in exchange.sales.values() if each.stage.is_open)
    sharing = past.chronicle.sharing
    owing = next(
        each
        for each in sharing.grants.values()
        if sharing.offers[each.offer].origin == CLINIC and not each.erased_height
    )
    for named in (open_channel.id, open_sale.id, owing.id):
        assert named.hex() in notes
    assert "was erased by entry 1 of sellers.example/clinic" in notes


def test_the_sound_state_says_what_was_done(state: dict[bytes, bytes], past: ChainPast) -> None:
    assert {key[0] for key in state} >= set(ROWS)
    assert found(state, past) == []


@pytest.mark.parametrize("family", sorted(ROWS), ids=lambda family: f"{family:#04x}")
def test_a_row_that_was_changed_taken_or_made_up(
    state: dict[bytes, bytes], past: ChainPast, family: int
) -> None:
    record, kind, subject, change = ROWS[family]
    keys = sorted(key for key in state if key[0] == family)
    for key in keys:
        row = record.FromString(state[key])
        assert isinstance(row, record)
        for name, value in change.items():
            if isinstance(value, list):
                getattr(row, name).extend(value)
            else:
                setattr(row, name, value)
        if not change:
            row.withdrawals[0].height += 1  # type: ignore[attr-defined]
        (finding,) = found({**state, key: row.SerializeToString()}, past)
        assert (finding.kind, finding.key) == (kind, key)
        assert finding.subject.startswith(subject)
        assert all(name.replace("_", " ") in finding.message for name in change)

        (gone,) = found({each: row for each, row in state.items() if each != key}, past)
        assert (gone.kind, gone.key, gone.message) == (kind, key, "the state has no row of it")
    made_up = keys[0][:-1] + bytes([keys[0][-1] ^ 1])
    (extra,) = found({**state, made_up: state[keys[0]]}, past)
    assert (extra.kind, extra.key) == (kind, made_up)
    assert "no transaction made it" in extra.message


@pytest.mark.parametrize("change", [1, -1])
def test_an_account_with_other_money(
    state: dict[bytes, bytes], past: ChainPast, change: int
) -> None:
    for key in sorted(key for key in state if key[0] == 1):
        account = Account.decode(state[key])
        if account.amount(0) + change < 0:
            continue
        row = account.with_amount(0, account.amount(0) + change).encode()
        (finding,) = found({**state, key: row}, past)
        assert (finding.kind, finding.key) == (K.MONEY_WRONG, key)
        assert f"it has {account.amount(0) + change} units" in finding.message


def test_a_flipped_row_on_disk_is_named_once(traded: Traded, state: dict[bytes, bytes]) -> None:
    """Here the rules still explain the state, so it is a key of it with another value."""
    for family in sorted(ROWS):
        key = next(key for key in sorted(state) if key[0] == family)
        sound = encode_leaf(key, state[key])
        traded.put(Table.STATE_LEAVES, path_of(key), sound[:-1] + bytes([sound[-1] ^ 1]))
        named = [each for each in traded.read()[0].findings if each.kind is not K.MONEY_WRONG]
        assert [(each.kind, each.key) for each in named] == [(K.STATE_KEY, key)]
        traded.put(Table.STATE_LEAVES, path_of(key), sound)


def test_a_grant_that_an_operator_wrote_by_hand(tmp_path_factory: pytest.TempPathFactory) -> None:
    forged = ForgedChain(tmp_path_factory.mktemp("forged"))
    encoded, result = pay(forged)
    key = grant_key(b"g" * 32)
    row = GrantRecord(offer=b"o" * 32, key=b"k" * 32).SerializeToString()
    forged.write_block([encoded], {**honest_effects(forged, 5), key: row}, [result])
    kinds = {each.kind: each for each in forged.audit().findings}
    assert kinds.keys() == {K.HEADER_WRONG, K.GRANT_WRONG}
    assert kinds[K.GRANT_WRONG].key == key
