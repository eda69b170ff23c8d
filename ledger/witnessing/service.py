"""A witness that is asked: the log brings its checkpoint and the proof with it.

C2SP tlog-witness without its transport: bytes in, status and bytes out. The statuses
are those of `ledger.witness`, and 503 while the witness's own store fails. The service
looks at every request for evidence, for a fork that is refused must also be told.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import (
    ConflictError,
    LedgerError,
    MalformedError,
    StorageError,
    VerificationError,
)
from ledger.note import VerifierKey
from ledger.witness import AddCheckpointRequest
from ledger.witnessing.comparison import find_fork
from ledger.witnessing.evidence import ForkClaim, ForkEvidence, verify_evidence
from ledger.witnessing.follower import Follower, Forked
from ledger.witnessing.transport import Answer, Status

_log = logging.getLogger(__name__)


def origin_hash(origin: str) -> str:
    """SHA-256 of a log's origin in lower-case hex (tlog-witness, "Monitor Retrieval")."""
    return hashlib.sha256(origin.encode("utf-8")).hexdigest()


class WitnessService:
    """Answers for one `Follower`; ``on_fork`` is told what evidence was found, once a log.

    Methods may be called from any thread and raise nothing.
    """

    def __init__(self, follower: Follower, on_fork: Callable[[Forked], None] | None = None) -> None:
        self.follower = follower
        self._on_fork = on_fork
        self._origins = {origin_hash(each): each for each in follower.policy.origins}

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer an ``add-checkpoint`` request."""
        try:
            return self._add_checkpoint(body)
        except StorageError as error:
            _log.error("the witness cannot answer: %s", error)
            return Answer(Status.UNAVAILABLE, _line("the witness's store fails"))

    def recorded(self, hashed_origin: str) -> Answer:
        """The newest checkpoint of a log, with its signatures and this witness's."""
        origin = self._origins.get(hashed_origin)
        try:
            note = None if origin is None else self.follower.state.latest(origin)
        except StorageError as error:
            _log.error("the witness cannot answer: %s", error)
            return Answer(Status.UNAVAILABLE, _line("the witness's store fails"))
        if note is None:
            return Answer(Status.NOT_FOUND, _line("no checkpoint of such a log"))
        return Answer(Status.OK, note)

    def _add_checkpoint(self, body: bytes) -> Answer:
        # In the order of tlog-witness, "add-checkpoint".
        try:
            request = AddCheckpointRequest.parse(body)
        except MalformedError as error:
            return Answer(Status.BAD_REQUEST, _line(error.message))
        origin = request.checkpoint.origin
        keys = self.follower.keys_of(origin)
        if not keys:
            return Answer(Status.NOT_FOUND, _line("this log is not witnessed here"))
        try:
            open_checkpoint(request.note, keys)
        except LedgerError as error:
            return Answer(Status.FORBIDDEN, _line(error.message))
        if self.follower.forks.of(origin) is not None:
            return Answer(Status.UNPROCESSABLE, _line("there is evidence that this log forked"))
        follower = self.follower
        try:
            lines = follower.state.cosign(
                request.note,
                keys,
                request.old_size,
                request.proof,
                follower.signer,
                follower.clock,
            )
        except ConflictError as conflict:
            self._look_for_fork(request, keys)
            return Answer(Status.CONFLICT, f"{conflict.size}\n".encode())
        except (VerificationError, MalformedError) as error:
            self._look_for_fork(request, keys)
            return Answer(Status.UNPROCESSABLE, _line(error.message))
        return Answer(Status.OK, lines)

    def _look_for_fork(self, request: AddCheckpointRequest, keys: tuple[VerifierKey, ...]) -> None:
        recorded = self.follower.state.latest(request.checkpoint.origin)
        if recorded is None:
            return
        old, new = Checkpoint.of_note(recorded), request.checkpoint
        found: ForkEvidence | None = None
        if old.size == new.size and old != new:
            try:
                found = verify_evidence(ForkClaim.of(recorded, request.note), keys)
            except VerificationError:
                return  # recorded under a key that is not listed now
        elif 0 < old.size < new.size:
            found = find_fork(recorded, request.note, request.proof, keys)
        if found is None:
            return
        forked = self.follower.report(found)
        if forked.new:
            if self._on_fork is not None:
                self._on_fork(forked)
            else:
                _log.error("fork: %s", found)


def _line(message: str) -> bytes:
    return f"{message}\n".encode("utf-8", "replace")
