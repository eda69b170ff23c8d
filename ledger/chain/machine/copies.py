"""A second home of a chain: out of a snapshot, or by living all of it again.

The copy has the chain and not the operator's keys. It appears under its name whole or not
at all; what an earlier attempt left half done is begun again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.chain.light.trust import Trust
from ledger.chain.machine.home import ChainPaths, ChainReader
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.replay import Replayed, replay
from ledger.chain.machine.restoration import Restoration
from ledger.chain.machine.signatures import SignatureChecker
from ledger.checkpoint import Checkpoint, log_id
from ledger.durable_file import sync_folder
from ledger.errors import CorruptStoreError, MalformedError, RefusedError
from ledger.log import Log
from ledger.log_reader import U64, LogReader
from ledger.note import VerifierKey
from ledger.published import PublishedCheckpoint, published_directory
from ledger.storage import Storage, Table, WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.os_errors import storage_errors
from ledger.storage.store_kind import StoreKind

_PRIVATE_FOLDER = 0o700


def restore_chain(
    root: Path, manifest: bytes, load_chunk: Callable[[int], bytes], trust: Trust
) -> int:
    """Make a home out of a snapshot; the height that it stands at.

    ``load_chunk`` gives a chunk by its number. Raises RefusedError where something is;
    MalformedError, VerificationError and its `ChunkError` for what is not to be believed.
    """
    with _new_store(root) as storage:
        restoration = Restoration.offer(storage, manifest, trust)
        for number in restoration.missing:
            restoration.apply_chunk(number, load_chunk(number))
        restoration.finish(PublishedCheckpoint(published_directory(), log_id(trust.origin)))
    return restoration.manifest.header.height


def replay_chain(
    source: ChainReader,
    root: Path,
    checker: SignatureChecker | None = None,
    stop: int | None = None,
) -> Replayed:
    """Make a home by carrying out every block of another one, up to height ``stop``.

    The newest checkpoint of the source that the copy bears out comes along. Raises
    RefusedError where something is; `ReplayError` for the first leaf that differs.
    """
    log = source.log
    with source.storage.read() as transaction:
        first_key = VerifierKey.parse(log.first_vkey)
        genesis = transaction.get(Table.ENTRIES, U64.pack(0))
    if genesis is None:
        raise RefusedError(
            "the chain was restored from a snapshot and cannot be replayed from its genesis",
            hint="replay it from a home that has all of its leaves",
        )
    with _new_store(root) as storage:
        # A copy signs nothing, so it need not fear that it is behind what was published here.
        unpublished = PublishedCheckpoint(root / "published", log.log_id)
        copy = Log.create(storage, log.origin, first_key, unpublished)
        keys = tuple(map(VerifierKey.parse, log.active_vkeys))
        rows = copy.vkey_rows(keys)
        start_chain(storage, copy, genesis[1:])

        def put_keys(transaction: WriteTransaction) -> None:
            for row in rows:
                transaction.put(*row)

        storage.write(put_keys)
        done = replay(source.storage, log, StateMachine(storage, copy, checker), stop)
        _take_checkpoint(storage, copy, log)
    return done


@contextmanager
def _new_store(root: Path) -> Iterator[Storage]:
    """A store that becomes the home's when the block ends well."""
    paths = ChainPaths(root)
    building = root / "log.building"
    if root.exists() and {child.name for child in root.iterdir()} - {building.name, "keys"}:
        raise RefusedError(f"{root} is not empty", hint="choose another place for the copy")
    with storage_errors(root):
        for folder in (root, paths.signing_keys.parent, paths.signing_keys):
            folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        if building.exists():
            shutil.rmtree(building)
    storage = LmdbStorage.create(building, StoreKind.CHAIN)
    try:
        yield storage
    finally:
        storage.close()
    with storage_errors(root):
        building.replace(paths.log)
        sync_folder(root)


def _take_checkpoint(storage: Storage, copy: Log, source: LogReader) -> None:
    newest: bytes | None = None
    size = 0
    for found, note in source.checkpoints():
        if found <= copy.size:
            size, newest = found, note
    if newest is None:
        return
    try:
        checkpoint = Checkpoint.of_note(newest)
    except MalformedError as error:
        raise CorruptStoreError(f"a checkpoint of the chain: {error.message}") from error
    if checkpoint.root != copy.root(size):
        raise CorruptStoreError(f"the checkpoint at {size} leaves is not of these leaves")
    storage.write(lambda transaction: transaction.put(Table.CHECKPOINTS, U64.pack(size), newest))
