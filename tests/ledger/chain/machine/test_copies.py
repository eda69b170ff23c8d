"""Second homes of a chain on disk, from a snapshot and by replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.light.snapshot import ChunkError
from ledger.chain.light.trust import Trust
from ledger.chain.machine.copies import replay_chain, restore_chain
from ledger.chain.machine.home import open_chain
from ledger.chain.machine.proposal import Proposal
from ledger.chain.machine.replay import ReplayError
from ledger.chain.machine.snapshot import SnapshotStore
from ledger.chain.machine.writer import create_chain, open_chain_to_write
from ledger.chain.transaction import sign_transaction
from ledger.errors import KeyStoreError, LedgerError, RefusedError, StorageError
from ledger.log_reader import U64
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.rules.chain_world import (
    SECOND,
    START_NS,
    account_of,
    body_of,
    known_key,
    make_genesis,
)


class Homes:
    """A chain's home with three blocks, and a snapshot of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "chain"
        self.genesis = make_genesis()
        self.vkey = create_chain(self.root, self.genesis)
        self.trust = Trust(self.genesis.chain, [self.vkey])
        with open_chain_to_write(self.root) as home:
            for height in (1, 2, 3):
                home.machine.finalize(self.proposal(height))
                self.info = home.machine.commit()
                home.checkpoint()
            self.snapshots = SnapshotStore(folder / "snapshots")
            self.snapshots.take(home.storage)

    def proposal(self, height: int) -> Proposal:
        transfer = Transfer(recipient=account_of(known_key(f"no. {height}")), amount=5)
        body = body_of(transfer, sequence=height - 1, expiry_height=100)
        encoded = sign_transaction(self.genesis.chain, known_key("bank"), body)
        return Proposal(height, START_NS + height * SECOND, [encoded])

    def chunk(self, number: int) -> bytes:
        return self.snapshots.load_chunk(3, number)


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Homes:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    return Homes(tmp_path)


def goes_on(homes: Homes, root: Path) -> None:
    """The copy comes to the same next block as the original, and signs nothing."""
    with open_chain_to_write(homes.root) as original, open_chain_to_write(root) as copy:
        assert copy.machine.info() == original.machine.info() == homes.info
        proposal = homes.proposal(4)
        assert copy.machine.finalize(proposal) == original.machine.finalize(proposal)
        assert copy.machine.commit() == original.machine.commit()
        with pytest.raises(KeyStoreError):
            copy.checkpoint()


def test_a_home_from_a_snapshot(homes: Homes) -> None:
    copy = homes.folder / "copy"
    assert restore_chain(copy, homes.snapshots.manifest(3), homes.chunk, homes.trust) == 3
    goes_on(homes, copy)
    assert (copy / "keys" / "signing").stat().st_mode & 0o777 == 0o700


def test_a_home_from_a_replay(homes: Homes) -> None:
    copy = homes.folder / "copy"
    with open_chain(homes.root) as source:
        done = replay_chain(source, copy)
        note = source.log.latest_checkpoint()
    assert (done.blocks, done.info) == (3, homes.info)
    with open_chain(copy) as home:
        assert home.log.latest_checkpoint() == note
        assert home.vkeys == (homes.vkey,)
    goes_on(homes, copy)


def test_a_copy_that_is_behind_what_was_published_here_says_so(homes: Homes) -> None:
    copy = homes.folder / "copy"
    with open_chain(homes.root) as source:
        assert replay_chain(source, copy, stop=2).info.height == 2
    with open_chain_to_write(copy) as home:
        assert home.log.behind is not None


def test_where_something_is_no_copy_is_made(homes: Homes) -> None:
    manifest = homes.snapshots.manifest(3)
    for root in (homes.root, homes.folder):
        with pytest.raises(RefusedError, match="not empty"):
            restore_chain(root, manifest, homes.chunk, homes.trust)
        with open_chain(homes.root) as source, pytest.raises(RefusedError, match="not empty"):
            replay_chain(source, root)


def test_a_bad_chunk_leaves_no_home_and_the_next_attempt_makes_one(homes: Homes) -> None:
    copy, manifest = homes.folder / "copy", homes.snapshots.manifest(3)
    with pytest.raises(ChunkError, match="chunk 0"):
        restore_chain(copy, manifest, lambda number: homes.chunk(number) + b"\x00", homes.trust)
    with pytest.raises(StorageError, match="holds no chain"), open_chain(copy):
        pass
    restore_chain(copy, manifest, homes.chunk, homes.trust)
    goes_on(homes, copy)


def test_a_chain_that_differs_leaves_no_home(homes: Homes) -> None:
    storage = LmdbStorage.open_writer(homes.root / "log", StoreKind.CHAIN)
    storage.write(lambda transaction: transaction.put(Table.ENTRIES, U64.pack(3), b"\x02what"))
    storage.close()
    copy = homes.folder / "copy"
    with open_chain(homes.root) as source, pytest.raises(ReplayError, match="block 2"):
        replay_chain(source, copy)
    with pytest.raises(StorageError, match="holds no chain"), open_chain(copy):
        pass


def test_a_copy_of_a_snapshot_cannot_be_replayed_from_the_genesis(homes: Homes) -> None:
    copy = homes.folder / "copy"
    restore_chain(copy, homes.snapshots.manifest(3), homes.chunk, homes.trust)
    with open_chain(copy) as source, pytest.raises(LedgerError, match="snapshot"):
        replay_chain(source, homes.folder / "second")
