"""Cosignatures that arrive, right and wrong, and how they get under a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from ledger.checkpoint import Checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import NotFoundError, StorageFullError
from ledger.note import CosignatureSigner, SignedNote, VerifierKey
from ledger.witness import cosign_checkpoint, merge_cosignatures
from ledger.witnessing.collecting import MAX_LINES, MAX_SIZES, Collector
from tests.ledger.witnessing.sample_trees import KEYS, ORIGIN, WITNESSES, note

STRANGER = CosignatureSigner("example.com/stranger", PrivateKey.from_seed(b"s" * 32))


@dataclass
class Store:
    """A log's checkpoints; every merge is a durable write."""

    notes: dict[int, bytes] = field(default_factory=lambda: {3: note(3), 5: note(5)})
    writes: int = 0
    full: bool = False

    def latest_checkpoint(self) -> bytes:
        return self.notes[max(self.notes)]

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        raise NotImplementedError

    def merge_cosignatures(
        self, size: int, lines: bytes, witness_keys: Sequence[VerifierKey]
    ) -> bytes:
        if self.full:
            raise StorageFullError("no space is left")
        if size not in self.notes:
            raise NotFoundError(f"no checkpoint of {size} leaves is stored")
        self.notes[size] = merge_cosignatures(self.notes[size], lines, KEYS, witness_keys)
        self.writes += 1
        return self.notes[size]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def collector(store: Store) -> Collector:
    return Collector(ORIGIN, store, [each.verifier_key for each in WITNESSES])


def lines(size: int, witness: CosignatureSigner = WITNESSES[0], time_s: int = 1) -> bytes:
    signed = SignedNote.parse(cosign_checkpoint(note(size), witness, time_s))
    return signed.signatures[-1].encode().encode()


def signers(of: bytes) -> set[str]:
    return {line.name for line in SignedNote.parse(of).signatures}


def test_all_that_came_for_one_checkpoint_is_one_write(store: Store, collector: Collector) -> None:
    for witness in WITNESSES:
        assert collector.offer(ORIGIN, 3, lines(3, witness))
    assert collector.offer(ORIGIN, 5, lines(5))
    assert collector.waiting == 5
    notes = {Checkpoint.of_note(each).size: each for each in collector.flush()}
    assert signers(notes[3]) == {ORIGIN, *(witness.name for witness in WITNESSES)}
    assert signers(notes[5]) == {ORIGIN, WITNESSES[0].name}
    assert store.writes == 2
    assert collector.waiting == 0
    assert list(collector.flush()) == []


def test_what_is_known_or_anothers_is_nothing(store: Store, collector: Collector) -> None:
    collector.offer(ORIGIN, 3, lines(3))
    list(collector.flush())
    assert not collector.offer(ORIGIN, 3, lines(3))  # latched, and heard again
    assert not collector.offer("example.com/other", 3, lines(3))
    assert not collector.offer(ORIGIN, -1, lines(3))
    assert not collector.offer(ORIGIN, 1 << 63, lines(3))
    assert not collector.offer(ORIGIN, 3, b"x" * 2_000_000)
    assert collector.offer(ORIGIN, 3, lines(3, time_s=2))  # a later one of the same witness


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"no line",
        b"\xff\n",
        lines(5),  # under another checkpoint
        lines(3, STRANGER),
        lines(3)[:-8] + b"AAAAAA=\n",
    ],
)
def test_a_wrong_one_does_not_keep_the_others_out(
    store: Store, collector: Collector, wrong: bytes
) -> None:
    collector.offer(ORIGIN, 3, lines(3, WITNESSES[1]))
    collector.offer(ORIGIN, 3, wrong)
    collector.offer(ORIGIN, 3, lines(3, WITNESSES[2]))
    (merged,) = collector.flush()
    assert signers(merged) == {ORIGIN, WITNESSES[1].name, WITNESSES[2].name}
    assert list(collector.flush()) == []


def test_an_invented_size_is_forgotten(store: Store, collector: Collector) -> None:
    collector.offer(ORIGIN, 4, lines(3))
    assert list(collector.flush()) == []
    assert (collector.waiting, store.writes) == (0, 0)


def test_what_cannot_be_written_waits(store: Store, collector: Collector) -> None:
    collector.offer(ORIGIN, 3, lines(3))
    store.full = True
    with pytest.raises(StorageFullError):
        list(collector.flush())
    assert collector.waiting == 1
    store.full = False
    assert len(list(collector.flush())) == 1


def test_nobody_fills_the_memory(collector: Collector) -> None:
    for number in range(3 * MAX_LINES):
        collector.offer(ORIGIN, 3, b"%d" % number)
    assert collector.waiting == MAX_LINES
    for size in range(5, 5 + 3 * MAX_SIZES):
        collector.offer(ORIGIN, size, b"x")
    assert collector.waiting <= MAX_LINES + MAX_SIZES
