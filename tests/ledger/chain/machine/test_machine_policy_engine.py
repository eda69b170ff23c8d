"""A machine does not run a chain whose policies it would decide with another engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.audit.rule_replay import RuleReplay
from ledger.chain.machine.machine import StateMachine
from ledger.chain.policy import engine
from ledger.errors import RefusedError
from tests.ledger.chain.machine.machine_world import MachineWorld
from tests.ledger.chain.rules.chain_world import make_genesis


def test_a_chain_of_an_engine_that_nobody_has_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="engine 77"):
        MachineWorld(tmp_path, policy_engine=77)


def test_nor_is_one_opened_or_replayed_where_its_engine_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = MachineWorld(tmp_path)
    world.advance()
    monkeypatch.setattr(engine, "installed_version", lambda: "4.99.0")
    for run in (
        lambda: StateMachine(world.storage, world.machine._log),
        lambda: RuleReplay(world.genesis),
    ):
        with pytest.raises(RefusedError, match=r"cedarpy 4\.12\.2, and here is 4\.99\.0"):
            run()


def test_the_engine_is_part_of_what_a_chain_is() -> None:
    assert make_genesis().chain != make_genesis(policy_engine=1).chain
