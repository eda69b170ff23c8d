"""Fleets as the state knows them, and the one key that speaks for each."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.state_keys import fleet_key
from ledger.chain.working_state import WorkingState
from ledger.schema.chain_identity_pb2 import FleetRecord

FLEET_TAG: Final = b"quipu/fleet/v1\0"


def fleet_id(chain: bytes, name: str) -> bytes:
    """The id of a chain's fleet of this name."""
    # SHA256("quipu/fleet/v1\0" || chain id || name)
    return sha256(FLEET_TAG + chain + name.encode("utf-8")).digest()


def read_fleet(state: WorkingState, fleet: bytes) -> FleetRecord:
    """The fleet of this id. Raises RefusalError `UNKNOWN_FLEET`."""
    record = state.read(FleetRecord, fleet_key(fleet))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_FLEET, "there is no such fleet")
    return record


def governed_fleet(context: Context, fleet: bytes) -> FleetRecord:
    """The fleet whose authority signed. Raises RefusalError: `UNKNOWN_FLEET`, `NOT_ALLOWED`."""
    record = read_fleet(context.state, fleet)
    require(
        record.authority == context.signer,
        ResultCode.NOT_ALLOWED,
        "only the fleet's authority may do this",
    )
    return record
