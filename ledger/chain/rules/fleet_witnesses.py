"""The witnesses of a fleet: whose cosignatures count for the logs of its robots.

`FleetRecord.witness_policy` is a C2SP tlog-policy without ``log`` lines; an empty one asks
for nothing, as ``quorum none`` does. A robot's own key is no witness of its log, whatever
the policy says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ledger.errors import CorruptStoreError
from ledger.note import SignedNote, VerifierKey
from ledger.schema.chain_identity_pb2 import FleetRecord, RobotRecord
from ledger.witnessing.policy import NO_QUORUM, Policy, PolicyError, PolicyWitness


@dataclass(frozen=True, slots=True)
class FleetWitnesses:
    """A policy, and its witnesses by the lines they write: (key name, key id)."""

    policy: Policy
    by_line: Mapping[tuple[str, bytes], PolicyWitness]

    @property
    def quorum_is_real(self) -> bool:
        """Whether the quorum takes at least one witness."""
        return self.policy.quorum != NO_QUORUM

    def keys_in(self, note: SignedNote, robot: RobotRecord) -> list[VerifierKey]:
        """Keys of the witnesses that say to have signed a note of ``robot``, each once."""
        found = [self.by_line.get((line.name, line.key_id)) for line in note.signatures]
        keys = dict.fromkeys(witness.key for witness in found if witness is not None)
        if not keys:
            return []
        own = {period.key for period in robot.keys}
        return [key for key in keys if bytes(key.public_key) not in own]

    def names_of(self, keys: Iterable[VerifierKey]) -> set[str]:
        """The policy's names of the witnesses with these keys."""
        return {self.by_line[key.name, key.key_id].name for key in keys}

    def are_enough(self, names: Collection[str]) -> bool:
        """Whether these witnesses are a quorum."""
        return self.policy.quorum_met(names)


_NOBODY: Final = FleetWitnesses(Policy(), {})


def fleet_witnesses(fleet: FleetRecord) -> FleetWitnesses:
    """The witnesses of a fleet. Raises CorruptStoreError for a policy that is none."""
    return _parse(fleet.witness_policy) if fleet.witness_policy else _NOBODY


# One policy serves a whole fleet, and reading one costs more than an anchor.
@lru_cache(maxsize=256)
def _parse(policy: bytes) -> FleetWitnesses:
    try:
        parsed = Policy.parse(policy)
    except PolicyError as error:
        raise CorruptStoreError(f"a fleet's {error.message}") from error
    return FleetWitnesses(
        parsed, {(each.key.name, each.key.key_id): each for each in parsed.witnesses}
    )
