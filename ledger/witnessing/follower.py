"""A witness that follows logs: their checkpoints arrive, and it asks for the proofs.

What arrives may come from the log, or from another witness that has seen it; anyone
may bring it, for only what the log signed is looked at. Each checkpoint ends in one
outcome:

============  =================================================================
`Cosigned`    it continues what was recorded; recorded now, and cosigned
`Unchanged`   it is the recorded one; the cosignature of then
`Older`       it is of a smaller tree than the recorded one: no alarm
`Refused`     nothing can be said for it, and nothing against its log
`Forked`      it and another one are evidence against the log: raise the alarm
============  =================================================================

A witness that was away needs one proof, from what it recorded to the newest
checkpoint, whatever came in between.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from ledger.checkpoint import Checkpoint, VerifiedCheckpoint, open_checkpoint
from ledger.errors import (
    ConflictError,
    LedgerError,
    MalformedError,
    RefusedError,
    VerificationError,
)
from ledger.note import CosignatureSigner, SignedNote, VerifierKey
from ledger.witness import WitnessState
from ledger.witnessing.comparison import (
    Consistent,
    Unproven,
    compare_checkpoints,
    find_fork,
)
from ledger.witnessing.evidence import ForkClaim, ForkEvidence, verify_evidence
from ledger.witnessing.fork_records import ForkRecords
from ledger.witnessing.policy import Policy
from ledger.witnessing.proof_source import ProofSource

_MAX_RACES: Final = 8
_REMEMBERED: Final = 1024


class Refusal(Enum):
    """Why a checkpoint was refused."""

    MALFORMED = "malformed"
    UNKNOWN_LOG = "unknown log"
    NOT_SIGNED = "not signed by its log"
    NO_PROOF = "no proof"
    WRONG_PROOF = "wrong proof"
    FORKED = "its log has forked"
    BUSY = "overtaken again and again"


@dataclass(frozen=True, slots=True)
class Cosigned:
    """Recorded and cosigned. ``lines`` are the signature lines to hand out."""

    checkpoint: Checkpoint
    lines: bytes


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The recorded checkpoint once more. ``lines`` are those of then."""

    checkpoint: Checkpoint
    lines: bytes


