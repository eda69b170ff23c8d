"""A chain lived again comes to the same headers; what is not what happened is named."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, decode_leaf, encode_leaf
from ledger.chain.machine.block_rows import read_block
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.replay import ReplayError, replay
from ledger.chain.machine.signatures import Checking, InlineChecker
from ledger.chain.result import Result
from ledger.chain.transaction import SignatureClaim
from ledger.errors import RefusedError
from ledger.log import Log
from ledger.log_reader import U64, LogReader
from ledger.storage import Storage, Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.memory import MemoryStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.machine.small_chain import SmallChain, published_in
from tests.ledger.chain.rules.chain_world import name_attachments

EVIDENCE = b"a chunk that somebody complains of"


@pytest.fixture
def lived(tmp_path: Path) -> SmallChain:
    """Five blocks: payments, refusals and garbage, nothing, an attachment, payments."""
    chain = SmallChain(tmp_path / "lived")
    chain.block([chain.pay("bank", "bob", 5), chain.pay("alice", "carol", 7)])
    late = chain.pay("alice", "bob", 1, expiry_height=1)
    chain.block([b"garbage", late, chain.pay("bob", "alice", 2)])
    chain.sequences.clear()
    chain.block()
    attached = chain.pay("bank", "bob", 6, sequence=1, attachments=name_attachments([EVIDENCE]))
    chain.block([attached], {sha256(EVIDENCE).digest(): EVIDENCE})
    chain.block([chain.pay("bank", "carol", number, sequence=number) for number in (2, 3, 4)])
    return chain


def fresh(
    folder: Path, lived: SmallChain, storage: Storage | None = None, **options: object
) -> StateMachine:
    """A machine at the genesis of a chain, in a store of its own."""
    storage = storage or MemoryStorage()
    published = published_in(folder / "fresh", lived.genesis)
    log = Log.create(storage, lived.genesis.origin, lived.vkey, published)
    start_chain(storage, log, lived.genesis.encoded)
    return StateMachine(storage, log, **options)


def headers(log: LogReader) -> list[bytes]:
    leaves = (decode_leaf(leaf) for leaf in log.entries())
    return [message for kind, message in leaves if kind is LeafKind.HEADER]


def put(storage: Storage, table: Table, key: bytes, value: bytes | None) -> None:
    def work(transaction) -> None:
        transaction.delete(table, key) if value is None else transaction.put(table, key, value)

    storage.write(work)


def change_leaf(lived: SmallChain, index: int, leaf: bytes) -> None:
    put(lived.storage, Table.ENTRIES, U64.pack(index), leaf)


def change_header(lived: SmallChain, at: int, **fields: object) -> int:
    """Change the header of a block; its leaf index."""
    with lived.storage.read() as transaction:
        block = read_block(transaction, at)
    values = {name: getattr(block.header, name) for name in Header.__slots__} | fields
    change_leaf(lived, block.header_index, Header(**values).leaf)
    return block.header_index


@pytest.mark.parametrize("store", ["memory", "lmdb"])
def test_the_same_headers_come_out(lived: SmallChain, tmp_path: Path, store: str) -> None:
    storage: Storage = MemoryStorage()
    if store == "lmdb":
        storage = LmdbStorage.create(tmp_path / "copy", StoreKind.CHAIN)
    machine = fresh(tmp_path, lived, storage)
    done = replay(lived.storage, lived.log, machine)
    assert (done.blocks, done.transactions, done.pruned_attachments) == (5, 9, 0)
    assert done.info == machine.info() == lived.machine.info()
    assert headers(LogReader(storage)) == headers(lived.log)
    for table in Table:
        if table not in (Table.CHECKPOINTS, Table.META):
            with storage.read() as mine, lived.storage.read() as theirs:
                assert list(mine.scan(table)) == list(theirs.scan(table)), table
    storage.close()


def test_it_stops_and_goes_on(lived: SmallChain, tmp_path: Path) -> None:
    machine = fresh(tmp_path, lived)
    for stop, blocks in ((2, 2), (2, 0), (4, 2), (1, 0), (None, 1), (None, 0)):
        done = replay(lived.storage, lived.log, machine, stop)
        assert done.blocks == blocks
    assert machine.info() == lived.machine.info()


def test_a_pruned_attachment_is_counted_and_its_record_believed(
    lived: SmallChain, tmp_path: Path
) -> None:
    put(lived.storage, Table.ATTACHMENTS, sha256(EVIDENCE).digest(), None)
    machine = fresh(tmp_path, lived)
    done = replay(lived.storage, lived.log, machine)
    assert done.pruned_attachments == 1
    assert machine.info() == lived.machine.info()


def test_an_attachment_that_never_was_is_not_taken_for_pruned(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path / "lived")
    missing = chain.pay("alice", "bob", 6, attachments=name_attachments([EVIDENCE]))
    (result,) = chain.finish([missing]).results
    assert Result.parse(result).code == ResultCode.ATTACHMENT_MISSING
    machine = fresh(tmp_path, chain)
    done = replay(chain.storage, chain.log, machine)
    assert done.pruned_attachments == 0
    assert machine.info() == chain.machine.info()


def test_a_lying_record_does_not_help_a_pruned_attachment(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path / "lived")
    missing = chain.pay("alice", "bob", 6, attachments=name_attachments([EVIDENCE]))
    chain.block([missing])
    with chain.storage.read() as transaction:
        (result,) = read_block(transaction, 1).results
    lie = Result(Result.parse(result).transaction, ResultCode.OK).encode()
    row = U64.pack(2) + len(lie).to_bytes(4, "big") + lie
    put(chain.storage, Table.BLOCKS, U64.pack(1), row)
    with pytest.raises(ReplayError) as caught:
        replay(chain.storage, chain.log, fresh(tmp_path, chain))
    assert caught.value.height == 1


def test_without_any_record_the_leaves_are_enough(lived: SmallChain, tmp_path: Path) -> None:
    for height in range(1, 6):
        put(lived.storage, Table.BLOCKS, U64.pack(height), None)
    machine = fresh(tmp_path, lived)
    replay(lived.storage, lived.log, machine)
    assert machine.info() == lived.machine.info()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("previous", bytes(32), "previous"),
        ("log_root", bytes(32), "log root"),
        ("results_root", bytes(32), "results"),
        ("state_root", bytes(32), "state root"),
        ("chain", bytes(32), "chain"),
        ("transactions", 2, "transactions"),
        ("height", 3, "height 3"),
        ("log_size", 99, "leaf 99"),
        ("time_ns", 1, "time"),
    ],
)
def test_a_header_that_is_another_is_named(
    lived: SmallChain, tmp_path: Path, field: str, value: object, words: str
) -> None:
    index = change_header(lived, 2, **{field: value})
    machine = fresh(tmp_path, lived)
    with pytest.raises(ReplayError, match=f"block 2, leaf {index}: .*{words}") as caught:
        replay(lived.storage, lived.log, machine)
    assert (caught.value.height, caught.value.index) == (2, index)
    assert machine.info().height == 1  # what was right before it is kept


def test_a_later_time_changes_the_next_header(lived: SmallChain, tmp_path: Path) -> None:
    with lived.storage.read() as transaction:
        time_ns = read_block(transaction, 2).header.time_ns
    change_header(lived, 2, time_ns=time_ns + 1)
    with pytest.raises(ReplayError, match=r"block 3, .*previous"):
        replay(lived.storage, lived.log, fresh(tmp_path, lived))


def test_a_transaction_that_is_another_is_named(lived: SmallChain, tmp_path: Path) -> None:
    first = lived.log.entry(1)
    for bad in (first[:-1] + bytes([first[-1] ^ 1]), b"\x02", lived.log.entry(2)):
        change_leaf(lived, 1, bad)
        with pytest.raises(ReplayError) as caught:
            replay(lived.storage, lived.log, fresh(tmp_path / bad.hex()[:40], lived))
        assert (caught.value.height, caught.value.index) == (1, 1)
    change_leaf(lived, 1, first)


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (b"", "a leaf of a chain"),
        (b"\x04what", "a leaf of a chain"),
        (encode_leaf(LeafKind.HEADER, b"what"), "header"),
        (encode_leaf(LeafKind.GENESIS, b"again"), "second genesis"),
    ],
)
def test_what_is_no_leaf_is_named(
    lived: SmallChain, tmp_path: Path, leaf: bytes, words: str
) -> None:
    change_leaf(lived, 2, leaf)
    with pytest.raises(ReplayError, match=f"block 1, leaf 2: .*{words}"):
        replay(lived.storage, lived.log, fresh(tmp_path, lived))


def test_transactions_without_a_header_are_named(lived: SmallChain, tmp_path: Path) -> None:
    size = lived.log.size
    lived.log.append([encode_leaf(LeafKind.TRANSACTION, b"left over")])
    with pytest.raises(ReplayError, match=f"block 6, leaf {size + 1}: .*no header"):
        replay(lived.storage, lived.log, fresh(tmp_path, lived))


def test_a_machine_of_another_history_is_refused(lived: SmallChain, tmp_path: Path) -> None:
    other = SmallChain(tmp_path / "other", min_fee=1)
    with pytest.raises(RefusedError, match="leaf 0"):
        replay(lived.storage, lived.log, other.machine)
    same = SmallChain(tmp_path / "same")
    same.block([same.pay("bank", "bob", 99), same.pay("alice", "carol", 7)])
    with pytest.raises(RefusedError, match="leaf 3"):
        replay(lived.storage, lived.log, same.machine)
    longer = SmallChain(tmp_path / "longer")
    for _ in range(20):
        longer.block(checkpoint=False)
    with pytest.raises(RefusedError, match="has 15"):
        replay(lived.storage, lived.log, longer.machine)


class CountingChecker:
    """Counts claims, and whether they were begun before the block before was finished."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    def begin(self, claims: Sequence[SignatureClaim]) -> Checking:
        self.begun.append(len(claims))
        return InlineChecker().begin(claims)


def test_every_signature_is_checked_once(lived: SmallChain, tmp_path: Path) -> None:
    checker = CountingChecker()
    replay(lived.storage, lived.log, fresh(tmp_path, lived, checker=checker))
    assert checker.begun == [2, 2, 0, 1, 3]  # garbage has none
