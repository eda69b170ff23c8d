"""A witness that is asked: statuses as tlog-witness has them, and forks told, not only refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.errors import StorageFullError
from ledger.note import NoteSigner, SignedNote, VerifierKey
from ledger.storage import Table, WriteTransaction
from ledger.storage.memory import MemoryStorage
from ledger.witness import AddCheckpointRequest, WitnessState, add_cosignatures
from ledger.witnessing.follower import Follower, Forked
from ledger.witnessing.policy import Policy, PolicyLog
from ledger.witnessing.service import WitnessService, origin_hash
from ledger.witnessing.transport import Answer
from tests.ledger.witnessing.sample_trees import (
    HONEST,
    KEYS,
    LOG,
    OLD_LOG,
    ORIGIN,
    OTHER_LOG,
    POLICY,
    WITNESSES,
    fork_at,
    note,
)

T = TypeVar("T")
WITNESS = WITNESSES[0]


class Asked:
    """A service with what it told of forks."""

    def __init__(self, policy: Policy = POLICY, storage: MemoryStorage | None = None) -> None:
        self.forks: list[Forked] = []
        follower = Follower(policy, WitnessState(storage or MemoryStorage()), WITNESS)
        self.service = WitnessService(follower, self.forks.append)

    def add(
        self,
        old: int,
        offered: bytes,
        proof: tuple[bytes, ...] | None = None,
        fork: int | None = None,
    ) -> Answer:
        new = Checkpoint.of_note(offered).size
        if proof is None:
            tree = HONEST if fork is None else fork_at(fork)
            proof = tuple(tree.proof(old, new)) if 0 < old < new else ()
        return self.service.add_checkpoint(AddCheckpointRequest(old, proof, offered).encode())


def test_the_public_exchanges_of_a_witness(vectors: Path) -> None:
    exchanges = json.loads((vectors / "c2sp" / "witness_add_checkpoint.json").read_text())
    key = VerifierKey.parse(exchanges["log_vkey"])
    asked = Asked(Policy((PolicyLog(key),)))
    for number, exchange in enumerate(exchanges["exchanges"]):
        body = exchange["request"].encode()
        if number == 1:
            # Its wrong signature is in base64 with unused bits set, which is malformed here.
            assert asked.service.add_checkpoint(body).status == 400
            body = body.replace(b"6gx=", b"6gw=")
        # tlog-witness answers 404 for an unknown log now.
        expected = 404 if "unknown log" in exchange["assertion"] else exchange["status"]
        answer = asked.service.add_checkpoint(body)
        assert answer.status == expected, number
        if answer.status == 409:
            assert answer.body.decode() == json.loads(exchange["assertion"].split("== ")[1])
        if answer.status == 200:
            assert answer.body.startswith(f"— {WITNESS.name} ".encode())
    assert asked.forks == []


def test_a_log_is_cosigned_as_it_grows() -> None:
    asked = Asked()
    for old, new in ((0, 0), (0, 3), (3, 3), (3, 20)):
        answer = asked.add(old, note(new))
        assert answer.status == 200
        merged = add_cosignatures(note(new), answer.body, [WITNESS.verifier_key])
        assert open_checkpoint(merged, KEYS, [WITNESS.verifier_key]).cosignatures
        told = asked.service.recorded(origin_hash(ORIGIN))
        assert told.status == 200
        # tlog-witness: with the cosignature that was returned, and the log's.
        assert SignedNote.parse(told.body).text == SignedNote.parse(note(new)).text
        names = {line.name for line in SignedNote.parse(told.body).signatures}
        assert names == {ORIGIN, WITNESS.name}
        assert answer.body in told.body


def test_every_status() -> None:
    asked = Asked()
    assert asked.service.recorded(origin_hash(ORIGIN)).status == 404
    assert asked.service.recorded("0" * 64).status == 404
    assert asked.add(0, note(5)).status == 200
    assert asked.service.add_checkpoint(b"nonsense").status == 400
    too_old = AddCheckpointRequest(6, (), note(5)).encode()
    assert asked.service.add_checkpoint(too_old).status == 400
    unknown = NoteSigner("example.com/x", OTHER_LOG.private_key)
    assert (
        asked.add(0, sign_checkpoint(Checkpoint(unknown.name, 5, bytes(32)), [unknown])).status
        == 404
    )
    assert asked.add(5, note(9, signer=OLD_LOG)).status == 403
    forged = SignedNote.parse(note(8)).signatures
    wrong = SignedNote(SignedNote.parse(note(9)).text, forged).encode()
    assert asked.add(5, wrong).status == 403
    conflict = asked.add(0, note(9))
    assert (conflict.status, conflict.body) == (409, b"5\n")
    assert asked.add(5, note(9), (bytes(32),)).status == 422
    assert asked.add(5, note(9), ()).status == 422
    assert asked.add(5, note(5), (bytes(32),)).status == 422
    void = sign_checkpoint(Checkpoint(OTHER_LOG.name, 0, bytes(32)), [OTHER_LOG])
    assert asked.add(0, void).status == 422
    assert asked.add(0, note(3, signer=OTHER_LOG), (bytes(32),)).status == 422
    assert asked.add(5, note(9)).status == 200
    assert asked.forks == []


def test_origin_hashes_are_of_the_origin_alone() -> None:
    assert origin_hash("example.com/é") == hashlib.sha256("example.com/é".encode()).hexdigest()


@pytest.mark.parametrize(
    ("old", "size", "fork", "status"),
    [
        (5, 5, 2, 422),  # equal size, another root
        (0, 5, 2, 409),  # the same, from a client that does not know what was recorded
        (5, 9, 2, 422),  # a proof that leads to the other side's tree
    ],
)
def test_a_fork_is_told(old: int, size: int, fork: int, status: int) -> None:
    asked = Asked()
    asked.add(0, note(5))
    answer = asked.add(old, note(size, fork), fork=fork)
    assert answer.status == status
    assert len(asked.forks) == 1
    assert asked.forks[0].evidence.origin == ORIGIN
    assert asked.forks[0].new
    # And the log gets no cosignature any more, whichever side it shows.
    for later in (note(9), note(9, fork)):
        assert asked.add(5, later).status == 422
    assert len(asked.forks) == 1
    assert asked.add(0, note(3, signer=OTHER_LOG)).status == 200


@pytest.mark.parametrize(
    ("recorded", "old", "size", "fork"),
    [
        (4, 4, 9, 2),  # from a power of two the proof does not say where it leads from
        (5, 0, 9, 2),  # no proof at all
        (5, 0, 3, 2),  # smaller than what is recorded
        (5, 3, 9, 2),  # a proof from elsewhere
    ],
)
def test_what_is_no_evidence_is_only_refused(recorded: int, old: int, size: int, fork: int) -> None:
    asked = Asked()
    asked.add(0, note(recorded))
    assert asked.add(old, note(size, fork), fork=fork).status in (409, 422)
    assert asked.forks == []
    assert asked.add(recorded, note(20)).status == 200


def test_an_honest_log_is_not_framed_by_a_client() -> None:
    """Anyone may send the log's checkpoints with any proof."""
    asked = Asked()
    asked.add(0, note(5))
    for fork in range(5):
        assert asked.add(5, note(9), tuple(fork_at(fork).proof(5, 9))).status == 422
    for size in range(5):
        assert asked.add(0, note(size)).status == 409
    assert asked.forks == []
    assert asked.add(5, note(9)).status == 200


