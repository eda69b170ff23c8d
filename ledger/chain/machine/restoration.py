"""A chain made out of a snapshot, chunk by chunk: for whoever joins late.

::

    restoration = Restoration.offer(storage, manifest, trust)    OfferSnapshot
    for number in restoration.missing:
        restoration.apply_chunk(number, ...)                     ApplySnapshotChunk
    restoration.finish(published)                                then `StateMachine`

Nothing is believed: the manifest is checked against `Trust`, each chunk against the manifest
before anything of it is stored, so that whoever sent a wrong one is known by it. The store
is no chain before `finish`, whatever happens; it then has the state at the snapshot's
height, that block's header, and the right edge of the log (`ledger.log_reader`).
"""

from __future__ import annotations

from ledger.chain.light.snapshot import VerifiedManifest, verify_chunk, verify_manifest
from ledger.chain.light.trust import Trust
from ledger.chain.machine.block_rows import put_genesis, put_snapshot_header
from ledger.chain.state.restore import add_leaves, begin_at
from ledger.checkpoint import open_checkpoint
from ledger.errors import ForkError, NotFoundError, RefusedError
from ledger.log_reader import (
    ACTIVE_VKEYS,
    FIRST_ENTRY,
    FIRST_VKEY,
    KNOWN_VKEYS,
    ORIGIN,
    SIZE,
    TILE_KEY,
    U64,
)
from ledger.published import PublishedCheckpoint
from ledger.storage import ReadTransaction, Storage, Table, WriteTransaction


class Restoration:
    """A store on its way to being a chain. Use `offer`."""

    def __init__(self, storage: Storage, manifest: VerifiedManifest, trust: Trust) -> None:
        self._storage = storage
        self.manifest = manifest
        self._trust = trust
        self._missing = set(range(len(manifest.chunks)))
        self._finished = False

    @classmethod
    def offer(cls, storage: Storage, manifest: bytes, trust: Trust) -> Restoration:
        """Begin with an empty store and a manifest.

        Raises MalformedError or VerificationError for a manifest that is not to be
        believed; RefusedError for a store that has anything in it.
        """
        verified = verify_manifest(manifest, trust)
        with storage.read() as transaction:
            if not _is_empty(transaction):
                raise RefusedError("a snapshot is restored into an empty store")
        return cls(storage, verified, trust)

    @property
    def missing(self) -> list[int]:
        """The numbers of the chunks that were not applied yet, ascending."""
        return sorted(self._missing)

    def apply_chunk(self, number: int, data: bytes) -> None:
        """Check a chunk and store it; again is no harm. In any order.

        Raises ChunkError, with nothing stored, for one that is not the manifest's.
        """
        leaves = verify_chunk(self.manifest, number, data)
        if number in self._missing:
            self._storage.write(lambda transaction: add_leaves(transaction, leaves))
            self._missing.discard(number)

    def finish(self, published: PublishedCheckpoint) -> None:
        """Make the store a chain; durable on return, and the checkpoint is published.

        Raises NotFoundError while chunks are missing; ForkError if this machine has
        published another history of this length.
        """
        if self._finished:
            raise RefusedError("the snapshot is restored already")
        if self._missing:
            raise NotFoundError(
                f"{len(self._missing)} chunks of the snapshot are missing",
                hint=f"the first is {self.missing[0]}",
            )
        with published.exclusively():
            newer = self._is_newer(published)
            self._storage.write(self._write)
            if newer:
                published.publish(self.manifest.checkpoint.note)
        self._finished = True

    def _is_newer(self, published: PublishedCheckpoint) -> bool:
        """Whether the snapshot's checkpoint is newer than the published one."""
        note = published.latest()
        if note is None:
            return True
        seen = open_checkpoint(note, self._trust.log_keys).checkpoint
        ours = self.manifest.checkpoint.checkpoint
        if seen.size == ours.size and seen.root != ours.root:
            raise ForkError(
                f"the snapshot and the published checkpoint {published.path} disagree",
                hint="keep both: they are evidence against the operator",
            )
        return seen.size < ours.size

    def _write(self, transaction: WriteTransaction) -> None:
        manifest, header = self.manifest, self.manifest.header
        begin_at(transaction, header.height, header.state_root)
        put_genesis(transaction, manifest.genesis)
        put_snapshot_header(transaction, header)
        transaction.put(Table.ENTRIES, U64.pack(header.log_size), header.leaf)
        for (level, index), block in manifest.blocks.items():
            transaction.put(Table.TILES, TILE_KEY.pack(level, index), block)
        size = U64.pack(header.log_size + 1)
        transaction.put(Table.CHECKPOINTS, size, manifest.checkpoint.note)
        vkeys = "\n".join(key.encode() for key in self._trust.log_keys).encode("utf-8")
        for name, value in (
            (ORIGIN, self._trust.origin.encode("utf-8")),
            (FIRST_VKEY, self._trust.log_keys[0].encode().encode("utf-8")),
            (ACTIVE_VKEYS, vkeys),
            (KNOWN_VKEYS, vkeys),
            (FIRST_ENTRY, U64.pack(header.log_size)),
            (SIZE, size),
        ):
            transaction.put(Table.META, name, value)


def _is_empty(transaction: ReadTransaction) -> bool:
    """Whether a store has nothing in it but its format."""
    return not any(transaction.count(table) for table in Table if table is not Table.META) and (
        transaction.get(Table.META, SIZE) is None
    )
