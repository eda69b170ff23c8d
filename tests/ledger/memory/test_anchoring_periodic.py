"""Anchoring by itself: at regular times, after days offline, loudly where it cannot go on."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.chain.engines.service import EngineClosedError, Inclusion, NoEngineError
from ledger.chain.state_keys import robot_key
from ledger.memory.anchor_status import AnchorState, AnchorStatus
from ledger.memory.anchoring import periodic
from ledger.memory.anchoring.anchorer import Anchorer
from ledger.memory.anchoring.kept_anchor import EVIDENCE_NAME
from ledger.memory.anchoring.periodic import PeriodicAnchoring
from ledger.memory.owner import MemoryOwner
from ledger.witnessing.evidence import ForkClaim, verify_evidence
from tests.ledger.memory.anchoring_world import AnchoringWorld, Line, grow
from tests.ledger.memory.conftest import ORIGIN

PATIENCE_S = 60.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(periodic, "SHORTEST_S", 0.01)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AnchoringWorld]:
    with closing(AnchoringWorld(tmp_path / "chain")) as world:
        yield world


def test_it_anchors_again_and_again_and_the_owner_says_so(
    world: AnchoringWorld, owner: MemoryOwner
) -> None:
    world.register(owner)
    line = Line(world)
    anchorer = Anchorer(owner, world.trust)
    with closing(PeriodicAnchoring(owner, anchorer, lambda: line, 0.05)) as anchoring:
        for size in (2, 4, 6):  # the first one wakes it: nothing was signed before
            grow(owner, 2)
            until(lambda n=size: owner.status().anchor.size == n)
        assert anchoring.status.state is AnchorState.ANCHORED
    asked = line.asked
    grow(owner, 1)
    time.sleep(0.2)
    assert line.asked == asked


def test_a_new_robot_s_first_entries_are_anchored_long_before_the_period_is_over(
    world: AnchoringWorld, owner: MemoryOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic, "FIRST_RETRY_S", 3600.0)  # what is signed wakes it, no retry
    world.register(owner)
    line = Line(world)
    owner.checkpoint()  # of no leaves, which a memory node signs as it starts
    with closing(
        PeriodicAnchoring(owner, Anchorer(owner, world.trust), lambda: line, 3600.0)
    ) as it:
        until(lambda: line.asked and it.status.detail)
        assert it.status.state is AnchorState.WAITING
        grow(owner, 3)
        until(lambda: owner.status().anchor.size == 3)
        assert it.status.state is AnchorState.ANCHORED


def test_it_comes_back_by_itself_and_at_once_if_the_chain_is_heard(
    world: AnchoringWorld, owner: MemoryOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic, "FIRST_RETRY_S", 0.2)
    world.register(owner)
    line, reached = Line(world), threading.Event()

    def connect() -> Line:
        if not reached.is_set():
            raise NoEngineError("out of reach")
        return line

    grow(owner, 1)
    with closing(PeriodicAnchoring(owner, Anchorer(owner, world.trust), connect, 3600.0)) as it:
        until(lambda: owner.status().anchor.state is AnchorState.UNREACHABLE)
        time.sleep(0.5)  # it waits longer each time
        grow(owner, 5)
        reached.set()
        until(lambda: owner.status().anchor.size == 6)
        grow(owner, 1)
        it.wake()  # long before its hour is over
        until(lambda: owner.status().anchor.size == 7)


def test_retries_are_ever_further_apart_up_to_a_minute(
    world: AnchoringWorld, owner: MemoryOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic, "FIRST_RETRY_S", 0.5)
    line = Line(world)
    with closing(PeriodicAnchoring(owner, Anchorer(owner, world.trust), lambda: line, 9.0)) as it:
        until(lambda: it.status.state is AnchorState.UNKNOWN)
        pauses = []
        for failures in range(12):
            it._failures = failures
            pauses.append(it._pause_s())
    assert pauses[0] == 9.0
    for failures, pause in enumerate(pauses[1:]):
        assert 0.8 <= pause / min(0.5 * 2**failures, 60.0) <= 1.2


def test_it_is_loud_once_where_somebody_has_to_look(
    world: AnchoringWorld, owner: MemoryOwner, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line(world)
    grow(owner, 1)
    caplog.set_level(logging.INFO)
    with closing(PeriodicAnchoring(owner, Anchorer(owner, world.trust), lambda: line, 0.02)) as it:
        until(lambda: it.status.state is AnchorState.UNKNOWN)
        rounds = line.asked
        until(lambda: line.asked > rounds + 3)
        grow(owner, 1)  # it records on
        world.register(owner)
        until(lambda: it.status == AnchorStatus(AnchorState.ANCHORED, 2, *_where(it.status)))
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [
        "nothing more of this log is anchored: unknown: the chain does not know this log"
    ]


def _where(status: AnchorStatus) -> tuple[int, int]:
    return status.height, status.time_ns


def test_it_ends_at_once_though_its_transaction_is_in_no_block(
    world: AnchoringWorld, owner: MemoryOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.register(owner)
    line, waiting, closed = Line(world), threading.Event(), threading.Event()

    def wait(transaction: bytes, timeout_s: float) -> Inclusion:
        waiting.set()
        assert closed.wait(timeout_s)
        raise EngineClosedError("this client was closed")

    monkeypatch.setattr(line, "wait", wait)
    monkeypatch.setattr(line, "close", closed.set)
    grow(owner, 1)
    anchoring = PeriodicAnchoring(owner, Anchorer(owner, world.trust), lambda: line, 3600.0)
    assert waiting.wait(PATIENCE_S)
    began = time.monotonic()
    anchoring.close()
    assert time.monotonic() - began < 5.0


def test_an_old_answer_is_not_believed(world: AnchoringWorld, owner: MemoryOwner) -> None:
    world.register(owner)
    line, anchorer = Line(world), Anchorer(owner, world.trust)
    stale = world.engine.answer(robot_key(ORIGIN))
    grow(owner, 1)
    assert anchorer.round(line).state is AnchorState.ANCHORED
    line.forged = {robot_key(ORIGIN): stale}
    status = anchorer.round(line)
    assert (status.state, status.size) == (AnchorState.DISTRUSTED, 1)
    assert "old" in status.detail
    line.forged = {}
    assert anchorer.round(line).state is AnchorState.ANCHORED


def test_an_operator_with_two_histories_is_caught_and_the_evidence_kept(
    world: AnchoringWorld, owner: MemoryOwner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.register(owner)
    world.stop()
    shutil.copytree(world.root, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
    published = tmp_path / "published"
    shutil.copytree(published, tmp_path / "published-copy")
    world.start()
    anchorer = Anchorer(owner, world.trust)
    grow(owner, 3)
    assert anchorer.round(Line(world)).state is AnchorState.ANCHORED
    world.stop()
    real, world.root = world.root, tmp_path / "copy"
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published-copy"))
    world.start()
    from ledger.schema.chain_identity_pb2 import CreateFleet

    for number in range(4):
        world.must(CreateFleet(name=f"another past {number}"))
    status = anchorer.round(Line(world))
    assert (status.state, status.size) == (AnchorState.DISTRUSTED, 3)
    evidence = (owner.root / EVIDENCE_NAME).read_bytes()
    assert verify_evidence(ForkClaim.parse(evidence), world.trust.log_keys)
    world.root = real
