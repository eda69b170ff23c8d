"""The newest proof of an anchor: ``HOME/anchored``, the bytes of a StateAnswer.

It survives restarts: a robot that is offline still knows how far it is anchored, can prove
it to anybody who knows the chain's keys, and goes on from that header of the chain and
never from an older one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.chain.light.answer import MAX_ANSWER_BYTES
from ledger.chain.state.proof import StateProof
from ledger.durable_file import write_durably
from ledger.errors import LedgerError
from ledger.memory.anchor_status import AnchorState, AnchorStatus
from ledger.schema.canonical import parse_message
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_receipt_pb2 import StateAnswer
from ledger.storage.os_errors import storage_errors

NAME: Final = "anchored"
EVIDENCE_NAME: Final = "chain-fork.evidence"
"""Beside it: what proves that the chain's operator signed two histories, if it did."""


def keep_anchor(home: Path, answer: bytes) -> None:
    """Replace what is kept, durably. Raises StorageError."""
    with storage_errors(home / NAME):
        write_durably(home / NAME, answer)


def kept_anchor(home: Path) -> bytes:
    """What is kept, unverified; nothing if nothing is. Raises StorageError."""
    path = home / NAME
    with storage_errors(path):
        try:
            with path.open("rb") as file:
                return file.read(MAX_ANSWER_BYTES + 1)
        except FileNotFoundError:
            return b""


def last_anchor(home: Path) -> AnchorStatus:
    """What the home remembers of its last anchor, for a look at a robot that does not run."""
    try:
        kept = kept_anchor(home)
        leaf = StateProof.from_bytes(parse_message(StateAnswer, kept, "answer").proof).leaf
        if leaf is None:
            return AnchorStatus()
        return status_of(parse_message(AnchorRecord, leaf[1], "anchor"), AnchorState.OFF)
    except LedgerError:
        return AnchorStatus()


def status_of(record: AnchorRecord | None, state: AnchorState, detail: str = "") -> AnchorStatus:
    """A status that says what the chain has of the log."""
    if record is None:
        return AnchorStatus(state, detail=detail)
    return AnchorStatus(state, record.size, record.height, record.time_ns, detail)


def keep_evidence(home: Path, evidence: bytes) -> Path:
    """Keep evidence against the chain's operator; where. Raises StorageError."""
    path = home / EVIDENCE_NAME
    with storage_errors(path):
        if not path.exists():
            write_durably(path, evidence)
    return path
