"""What a settlement chain says of purchases and models: rows of its state, proven by the asker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.chain.ids import model_id
from ledger.chain.notices import ProvenRows
from ledger.chain.state_keys import (
    contract_key,
    fleet_key,
    grant_key,
    model_key,
    offer_key,
    robot_key,
    withdrawn_key,
)
from ledger.lineage.graph import Agreement, RegisteredModel, WithdrawnConsent
from ledger.schema.chain_consent_pb2 import WithdrawnRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_identity_pb2 import FleetRecord, RobotRecord
from ledger.schema.chain_learning_pb2 import ModelRecord
from ledger.schema.chain_sharing_pb2 import ContractRecord, OfferRecord


class ChainFacts:
    """Asks one chain. Every method raises what ``rows`` raises."""

    def __init__(self, chain: bytes, rows: ProvenRows) -> None:
        self.chain: Final = chain
        self.rows: Final = rows

    def agreement(self, grant: bytes, offer: bytes) -> Agreement | None:
        """What became of a grant of an offer; None where the chain has no such offer."""
        offered = self.rows.read(OfferRecord, offer_key(offer))
        if offered is None:
            return None
        contract = self.rows.read(ContractRecord, contract_key(offered.contract))
        granted = self.rows.read(GrantRecord, grant_key(grant))
        return Agreement(
            contract_name=contract.name if contract else "",
            contract_withdrawn_height=contract.withdrawn_height if contract else 0,
            seller_fleet=self.fleet_name(contract.fleet) if contract else "",
            purpose=granted.purpose if granted else "",
            pruned=granted is None,
            withdrawn=self.withdrawn(offered.origin, offered.record_id),
            confirmed_height=granted.erased_height if granted else 0,
        )

    def withdrawn(self, origin: str, record_id: bytes) -> WithdrawnConsent | None:
        """Whether consent of a robot's record is withdrawn."""
        found = self.rows.read(WithdrawnRecord, withdrawn_key(origin, record_id))
        if found is None:
            return None
        heights = (each.height for each in found.withdrawals)
        return WithdrawnConsent(
            tuple(each.consent for each in found.withdrawals), min(heights, default=0)
        )

    def fleet_of(self, origin: str) -> bytes:
        """The fleet that a robot is of; nothing where the chain does not know it."""
        robot = self.rows.read(RobotRecord, robot_key(origin))
        return robot.fleet if robot is not None else b""

    def fleet_name(self, fleet: bytes) -> str:
        """A fleet's name; empty where there is none."""
        record = self.rows.read(FleetRecord, fleet_key(fleet))
        return record.name if record is not None else ""

    def registered(
        self, fleet: bytes, content_root: bytes, grants: Iterable[bytes]
    ) -> RegisteredModel | None:
        """A fleet's model with this content, held against the ``grants`` it needed."""
        name = model_id(self.chain, fleet, content_root)
        record = self.rows.read(ModelRecord, model_key(name))
        if record is None:
            return None
        named = {each.grant for each in record.grants}
        return RegisteredModel(
            model=name,
            fleet=self.fleet_name(fleet),
            name=record.name,
            height=record.height,
            withdrawn_height=record.withdrawn_height,
            unnamed=tuple(sorted(set(grants) - named)),
        )
