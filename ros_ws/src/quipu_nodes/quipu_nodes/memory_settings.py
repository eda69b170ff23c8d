"""What the memory node's parameters mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node

from ledger.chain.light.trust import Trust
from ledger.chain.light.trust_file import read_trust
from ledger.errors import LedgerError
from ledger.memory.maintenance import MaintenancePolicy
from ledger.witnessing.policy import Policy
from quipu_nodes import parameters
from quipu_nodes.parameters import ParameterError


@dataclass(frozen=True, slots=True)
class AnchorSettings:
    """On which chain the log is anchored, and the way there: a socket, or a node."""

    trust: Trust
    socket: Path | None
    node: str
    period_s: float
    report_forks: bool

    @classmethod
    def of(cls, node: Node) -> AnchorSettings | None:
        """The settings in a node's parameters; None for no chain. Raises `ParameterError`."""
        file, socket = parameters.path(node, "anchor.trust"), parameters.path(node, "anchor.socket")
        peer = parameters.text(node, "anchor.node")
        if file is None:
            if socket or peer:
                raise ParameterError("parameter anchor.trust names no file")
            return None
        if (socket is None) == (not peer):
            raise ParameterError("one of the parameters anchor.socket and anchor.node must be said")
        if peer and not peer.startswith("/"):
            raise ParameterError(f"parameter anchor.node: {peer!r} is not /NODE")
        try:
            trust = read_trust(file)
        except LedgerError as error:
            raise ParameterError(f"parameter anchor.trust: {error}") from None
        return cls(
            trust,
            socket,
            peer,
            parameters.number(node, "anchor.period_s"),
            parameters.truth(node, "anchor.report_forks"),
        )


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """The settings of a memory node; ``ask`` maps witnesses' names to nodes' full names."""

    home: Path
    create_home: bool
    origin: str
    open_timeout_s: float
    checkpoint_period_s: float
    policy: Policy | None
    ask: Mapping[str, str]
    follow: tuple[Path, ...]
    maintenance: MaintenancePolicy
    maintenance_period_s: float
    anchor: AnchorSettings | None

    @classmethod
    def of(cls, node: Node) -> MemorySettings:
        """The settings in a node's parameters. Raises `ParameterError`."""
        policy = read_policy(node)
        ask = _pairs(parameters.texts(node, "ask_witnesses"))
        for name in ask:
            if policy is None or policy.witness(name) is None:
                raise ParameterError(f"parameter ask_witnesses: the policy has no witness {name!r}")
        return cls(
            home=parameters.required_path(node, "home"),
            create_home=parameters.truth(node, "create_home"),
            origin=parameters.text(node, "origin"),
            open_timeout_s=parameters.number(node, "open_timeout_s"),
            checkpoint_period_s=parameters.number(node, "checkpoint_period_s"),
            policy=policy,
            ask=ask,
            follow=tuple(
                Path(each).expanduser().absolute() for each in parameters.texts(node, "follow")
            ),
            maintenance=MaintenancePolicy(
                offload_to=parameters.path(node, "offload.directory"),
                keep_for_s=parameters.number(node, "retention.keep_for_s") or None,
                larger_than=parameters.whole(node, "retention.larger_than_bytes") or None,
                keep_at_most=parameters.whole(node, "retention.keep_at_most_bytes") or None,
                prune_unoffloaded=parameters.truth(node, "retention.prune_unoffloaded"),
            ),
            maintenance_period_s=parameters.number(node, "retention.period_s"),
            anchor=AnchorSettings.of(node),
        )


def read_policy(node: Node) -> Policy | None:
    """The policy that a node's parameter names, if it does. Raises `ParameterError`."""
    file = parameters.path(node, "policy")
    if file is None:
        return None
    try:
        return Policy.parse(file.read_bytes())
    except OSError as error:
        raise ParameterError(f"parameter policy: {file}: {error.strerror}") from None
    except LedgerError as error:
        raise ParameterError(f"parameter policy: {file}: {error}") from None


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in texts:
        name, equals, node = each.partition("=")
        if not (name and equals and node.startswith("/")) or name in pairs:
            raise ParameterError(f"parameter ask_witnesses: {each!r} is not NAME=/NODE")
        pairs[name] = node
    return pairs
