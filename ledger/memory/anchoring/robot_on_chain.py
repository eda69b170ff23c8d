"""This robot, its fleet and its account, as the newest state of the chain has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.chain.proven.state import ProvenState
from ledger.chain.robots import current_key, valid_keys
from ledger.chain.rules.fleet_witnesses import fleet_witnesses
from ledger.chain.rules.robot_notes import log_key
from ledger.chain.state_keys import PARAMETERS_KEY, fleet_key, robot_key
from ledger.checkpoint import open_checkpoint
from ledger.errors import LedgerError, VerificationError
from ledger.note import NoteSigner, SignedNote
from ledger.schema.chain_identity_pb2 import FleetRecord, RobotRecord
from ledger.schema.chain_pb2 import Parameters


@dataclass(frozen=True, slots=True)
class RobotOnChain:
    """What was proven of a robot, at about one height."""

    origin: str
    record: RobotRecord
    fleet: FleetRecord
    height: int
    min_fee: int

    @classmethod
    def read(cls, chain: ProvenState, origin: str) -> RobotOnChain | None:
        """Ask the chain; None for a log that it does not know.

        Raises VerificationError for a state that cannot be, and as `ProvenState.read`.
        """
        record = chain.read(RobotRecord, robot_key(origin))
        if record is None:
            return None
        fleet = chain.read(FleetRecord, fleet_key(record.fleet))
        parameters = chain.prove(Parameters, PARAMETERS_KEY)
        if fleet is None or parameters.record is None:
            raise VerificationError("the chain's state lacks a robot's fleet, or its parameters")
        height = parameters.header.height
        return cls(origin, record, fleet, height, parameters.record.min_fee)

    def signer(self, signers: Iterable[NoteSigner]) -> NoteSigner | None:
        """Of the home's keys, one that speaks for the robot in the next block.

        The current one rather than one that ends.
        """
        valid = valid_keys(self.record, self.height + 1)
        current = current_key(self.record)
        having = {bytes(signer.private_key.public_key): signer for signer in signers}
        known = [key for key in having if key in valid]
        return having[current] if current in known else next((having[k] for k in known), None)

    def is_cosigned(self, note: bytes) -> bool:
        """Whether a checkpoint has what the chain will ask for, as the anchor rule finds out."""
        witnesses = fleet_witnesses(self.fleet)
        keys = [log_key(self.origin, key) for key in valid_keys(self.record, self.height + 1)]
        try:
            opened = open_checkpoint(
                note, keys, witnesses.keys_in(SignedNote.parse(note), self.record)
            )
        except LedgerError:
            return False
        names = witnesses.names_of(signature.key for signature in opened.cosignatures)
        return witnesses.are_enough(names)

    @property
    def sponsor(self) -> bytes:
        """The fleet whose pool pays the next fee, if it has said that it does."""
        fleet, robot = self.fleet, self.record
        over = self.height + 1 >= robot.sponsored_window + fleet.sponsored_period
        spent = 0 if over else robot.sponsored
        pays = fleet.sponsored_period and spent + self.min_fee <= fleet.sponsored_amount
        return self.record.fleet if self.min_fee and pays else b""
