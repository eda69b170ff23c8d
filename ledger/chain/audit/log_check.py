"""One pass over the leaves of a chain: the tree, the checkpoints, and every block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.chain.audit.block_walk import BlockWalk
from ledger.chain.codes import RefusalError
from ledger.chain.genesis import Genesis
from ledger.chain.leaf import LeafKind, decode_leaf
from ledger.chain.machine.block_rows import GENESIS
from ledger.chain.transaction import parse_transaction
from ledger.ed25519 import is_signed
from ledger.errors import CorruptStoreError, MalformedError
from ledger.fsck.checkpoint_check import CheckpointCheck
from ledger.fsck.entry_rows import entry_tiles, tree_size
from ledger.fsck.findings import AuditTrail, FindingKind, Phase
from ledger.fsck.log_check import finish_log
from ledger.fsck.log_identity import check_keys, read_identity
from ledger.fsck.tree_rebuild import TreeRebuild
from ledger.fsck.trusted_prefix import right_edge
from ledger.log_reader import read_first_entry, tile_source
from ledger.merkle.tiles import TILE_WIDTH
from ledger.note import VerifierKey
from ledger.storage import ReadTransaction, Table


def check_chain_log(
    txn: ReadTransaction,
    trail: AuditTrail,
    walk: BlockWalk,
    *,
    published: bytes | None = None,
    pinned: Sequence[VerifierKey] = (),
) -> None:
    """Rebuild the log, check every checkpoint, and hand each leaf that is whole to ``walk``.

    ``published`` is the newest note that left this machine, ``pinned`` are keys that the
    log must be of.
    """
    identity = read_identity(txn, trail, pinned)
    size = tree_size(txn, trail)
    start = _first_entry(txn, trail, size)
    first_tile = start - start % TILE_WIDTH
    edge = right_edge(tile_source(txn), first_tile)
    if edge is None:
        message = f"tiles of the tree before leaf {start} are not there"
        trail.find(FindingKind.TILE_MISSING, f"the right edge of {start} leaves", message)
        return
    chain = _chain_id(txn)
    tree = TreeRebuild(
        tile_source(txn),
        trail,
        why_not_genuine=lambda _, leaf: _why_not_genuine(chain, leaf),
        first=first_tile,
        prefix=edge,
    )
    checkpoints = CheckpointCheck(
        txn, trail, origin=identity.origin if identity else None, published=published
    )
    # A chain's log is signed by the key that it began with.
    own = [identity.first_key] if identity else []
    keys_at = (lambda _: own) if identity else None
    if start:
        walk.begin_at(start)
    for first, leaves in _tiles(txn, trail, start, size):
        damaged = tree.add_tile(first, leaves)
        for position, leaf in enumerate(leaves):
            index = first + position
            if index >= start:
                walk.take(index, None if position in damaged else leaf, tree.root)
                trail.counters.entries += 1
        checkpoints.reach(first + len(leaves), tree.root, keys_at)
        trail.at(Phase.LOG, first + len(leaves), size)
    walk.finish(size)
    finish_log(txn, trail, tree, checkpoints, size, keys_at)
    if identity is not None:
        valid = frozenset({bytes(identity.first_key.public_key)})
        check_keys(identity, trail, pinned, valid, valid)


def _first_entry(txn: ReadTransaction, trail: AuditTrail, size: int) -> int:
    """The first leaf that the store must have: 0, or that of the snapshot it was made of."""
    try:
        first = read_first_entry(txn)
    except CorruptStoreError as error:
        trail.find(FindingKind.META_WRONG, "META first_entry", error.message)
        return 0
    if first >= size > 0:
        message = f"it says leaf {first}; the log has {size}"
        trail.find(FindingKind.META_WRONG, "META first_entry", message)
        return 0
    return first


def _tiles(
    txn: ReadTransaction, trail: AuditTrail, start: int, size: int
) -> Iterator[tuple[int, list[bytes | None]]]:
    """As `entry_tiles`, from the tile of leaf ``start`` on; none of those before is missed."""
    scratch = AuditTrail()
    for tile in entry_tiles(txn, scratch, start - start % TILE_WIDTH, size):
        _pass_on(scratch, trail, start)
        yield tile
    _pass_on(scratch, trail, start)


def _pass_on(scratch: AuditTrail, trail: AuditTrail, start: int) -> None:
    for finding in scratch.findings:
        missing = finding.kind is FindingKind.ENTRY_MISSING
        if not (missing and finding.entry is not None and finding.entry < start):
            trail.add(finding)
    scratch.findings.clear()


def _chain_id(txn: ReadTransaction) -> bytes | None:
    row = txn.get(Table.META, GENESIS)
    try:
        return None if row is None else Genesis.parse(row).chain
    except MalformedError:
        return None


def _why_not_genuine(chain: bytes | None, leaf: bytes) -> str | None:
    """What shows, without the tree, that these bytes are no leaf of the chain."""
    try:
        kind, message = decode_leaf(leaf)
        if kind is LeafKind.TRANSACTION and chain is not None:
            transaction = parse_transaction(chain, message)
            if not is_signed(*transaction.claim):
                return "the signer's signature does not cover them"
    except (MalformedError, RefusalError) as error:
        return error.message
    return None
