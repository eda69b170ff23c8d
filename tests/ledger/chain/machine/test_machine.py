"""The machine as an engine drives it: what it takes, what it refuses, what it stores when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context
from ledger.chain.fleets import fleet_id
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, decode_leaf
from ledger.chain.machine import machine
from ledger.chain.machine.block_rows import find_transaction, newest_header, read_block
from ledger.chain.machine.execution import carry_out
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.proposal import Verdict
from ledger.chain.result import Result, results_root
from ledger.chain.rules import fleet as fleet_rule
from ledger.chain.state.store import heights, open_state
from ledger.chain.transaction import Transaction
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError, RefusedError
from ledger.log import Log
from ledger.schema.chain_identity_pb2 import CreateFleet, SetIssuerKey
from ledger.storage import Storage, Table, WriteTransaction
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.machine.small_chain import SmallChain, published_in, transaction_id
from tests.ledger.chain.rules.chain_world import SECOND, name_attachments
from tests.ledger.chain.state.naive_state import root_of
from zkproofs.errors import ParameterError
from zkproofs.group import group


@pytest.fixture
def chain(tmp_path: Path) -> SmallChain:
    return SmallChain(tmp_path)


def rows(storage: Storage) -> dict[Table, list[tuple[bytes, bytes]]]:
    with storage.read() as transaction:
        return {table: list(transaction.scan(table)) for table in Table}


def test_a_block_is_its_transactions_and_a_header(chain: SmallChain) -> None:
    assert chain.machine.info().app_hash == chain.chain
    payments = [chain.pay("alice", "bob", 5), chain.pay("bob", "carol", 7)]
    proposal = chain.propose(payments)
    finalized = chain.machine.finalize(proposal)
    info = chain.machine.commit()
    leaves = [decode_leaf(leaf) for leaf in chain.log.entries()]
    assert leaves == [
        (LeafKind.GENESIS, chain.genesis.encoded),
        *[(LeafKind.TRANSACTION, payment) for payment in payments],
        (LeafKind.HEADER, finalized.header.encode()),
    ]
    header = finalized.header
    assert header == Header(
        chain=chain.chain,
        height=1,
        time_ns=proposal.time_ns,
        previous=chain.chain,
        log_size=3,
        log_root=chain.log.root(3),
        transactions=2,
        results_root=results_root(finalized.results),
        state_root=root_of(chain.rows()),
    )
    assert (info.height, info.time_ns, info.app_hash, info.log_size) == (
        1, proposal.time_ns, header.app_hash, 4,
    )  # fmt: skip
    with chain.storage.read() as transaction:
        assert newest_header(transaction) == header
        assert read_block(transaction, 1).results == list(finalized.results)
        assert [find_transaction(transaction, transaction_id(each)) for each in payments] == [1, 2]
    assert chain.block().previous == header.app_hash


def test_nothing_is_stored_before_commit(chain: SmallChain) -> None:
    before = rows(chain.storage)
    payment = chain.pay("alice", "bob", 5)
    chain.machine.check([payment])
    prepared = chain.machine.prepare([payment], 1)
    chain.machine.process(prepared.proposal)
    chain.machine.finalize(prepared.proposal)
    assert rows(chain.storage) == before
    with pytest.raises(RefusedError, match="no block"):
        StateMachine(chain.storage, chain.log).commit()
    chain.machine.commit()
    assert chain.balance("bob") == 1_000_005
    with pytest.raises(RefusedError, match="no block"):
        chain.machine.commit()


def test_a_block_with_anything_refused_is_rejected(chain: SmallChain) -> None:
    good = chain.pay("alice", "bob", 5)
    bads = {
        b"": ResultCode.UNKNOWN_VERSION,
        b"garbage": ResultCode.MALFORMED,
        good[:-1]: ResultCode.MALFORMED,
        good + b"\x00": ResultCode.MALFORMED,
        bytes(60_001): ResultCode.TOO_LARGE,
        good[:-1] + bytes([good[-1] ^ 1]): ResultCode.WRONG_SIGNATURE,
        chain.pay("alice", "bob", 5, sequence=9): ResultCode.SEQUENCE_AHEAD,
        chain.pay("nobody", "bob", 5): ResultCode.UNKNOWN_ACCOUNT,
        chain.pay("alice", "bob", 5, sequence=0, expiry_height=0): ResultCode.EXPIRED,
        chain.pay("alice", "bob", 2**63, sequence=0): ResultCode.INSUFFICIENT_FUNDS,
        chain.pay("alice", "bob", 0, sequence=0): ResultCode.FIELD_REFUSED,
    }
    for bad, code in bads.items():
        for block in ([bad], [bad, good], [good, good, bad]):
            proposal = chain.propose(block)
            assert chain.machine.process(proposal) is Verdict.REJECT
            results = [Result.parse(each) for each in chain.machine.finalize(proposal).results]
            place = block.index(bad)
            assert results[place].transaction == transaction_id(bad)
            if block[0] is bad:
                assert results[place].code == code
            assert not results[place].events
        (admission,) = chain.machine.check([bad])
        # Funds are looked at when a block is made.
        assert admission.ok == (code is ResultCode.INSUFFICIENT_FUNDS)
    assert chain.machine.process(chain.propose([good])) is Verdict.ACCEPT
    assert chain.machine.process(chain.propose([good, good])) is Verdict.REJECT
    assert chain.machine.process(chain.propose([])) is Verdict.ACCEPT


def test_garbage_that_an_engine_finalizes_has_codes_and_changes_nothing(chain: SmallChain) -> None:
    before = chain.rows()
    finalized = chain.finish([b"garbage", b"", b"\xff" * 300])
    codes = [Result.parse(each).code for each in finalized.results]
    assert codes == [ResultCode.MALFORMED, ResultCode.UNKNOWN_VERSION, ResultCode.MALFORMED]
    assert chain.rows() == before
    assert chain.log.size == 5
    assert finalized.header.transactions == 3


def test_blocks_come_in_order_and_within_limits(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path, max_block_transactions=3, max_block_bytes=60_000)
    chain.block()
    good = chain.propose([chain.pay("alice", "bob", 1) for _ in range(3)])
    assert chain.machine.process(good) is Verdict.ACCEPT
    newest = chain.machine.info().time_ns
    for bad in (
        replace(good, height=1),
        replace(good, height=3),
        replace(good, height=0),
        replace(good, time_ns=newest),
        replace(good, time_ns=newest - 1),
        replace(good, time_ns=1 << 63),
        replace(good, transactions=[*good.transactions, chain.pay("alice", "bob", 1)]),
        replace(good, transactions=[bytes(30_000), bytes(30_001)]),
    ):
        assert chain.machine.process(bad) is Verdict.REJECT
        if bad.transactions == good.transactions:
            with pytest.raises(RefusedError, match="block"):
                chain.machine.finalize(bad)
    chain.machine.finalize(good)
    assert chain.machine.commit().height == 2


def test_prepare_leaves_out_and_stays_within_limits(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path, max_block_transactions=4, max_block_bytes=60_000)
    payments = [chain.pay("alice", "bob", 1) for _ in range(6)]
    late = chain.pay("bob", "alice", 1, expiry_height=0)
    prepared = chain.machine.prepare([payments[0], late, b"garbage", *payments[1:]], 5)
    assert (prepared.considered, list(prepared.proposal.transactions)) == (4, payments[:2])
    assert [(each, verdict.code) for each, verdict in prepared.refused] == [
        (late, ResultCode.EXPIRED),
        (b"garbage", ResultCode.MALFORMED),
    ]
    assert prepared.proposal.time_ns == chain.genesis.time_ns + 1
    assert chain.machine.process(prepared.proposal) is Verdict.ACCEPT
    wide = chain.machine.prepare([bytes(30_000), bytes(30_001), payments[0]], 5)
    assert wide.considered == 1


def test_an_attachment_comes_with_its_block(chain: SmallChain) -> None:
    data = b"a chunk"
    payment = chain.pay("alice", "bob", 5, attachments=name_attachments([data]))
    name = sha256(data).digest()
    for given in ({}, {name: b"another"}, {bytes(32): data}):
        assert chain.machine.process(chain.propose([payment], given)) is Verdict.REJECT
    whole = chain.propose([payment], {name: data})
    assert chain.machine.process(whole) is Verdict.ACCEPT
    # The same transactions with and without are two blocks, whatever was looked at before.
    assert Result.parse(chain.machine.finalize(chain.propose([payment])).results[0]).code
    assert not Result.parse(chain.machine.finalize(whole).results[0]).code
    chain.machine.commit()
    with chain.storage.read() as transaction:
        assert transaction.get(Table.ATTACHMENTS, name) == data


def test_the_last_finalized_block_is_committed(chain: SmallChain) -> None:
    first, second = chain.propose([chain.pay("alice", "bob", 5)]), chain.propose([])
    chain.machine.finalize(first)
    finalized = chain.machine.finalize(second)
    assert chain.machine.commit().app_hash == finalized.app_hash


def test_what_fails_while_it_is_stored_leaves_the_block_before(
    chain: SmallChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, info = rows(chain.storage), chain.machine.info()
    proposal = chain.propose([chain.pay("alice", "bob", 5)])
    finalized = chain.machine.finalize(proposal)
    write = chain.storage.write

    def failing(work: Callable[[WriteTransaction], None]) -> None:
        def whole(transaction: WriteTransaction) -> None:
            work(transaction)
            raise CorruptStoreError("the disk is gone")

        write(whole)

    monkeypatch.setattr(chain.storage, "write", failing)
    with pytest.raises(CorruptStoreError, match="disk"):
        chain.machine.commit()
    assert rows(chain.storage) == before
    assert chain.machine.info() == info
    monkeypatch.undo()
    assert chain.machine.commit().app_hash == finalized.app_hash


def test_it_opens_where_it_was(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path, kept=2)
    for _ in range(5):
        chain.block([chain.pay("alice", "bob", 1)])
    log = Log.open(chain.storage, published_in(tmp_path, chain.genesis))
    again = StateMachine(chain.storage, log)
    assert again.info() == chain.machine.info()
    with chain.storage.read() as transaction:
        kept = heights(transaction)
        assert kept is not None
        assert (kept.oldest, kept.newest) == (3, 5)
        with pytest.raises(NotFoundError):
            open_state(transaction, 2)
    proposal = chain.propose([chain.pay("alice", "bob", 1)])
    assert again.finalize(proposal) == chain.machine.finalize(proposal)


def test_a_store_that_contradicts_itself_does_not_open(chain: SmallChain) -> None:
    chain.block([chain.pay("alice", "bob", 1)])
    chain.storage.write(lambda t: t.delete(Table.BLOCKS, (1).to_bytes(8, "big")))
    with pytest.raises(CorruptStoreError, match="state is not that of its newest block"):
        StateMachine(chain.storage, chain.log)


def test_a_chain_begins_in_an_empty_log_of_its_name(chain: SmallChain, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="empty log"):
        start_chain(chain.storage, chain.log, chain.genesis.encoded)
    with pytest.raises(MalformedError):
        start_chain(chain.storage, chain.log, b"what")
    storage = MemoryStorage()
    with pytest.raises(CorruptStoreError):
        StateMachine(storage, chain.log)


def test_a_machine_that_cannot_check_something_stops_and_invents_no_code(
    chain: SmallChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one machine lacks, others have: a code of its own would fork it off."""
    name = "fleet"
    chain.block([chain.sign("authority", CreateFleet(name=name))])
    generator = group().encode_g2(group().g2)
    for key, code in ((generator, ResultCode.OK), (bytes(96), ResultCode.BAD_ISSUER_KEY)):
        message = SetIssuerKey(fleet=fleet_id(chain.chain, name), epoch=1, public_key=key)
        proposal = chain.propose([chain.sign("authority", message, sequence=1)])
        (result,) = chain.machine.finalize(proposal).results
        assert Result.parse(result).code == code

    def missing() -> None:
        raise ParameterError("the backend arkworks cannot be loaded")

    monkeypatch.setattr(fleet_rule, "group", missing)
    with pytest.raises(RefusedError, match="cannot be checked here"):
        StateMachine(chain.storage, chain.log).finalize(proposal)


