"""Snapshots: a chain goes on from one as if it had lived all of it, and lies are named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.light.answer import verify_answer
from ledger.chain.light.client import LightClient
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.light.snapshot import (
    ChunkError,
    VerifiedManifest,
    combine_roots,
    verify_chunk,
    verify_manifest,
)
from ledger.chain.light.trust import Trust
from ledger.chain.machine import snapshot as snapshot_module
from ledger.chain.machine.block_rows import read_block
from ledger.chain.machine.machine import StateMachine
from ledger.chain.machine.receipts import ReceiptMaker
from ledger.chain.machine.replay import replay
from ledger.chain.machine.restoration import Restoration
from ledger.chain.machine.snapshot import SnapshotStore
from ledger.chain.state.check import check_state
from ledger.chain.state.hashing import path_of
from ledger.chain.state_keys import account_key
from ledger.errors import (
    CorruptStoreError,
    ForkError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.log import Log
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_snapshot_pb2 import SnapshotManifest
from ledger.storage import Storage, Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.memory import MemoryStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.machine.small_chain import SmallChain, published_in, transaction_id
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.state.naive_state import root_of

ROOT = Path(__file__).resolve().parents[4]
BOB = account_key(account_of(known_key("bob")))


class Snapped:
    """A chain of many accounts, a snapshot of it, and what comes after."""

    def __init__(self, folder: Path, size: int, chunk_leaves: int) -> None:
        """``size`` leaves in the log when the snapshot is taken."""
        self.chain = chain = SmallChain(folder / "chain")
        payments = [
            chain.sign("bank", Transfer(recipient=account_of(known_key(f"no. {n}")), amount=5))
            for n in range(40)
        ]
        chain.block(payments, checkpoint=False)
        while chain.log.size < size - 1:
            rest = size - 1 - chain.log.size
            chain.block(
                [chain.pay("bank", "bob", 1) for _ in range(min(rest - 1, 500))], checkpoint=False
            )
        if chain.log.size < size:
            chain.block(checkpoint=False)
        chain.checkpoint()
        self.height = chain.machine.info().height
        self.trust = Trust(chain.chain, [chain.vkey])
        self.store = SnapshotStore(folder / "snapshots")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snapshot_module, "LEAVES_A_CHUNK", chunk_leaves)
            self.info = self.store.take(chain.storage)
        self.manifest = self.store.manifest(self.height)
        self.chunks = [self.store.load_chunk(self.height, n) for n in range(self.info.chunks)]

    @property
    def message(self) -> SnapshotManifest:
        return SnapshotManifest.FromString(self.manifest)

    @property
    def verified(self) -> VerifiedManifest:
        return verify_manifest(self.manifest, self.trust)

    def restore(
        self, folder: Path, storage: Storage | None = None
    ) -> tuple[Storage, Log, StateMachine]:
        storage = storage or MemoryStorage()
        restoration = Restoration.offer(storage, self.manifest, self.trust)
        for number in reversed(restoration.missing):
            restoration.apply_chunk(number, self.chunks[number])
        published = published_in(folder, self.chain.genesis)
        restoration.finish(published)
        log = Log.open(storage, published)
        return storage, log, StateMachine(storage, log)


@pytest.fixture(scope="module")
def snapped(tmp_path_factory: pytest.TempPathFactory) -> Snapped:
    return Snapped(tmp_path_factory.mktemp("snapped"), 45, 10)


# Taking


def test_it_is_listed_whole(snapped: Snapped) -> None:
    assert snapped.store.list() == [snapped.info]
    assert (snapped.info.height, snapped.info.chunks) == (snapped.height, 8)
    assert snapped.verified.hash == snapped.info.hash
    assert sum(map(len, snapped.chunks)) == sum(each.size for each in snapped.message.chunks)
    with pytest.raises(RefusedError, match="already"):
        snapped.store.take(snapped.chain.storage)
    for missing in (0, 99):
        with pytest.raises(NotFoundError):
            snapped.store.manifest(missing)
        with pytest.raises(NotFoundError):
            snapped.store.load_chunk(missing, 0)
    with pytest.raises(NotFoundError):
        snapped.store.load_chunk(snapped.height, 8)


def test_the_chunks_are_the_state(snapped: Snapped) -> None:
    rows: dict[bytes, bytes] = {}
    state = snapped.chain.rows()
    for number, chunk in enumerate(snapped.chunks):
        own = {k: v for k, v in state.items() if path_of(k)[0] >> 5 == number}
        assert root_of(own) == snapped.verified.chunks[number].root
        rows |= dict(verify_chunk(snapped.verified, number, chunk))
    assert set(rows) == {path_of(key) for key in state}
    assert root_of(state) == snapped.verified.header.state_root


def test_a_past_height_gives_the_same_snapshot(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path / "chain")
    first, second = (SnapshotStore(tmp_path / name) for name in ("first", "second"))
    chain.block([chain.pay("bank", "bob", 5)])
    then = first.take(chain.storage)
    for n in range(20):
        chain.block([chain.pay("bank", f"no. {n}", 5)])
    assert second.take(chain.storage, 1) == then
    assert second.manifest(1) == first.manifest(1)
    assert [second.load_chunk(1, 0)] == [first.load_chunk(1, 0)]
    first.take(chain.storage)
    assert [info.height for info in first.list()] == [21, 1]
    first.delete(1)
    assert [info.height for info in first.list()] == [21]
    with pytest.raises(NotFoundError):
        first.delete(1)


def test_what_cannot_be_taken_leaves_nothing(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path / "chain", kept=1)
    store = SnapshotStore(tmp_path / "snapshots")
    assert store.list() == []
    with pytest.raises(NotFoundError):
        store.take(chain.storage)  # no block
    chain.block(checkpoint=False)
    with pytest.raises(NotFoundError, match="checkpoint"):
        store.take(chain.storage)
    chain.block()
    chain.block()
    chain.block()
    with pytest.raises(NotFoundError, match="not kept"):
        store.take(chain.storage, 2)
    with pytest.raises(NotFoundError, match="no block 9"):
        store.take(chain.storage, 9)
    # A state that is not the one that its root names.
    hashed = snapshot_module.bucket_root
    with pytest.MonkeyPatch.context() as patch, pytest.raises(CorruptStoreError, match="keys"):
        patch.setattr(
            snapshot_module,
            "bucket_root",
            lambda rows: hashed([(path, bytes(32) + row[32:]) for path, row in rows]),
        )
        store.take(chain.storage)
    assert not store.folder.exists() or not list(store.folder.iterdir())


def test_a_process_that_is_killed_leaves_no_snapshot_and_nothing_for_long(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    program = (
        "import os, sys; from pathlib import Path;"
        "from ledger.chain.machine import snapshot;"
        "from tests.ledger.chain.machine.small_chain import SmallChain;"
        "chain = SmallChain(Path(sys.argv[1]) / 'chain'); chain.block();"
        "write, left = snapshot.write_durably, [int(sys.argv[2])];"
        "snapshot.write_durably = lambda *a: (left.insert(0, left.pop() - 1),"
        " os.kill(os.getpid(), 9) if left[0] < 0 else write(*a));"
        "snapshot.SnapshotStore(Path(sys.argv[1]) / 'snapshots').take(chain.storage)"
    )
    for writes in (0, 1):  # before the chunk, and before the manifest
        shutil.rmtree(tmp_path / "chain", ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-c", program, tmp_path, str(writes)],
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        assert done.returncode == -9
        assert SnapshotStore(folder).list() == []
        assert len(list(folder.iterdir())) == 1
    living = folder / f".7.{os.getpid()}.new"
    living.mkdir()
    chain = SmallChain(tmp_path / "again")
    chain.block()
    taken = SnapshotStore(folder).take(chain.storage)
    assert SnapshotStore(folder).list() == [taken]
    assert {each.name for each in folder.iterdir()} == {"1", living.name}


def test_a_damaged_folder_is_an_error_of_ours(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path / "chain")
    chain.block()
    store = SnapshotStore(tmp_path / "snapshots")
    store.take(chain.storage)
    (store.folder / "1" / "manifest").write_bytes(b"what")
    with pytest.raises(CorruptStoreError, match="block 1"):
        store.list()


# Restoring


@pytest.mark.parametrize("size", [43, 64, 255, 256, 257, 300, 512, 513, 1_024])
def test_it_goes_on_as_if_it_had_been_there(tmp_path: Path, size: int) -> None:
    snapped = Snapped(tmp_path, size, 16)
    chain = snapped.chain
    assert chain.log.size == size
    storage, log, machine = snapped.restore(tmp_path / "copy")
    assert machine.info() == chain.machine.info()
    assert log.size == size
    assert log.root(size) == chain.log.root(size)
    with storage.read() as transaction:
        check_state(transaction)
    payments = []
    for height in range(snapped.height + 1, snapped.height + 5):
        payments += [chain.pay("bank", "bob", 1) for _ in range(90)]
        proposal = chain.propose(payments[-90:])
        mine = machine.finalize(proposal)
        assert chain.finish(payments[-90:]).header == mine.header
        assert machine.commit() == chain.machine.info()
        assert log.checkpoint([chain.operator]) == chain.log.latest_checkpoint()
        assert mine.header.height == height
    for table in (Table.STATE_LEAVES, Table.STATE_TILES):
        with storage.read() as ours, chain.storage.read() as theirs:
            assert list(ours.scan(table)) == list(theirs.scan(table))
    # Proofs of what is newer are those of the whole log, and verify.
    maker = ReceiptMaker(storage, log)
    for payment in payments[::37]:
        receipt = maker.receipt(transaction_id(payment))
        assert receipt == chain.receipts.receipt(transaction_id(payment))
        assert verify_receipt(receipt, snapped.trust).carried_out
    for height in range(snapped.height, snapped.height + 5):
        answer = maker.answer(BOB, height)
        assert answer == chain.receipts.answer(BOB, height)
        assert verify_answer(answer, BOB, snapped.trust).header.height == height
        assert maker.signed_header(height) == chain.receipts.signed_header(height)
    for old in range(size, log.size + 1):
        for new in range(old, log.size + 1, 41):
            assert log.prove_consistency(old, new) == chain.log.prove_consistency(old, new)
    for index in range(size - 1, log.size):
        assert log.prove_inclusion(index, log.size) == chain.log.prove_inclusion(index, log.size)
    assert list(log.entries(size - 1)) == list(chain.log.entries(size - 1))
    # And after a restart.
    again = StateMachine(storage, Log.open(storage, published_in(tmp_path / "copy", chain.genesis)))
    assert again.info() == machine.info()


def test_older_leaves_are_not_there_and_it_says_so(snapped: Snapped, tmp_path: Path) -> None:
    storage, log, _ = snapped.restore(tmp_path)
    first = log.size - 1
    assert log.first_entry == first
    old = transaction_id(snapped.chain.log.entry(1)[1:])
    maker = ReceiptMaker(storage, log)
    for ask in (
        lambda: log.entry(0),
        lambda: log.entry(first - 1),
        lambda: list(log.entries()),
        lambda: list(log.entries(first - 1, first + 1)),
        lambda: log.prove_inclusion(0, log.size),
        lambda: log.prove_inclusion(first - 1, log.size),
        lambda: log.prove_consistency(1, log.size),
        lambda: log.prove_consistency(first, log.size),
        lambda: log.root(first - 1),
        lambda: list(log.export_tiles(log.size)),
        lambda: maker.answer(BOB, snapped.height - 1),
    ):
        with pytest.raises(NotFoundError, match="snapshot"):
            ask()
    for ask in (lambda: maker.receipt(old), lambda: log.entry(log.size)):
        with pytest.raises(NotFoundError):
            ask()
    assert log.root(first) == snapped.chain.log.root(first)


def test_the_block_of_the_snapshot_has_a_header_and_no_transactions(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path / "chain")
    payment = chain.pay("bank", "bob", 1)
    chain.block([payment])
    store, trust = SnapshotStore(tmp_path / "snapshots"), Trust(chain.chain, [chain.vkey])
    store.take(chain.storage)
    storage = MemoryStorage()
    restoration = Restoration.offer(storage, store.manifest(1), trust)
    restoration.apply_chunk(0, store.load_chunk(1, 0))
    published = published_in(tmp_path / "copy", chain.genesis)
    restoration.finish(published)
    maker = ReceiptMaker(storage, Log.open(storage, published))
    assert verify_answer(maker.answer(BOB), BOB, trust).header.height == 1
    with pytest.raises(NotFoundError):
        maker.receipt(transaction_id(payment))
    with storage.read() as transaction, pytest.raises(NotFoundError, match="only the header"):
        read_block(transaction, 1)


def test_a_replay_goes_on_from_a_snapshot(tmp_path: Path) -> None:
    snapped = Snapped(tmp_path, 45, 10)
    for _ in range(3):
        snapped.chain.block([snapped.chain.pay("bank", "bob", 1)])
    _, _, machine = snapped.restore(tmp_path / "copy")
    done = replay(snapped.chain.storage, snapped.chain.log, machine)
    assert (done.blocks, done.info) == (3, snapped.chain.machine.info())


def test_a_light_client_follows_from_one_to_the_other(tmp_path: Path) -> None:
    snapped = Snapped(tmp_path, 45, 10)
    client = LightClient(snapped.trust)
    client.advance(snapped.chain.receipts.signed_header())
    storage, log, machine = snapped.restore(tmp_path / "copy")
    size = log.size
    machine.finalize(snapped.chain.propose([]))
    machine.commit()
    log.checkpoint([snapped.chain.operator])
    proof = log.prove_consistency(size, log.size)
    client.advance(ReceiptMaker(storage, log).signed_header(), proof)


def test_in_lmdb_it_survives_being_closed(snapped: Snapped, tmp_path: Path) -> None:
    storage = LmdbStorage.create(tmp_path / "copy", StoreKind.CHAIN)
    _, _, machine = snapped.restore(tmp_path, storage)
    info = machine.info()
    storage.close()
    storage = LmdbStorage.open_writer(tmp_path / "copy", StoreKind.CHAIN)
    log = Log.open(storage, published_in(tmp_path, snapped.chain.genesis))
    assert StateMachine(storage, log).info() == info
    storage.close()


def test_it_takes_an_empty_store_and_every_chunk(snapped: Snapped, tmp_path: Path) -> None:
    published = published_in(tmp_path, snapped.chain.genesis)
    with pytest.raises(RefusedError, match="empty"):
        Restoration.offer(snapped.chain.storage, snapped.manifest, snapped.trust)
    storage = MemoryStorage()
    restoration = Restoration.offer(storage, snapped.manifest, snapped.trust)
    assert restoration.missing == list(range(8))
    for number in (3, 5, 3):
        restoration.apply_chunk(number, snapped.chunks[number])
    with pytest.raises(NotFoundError, match="6 chunks"):
        restoration.finish(published)
    with pytest.raises(CorruptStoreError):
        Log.open(storage, published)  # it is no chain yet
    for number in restoration.missing:
        restoration.apply_chunk(number, snapped.chunks[number])
    restoration.finish(published)
    with pytest.raises(RefusedError):
        restoration.finish(published)
    with pytest.raises(RefusedError, match="empty"):
        Restoration.offer(storage, snapped.manifest, snapped.trust)


def test_what_this_machine_has_published_counts(snapped: Snapped, tmp_path: Path) -> None:
    chain = snapped.chain
    note = snapped.message.checkpoint
    _, log, _ = snapped.restore(tmp_path)
    published = published_in(tmp_path, chain.genesis)
    assert published.latest() == note
    assert log.behind is None
    # A longer history was published: the copy opens, and signs nothing.
    longer = SmallChain(tmp_path / "longer")
    for _ in range(60):
        longer.block(checkpoint=False)
    published.publish(longer.checkpoint())
    _, log, _ = snapped.restore(tmp_path)
    assert log.behind is not None
    with pytest.raises(LedgerError):
        log.checkpoint([chain.operator])
    # Another history of this length was published.
    other = SmallChain(tmp_path / "other")
    while other.log.size < chain.log.size:
        other.block(checkpoint=False)
    published.publish(other.checkpoint())
    with pytest.raises(ForkError):
        snapped.restore(tmp_path)


# Lies


def test_no_byte_of_a_manifest_is_of_no_account(snapped: Snapped) -> None:
    good = snapped.manifest
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        try:
            verified = verify_manifest(bad, snapped.trust)
        except (MalformedError, VerificationError):
            continue
        # Only the size of a chunk is bound by the chunk alone: and that is refused then.
        wrong = [
            n
            for n, (ours, theirs) in enumerate(
                zip(snapped.verified.chunks, verified.chunks, strict=True)
            )
            if ours != theirs
        ]
        assert len(wrong) == 1
        with pytest.raises(ChunkError, match=f"chunk {wrong[0]} "):
            verify_chunk(verified, wrong[0], snapped.chunks[wrong[0]])
    for bad in (b"", good[:-1], good[:40], good + b"\x00", good + good, bytes(5 << 20)):
        with pytest.raises((MalformedError, VerificationError)):
            verify_manifest(bad, snapped.trust)


def changed(snapped: Snapped, **fields: Any) -> bytes:
    message = snapped.message
    for name, value in fields.items():
        message.ClearField(name)
        message.MergeFrom(SnapshotManifest(**{name: value}))
    return message.SerializeToString(deterministic=True)


def test_every_part_of_a_manifest_counts(snapped: Snapped, tmp_path: Path) -> None:
    message, chain = snapped.message, snapped.chain
    other = Snapped(tmp_path / "other", 46, 10)  # the same chain, one block more
    stranger = SmallChain(tmp_path / "stranger", min_fee=1)
    edge, chunks = list(message.edge), list(message.chunks)
    lies = {
        "version": [0, 2],
        "genesis": [b"", stranger.genesis.encoded],
        "header": [b"", other.message.header],
        "checkpoint": [b"", other.message.checkpoint, chain.log.checkpoint_at(1) or b"x"],
        "edge": [
            [],
            edge[:-1],
            [*edge, edge[-1]],
            [edge[0][:-32], *edge[1:]],
            [edge[0][32:] + edge[0][:32], *edge[1:]],
            list(other.message.edge),
        ],
        "prefix_bits": [0, 2, 4, 17, 32],
        "chunks": [
            [],
            chunks[:-1],
            [*chunks, *chunks],
            [chunks[1], chunks[0], *chunks[2:]],
            list(other.message.chunks),
        ],
    }
    for name, values in lies.items():
        for value in values:
            with pytest.raises((MalformedError, VerificationError)):
                verify_manifest(changed(snapped, **{name: value}), snapped.trust)
    # All of the stranger's own is refused for what it is.
    stranger.block()
    store = SnapshotStore(tmp_path / "strange")
    store.take(stranger.storage)
    with pytest.raises(VerificationError, match="another chain"):
        verify_manifest(store.manifest(1), snapped.trust)


@pytest.mark.parametrize("size", [256, 257, 513])
def test_no_hash_of_the_edge_is_of_no_account(tmp_path: Path, size: int) -> None:
    snapped = Snapped(tmp_path, size, 1_000)
    edge = list(snapped.message.edge)
    assert len(edge) == 2
    for level, tile in enumerate(edge):
        for at in range(0, len(tile), 32):
            bad = tile[:at] + bytes([tile[at] ^ 1]) + tile[at + 1 :]
            lie = changed(snapped, edge=[*edge[:level], bad, *edge[level + 1 :]])
            with pytest.raises(VerificationError):
                verify_manifest(lie, snapped.trust)


def test_a_corrupt_chunk_is_refused_by_name_before_the_others_are_there(
    snapped: Snapped, tmp_path: Path
) -> None:
    number = 5
    good = snapped.chunks[number]
    storage = MemoryStorage()
    restoration = Restoration.offer(storage, snapped.manifest, snapped.trust)
    bads = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
    bads += [good[:-1], good + b"\x00", b"", good + good, snapped.chunks[4]]
    for bad in bads:
        with pytest.raises(ChunkError, match="chunk 5 of the snapshot") as caught:
            restoration.apply_chunk(number, bad)
        assert caught.value.number == number
    with storage.read() as transaction:
        assert not transaction.count(Table.STATE_LEAVES)
    for wrong in (-1, 8):
        with pytest.raises(ChunkError, match="does not exist"):
            restoration.apply_chunk(wrong, good)
    restoration.apply_chunk(number, good)


def test_leaves_out_of_order_are_refused_though_they_are_the_right_ones(
    snapped: Snapped,
) -> None:
    rows = verify_chunk(snapped.verified, 2, snapped.chunks[2])
    assert len(rows) > 1
    swapped = b"".join(row[32:] for _, row in reversed(rows))
    with pytest.raises(ChunkError, match="order"):
        verify_chunk(snapped.verified, 2, swapped)


@given(st.lists(st.binary(min_size=1, max_size=4), unique=True, max_size=60), st.integers(0, 5))
@settings(max_examples=100)
def test_the_roots_of_chunks_give_the_root(keys: list[bytes], bits: int) -> None:
    parts: list[dict[bytes, bytes]] = [{} for _ in range(1 << bits)]
    for key in keys:
        parts[int.from_bytes(path_of(key), "big") >> 256 - bits][key] = b"v"
    assert combine_roots([root_of(part) for part in parts]) == root_of(dict.fromkeys(keys, b"v"))
