"""Whom a light client believes: one chain, the keys of its log, and a quorum of witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.checkpoint import VerifiedCheckpoint, open_checkpoint
from ledger.errors import RefusedError, VerificationError
from ledger.note import KeyKind, VerifierKey
from ledger.witnessing.policy import Policy

NO_WITNESSES: Final = Policy()


@dataclass(frozen=True, slots=True)
class Trust:
    """What has to be known beforehand, and comes from nowhere but the caller.

    ``log_keys`` are the operator's, all of the chain's origin. Of ``policy`` the witnesses,
    groups and quorum count; its logs do not. Raises RefusedError for what cannot be.
    """

    chain: bytes
    """The chain's id: the leaf hash of its genesis, 32 bytes."""
    log_keys: Sequence[VerifierKey]
    policy: Policy = NO_WITNESSES

    def __post_init__(self) -> None:
        if len(self.chain) != ID_SIZE:
            raise RefusedError(f"a chain's id is {ID_SIZE} bytes, not {len(self.chain)}")
        if len({key.name for key in self.log_keys}) != 1:
            raise RefusedError("the keys to trust are one or more, all of one origin")
        if any(key.kind is not KeyKind.ED25519 for key in self.log_keys):
            raise RefusedError("a chain's log is signed by a key of type 0x01, no witness's")

    @property
    def origin(self) -> str:
        """The name of the chain's log."""
        return self.log_keys[0].name

    def open(self, note: bytes) -> VerifiedCheckpoint:
        """Check a checkpoint: the origin, the log's signature, the witnesses' quorum.

        Raises MalformedError; VerificationError; RefusedError for a witness's key that
        is the log's too.
        """
        opened = open_checkpoint(note, self.log_keys, self.policy.witness_keys)
        signed = {signature.key for signature in opened.cosignatures}
        names = [each.name for each in self.policy.witnesses if each.key in signed]
        if not self.policy.quorum_met(names):
            raise VerificationError(
                f"the quorum {self.policy.quorum} has not cosigned the checkpoint",
                hint=f"these have: {', '.join(names) or 'nobody'}",
            )
        return opened
