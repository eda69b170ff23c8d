"""The embedded engine itself: when blocks come, what waits, how it ends, what stops it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.engines import embedded
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.service import (
    Dropped,
    EngineClosedError,
    EngineStoppedError,
    Inclusion,
    NotIncludedError,
)
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.machine.machine import StateMachine
from ledger.chain.state.check import check_state
from ledger.checkpoint import Checkpoint
from ledger.errors import LockedError, RefusedError, StorageError, StorageFullError
from ledger.schema.chain_pb2 import Attachment
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.engines.engine_world import PATIENCE_S, QUICK, EngineWorld

NEVER_S = 3600.0


def settings(**changes: object) -> EngineSettings:
    values = {"block_period_s": 0.01, "signature_processes": 0, **changes}
    return EngineSettings(**values)  # type: ignore[arg-type]


def pass_a_period(engine: EmbeddedEngine) -> None:
    """Let the last block of an engine whose period is `NEVER_S` be a period ago."""
    with engine._changed:
        engine._block_s -= NEVER_S
        engine._changed.notify_all()


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of transactions of every block that was committed."""
    sizes: list[int] = []
    commit = StateMachine.commit

    def counted(machine: StateMachine) -> object:
        sizes.append(len(machine._waiting.finalized.ids))  # type: ignore[union-attr]
        return commit(machine)

    monkeypatch.setattr(StateMachine, "commit", counted)
    yield sizes


def test_a_full_block_does_not_wait_for_its_time(
    root: Path, world: EngineWorld, commits: list[int]
) -> None:
    with EmbeddedEngine.open(root, settings(block_period_s=NEVER_S)) as engine:
        admissions = engine.submit(world.transfers(250))
        engine.wait_all([each.id for each in admissions[:200]], PATIENCE_S)
        assert commits == [0, 100, 100]
        with pytest.raises(NotIncludedError):
            engine.wait(admissions[-1].id, 0.05)
    # Closing commits what waits.
    assert commits == [0, 100, 100, 50]


def test_a_lone_transaction_after_a_pause_does_not_wait(root: Path, world: EngineWorld) -> None:
    with EmbeddedEngine.open(root, settings(block_period_s=NEVER_S)) as engine:
        pass_a_period(engine)
        (first,) = engine.submit([world.transfer()])
        engine.wait(first.id, PATIENCE_S)
        # The next block is one period after that.
        (second,) = engine.submit([world.transfer()])
        with pytest.raises(NotIncludedError):
            engine.wait(second.id, 0.05)
        pass_a_period(engine)
        assert engine.wait(second.id, PATIENCE_S).height == 3


def test_one_commit_for_all_who_wait(root: Path, world: EngineWorld, commits: list[int]) -> None:
    patient = settings(block_period_s=NEVER_S, block_work_s=NEVER_S)
    with EmbeddedEngine.open(root, patient) as engine:
        with ThreadPoolExecutor(4) as pool:
            series = [[world.transfer(payer) for _ in range(5)] for payer in range(4)]
            admitted = [each.id for some in pool.map(engine.submit, series) for each in some]
        with ThreadPoolExecutor(20) as pool:
            waits = [pool.submit(engine.wait, one, PATIENCE_S) for one in admitted]
            pass_a_period(engine)
            heights = {each.result().height for each in waits}
    assert commits == [0, 20]
    assert heights == {2}


def test_heights_advance_without_transactions_if_asked(root: Path) -> None:
    with EmbeddedEngine.open(root, settings(empty_block_period_s=0.02)) as engine:
        assert [each.height for each in engine.events(4, PATIENCE_S)] == [4]
        headers = [engine.block(height).header for height in range(1, 5)]
    assert [header.transactions for header in headers] == [0] * 4
    times = [header.time_ns for header in headers]
    assert times == sorted(set(times))


def test_heights_stand_still_unless_asked(root: Path) -> None:
    with EmbeddedEngine.open(root, QUICK) as engine:
        assert engine.events(2, 0.15) == []
        assert engine.info().height == 1


