"""Writing a log: durable appends, and checkpoints that never contradict one another.

The writer holds the right edge of the tree in memory, built by the restart rule
(`ledger.restart`) and from then on only out of the bytes it appends. That edge is
what a checkpoint signs; nothing read back from a store is ever signed unchecked.

A checkpoint is durable here, and then in the place outside the home that remembers
what was published (`ledger.published`), before `Log.checkpoint` returns it. A log
that is shorter than what it published, as a home restored from a backup is, neither
appends nor signs until `Log.catch_up` brought the missing entries back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from ledger.checkpoint import (
    Checkpoint,
    VerifiedCheckpoint,
    log_id,
    open_checkpoint,
    sign_checkpoint,
)
from ledger.errors import (
    BehindError,
    CorruptStoreError,
    EntryTooLargeError,
    ForkError,
    KeyStoreError,
    LedgerError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.log_reader import (
    ACTIVE_VKEYS,
    FIRST_VKEY,
    KNOWN_VKEYS,
    ORIGIN,
    SIZE,
    TILE_KEY,
    U64,
    LogReader,
    read_size,
)
from ledger.merkle.compact_range import Growth
from ledger.merkle.entry_bundle import MAX_ENTRY_SIZE
from ledger.merkle.hashing import leaf_hashes
from ledger.merkle.tiles import Block, extend_blocks
from ledger.note import KeyKind, NoteSigner, SignedNote, VerifierKey, sign_note
from ledger.published import PublishedCheckpoint
from ledger.restart import RightEdge, check_right_edge, still_partial
from ledger.storage import Storage, Table, WriteTransaction
from ledger.witness import merge_cosignatures

Row: TypeAlias = tuple[Table, bytes, bytes]
"""A row to write with an append: table, key, value."""


class Log(LogReader):
    """The one writer of a log. Use `create` or `open`; methods may be called from any thread."""

    def __init__(
        self, storage: Storage, published: PublishedCheckpoint, keys: Sequence[VerifierKey] = ()
    ) -> None:
        super().__init__(storage)
        self._published = published
        self._extra_keys = tuple(keys)
        self._lock = threading.RLock()
        self._behind: Checkpoint | None = None
        self._seen: VerifiedCheckpoint | None = None
        self._edge: RightEdge | None = None
        with self._lock:
            self._checked_edge()

    @classmethod
    def create(
        cls,
        storage: Storage,
        origin: str,
        first_key: VerifierKey,
        published: PublishedCheckpoint,
    ) -> Log:
        """Start an empty log in an empty store.

        Raises RefusedError if the store has a log, or the key another name than the
        origin, and MalformedError for an origin no checkpoint could carry.
        """
        Checkpoint(origin, 0, bytes(32))
        if first_key.name != origin or first_key.kind is not KeyKind.ED25519:
            raise RefusedError(f"key {first_key.name} must not sign for the log {origin}")
        vkey = first_key.encode().encode("utf-8")

        def start(transaction: WriteTransaction) -> None:
            if transaction.get(Table.META, SIZE) is not None:
                raise RefusedError("the store has a log in it", hint="open it instead")
            transaction.put(Table.META, ORIGIN, origin.encode("utf-8"))
            for name in (FIRST_VKEY, ACTIVE_VKEYS, KNOWN_VKEYS):
                transaction.put(Table.META, name, vkey)
            transaction.put(Table.META, SIZE, U64.pack(0))

        if published.path.stem != log_id(origin).hex():
            raise RefusedError("the place of published checkpoints is another log's")
        storage.write(start)
        return cls.open(storage, published)

    @classmethod
    def open(
        cls, storage: Storage, published: PublishedCheckpoint, keys: Sequence[VerifierKey] = ()
    ) -> Log:
        """Open a log for writing, by the restart rule.

        ``keys`` are further keys of the log, for checkpoints newer than a restored
        store. A log that is behind opens, see `behind`. Raises CorruptStoreError if
        the store is not what was signed, ForkError if the log contradicts what it
        published.
        """
        return cls(storage, published, keys)

    @property
    def behind(self) -> Checkpoint | None:
        """The published checkpoint that this log is too short for, if it is."""
        return self._behind

    def append(
        self,
        entries: Sequence[bytes],
        records: Sequence[Row] = (),
        alongside: Callable[[WriteTransaction], None] | None = None,
    ) -> range:
        """Append entries and write ``records``, all or nothing, durable on return.

        ``alongside`` writes more in the same transaction; as all such work it may run
        again. Returns the leaf indices. Raises EntryTooLargeError, BehindError,
        StorageError.
        """
        with self._lock:
            edge = self._current_edge()
            return self._append(edge, entries, records, alongside)

    def root_with(self, hashes: Sequence[bytes]) -> tuple[int, bytes]:
        """Size and root that the log would have with these leaf hashes appended.

        Raises as `append` does.
        """
        with self._lock:
            grown = self._current_edge().range.extend(hashes)
            return grown.size, grown.root()

    def checkpoint(self, signers: Sequence[NoteSigner]) -> bytes:
        """Sign the log as it is; durable and remembered as published on return.

        At a size that has a checkpoint, the signatures it lacks are added to it, and
        with nothing to add it is returned as it is. Raises BehindError or ForkError
        if the log contradicts what it published, KeyStoreError for a key that is not
        the log's.
        """
        with self._lock, self._published.exclusively():
            self._check_published(self._checked_edge())
            edge = self._current_edge()
            note = self._sign(edge, signers)
            self._store_checkpoint(edge, note)
            return note

    def catch_up(
        self, entries: Sequence[bytes], checkpoint: bytes, records: Sequence[Row] = ()
    ) -> range:
        """Append what a restored log lacks, up to a checkpoint that it once signed.

        ``entries`` are those from the log's size on. They, and ``checkpoint``, are
        kept only if they lead to its root and through what was published; then the
        log may sign again. Raises VerificationError or ForkError if they do not.
        """
        with self._lock, self._published.exclusively():
            edge = self._checked_edge()
            target = open_checkpoint(checkpoint, self._all_keys())
            wanted, size = target.checkpoint, edge.range.size + len(entries)
            if wanted.origin != self.origin or wanted.size != size:
                raise RefusedError(
                    f"the checkpoint is of {wanted.origin} at {wanted.size} leaves, the entries"
                    f" lead {self.origin} to {size}"
                )
            _check_entry_sizes(entries)
            hashes = leaf_hashes(entries)
            if edge.range.extend(hashes).root() != wanted.root:
                raise VerificationError("the entries do not lead to the root of the checkpoint")
            seen = self._read_published()
            if seen and seen.checkpoint.size > wanted.size:
                raise _behind(wanted.size, seen.checkpoint)
            if seen and seen.checkpoint.size >= edge.range.size:
                part = hashes[: seen.checkpoint.size - edge.range.size]
                if edge.range.extend(part).root() != seen.checkpoint.root:
                    raise _fork(seen.checkpoint)
            rows = list(records)
            if edge.checkpoint is None or edge.checkpoint.checkpoint.size < wanted.size:
                rows.append((Table.CHECKPOINTS, U64.pack(wanted.size), bytes(checkpoint)))
            indices = self._append(edge, entries, rows)
            if not seen or seen.checkpoint.size < wanted.size:
                self._published.publish(bytes(checkpoint))
            self._edge = None
            self._checked_edge()
            return indices

    def merge_cosignatures(
        self, size: int, lines: bytes, witness_keys: Sequence[VerifierKey]
    ) -> bytes:
        """Add witnesses' signature lines to the stored checkpoint of ``size``; the note, durable.

        Lines of other keys than ``witness_keys`` are left out, and of a witness's lines
        the newest is kept. Raises `NotFoundError` for a size without a checkpoint, and as
        `ledger.witness.merge_cosignatures` does; nothing is changed then.
        """
        key = U64.pack(size)
        with self._lock:
            keys = self._all_keys()

            def merge(transaction: WriteTransaction) -> bytes:
                stored = transaction.get(Table.CHECKPOINTS, key)
                if stored is None:
                    raise NotFoundError(f"no checkpoint of {size} leaves is stored")
                note = merge_cosignatures(stored, lines, keys, witness_keys)
                if note != stored:
                    transaction.put(Table.CHECKPOINTS, key, note)
                return note

            return self._storage.write(merge)

    def vkey_rows(self, active: Sequence[VerifierKey]) -> tuple[Row, Row]:
        """The rows that make ``active`` the signing keys, to append with a key's entry."""
        if not active or any(
            key.name != self.origin or key.kind is not KeyKind.ED25519 for key in active
        ):
            raise RefusedError("a log needs a signing key, and each must carry its origin")
        known = dict.fromkeys((*self.known_keys(), *active))
        return (
            (Table.META, ACTIVE_VKEYS, _lines(active)),
            (Table.META, KNOWN_VKEYS, _lines(tuple(known))),
        )

    def close(self) -> None:
        """Close the store."""
        self._storage.close()

    def _checked_edge(self) -> RightEdge:
        # After a failed write nobody knows what was kept: the store is read again.
        if self._edge is None:
            keys = self._all_keys()
            with self._storage.read() as transaction:
                edge = check_right_edge(transaction, self.origin, keys)
            self._check_published(edge)
            self._edge = edge
        return self._edge

    def _current_edge(self) -> RightEdge:
        edge = self._checked_edge()
        if self._behind:
            raise _behind(edge.range.size, self._behind)
        return edge

    def _all_keys(self) -> tuple[VerifierKey, ...]:
        return tuple(dict.fromkeys((*self.known_keys(), *self._extra_keys)))

    def _append(
        self,
        edge: RightEdge,
        entries: Sequence[bytes],
        records: Sequence[Row],
        alongside: Callable[[WriteTransaction], None] | None = None,
    ) -> range:
        _check_entry_sizes(entries)
        growth = edge.range.grow(leaf_hashes(entries))
        indices = range(growth.old_size, growth.after.size)
        blocks = extend_blocks(growth, lambda *place: edge.partial_blocks.get(place))
        self._edge = None

        def write(transaction: WriteTransaction) -> None:
            _write(transaction, indices, entries, blocks, records)
            if alongside:
                alongside(transaction)

        self._storage.write(write)
        self._edge = _grown(edge, growth, blocks)
        return indices

    def _sign(self, edge: RightEdge, signers: Sequence[NoteSigner]) -> bytes:
        if not signers:
            raise KeyStoreError("no key to sign a checkpoint with")
        size = edge.range.size
        checkpoint = Checkpoint(self.origin, size, edge.range.root())
        with self._storage.read() as transaction:
            stored = transaction.get(Table.CHECKPOINTS, U64.pack(size))
        if stored is None:
            note = sign_checkpoint(checkpoint, signers)
        else:
            if self._open(stored, "a stored checkpoint").checkpoint != checkpoint:
                raise _fork(checkpoint)
            lines = SignedNote.parse(stored).signatures
            there = {(line.name, line.key_id) for line in lines}
            missing = [s for s in signers if (s.name, s.verifier_key.key_id) not in there]
            if not missing:
                return stored
            sign_checkpoint(checkpoint, missing)  # refuses a key with another name
            note = sign_note(checkpoint.encode(), missing, lines)
        keys = self.known_keys()
        if any(signer.verifier_key not in keys for signer in signers):
            raise KeyStoreError(
                "a key that the log does not know was to sign its checkpoint",
                hint="rotate to the new key first",
            )
        open_checkpoint(note, keys)
        return note

    def _store_checkpoint(self, edge: RightEdge, note: bytes) -> None:
        key = U64.pack(edge.range.size)
        with self._storage.read() as transaction:
            durable = transaction.get(Table.CHECKPOINTS, key) == note
        if not durable:
            self._storage.write(lambda transaction: transaction.put(Table.CHECKPOINTS, key, note))
        if self._seen is None or self._seen.note != note:
            self._published.publish(note)
            self._seen = open_checkpoint(note, self._all_keys())
        self._edge = replace(edge, checkpoint=self._seen)

    def _read_published(self) -> VerifiedCheckpoint | None:
        note = self._published.latest()
        if note is None:
            return None
        if self._seen is None or self._seen.note != note:
            self._seen = self._open(note, f"the published checkpoint {self._published.path}")
        return self._seen

    def _open(self, note: bytes, what: str) -> VerifiedCheckpoint:
        try:
            opened = open_checkpoint(note, self._all_keys())
        except LedgerError as error:
            raise CorruptStoreError(
                f"{what} is not good: {error.message}",
                hint="the log may lack a newer key of its own; nothing is signed until it verifies",
            ) from error
        if opened.checkpoint.origin != self.origin:
            raise CorruptStoreError(f"{what} is of the log {opened.checkpoint.origin}")
        return opened

    def _check_published(self, edge: RightEdge) -> None:
        """Set `behind`, or raise ForkError, by what was published."""
        seen = self._read_published()
        self._behind = None
        if seen is None:
            return
        published, stored = seen.checkpoint, edge.checkpoint
        if published.size > edge.range.size:
            self._behind = published
            return
        if published.size == edge.range.size:
            root = edge.range.root()
        elif stored and stored.checkpoint.size == published.size:
            root = stored.checkpoint.root
        else:
            root = self.root(published.size)
        if root != published.root:
            raise _fork(published)


