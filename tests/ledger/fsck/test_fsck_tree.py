"""The rebuilt tree against trees in memory: any size, any damage, no signatures."""

from __future__ import annotations

import random
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.fsck import FindingKind, check_tree
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail
from ledger.fsck.tree_rebuild import TreeRebuild
from ledger.log_reader import SIZE, TILE_KEY, U64
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import leaf_hashes, tree_root
from ledger.merkle.tiles import extend_blocks
from ledger.storage import Table
from ledger.storage.memory import MemoryStorage

K = FindingKind
SIZES = st.one_of(st.integers(1, 600), st.sampled_from([255, 256, 257, 511, 512, 513, 1024]))


def blocks_of(entries, step=1000):
    blocks, edge = {}, CompactRange()
    for start in range(0, len(entries), step):
        growth = edge.grow(leaf_hashes(entries[start : start + step]))
        for block in extend_blocks(growth, lambda *place: blocks.get(place)):
            blocks[block.level, block.index] = block.data
        edge = growth.after
    return blocks


def sample(size, seed=0):
    return [random.Random(seed * 1_000_003 + i).randbytes(20) for i in range(size)]


def rebuild(entries, blocks, genuine, sizes=()):
    trail = AuditTrail()
    tree = TreeRebuild(
        lambda level, index: blocks.get((level, index)),
        trail,
        why_not_genuine=lambda index, entry: None if genuine[index] == entry else "forged",
    )
    roots = {}
    for first in range(0, len(entries), 256):
        part = entries[first : first + 256]
        tree.add_tile(first, part)
        roots |= {s: tree.root(s) for s in sizes if first < s <= first + len(part)}
    tree.finish()
    return trail, roots


@settings(max_examples=40, deadline=None)
@given(size=SIZES, data=st.data())
def test_every_root_is_that_of_the_entries(size, data):
    entries = sample(size)
    sizes = data.draw(st.sets(st.integers(1, size), max_size=5)) | {size}
    blocks = blocks_of(entries, data.draw(st.sampled_from([1000, 256, 97])))
    trail, roots = rebuild(entries, blocks, entries, sizes)
    assert trail.findings == []
    assert trail.counters.tiles == len(blocks)
    assert roots == {s: tree_root(leaf_hashes(entries[:s])) for s in sizes}


@settings(max_examples=40, deadline=None)
@given(size=SIZES, data=st.data())
def test_any_changed_entry_is_named_and_stood_in_for(size, data):
    entries = sample(size)
    blocks = blocks_of(entries)
    places = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=4))
    damaged = [b"other" if index in places else entry for index, entry in enumerate(entries)]
    trail, roots = rebuild(damaged, blocks, entries, [size])
    assert [(f.kind, f.entry) for f in trail.findings] == [
        (K.ENTRY_CHANGED, index) for index in sorted(places)
    ]
    assert roots[size] == tree_root(leaf_hashes(entries))


@settings(max_examples=40, deadline=None)
@given(size=SIZES, data=st.data())
def test_any_changed_byte_of_a_block_is_named(size, data):
    entries = sample(size)
    blocks = blocks_of(entries)
    place = data.draw(st.sampled_from(sorted(blocks)))
    at = data.draw(st.integers(0, len(blocks[place]) - 1))
    changed = bytearray(blocks[place])
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    trail, roots = rebuild(entries, blocks | {place: bytes(changed)}, entries, [size])
    assert [(f.kind, f.tile, f.start, f.end) for f in trail.findings] == [
        (K.TILE_CHANGED, place, at, at + 1)
    ]
    assert roots[size] == tree_root(leaf_hashes(entries))


def test_three_levels():
    entries = [b"%d" % i for i in range(65536 + 700)]
    blocks = blocks_of(entries, 5000)
    assert (2, 0) in blocks
    trail, roots = rebuild(entries, blocks, entries, [65536, 65537, len(entries)])
    assert trail.findings == []
    assert all(root == tree_root(leaf_hashes(entries[:s])) for s, root in roots.items())


def stored(entries):
    storage = MemoryStorage()

    def write(txn):
        txn.append_many(Table.ENTRIES, [(U64.pack(i), e) for i, e in enumerate(entries)])
        blocks = blocks_of(entries, 5000)
        txn.put_many(Table.TILES, [(TILE_KEY.pack(*place), b) for place, b in blocks.items()])
        txn.put(Table.META, SIZE, U64.pack(len(entries)))

    storage.write(write)
    return storage


def test_check_tree_takes_any_entries_and_little_memory():
    entries = [i.to_bytes(4, "big") * 64 for i in range(20_000)]
    storage = stored(entries)
    trail = AuditTrail()
    with storage.read() as txn:
        tracemalloc.start()
        check_tree(txn, trail)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert trail.findings == []
    assert trail.counters.entries == len(entries)
    # The entries take 5 MB; a scan of the store in memory copies its keys, 8 bytes each.
    assert peak < 1_000_000


def test_findings_are_counted_beyond_those_kept():
    entries = sample(MAX_FINDINGS + 500)
    storage = stored(entries)
    storage.write(
        lambda txn: txn.put_many(
            Table.ENTRIES, [(U64.pack(i), b"?") for i in range(MAX_FINDINGS + 500)]
        )
    )
    trail = AuditTrail()
    with storage.read() as txn:
        check_tree(txn, trail)
    report = trail.report()
    assert len(report.findings) == MAX_FINDINGS
    assert report.findings_total >= MAX_FINDINGS + 500
    assert not report.ok