def test_block_times_rise_while_the_clock_goes_back(
    root: Path, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([5_000_000_000_000_000_000, 7, 7, 7, 7, 7])
    monkeypatch.setattr(embedded.time, "time_ns", lambda: next(clock))
    with EmbeddedEngine.open(root, QUICK) as engine:
        for _ in range(2):
            (admitted,) = engine.submit([world.transfer()])
            engine.wait(admitted.id, PATIENCE_S)
        times = [engine.block(height).header.time_ns - 5 * 10**18 for height in (1, 2, 3)]
    assert times == [0, 1, 2]


def test_a_mempool_without_room_refuses_with_a_code(root: Path, world: EngineWorld) -> None:
    narrow = settings(block_period_s=NEVER_S, mempool_transactions=5)
    with EmbeddedEngine.open(root, narrow) as engine:
        transactions = world.transfers(8)
        codes = [each.code for each in engine.submit(transactions)]
        assert codes == [ResultCode.OK] * 5 + [ResultCode.MEMPOOL_FULL] * 3
        # What waits already still may be offered.
        assert [each.code for each in engine.submit(transactions)] == codes
        assert engine.submit([world.transfer(1)])[0].code is ResultCode.MEMPOOL_FULL


def test_a_mempool_is_bounded_in_bytes_attachments_included(root: Path, world: EngineWorld) -> None:
    narrow = settings(block_period_s=NEVER_S, mempool_bytes=3_000)
    data = bytes(2_500)
    name = sha256(data).digest()
    with EmbeddedEngine.open(root, narrow) as engine:
        with_data = world.transfer(1, attachments=[Attachment(hash=name, size=len(data))])
        assert engine.submit([with_data], {name: data})[0].ok
        codes = [each.code for each in engine.submit(world.transfers(4))]
        assert codes[0] is ResultCode.OK
        assert codes[-1] is ResultCode.MEMPOOL_FULL
        another = world.transfer(2, attachments=[Attachment(hash=name, size=len(data))])
        assert engine.submit([another], {name: data})[0].code is ResultCode.MEMPOOL_FULL


def test_room_comes_back_with_each_block_and_each_refusal(root: Path, world: EngineWorld) -> None:
    with EmbeddedEngine.open(root, settings(mempool_transactions=3)) as engine:
        for _ in range(4):
            assert not any(each.ok for each in engine.submit([b"garbage"] * 3))
            admissions = engine.submit(world.transfers(3))
            assert all(each.ok for each in admissions)
            engine.wait_all([each.id for each in admissions], PATIENCE_S)


def test_expired_while_it_waited(root: Path, world: EngineWorld) -> None:
    with EmbeddedEngine.open(root, settings(block_period_s=NEVER_S)) as engine:
        # The first hundred fill block 2, so that these come too late.
        admissions = engine.submit([*world.transfers(100), world.transfer(1, expiry_height=2)])
        assert all(each.ok for each in admissions)
        engine.wait(admissions[0].id, PATIENCE_S)
        last = admissions[-1].id
        engine._settings = settings()  # its time has come
        engine.submit(world.transfers(1, 2))
        (outcome,) = engine.wait_all([last], PATIENCE_S)
    assert isinstance(outcome, Dropped)
    assert outcome.code is ResultCode.EXPIRED


def test_what_a_refused_transaction_brought_is_not_kept(root: Path, world: EngineWorld) -> None:
    data = b"a heavy attachment"
    name = sha256(data).digest()
    fields = {"attachments": [Attachment(hash=name, size=len(data))]}
    with EmbeddedEngine.open(root, settings(block_period_s=0.1)) as engine:
        poor = world.transfer(0, amount=1 << 60, **fields)
        admissions = engine.submit([poor, world.transfer(1)], {name: data})
        engine.wait_all([each.id for each in admissions], PATIENCE_S)
        assert _attachments(engine) == []
        (good,) = engine.submit([world.transfer(2, **fields)], {name: data})
        engine.wait(good.id, PATIENCE_S)
        assert _attachments(engine) == [(name, data)]


def _attachments(engine: EmbeddedEngine) -> list[tuple[bytes, bytes]]:
    from ledger.storage import Table

    with engine._home.storage.read() as transaction:
        return list(transaction.scan(Table.ATTACHMENTS))


# The end


def test_closing_commits_what_waits_and_answers_everybody(
    root: Path, world: EngineWorld, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EmbeddedEngine.open(root, settings(block_period_s=NEVER_S))
    admissions = engine.submit(world.transfers(30))
    wait, waiting = engine._changed.wait, threading.Event()

    def told(timeout_s: float | None = None) -> bool:
        # Whoever waits has the lock, so that nothing is closed before it does.
        if threading.current_thread() is not engine._thread:
            waiting.set()
        return wait(timeout_s)

    monkeypatch.setattr(engine._changed, "wait", told)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(engine.wait_all, [each.id for each in admissions], PATIENCE_S)
        assert waiting.wait(PATIENCE_S)
        engine.close()
        outcomes = waits.result(PATIENCE_S)
    assert all(isinstance(each, Inclusion) for each in outcomes)
    assert commits == [0, 30]
    engine.close()
    for call in (
        lambda: engine.submit([world.transfer(1)]),
        lambda: engine.wait(admissions[0].id, 1),
        lambda: engine.events(99, 1),
        engine.checkpoint,
    ):
        with pytest.raises(EngineClosedError):
            call()
    with EmbeddedEngine.open(root, QUICK) as again:
        assert again.info().height == 2
        assert Checkpoint.of_note(again.checkpoint()).size == again.info().log_size


def test_closing_without_patience_refuses_what_waits(root: Path, world: EngineWorld) -> None:
    hasty = settings(block_period_s=NEVER_S, close_patience_s=0)
    engine = EmbeddedEngine.open(root, hasty)
    (admission,) = engine.submit([world.transfer()])
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(engine.wait, admission.id, PATIENCE_S)
        time.sleep(0.05)
        engine.close()
        with pytest.raises(EngineClosedError):
            wait.result(PATIENCE_S)


def test_subscribers_are_told_of_the_end(root: Path) -> None:
    engine = EmbeddedEngine.open(root, QUICK)
    following = engine.subscribe(1)
    assert next(following).height == 1
    threading.Timer(0.05, engine.close).start()
    with pytest.raises(EngineClosedError):
        next(following)


def test_a_second_writer_is_refused(root: Path, engine: EmbeddedEngine) -> None:
    with pytest.raises((LockedError, StorageError)):
        EmbeddedEngine.open(root, QUICK)
    assert engine.info().height == 1


# What stops it


@pytest.mark.parametrize("error", [StorageFullError("no space is left"), ZeroDivisionError()])
def test_a_store_that_fails_stops_the_engine_loudly(
    root: Path,
    world: EngineWorld,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = settings(block_period_s=0.2)
    with pytest.MonkeyPatch.context() as patch, EmbeddedEngine.open(root, slow) as engine:
        kept = engine.submit(world.transfers(3))
        engine.wait_all([each.id for each in kept], PATIENCE_S)
        height = engine.info().height
        engine.checkpoint()  # so that none is still being signed

        def fail(*_: object) -> None:
            raise error

        patch.setattr(engine._home.storage, "write", fail)
        with caplog.at_level(logging.ERROR), ThreadPoolExecutor(2) as pool:
            lost = engine.submit(world.transfers(3))
            wait = pool.submit(engine.wait, lost[0].id, PATIENCE_S)
            follow = pool.submit(engine.events, height + 1, PATIENCE_S)
            for told in (wait, follow):
                with pytest.raises(EngineStoppedError):
                    told.result(PATIENCE_S)
        assert caplog.records
        with pytest.raises(EngineStoppedError):
            engine.submit([world.transfer(1)])
        assert engine.failure is not None
        # What was there before can still be read.
        assert engine.block(height).header.height == height
        assert engine.wait(kept[0].id, 0).height <= height
    with EmbeddedEngine.open(root, QUICK) as again:
        assert again.info().height == height
        world.sequences[0] -= 3
        redone = again.submit(world.transfers(3))
        assert [each.id for each in redone] == [each.id for each in lost]
        again.wait_all([each.id for each in redone], PATIENCE_S)
    storage = LmdbStorage.open_reader(root / "log", StoreKind.CHAIN)
    with storage.read() as transaction:
        check_state(transaction)
    storage.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"block_period_s": -1},
        {"empty_block_period_s": 0},
        {"mempool_transactions": 0},
        {"mempool_bytes": 0},
        {"signature_processes": 65},
        {"checkpoint_period_s": -0.1},
    ],
)
def test_settings_without_a_meaning(changes: dict[str, float]) -> None:
    with pytest.raises(RefusedError):
        EngineSettings(**changes)  # type: ignore[arg-type]


def test_checkpoints_can_be_rarer_than_blocks(root: Path, world: EngineWorld) -> None:
    with EmbeddedEngine.open(root, settings(checkpoint_period_s=NEVER_S)) as engine:
        for _ in range(3):
            (admission,) = engine.submit([world.transfer()])
            engine.wait(admission.id, PATIENCE_S)
        time.sleep(0.05)
        sizes = [size for size, _ in engine._home.log.checkpoints()]
        assert len(sizes) == 1  # of the first block
        # A receipt is there when it is asked for.
        assert engine.receipt(admission.id)
        sizes = [size for size, _ in engine._home.log.checkpoints()]
        assert sizes[1:] == [engine.info().log_size]