def _write(
    transaction: WriteTransaction,
    indices: range,
    entries: Sequence[bytes],
    blocks: Sequence[Block],
    records: Sequence[Row],
) -> None:
    if read_size(transaction) != indices.start:
        raise CorruptStoreError("the log changed under its writer", hint="open it again")
    transaction.append_many(Table.ENTRIES, zip(map(U64.pack, indices), entries, strict=True))
    transaction.put_many(
        Table.TILES, [(TILE_KEY.pack(block.level, block.index), block.data) for block in blocks]
    )
    for table, key, value in records:
        transaction.put(table, key, value)
    transaction.put(Table.META, SIZE, U64.pack(indices.stop))


def _grown(edge: RightEdge, growth: Growth, blocks: Sequence[Block]) -> RightEdge:
    partial = still_partial(edge.partial_blocks, blocks)
    return RightEdge(growth.after, partial, edge.checkpoint)


def _check_entry_sizes(entries: Sequence[bytes]) -> None:
    longest = max(map(len, entries), default=0)
    if longest > MAX_ENTRY_SIZE:
        raise EntryTooLargeError(
            f"an entry of {longest} bytes; the limit is {MAX_ENTRY_SIZE}",
            hint="log a digest and metadata, and keep the content beside the log",
        )


def _lines(keys: Sequence[VerifierKey]) -> bytes:
    return "\n".join(key.encode() for key in keys).encode("utf-8")


def _behind(size: int, published: Checkpoint) -> BehindError:
    return BehindError(
        f"the log has {size} leaves, but has published a checkpoint of {published.size}",
        hint=f"it was restored from an old backup: bring back entries {size} to"
        f" {published.size - 1} from a newer backup or a peer and catch up; until then it"
        " neither appends nor signs",
    )


def _fork(published: Checkpoint) -> ForkError:
    return ForkError(
        f"the log and the checkpoint it published at {published.size} leaves differ",
        hint="keep both; the entries behind the published one are needed to go on",
    )
