"""Forgers who do their homework: trees rebuilt, rows adjusted, signed by the operator's key.

Here the chain is made anew with something in it that the rules do not allow, by an operator
who writes whatever he likes and signs it. Only the rules can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.account import Account
from ledger.chain.audit.audit import audit_chain_in_process
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.chain.codes import ResultCode
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, encode_leaf
from ledger.chain.machine import machine as machine_module
from ledger.chain.result import Result, join_results, results_root
from ledger.chain.state import store as state_store
from ledger.chain.state_keys import account_key, asset_key
from ledger.fsck.findings import AuditReport, AuditTrail, FindingKind
from ledger.log_reader import U64
from ledger.schema.chain_payment_pb2 import AssetRecord
from ledger.storage import Storage, Table, WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.machine.small_chain import SmallChain, transaction_id
from tests.ledger.chain.rules.chain_world import account_of, known_key

K = FindingKind


class ForgedChain(SmallChain):
    """A chain whose operator writes blocks by hand."""

    def __init__(self, folder: Path) -> None:
        (folder / "chain").mkdir()
        self.folder = folder
        storage: Storage = LmdbStorage.create(folder / "chain" / "log", StoreKind.CHAIN)
        super().__init__(folder, storage)
        self.block([self.pay("alice", "bob", 5)])

    def write_block(
        self,
        block: list[bytes],
        changes: Mapping[bytes, bytes | None],
        results: list[Result],
        **fields: Any,
    ) -> None:
        """Commit a block with these effects, its tree, rows and checkpoint all in order."""
        info = self.machine.info()
        with self.storage.read() as transaction:
            update = state_store.finalize(transaction, info.height + 1, changes)
        ids = [result.transaction for result in results]
        encoded = [result.encode() for result in results]
        size, root = self.log.root_with(ids)
        values = {
            "chain": self.chain,
            "height": info.height + 1,
            "time_ns": info.time_ns + 1,
            "previous": info.app_hash,
            "log_size": size,
            "log_root": root,
            "transactions": len(block),
            "results_root": results_root(encoded),
            "state_root": update.root,
            **fields,
        }
        header = Header(**values)

        def alongside(txn: WriteTransaction) -> None:
            state_store.commit(txn, update)
            row = U64.pack(size) + join_results(encoded)
            txn.put(Table.BLOCKS, U64.pack(info.height + 1), row)
            for number, name in enumerate(ids):
                txn.put(Table.TRANSACTIONS, name[:16], U64.pack(size - len(ids) + number))

        leaves = [encode_leaf(LeafKind.TRANSACTION, each) for each in block]
        self.log.append([*leaves, header.leaf], alongside=alongside)
        self.checkpoint()

    def account_row(self, name: str, change: int, sequences: int = 0) -> bytes:
        key = account_key(account_of(known_key(name)))
        account = Account.decode(self.rows()[key])
        moved = account.with_amount(0, account.amount(0) + change)
        return moved._replace(sequence=account.sequence + sequences).encode()

    def audit(self) -> AuditReport:
        self.storage.close()
        counters = ChainCounters()
        trail = AuditTrail(counters)
        request = ChainAuditRequest(self.folder / "chain", self.folder / "published")
        audit_chain_in_process(request, trail, counters)
        return trail.report()


@pytest.fixture
def forged(tmp_path: Path) -> ForgedChain:
    return ForgedChain(tmp_path)


def key_of(name: str) -> bytes:
    return account_key(account_of(known_key(name)))


def honest_effects(chain: ForgedChain, amount: int) -> dict[bytes, bytes | None]:
    return {
        key_of("alice"): chain.account_row("alice", -amount, 1),
        key_of("bob"): chain.account_row("bob", amount),
    }


def pay(chain: ForgedChain, amount: int = 5) -> tuple[bytes, Result]:
    encoded = chain.pay("alice", "bob", amount)
    return encoded, Result(transaction_id(encoded), ResultCode.OK)


def test_a_block_by_hand_that_follows_the_rules_is_whole(forged: ForgedChain) -> None:
    encoded, result = pay(forged)
    forged.write_block([encoded], honest_effects(forged, 5), [result])
    report = forged.audit()
    assert report.ok, report.findings
    assert report.counters.to_json()["blocks_replayed"] == 2


def test_money_out_of_nothing(forged: ForgedChain) -> None:
    encoded, result = pay(forged)
    changes = honest_effects(forged, 5) | {key_of("bob"): forged.account_row("bob", 1_000)}
    forged.write_block([encoded], changes, [result])
    report = forged.audit()
    kinds = {finding.kind for finding in report.findings}
    assert kinds == {K.HEADER_WRONG, K.MONEY_WRONG}
    header, *money = sorted(report.findings, key=lambda finding: finding.kind.value)
    assert (header.height, header.entry) == (2, 4)
    assert "state root" in header.message
    # That there is too much of it, and who has it.
    assert [finding.subject for finding in money] == [
        "asset 0",
        f"account {key_of('bob')[1:].hex()}",
    ]
    assert any("up to block 1" in note for note in report.notes)


def test_money_that_was_never_minted_is_not_hidden_by_the_record(forged: ForgedChain) -> None:
    encoded, result = pay(forged)
    record = AssetRecord.FromString(forged.rows()[asset_key(0)])
    record.minted += 995
    changes = honest_effects(forged, 5) | {
        key_of("bob"): forged.account_row("bob", 1_000),
        asset_key(0): record.SerializeToString(),
    }
    forged.write_block([encoded], changes, [result])
    header, *money = forged.audit().findings
    assert (header.kind, header.height) == (K.HEADER_WRONG, 2)
    assert {finding.kind for finding in money} == {K.MONEY_WRONG}
    subjects = {finding.subject for finding in money}
    assert subjects == {"asset 0", f"account {key_of('bob')[1:].hex()}"}


def test_a_transaction_that_its_signer_did_not_sign(forged: ForgedChain) -> None:
    encoded, _ = pay(forged)
    encoded = encoded[:-1] + bytes([encoded[-1] ^ 1])
    result = Result(transaction_id(encoded), ResultCode.OK)
    forged.write_block([encoded], honest_effects(forged, 5), [result])
    found = {finding.kind: finding for finding in forged.audit().findings}
    assert found.keys() == {K.TRANSACTION_SIGNATURE, K.HEADER_WRONG}
    assert (found[K.TRANSACTION_SIGNATURE].entry, found[K.TRANSACTION_SIGNATURE].height) == (3, 2)


def test_a_result_that_the_rules_do_not_give(forged: ForgedChain) -> None:
    encoded, result = pay(forged)
    forged.write_block([encoded], {}, [result._replace(code=ResultCode.EXPIRED)])
    found = {finding.kind: finding for finding in forged.audit().findings}
    assert found.keys() == {K.RESULT_WRONG, K.HEADER_WRONG}
    assert "EXPIRED" in found[K.RESULT_WRONG].message
    assert "it is OK" in found[K.RESULT_WRONG].message


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("chain", b"c" * 32, "chain"),
        ("height", 3, "height"),
        ("time_ns", 1, "time"),
        ("previous", b"p" * 32, "previous"),
        ("log_root", b"r" * 32, "log root"),
        ("transactions", 0, "transactions"),
        ("log_size", 3, "log size"),
        ("results_root", b"r" * 32, "results root"),
        ("state_root", b"s" * 32, "state root"),
    ],
)
def test_every_field_of_a_header_is_checked(
    forged: ForgedChain, field: str, value: Any, words: str
) -> None:
    encoded, result = pay(forged)
    if field == "log_size":
        value = forged.log.size + 7
    forged.write_block([encoded], honest_effects(forged, 5), [result], **{field: value})
    wrong = [f for f in forged.audit().findings if f.kind is K.HEADER_WRONG]
    assert any(words in finding.message for finding in wrong), wrong
    assert all(finding.entry == 4 for finding in wrong)


def test_leaves_that_may_not_stand_where_they_stand(forged: ForgedChain) -> None:
    forged.log.append([forged.genesis.leaf, b"\x09what", b"", encode_leaf(LeafKind.HEADER, b"x")])
    found = [(f.kind, f.entry) for f in forged.audit().findings if f.kind is K.LEAF_WRONG]
    assert found == [(K.LEAF_WRONG, index) for index in (3, 4, 5, 6)]


def test_leaves_after_the_last_header(forged: ForgedChain) -> None:
    encoded, _ = pay(forged)
    forged.log.append([encode_leaf(LeafKind.TRANSACTION, encoded)])
    (finding,) = forged.audit().findings
    assert (finding.kind, finding.entry) == (K.LEAF_WRONG, 3)


def test_a_rule_that_was_bent(forged: ForgedChain, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator with rules of his own: a fee that goes nowhere, say."""

    def bent(original: Callable[..., Result]) -> Callable[..., Result]:
        def carry_out(context: Any, *arguments: Any) -> Result:
            result = original(context, *arguments)
            context.state.put(account_key(b"t" * 32), Account(0, 0, ((0, 1),)).encode())
            context.state.keep()
            return result

        return carry_out

    monkeypatch.setattr(machine_module, "carry_out", bent(machine_module.carry_out))
    encoded, _ = pay(forged)
    forged.block([encoded])
    found = {finding.kind for finding in forged.audit().findings}
    assert found == {K.HEADER_WRONG, K.MONEY_WRONG}
