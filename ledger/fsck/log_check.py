"""One pass over the entries: the tree, the checkpoints, and what each entry says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import VerificationError
from ledger.experience.entry import Entry
from ledger.fsck.checkpoint_check import CheckpointCheck, KeysAt
from ledger.fsck.entry_check import EntryCheck, why_not_genuine
from ledger.fsck.entry_rows import entry_tiles, tree_size
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail, FindingKind, Phase
from ledger.fsck.key_trail import KeyTrail
from ledger.fsck.log_identity import LogIdentity, check_keys, read_identity
from ledger.fsck.tree_rebuild import TreeRebuild
from ledger.fsck.trusted_prefix import TrustedPrefix, read_prefix
from ledger.log_reader import TILE_KEY, tile_source
from ledger.merkle.tiles import TILE_HEIGHT, TILE_WIDTH, tile_width
from ledger.note import VerifierKey
from ledger.storage import ReadTransaction, Table

OnEntry = Callable[[int, Entry], None]
"""Called with every entry that can be believed, and its index, in order."""


def check_tree(txn: ReadTransaction, trail: AuditTrail, *, published: bytes | None = None) -> None:
    """Hash everything again: entries, blocks, and the roots of the checkpoints kept.

    No entry is parsed and no signature is checked, so entries may be any bytes.
    """
    size = tree_size(txn, trail)
    tree = TreeRebuild(tile_source(txn), trail)
    checkpoints = CheckpointCheck(txn, trail, published=published)
    for first, entries in entry_tiles(txn, trail, 0, size):
        tree.add_tile(first, entries)
        trail.counters.entries += len(entries)
        checkpoints.reach(first + len(entries), tree.root, None)
        trail.at(Phase.LOG, first + len(entries), size)
    finish_log(txn, trail, tree, checkpoints, size, None)


def check_log(
    txn: ReadTransaction,
    trail: AuditTrail,
    *,
    published: bytes | None = None,
    since: bytes | None = None,
    pinned: Sequence[VerifierKey] = (),
    on_entry: OnEntry | None = None,
) -> int:
    """`check_tree`, and every signature, sequence and key; the first index that was read.

    ``published`` is the newest note that left this robot. ``since`` is a checkpoint to
    trust: entries before its last tile are then not read. ``pinned`` are keys that the
    log must be of. Raises VerificationError or MalformedError for a ``since`` that is
    not a checkpoint of this log.
    """
    identity = read_identity(txn, trail, pinned)
    if identity is None:
        check_tree(txn, trail, published=published)
        return 0
    size = tree_size(txn, trail)
    prefix, keys = _begin(txn, trail, identity, size, since, pinned)
    stored = tile_source(txn)
    tree = TreeRebuild(
        stored,
        trail,
        why_not_genuine=partial(why_not_genuine, identity.log_id),
        first=prefix.first,
        prefix=prefix.tiles,
    )
    checkpoints = CheckpointCheck(
        txn, trail, origin=identity.origin, published=published, after=prefix.size - 1
    )

    def keys_at(tree_size: int) -> list[VerifierKey]:
        return [identity.vkey(key) for key in sorted(keys.at(tree_size))]

    with EntryCheck(identity.log_id, keys, trail) as check:
        for first, entries in entry_tiles(txn, trail, prefix.first, size):
            damaged = tree.add_tile(first, entries)
            believed = check.check_tile(first, entries, damaged)
            if on_entry is not None:
                for index, entry in believed:
                    on_entry(index, entry)
            checkpoints.reach(first + len(entries), tree.root, keys_at)
            trail.at(Phase.LOG, first + len(entries), size)
    finish_log(txn, trail, tree, checkpoints, size, keys_at)
    # A trusted checkpoint was signed by a pinned key already, which may have been retired since.
    check_keys(identity, trail, () if since else pinned, keys.at(size), keys.ever)
    return prefix.first


def _begin(
    txn: ReadTransaction,
    trail: AuditTrail,
    identity: LogIdentity,
    size: int,
    since: bytes | None,
    pinned: Sequence[VerifierKey],
) -> tuple[TrustedPrefix, KeyTrail]:
    """Where the pass begins, and the keys that are valid there."""
    from_start = TrustedPrefix(), KeyTrail(identity.log_id, [bytes(identity.first_key.public_key)])
    if since is None:
        return from_start
    checkpoint, signers = _open_trusted(since, identity, pinned)
    subject = f"trusted checkpoint of {checkpoint.size} entries"
    if checkpoint.size > size:
        trail.find(
            FindingKind.CHECKPOINT_AHEAD, subject, f"the log has {size}; everything was read"
        )
        return from_start
    prefix = read_prefix(txn, tile_source(txn), checkpoint.size, checkpoint.root)
    if prefix is None:
        trail.find(
            FindingKind.CHECKPOINT_ROOT,
            subject,
            "the stored hashes before it do not lead to its root; everything was read",
        )
        return from_start
    if prefix.first:
        trail.note(f"entries before {prefix.first} were left out: a trusted checkpoint covers them")
    return prefix, KeyTrail(identity.log_id, signers, prefix.size)


def _open_trusted(
    since: bytes, identity: LogIdentity, pinned: Sequence[VerifierKey]
) -> tuple[Checkpoint, frozenset[bytes]]:
    """The checkpoint to trust, and the log's keys that signed it: those valid at its size."""
    own = [
        identity.vkey(key)
        for key in sorted({bytes(identity.first_key.public_key), *identity.active, *identity.known})
    ]
    checkpoint = open_checkpoint(since, pinned or own).checkpoint
    if checkpoint.origin != identity.origin:
        raise VerificationError(
            f"the checkpoint to trust is of {checkpoint.origin}, the log is {identity.origin}"
        )
    opened = open_checkpoint(since, tuple(dict.fromkeys((*pinned, *own))))
    return checkpoint, frozenset(
        bytes(signature.key.public_key) for signature in opened.log_signatures
    )


def finish_log(
    txn: ReadTransaction,
    trail: AuditTrail,
    tree: TreeRebuild,
    checkpoints: CheckpointCheck,
    size: int,
    keys_at: KeysAt | None,
) -> None:
    """Check what is left after the last entry: upper tiles, checkpoints ahead, stray tiles."""
    checkpoints.reach(size, tree.root, keys_at)
    tree.finish()
    checkpoints.finish(size)
    expected = _block_count(size)
    if txn.count(Table.TILES) == expected and not trail.findings_total:
        return
    extra = (key for key, _ in txn.scan(Table.TILES) if not _is_block(key, size))
    for key in islice(extra, MAX_FINDINGS):
        tile = TILE_KEY.unpack(key) if len(key) == TILE_KEY.size else None
        name = f"tile {tile[0]}/{tile[1]}" if tile else f"row {key.hex()} of TILES"
        trail.find(FindingKind.TILE_EXTRA, name, f"no tree of {size} entries has it", tile=tile)


def _block_count(size: int) -> int:
    count = 0
    while size:
        count += -(-size // TILE_WIDTH)
        size >>= TILE_HEIGHT
    return count


def _is_block(key: bytes, size: int) -> bool:
    if len(key) != TILE_KEY.size:
        return False
    level, index = TILE_KEY.unpack(key)
    return tile_width(level, index, size) > 0
