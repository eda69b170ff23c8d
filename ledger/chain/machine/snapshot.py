"""Taking snapshots, and the folder that keeps them for whoever wants to join.

::

    FOLDER/<height>/manifest        `SnapshotManifest`
    FOLDER/<height>/<number>.chunk  0 to 2^k - 1; one without leaves has no bytes

A snapshot appears under its name whole, or not at all. What is in it, and how it is
checked, says `ledger.chain.light.snapshot`; `restoration` makes a chain of it.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final

from ledger.chain.header import Header
from ledger.chain.light.snapshot import (
    MAX_CHUNK_BYTES,
    MAX_PREFIX_BITS,
    VERSION,
    combine_roots,
    edge_places,
)
from ledger.chain.machine.block_rows import newest_height, read_genesis, read_header
from ledger.chain.state.bucket import Leaf, bucket_root
from ledger.chain.state.hashing import EMPTY_ROOT, HASH_SIZE, PATH_BITS
from ledger.chain.state.store import State, open_state
from ledger.durable_file import sync_folder, write_durably
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError, RefusedError
from ledger.log_reader import U64, tile_source
from ledger.merkle.tiles import require_block
from ledger.schema.canonical import parse_message, serialize_message
from ledger.schema.chain_snapshot_pb2 import SnapshotChunk, SnapshotManifest
from ledger.storage import ReadTransaction, Storage, Table
from ledger.storage.os_errors import storage_errors

LEAVES_A_CHUNK: Final = 4_096
"""At most so many on average: some 400 kB."""

_MANIFEST: Final = "manifest"
_HALF_DONE: Final = re.compile(r"\.\d+\.(\d{1,9})\.(?:new|old)")
"""Height and process."""


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What is offered to a replica that wants to join: ABCI's ``Snapshot``."""

    height: int
    format: int
    chunks: int
    hash: bytes
    """SHA-256 of the manifest."""


class SnapshotStore:
    """A folder of snapshots. Methods raise StorageError and its kin."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def take(self, storage: Storage, height: int | None = None) -> SnapshotInfo:
        """Take a snapshot of a chain after block ``height``, the newest without one.

        Raises NotFoundError for a block that is not there or whose state is no longer
        kept, or that no checkpoint ends with; RefusedError if it is there already.
        """
        with storage.read() as transaction:
            if height is None:
                height = newest_height(transaction)
            final = self._path(height)
            if final.exists():
                raise RefusedError(f"{final} is there already")
            index, header = read_header(transaction, height)
            checkpoint = transaction.get(Table.CHECKPOINTS, U64.pack(index + 1))
            if checkpoint is None:
                raise NotFoundError(
                    f"no checkpoint ends with block {height}", hint="have the operator sign it"
                )
            state = open_state(transaction, height)
            self._sweep()
            building = self.folder / f".{height}.{os.getpid()}.new"
            with storage_errors(building):
                shutil.rmtree(building, ignore_errors=True)
                building.mkdir(parents=True)
            try:
                bits, chunks = _write_chunks(building, state)
                message = SnapshotManifest(
                    version=VERSION,
                    genesis=read_genesis(transaction).encoded,
                    header=header.encode(),
                    checkpoint=checkpoint,
                    edge=_edge(transaction, index + 1),
                    prefix_bits=bits,
                    chunks=chunks,
                )
                manifest = serialize_message(message, "manifest")
                with storage_errors(final):
                    write_durably(building / _MANIFEST, manifest)
                    building.rename(final)
                    sync_folder(self.folder)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        return _info(header, manifest, len(chunks))

    def list(self) -> list[SnapshotInfo]:
        """The snapshots that are there, the newest first: ABCI's ``ListSnapshots``."""
        with storage_errors(self.folder):
            names = [each.name for each in self.folder.iterdir()] if self.folder.is_dir() else []
        heights = sorted((int(name) for name in names if name.isdigit()), reverse=True)
        return [self._info_of(height) for height in heights]

    def manifest(self, height: int) -> bytes:
        """The manifest of a snapshot. Raises NotFoundError."""
        return _read(self._path(height) / _MANIFEST, f"there is no snapshot of block {height}")

    def load_chunk(self, height: int, number: int) -> bytes:
        """A chunk of a snapshot: ABCI's ``LoadSnapshotChunk``. Raises NotFoundError."""
        path = self._path(height) / f"{number}.chunk"
        return _read(path, f"the snapshot of block {height} has no chunk {number}")

    def delete(self, height: int) -> None:
        """Remove a snapshot. Raises NotFoundError if there is none."""
        path = self._path(height)
        gone = self.folder / f".{height}.{os.getpid()}.old"
        with storage_errors(path):
            try:
                path.rename(gone)
            except FileNotFoundError:
                raise NotFoundError(f"there is no snapshot of block {height}") from None
            shutil.rmtree(gone)

    def _sweep(self) -> None:
        """Remove what processes that are gone left half done."""
        with storage_errors(self.folder):
            names = [each.name for each in self.folder.iterdir()] if self.folder.is_dir() else []
            for name in names:
                found = _HALF_DONE.fullmatch(name)
                if found and not _is_alive(int(found[1])):
                    shutil.rmtree(self.folder / name, ignore_errors=True)

    def _path(self, height: int) -> Path:
        return self.folder / f"{height:d}"

    def _info_of(self, height: int) -> SnapshotInfo:
        manifest = self.manifest(height)
        try:
            message = parse_message(SnapshotManifest, manifest, "manifest")
            header = Header.parse(message.header)
        except MalformedError as error:
            raise CorruptStoreError(
                f"the snapshot of block {height} is damaged: {error.message}",
                hint=f"remove {self._path(height)}",
            ) from error
        return _info(header, manifest, len(message.chunks))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _info(header: Header, manifest: bytes, chunks: int) -> SnapshotInfo:
    return SnapshotInfo(header.height, VERSION, chunks, sha256(manifest).digest())


