"""What every verb that starts a fleet makes first: homes, keys, policy, and its chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.cli.main import Invocation
from ledger.fleet.model import Fleet, SettlementKind
from ledger.fleet.plan import FleetPlan
from ledger.fleet.preparation import RobotKeys, prepare_fleet

if TYPE_CHECKING:
    from ledger.fleet.chain_preparation import ChainPrepared


@dataclass(frozen=True, slots=True)
class Ready:
    """A fleet that can start."""

    fleet: Fleet
    keys: tuple[RobotKeys, ...]
    chain: ChainPrepared | None

    def chain_json(self) -> dict[str, Any] | None:
        """The fleet's place on its chain, for ``--json``."""
        if self.chain is None:
            return None
        return {
            "kind": self.fleet.settlement.kind.value,
            "trust": str(self.fleet.settlement.trust),
            "chain": self.chain.chain.hex(),
            "fleet": self.chain.fleet.hex(),
            "authority": self.chain.authority.hex(),
            "registered": list(self.chain.registered),
            "enrolled": list(self.chain.enrolled),
        }


def make_ready(invocation: Invocation, fleet: Fleet, plan: FleetPlan) -> Ready:
    """Make what is missing, and tell what a person should know."""
    keys = prepare_fleet(fleet, plan)
    if fleet.settlement.kind is SettlementKind.NONE:
        return Ready(fleet, keys, None)
    from ledger.fleet.chain_preparation import prepare_chain  # what chains need loads slowly

    chain = prepare_chain(fleet, keys)
    for remark in chain.remarks if chain else ():
        invocation.output.note(remark)
    return Ready(fleet, keys, chain)