def test_time_is_the_blocks_own(chain: SmallChain) -> None:
    proposal = chain.propose([])
    later = replace(proposal, time_ns=proposal.time_ns + SECOND)
    assert chain.machine.finalize(proposal).app_hash != chain.machine.finalize(later).app_hash


def test_a_proposer_that_has_worked_enough_leaves_the_rest_waiting(chain: SmallChain) -> None:
    bad = chain.pay("alice", "bob", 2**63, sequence=0)
    payments = [bad, *(chain.pay("alice", "bob", 1) for _ in range(4))]
    asked = iter([False, False, True])
    prepared = chain.machine.prepare(payments, 1, enough=lambda: next(asked))
    assert prepared.considered == 3
    assert [encoded for encoded, _ in prepared.refused] == [bad]
    assert list(prepared.proposal.transactions) == payments[1:3]
    chain.machine.finalize(prepared.proposal)
    chain.machine.commit()
    assert chain.balance("bob") == 1_000_002
    # Even with no time left one is carried out, so that there is an end to it.
    prepared = chain.machine.prepare(payments[3:], 1, enough=lambda: True)
    assert (prepared.considered, len(prepared.proposal.transactions)) == (1, 1)
    assert chain.machine.process(prepared.proposal) is Verdict.ACCEPT


def test_a_bad_block_is_worked_on_no_longer_than_it_takes_to_see_it(
    chain: SmallChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried: list[bytes] = []

    def counted(context: Context, transaction: Transaction, *more: Any) -> Result:
        carried.append(transaction.id)
        return carry_out(context, transaction, *more)

    monkeypatch.setattr(machine, "carry_out", counted)
    good, bad = chain.pay("alice", "bob", 1), chain.pay("bob", "alice", 2**63)
    proposal = chain.propose([good, bad, *(chain.pay("alice", "bob", 1) for _ in range(5))])
    assert chain.machine.process(proposal) is Verdict.REJECT
    assert len(carried) == 2
    # An engine that finalizes it all the same has a result for each.
    assert len(chain.machine.finalize(proposal).results) == 7
