"""What a rule sees of the world: nothing that two replicas could see differently."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.presentation_claim import PresentationClaim
from ledger.chain.quality_claim import QualityClaim
from ledger.chain.working_state import WorkingState
from ledger.schema.chain_pb2 import Event, EventKind, Parameters


@dataclass(slots=True)
class Context:
    """The block and the transaction at work.

    ``time_ns`` is the block's time, the only clock there is.
    """

    chain: bytes
    """Id of the chain, 32 bytes."""
    parameters: Parameters
    height: int
    time_ns: int
    state: WorkingState = field(repr=False)
    signer: bytes = b""
    """The account that signed, 32 bytes."""
    sequence: int = 0
    sponsor: bytes = b""
    """The fleet whose pool pays, 32 bytes, or none."""
    body: bytes = field(default=b"", repr=False)
    """The transaction's body, serialised as it was signed."""
    attachments: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    """Of the transaction, by SHA-256; checked against what the body says."""
    pruned: Set[bytes] = field(default=frozenset(), repr=False)
    """Attachments of the transaction that were there, and judged, when its block was made."""
    events: list[Event] = field(default_factory=list)
    verdicts: Mapping[PresentationClaim | QualityClaim, bool] = field(
        default_factory=dict, repr=False
    )
    """Of proofs of the block that were verified together, before it was carried out."""

    def emit(self, kind: EventKind, subject: bytes, amount: int = 0) -> None:
        """Put an event into the transaction's result."""
        self.events.append(Event(kind=kind, subject=subject, amount=amount))


def require(condition: bool, code: ResultCode, message: str) -> None:
    """Refuse the transaction unless ``condition`` holds."""
    if not condition:
        raise RefusalError(code, message)
