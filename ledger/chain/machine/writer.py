"""A chain's home made, and opened to write by the one process that does.

`ledger.chain.machine.home` says what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.chain.genesis import Genesis
from ledger.chain.machine.home import ChainPaths, ChainReader, existing_chain
from ledger.chain.machine.kept_heights import KEPT_HEIGHTS
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.signatures import SignatureChecker
from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.errors import RefusedError
from ledger.log import Log
from ledger.log_reader import SIZE, LogReader
from ledger.note import NoteSigner, VerifierKey
from ledger.published import PublishedCheckpoint, published_directory
from ledger.signing_keys import SigningKeys
from ledger.storage import Storage, Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.os_errors import storage_errors
from ledger.storage.store_kind import StoreKind

_PRIVATE_FOLDER: Final = 0o700


class ChainWriter(ChainReader):
    """A chain's home opened to write: its one state machine, and the operator's keys."""

    log: Log

    def __init__(
        self, paths: ChainPaths, storage: Storage, log: Log, machine: StateMachine
    ) -> None:
        super().__init__(paths, storage, log)
        self.machine: Final = machine
        self.signing_keys: Final = SigningKeys(paths.signing_keys)

    def signers(self) -> tuple[NoteSigner, ...]:
        """Every active key of the operator."""
        return self.signing_keys.signers(self.vkeys)

    def checkpoint(self) -> bytes:
        """Sign the chain's log as it is; durable and published on return."""
        return self.log.checkpoint(self.signers())


def create_chain(root: Path, genesis: Genesis) -> VerifierKey:
    """Make a home with a new operator's key and a chain of one leaf; the operator's key.

    Raises `RefusedError` where a chain is already, `MalformedError` for a genesis whose
    state cannot be, and `StorageError`. What an earlier call left half done is finished.
    """
    paths = ChainPaths(root)
    genesis.state()
    if (
        not paths.exists
        and root.exists()
        and {child.name for child in root.iterdir()} - {"keys", "log", "log.new"}
    ):
        raise RefusedError(f"{root} is not empty", hint="choose another place for the chain")
    published = PublishedCheckpoint(published_directory(), log_id(genesis.origin))
    with published.exclusively():
        published.latest()  # refuse before anything is made
    with storage_errors(root):
        root.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        for folder in (paths.signing_keys.parent, paths.signing_keys):
            folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    open_store = LmdbStorage.open_writer if paths.exists else LmdbStorage.create
    storage = open_store(paths.log, StoreKind.CHAIN)
    try:
        if not _has_log(storage):
            signer = NoteSigner(genesis.origin, PrivateKey.generate())
            # The key first: a log whose key is lost would be of no use.
            SigningKeys(paths.signing_keys).add(signer)
            log = Log.create(storage, genesis.origin, signer.verifier_key, published)
        else:
            log = Log.open(storage, published)
            if log.size:
                raise RefusedError(f"{root} has a chain already", hint="choose another place")
        start_chain(storage, log, genesis.encoded)
        return VerifierKey.parse(log.active_vkeys[-1])
    finally:
        storage.close()


def _has_log(storage: Storage) -> bool:
    with storage.read() as transaction:
        return transaction.get(Table.META, SIZE) is not None


@contextmanager
def open_chain_to_write(
    root: Path, checker: SignatureChecker | None = None, kept_heights: int = KEPT_HEIGHTS
) -> Iterator[ChainWriter]:
    """Open a chain's home as its one writer, by the restart rule of `ledger.log`.

    Raises `LockedError` while another process writes, `CorruptStoreError` or `ForkError`
    if the log is not what was signed, or the state not that of its newest block.
    """
    paths = existing_chain(root)
    storage = LmdbStorage.open_writer(paths.log, StoreKind.CHAIN)
    try:
        origin = LogReader(storage).origin
        published = PublishedCheckpoint(published_directory(), log_id(origin))
        log = Log.open(storage, published)
        machine = StateMachine(storage, log, checker, kept_heights)
        yield ChainWriter(paths, storage, log, machine)
    finally:
        storage.close()
