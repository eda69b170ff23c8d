"""Makes what a fleet needs before it can start: homes, keys, the policy, parameter files.

Everything that is there already stays as it is, so that this may run before every
start. The policy (C2SP tlog-policy) is one for the whole fleet::

    log VKEY            each robot's log, and each peer's
    witness NAME VKEY   each robot's witness, and each peer's
    group fleet-quorum K NAME...
    quorum fleet-quorum

A log never asks its own witness, so K of all of them are K of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.durable_file import write_durably
from ledger.errors import RefusedError
from ledger.fleet.model import Fleet, Robot
from ledger.fleet.plan import FleetPlan
from ledger.home import HomePaths, create_home, open_home
from ledger.note import VerifierKey
from ledger.storage.os_errors import storage_errors
from ledger.witnessing.policy import NO_QUORUM, Policy, PolicyGroup, PolicyLog, PolicyWitness
from ledger.witnessing.witness_key import WitnessKey

QUORUM_GROUP: Final = "fleet-quorum"  # the hyphen keeps it apart from every robot's name


@dataclass(frozen=True, slots=True)
class RobotKeys:
    """The public keys of one robot; ``created`` if its home was made just now."""

    robot: Robot
    log: tuple[VerifierKey, ...]
    witness: VerifierKey
    created: bool


def prepare_fleet(fleet: Fleet, plan: FleetPlan) -> tuple[RobotKeys, ...]:
    """Make the homes and keys that are missing, write policy and parameter files.

    Raises `RefusedError` where a home is another log's, `KeyStoreError`, storage errors.
    """
    keys = tuple(_keys_of(robot) for robot in fleet.robots)
    policy = compose_policy(fleet, keys).encode()
    path = fleet.paths.policy
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != policy:
            write_durably(path, policy)
    for path, text in plan.files.items():
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return keys


def compose_policy(fleet: Fleet, keys: Sequence[RobotKeys]) -> Policy:
    """The fleet's policy. Raises `MalformedError` for keys that cannot stand together."""
    logs = [PolicyLog(key) for each in keys for key in each.log]
    logs += [PolicyLog(peer.log) for peer in fleet.peers if peer.log is not None]
    witnesses = [PolicyWitness(each.robot.name, each.witness) for each in keys]
    witnesses += [
        PolicyWitness(peer.name, peer.witness, peer.url)
        for peer in fleet.peers
        if peer.witness is not None
    ]
    if not fleet.quorum:
        return Policy(tuple(logs), tuple(witnesses), (), NO_QUORUM)
    group = PolicyGroup(QUORUM_GROUP, fleet.quorum, tuple(each.name for each in witnesses))
    return Policy(tuple(logs), tuple(witnesses), (group,), QUORUM_GROUP)


def _keys_of(robot: Robot) -> RobotKeys:
    paths = HomePaths(robot.home)
    created = not paths.exists
    if created:
        create_home(robot.home, robot.origin)
    with open_home(robot.home) as home:
        origin, log = home.log.origin, home.vkeys
    if origin != robot.origin:
        raise RefusedError(
            f"{robot.home} is the home of {origin}, not of {robot.origin}",
            hint=f"give {robot.name} another home, or set its origin",
        )
    witness = WitnessKey(robot.home / "keys" / "witness").load_or_create(f"{origin}/witness")
    return RobotKeys(robot, log, witness.verifier_key, created)