@dataclass(frozen=True, slots=True)
class Older:
    """A smaller tree than the recorded one of ``recorded_size`` leaves.

    ``proven`` says whether the recorded one is known to continue it. While it is not,
    another source may still show that the two are a fork.
    """

    checkpoint: Checkpoint
    recorded_size: int
    proven: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Not cosigned; ``detail`` is for people."""

    refusal: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Forked:
    """The log signed two histories. ``new`` unless there was evidence against it before."""

    evidence: ForkEvidence
    new: bool


Outcome: TypeAlias = Cosigned | Unchanged | Older | Refused | Forked


def _now_s() -> int:
    return int(time.time())


class Follower:
    """One witness: its key, what it has recorded, and the logs that its policy lists.

    ``forks`` is in the same store as ``state``. Logs named in ``except_origins`` are not
    followed: a robot's witness says nothing about the robot's own log. Methods may be
    called from any thread; they raise `StorageError` and its kin, and nothing else.
    """

    def __init__(
        self,
        policy: Policy,
        state: WitnessState,
        signer: CosignatureSigner,
        *,
        except_origins: Collection[str] = (),
        clock: Callable[[], int] = _now_s,
    ) -> None:
        for log in policy.logs:
            if log.key.public_key == signer.private_key.public_key:
                raise RefusedError(f"the witness {signer.name} has the key of {log.key.name}")
        self.policy: Final = policy
        self.state: Final = state
        self.forks: Final = ForkRecords(state.storage)
        self.signer: Final = signer
        self._except = frozenset(except_origins)
        self.clock: Final = clock
        self._continued: OrderedDict[Checkpoint, None] = OrderedDict()
        self._lock = threading.Lock()

    def receive(self, note: bytes, source: ProofSource) -> Outcome:
        """Look at a checkpoint, asking ``source`` for what is needed to judge it."""
        try:
            origin = Checkpoint.of_note(note).origin
            keys = self.keys_of(origin)
            if not keys:
                return Refused(Refusal.UNKNOWN_LOG, f"{origin} is not followed here")
            offered = open_checkpoint(note, keys)
        except MalformedError as error:
            return Refused(Refusal.MALFORMED, error.message)
        except VerificationError as error:
            return Refused(Refusal.NOT_SIGNED, error.message)
        if self.forks.of(origin) is not None:
            return Refused(Refusal.FORKED, f"there is evidence that {origin} forked")
        for _ in range(_MAX_RACES):
            outcome = self._judge(offered, keys, source)
            if outcome is not None:
                return outcome
        return Refused(Refusal.BUSY, f"other checkpoints of {origin} came first")

    def keys_of(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys of a log that is followed here; none for another."""
        return () if origin in self._except else self.policy.log_keys(origin)

    def report(self, evidence: ForkEvidence) -> Forked:
        """Keep evidence, found here or brought by others and verified."""
        return Forked(evidence, self.forks.keep(evidence))

    def _judge(
        self, offered: VerifiedCheckpoint, keys: tuple[VerifierKey, ...], source: ProofSource
    ) -> Outcome | None:
        """The outcome, or None if another checkpoint was recorded meanwhile."""
        checkpoint = offered.checkpoint
        recorded_note = self.state.latest(checkpoint.origin)
        recorded = None if recorded_note is None else Checkpoint.of_note(recorded_note)
        proof: tuple[bytes, ...] = ()
        if recorded_note is not None and recorded is not None:
            if checkpoint.size < recorded.size:
                return self._look_back(offered, recorded_note, recorded, keys, source)
            if checkpoint == recorded and (lines := self._own_lines(recorded_note)):
                return Unchanged(checkpoint, lines)
            if checkpoint.size == recorded.size and checkpoint != recorded:
                return self._split_view(offered.note, recorded_note, keys)
            if 0 < recorded.size < checkpoint.size:
                try:
                    proof = tuple(source.prove_consistency(recorded.size, checkpoint.size))
                except LedgerError as error:
                    return Refused(Refusal.NO_PROOF, error.message)
        old_size = recorded.size if recorded else 0
        try:
            lines = self.state.cosign(offered.note, keys, old_size, proof, self.signer, self.clock)
        except ConflictError:
            return None
        except (VerificationError, MalformedError) as error:
            if recorded_note is not None and old_size:
                found = find_fork(recorded_note, offered.note, proof, keys, source)
                if found is not None:
                    return self.report(found)
            return Refused(Refusal.WRONG_PROOF, error.message)
        return Cosigned(checkpoint, lines)

    def _split_view(
        self, offered: bytes, recorded: bytes, keys: tuple[VerifierKey, ...]
    ) -> Outcome:
        try:
            return self.report(verify_evidence(ForkClaim.of(recorded, offered), keys))
        except VerificationError:
            # Recorded under a key that the policy lists no more: nobody else could check it.
            return Refused(
                Refusal.WRONG_PROOF, "another root was recorded, under a key that is not listed now"
            )

    def _look_back(
        self,
        offered: VerifiedCheckpoint,
        recorded_note: bytes,
        recorded: Checkpoint,
        keys: tuple[VerifierKey, ...],
        source: ProofSource,
    ) -> Outcome:
        """An old message, or the other side of a fork: a proof tells them apart."""
        checkpoint = offered.checkpoint
        with self._lock:
            proven = checkpoint in self._continued
        if not proven:
            try:
                found = compare_checkpoints(offered.note, recorded_note, keys, source)
            except VerificationError:
                found = Unproven("")  # as in _split_view
            if isinstance(found, ForkEvidence):
                return self.report(found)
            if proven := isinstance(found, Consistent):
                self._remember(checkpoint)
        return Older(checkpoint, recorded.size, proven)

    def _remember(self, checkpoint: Checkpoint) -> None:
        # What one recorded checkpoint continues, all later ones do.
        with self._lock:
            self._continued[checkpoint] = None
            while len(self._continued) > _REMEMBERED:
                self._continued.popitem(last=False)

    def _own_lines(self, recorded: bytes) -> bytes:
        key = self.signer.verifier_key
        lines = SignedNote.parse(recorded).signatures
        own = [line for line in lines if (line.name, line.key_id) == (key.name, key.key_id)]
        return "".join(line.encode() for line in own).encode("utf-8")
