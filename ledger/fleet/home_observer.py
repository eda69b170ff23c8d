"""Looks at a fleet through its folders: control sockets and homes, no ROS.

A robot's memory answers on ``HOME/control.sock``; where none does, the log is read from
the home itself. The newest checkpoint is checked against the fleet's policy either way.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError
from ledger.fleet.board import AlarmSeen, ChainSeen, Observation, RobotFacts, Sight
from ledger.fleet.diagnostics import read_policy, witness_name
from ledger.fleet.model import Fleet, Robot, SettlementKind
from ledger.home import HomePaths, open_home
from ledger.memory.anchor_status import NOT_ANCHORED, AnchorState, AnchorStatus
from ledger.memory.anchoring.kept_anchor import last_anchor
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.memory.status import MemoryStatus, OwnerState
from ledger.witnessing.evidence import verify_evidence
from ledger.witnessing.fork_records import ForkRecords
from ledger.witnessing.policy import Policy


class HomeObserver:
    """An observer of homes; see `ledger.fleet.board.Observer`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def look(self) -> Iterable[Sight]:
        """One observation a robot that has a home, and the forks that its witness keeps; and
        of the chain, where it can be reached from here."""
        if (chain := self._chain()) is not None:
            yield chain
        policy = read_policy(self._fleet)
        for robot in self._fleet.robots:
            if HomePaths(robot.home).exists:
                yield Observation(robot.name, time.time_ns(), _facts(robot, policy))
                yield from _forks(robot, policy)

    def close(self) -> None:
        """Nothing is held between two looks."""

    def _chain(self) -> ChainSeen | None:
        chosen, paths = self._fleet.settlement, self._fleet.paths
        own = chosen.kind is SettlementKind.EMBEDDED
        if not chosen.has_process or (own and not (paths.chain / "log").is_dir()):
            return None
        from ledger.fleet.chain_look import look_at_chain  # what chains need loads slowly

        return look_at_chain(
            paths.chain_socket if own else chosen.socket, paths.chain if own else None
        )


def _facts(robot: Robot, policy: Policy | None) -> RobotFacts:
    status = None
    try:
        status = _ask(robot)
        facts = _read(robot, policy)
    except LedgerError as error:
        if status is None:
            return RobotFacts(fault=error.message)
        # Its owner answers, who knows the home better than we do.
        facts = RobotFacts(
            entries=status.entries,
            checkpoint_size=status.checkpoint_size,
            cosignatures=status.cosignatures,
        )
    if status is None:
        return replace(facts, fault="", **_anchored(last_anchor(robot.home)))
    return replace(
        facts,
        **_anchored(status.anchor),
        checkpoint_time_ns=status.checkpoint_time_ns or None,
        fault=status.fault,
        memory_state=_state(status),
        memory_pid=status.pid,
        disk_free_bytes=status.disk_free_bytes,
        backlog=status.uncheckpointed,
    )


def _anchored(anchor: AnchorStatus) -> dict[str, Any]:
    """Nothing of a robot that nobody anchors."""
    if anchor == NOT_ANCHORED:
        return {}
    state = anchor.state.name.lower() if anchor.state is not AnchorState.OFF else None
    return {"anchored_size": anchor.size, "anchor_state": state}


def _read(robot: Robot, policy: Policy | None) -> RobotFacts:
    """What the home itself says."""
    with open_home(robot.home) as home:
        entries = home.log.size
        note = home.log.latest_checkpoint()
    verdict = policy.check(note) if policy and note else None
    return RobotFacts(
        entries=entries,
        checkpoint_size=Checkpoint.of_note(note).size if note else 0,
        cosigned_by=verdict.cosigned if verdict else None,
        cosignatures=len(verdict.cosigned) if verdict else None,
        quorum_met=verdict.quorum_met if verdict else None,
    )


def _forks(robot: Robot, policy: Policy | None) -> Iterator[AlarmSeen]:
    """What the robot's witness has kept as evidence, judged anew."""
    try:
        with open_home(robot.home) as home:
            kept = list(ForkRecords(home.storage).all())
    except LedgerError:
        return  # the robot's row says so
    for origin, claim in kept:
        keys = policy.log_keys(origin) if policy else ()
        try:
            detail = str(verify_evidence(claim, keys))
        except LedgerError as error:
            detail = f"kept as evidence, which cannot be verified: {error.message}"
        reporter = witness_name(policy, robot)
        yield AlarmSeen("fork", origin, reporter, detail, time.time_ns())


def _ask(robot: Robot) -> MemoryStatus | None:
    try:
        with ControlClient(robot.home) as client:
            return client.status()
    except NoOwnerError:
        return None


def _state(status: MemoryStatus) -> str:
    if status.state is OwnerState.LENT and status.lent_to:
        return f"lent to {status.lent_to}"
    return status.state.name.lower()
