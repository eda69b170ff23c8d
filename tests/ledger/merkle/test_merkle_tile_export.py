from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice, pairwise

import pytest

from ledger.errors import CorruptStoreError, EntryTooLargeError, MalformedError
from ledger.merkle.entry_bundle import decode_entry_bundle
from ledger.merkle.hashing import leaf_hash, leaf_hashes, tree_root
from ledger.merkle.tile_export import export_tiles
from tests.ledger.merkle.naive_tree import NaiveTree, StoredTree


class Log:
    def __init__(self, size: int) -> None:
        self.entries_held = [index.to_bytes(4, "big") for index in range(size)]
        self.tree = StoredTree()
        self.tree.append(leaf_hashes(self.entries_held))

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        return islice(self.entries_held, start, stop)

    def export(self, size: int, previous_size: int = 0) -> dict[str, bytes]:
        resources = list(export_tiles(size, self.tree.get_block, self.entries, previous_size))
        assert len(dict(resources)) == len(resources)
        return dict(resources)


@pytest.fixture(scope="module")
def log() -> Log:
    return Log(70_000)


def test_the_layout_of_the_spec_example(log: Log) -> None:
    exported = log.export(70_000)
    full = [f"{index:03}" for index in range(273)]
    assert set(exported) == {
        *[f"tile/0/{index}" for index in full],
        *[f"tile/entries/{index}" for index in full],
        "tile/0/273.p/112",
        "tile/entries/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    }
    for path, data in exported.items():
        if "entries" not in path:
            width = int(path.rpartition(".p/")[2]) if ".p/" in path else 256
            assert len(data) == 32 * width


def test_every_hash_is_the_one_the_spec_names(log: Log) -> None:
    exported = log.export(70_000)
    tree = NaiveTree(leaf_hashes(log.entries_held))
    for path, data in exported.items():
        if "entries" in path:
            continue
        _, level, name = path.split("/", 2)
        unit = 256 ** int(level)
        first = int(name.partition(".")[0]) * 256
        for place in range(len(data) // 32):
            # MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])
            node = tree.mth((first + place) * unit, (first + place + 1) * unit)
            assert data[32 * place : 32 * place + 32] == node


def test_a_stranger_rebuilds_the_tree_from_the_bundles(log: Log) -> None:
    exported = log.export(70_000)
    row = []
    for index in range(274):
        suffix, width = (".p/112", 112) if index == 273 else ("", 256)
        entries = decode_entry_bundle(exported[f"tile/entries/{index:03}{suffix}"], width)
        hashes = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
        assert exported[f"tile/0/{index:03}{suffix}"] == b"".join(hashes)
        row += hashes
    assert tree_root(row) == log.tree.right_edge.root()


def test_an_earlier_size_exports_from_wider_blocks(log: Log) -> None:
    for size in (1, 255, 256, 257, 1000):
        assert log.export(size) == Log(size).export(size)
    assert log.export(0) == {}


def test_exports_in_steps_are_the_export_at_once(log: Log) -> None:
    steps = [0, 1, 255, 256, 300, 1000, 65_536, 65_537, 69_888, 70_000]
    held: dict[str, bytes] = {}
    for previous, size in pairwise(steps):
        new = log.export(size, previous)
        assert not set(new) & set(held)
        held |= new
        whole = log.export(size)
        assert {path: held[path] for path in whole} == whole
    assert log.export(70_000, 70_000) == {}


def test_only_what_changed_is_read(log: Log) -> None:
    asked: list[tuple[int, int]] = []

    def entries(start: int, stop: int) -> Iterator[bytes]:
        asked.append((start, stop))
        return log.entries(start, stop)

    list(export_tiles(70_000, log.tree.get_block, entries, 69_900))
    assert asked == [(69_888, 70_000)]


def test_a_missing_block_or_entry_is_reported() -> None:
    log = Log(600)
    with pytest.raises(CorruptStoreError, match="entries 512 to 599"):
        list(export_tiles(600, log.tree.get_block, lambda a, b: log.entries(a, b - (b == 600))))
    with pytest.raises(CorruptStoreError, match="entries 0 to 255"):
        list(export_tiles(600, log.tree.get_block, lambda a, b: log.entries(a, b + 1)))
    del log.tree.blocks[1, 0]
    with pytest.raises(CorruptStoreError, match="block 0 of level 1"):
        log.export(600)


def test_a_size_the_log_has_not_reached_is_refused() -> None:
    log = Log(600)
    with pytest.raises(CorruptStoreError):
        log.export(601)
    with pytest.raises(MalformedError):
        log.export(5, 6)


def test_an_entry_too_large_for_a_bundle_is_refused() -> None:
    log = Log(2)
    log.entries_held[1] = bytes(65_536)
    assert leaf_hash(log.entries_held[1]) != log.tree.blocks[0, 0][32:64]
    with pytest.raises(EntryTooLargeError):
        log.export(2)