def test_a_fork_over_a_key_that_is_listed_no_more_is_refused_without_evidence() -> None:
    storage = MemoryStorage()
    before = Asked(Policy((*POLICY.logs, PolicyLog(OLD_LOG.verifier_key))), storage)
    assert before.add(0, note(5, signer=OLD_LOG)).status == 200
    asked = Asked(storage=storage)
    assert asked.add(5, note(5, 2)).status == 422
    assert asked.add(5, note(9, 2), fork=2).status == 422
    assert asked.forks == []


class FullStorage(MemoryStorage):
    full = False

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        if self.full:
            raise StorageFullError("no space")
        return super().write(work)


def test_a_witness_whose_disk_is_full_says_so_and_signs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = FullStorage()
    asked = Asked(storage=storage)
    asked.add(0, note(5))
    storage.full = True
    answer = asked.add(5, note(9))
    assert answer.status == 503
    assert "\u2014" not in answer.body.decode()
    assert "no space" in caplog.text
    storage.full = False
    assert asked.add(5, note(9)).status == 200
    storage.write(lambda txn: txn.put(Table.META, _row(storage), b"damaged"))
    assert asked.add(9, note(20)).status == 503
    assert asked.service.recorded(origin_hash(ORIGIN)).status == 503


def _row(storage: MemoryStorage) -> bytes:
    with storage.read() as transaction:
        return next(key for key, _ in transaction.scan(Table.META) if key.startswith(b"witness/"))


def test_signatures_of_strangers_are_ignored() -> None:
    asked = Asked()
    stranger = NoteSigner("stranger.example", OTHER_LOG.private_key)
    text = SignedNote.parse(note(5)).text
    both = SignedNote(text, (stranger.sign(text), *SignedNote.parse(note(5)).signatures)).encode()
    assert asked.add(0, both).status == 200
    told = asked.service.recorded(origin_hash(ORIGIN)).body
    assert b"stranger" not in told
    assert LOG.name.encode() in told
