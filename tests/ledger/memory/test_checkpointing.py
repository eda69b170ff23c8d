"""Checkpoints at regular times."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import StorageError, StorageFullError
from ledger.memory.checkpointing import PeriodicCheckpoints, sign_if_grown
from ledger.memory.owner import MemoryOwner
from ledger.memory.status import CheckpointStored, MemoryEvent
from tests.ledger.memory.owner_process import wait_for
from tests.ledger.memory.test_owner import grow


def test_only_a_log_that_grew_is_signed(owner: MemoryOwner, tmp_path: Path) -> None:
    assert sign_if_grown(owner)  # an empty log, for the first time: others may follow it
    assert not sign_if_grown(owner)
    with owner.writer() as home:
        grow(home, tmp_path)
    assert sign_if_grown(owner)
    assert not sign_if_grown(owner)


def test_it_goes_on_by_itself(owner: MemoryOwner, tmp_path: Path) -> None:
    heard: list[MemoryEvent] = []
    owner.subscribe(heard.append)
    with closing(PeriodicCheckpoints(owner, 0.01)):
        for count in (1, 2, 3):
            with owner.writer() as home:
                grow(home, tmp_path)
            wait_for(lambda count=count: owner.status().checkpoint_size == count)  # type: ignore[misc]
    assert all(isinstance(event, CheckpointStored) for event in heard)
    with owner.writer() as home:
        grow(home, tmp_path)
    assert owner.status().uncheckpointed == 1


def test_a_failure_is_said_once_and_tried_again(
    owner: MemoryOwner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception] = [
        StorageFullError("no space is left"),
        StorageFullError("no space is left"),
        RuntimeError("a fault of ours"),
    ]
    right = owner.checkpoint

    def checkpoint() -> bytes:
        if errors:
            raise errors.pop(0)
        return right()

    monkeypatch.setattr(owner, "checkpoint", checkpoint)
    with caplog.at_level(logging.WARNING), closing(PeriodicCheckpoints(owner, 0.01)):
        wait_for(lambda: owner.status().checkpoint_time_ns)
    said = [record.message for record in caplog.records]
    assert said == ["no checkpoint: no space is left", "no checkpoint"]


def test_ending_it_while_the_home_is_lent(owner: MemoryOwner) -> None:
    with owner.lent(4711):
        checkpoints = PeriodicCheckpoints(owner, 0.001)
        wait_for(lambda: owner.status().waiting)
        owner.set_patience(0.0)
        checkpoints.close()
    with pytest.raises(StorageError):
        owner.close()
        owner.checkpoint()