def _read(path: Path, missing: str) -> bytes:
    with storage_errors(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise NotFoundError(missing) from None


def _edge(transaction: ReadTransaction, size: int) -> list[bytes]:
    """The hashes of the last tile of every level, in the tree of ``size`` leaves."""
    get_block = tile_source(transaction)
    return [
        require_block(get_block(level, index), level, index, width)[: HASH_SIZE * width]
        for level, index, width in edge_places(size)
    ]


def _write_chunks(folder: Path, state: State) -> tuple[int, list[SnapshotChunk]]:
    """Write the chunks of a state; k, and what the manifest says of each.

    k depends on the state alone, so that replicas take the same snapshot.
    """
    leaves = sum(1 for _ in state.nodes.leaves())
    bits = max(0, (leaves - 1) // LEAVES_A_CHUNK).bit_length()
    while bits <= MAX_PREFIX_BITS:
        chunks = [SnapshotChunk(root=EMPTY_ROOT)] * (1 << bits)
        for number, part in groupby(state.nodes.leaves(), lambda leaf: _prefix(leaf, bits)):  # noqa: B023
            rows = list(part)
            data = b"".join([row[HASH_SIZE:] for _, row in rows])
            if len(data) > MAX_CHUNK_BYTES:
                break
            with storage_errors(folder):
                write_durably(folder / f"{number}.chunk", data)
            chunks[number] = SnapshotChunk(root=bucket_root(rows), size=len(data))
        else:
            break
        bits += 1
    else:
        raise RefusedError(f"the state does not fit 2^{MAX_PREFIX_BITS} chunks")
    if combine_roots([chunk.root for chunk in chunks]) != state.root:
        raise CorruptStoreError(
            f"the state's root at height {state.height} is not that of its keys",
            hint="audit the chain",
        )
    for number, chunk in enumerate(chunks):
        if not chunk.size:
            with storage_errors(folder):
                write_durably(folder / f"{number}.chunk", b"")
    return bits, chunks


def _prefix(leaf: Leaf, bits: int) -> int:
    return int.from_bytes(leaf[0], "big") >> PATH_BITS - bits
