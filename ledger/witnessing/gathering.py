"""A log asks witnesses to cosign its newest checkpoint, and keeps what they give.

One `Gatherer` a log. Each round asks every witness that has not cosigned the newest
checkpoint yet, all at once, each over its own transport: one that is down, slow or
lying takes nothing from the others. What it answers is checked before it is kept; a
witness that fails is asked again after 1, 2, 4 ... 300 seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from ledger.canonical import decode_number
from ledger.checkpoint import open_checkpoint
from ledger.errors import MalformedError, NotFoundError, VerificationError
from ledger.note import SignedNote, VerifierKey
from ledger.witness import AddCheckpointRequest, add_cosignatures
from ledger.witnessing.policy import Policy, PolicyVerdict, PolicyWitness
from ledger.witnessing.transport import (
    MAX_ANSWER_SIZE,
    Answer,
    Status,
    UnreachableError,
    WitnessTransport,
)

_log = logging.getLogger(__name__)

MAX_THREADS: Final = 16
FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 300.0
_MAX_TRIES: Final = 3
"""Requests to one witness in one round: a conflict answered, and one race lost."""

_MAX_DETAIL: Final = 200
_SERVER_ERRORS: Final = 500


class CheckpointStore(Protocol):
    """What the log's side needs; `ledger.log.Log` and what wraps it offer it."""

    def latest_checkpoint(self) -> bytes | None:
        """The stored note of the greatest size, or None."""
        ...

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """The consistency proof between two sizes of the log."""
        ...

    def merge_cosignatures(
        self, size: int, lines: bytes, witness_keys: Sequence[VerifierKey]
    ) -> bytes:
        """Add a witness's lines to the stored checkpoint of ``size``; the note, durable."""
        ...


class Reply(Enum):
    """How asking one witness ended."""

    COSIGNED = "cosigned"
    THERE = "has cosigned before"
    WAITING = "waiting until it is asked again"
    UNREACHABLE = "unreachable"
    UNKNOWN_LOG = "does not witness this log"
    REFUSED = "refused"
    AHEAD = "has seen a larger tree"
    MISBEHAVED = "answered wrongly"


@dataclass(frozen=True, slots=True)
class WitnessReply:
    """One witness's reply, and what it said, for people."""

    reply: Reply
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GatherReport:
    """A round: the checkpoint with what it has got, by witness, and the policy's verdict."""

    note: bytes
    replies: Mapping[str, WitnessReply]
    verdict: PolicyVerdict


@dataclass(slots=True)
class _Patience:
    """When one witness is asked again, and from which size it wants the proof."""

    size: int = 0
    delay_s: float = 0.0
    not_before_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Gatherer:
    """Asks the witnesses of a policy that ``transports`` reach, by their policy names."""

    def __init__(
        self,
        store: CheckpointStore,
        policy: Policy,
        transports: Mapping[str, WitnessTransport],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        for name in transports:
            if policy.witness(name) is None:
                raise NotFoundError(f"no witness {name} in the policy")
        self.policy: Final = policy
        self._store = store
        self._transports = dict(transports)
        self._monotonic = monotonic
        self._patience = {name: _Patience() for name in transports}

    def gather(self, *, impatient: bool = False) -> GatherReport:
        """Ask for cosignatures of the newest checkpoint. Returns when all have answered.

        ``impatient`` asks those too that are to be left alone for a while. Raises
        `NotFoundError` if the log has no checkpoint, `VerificationError` if it is not
        that of a log of the policy, and storage errors.
        """
        note = self._store.latest_checkpoint()
        if note is None:
            raise NotFoundError("the log has no checkpoint yet", hint="make one first")
        verdict = self.policy.check(note)
        size = verdict.checkpoint.checkpoint.size
        logs = self.policy.log_keys(verdict.checkpoint.checkpoint.origin)
        plain = _plain(note, logs)
        replies: dict[str, WitnessReply] = {}
        asked: list[PolicyWitness] = []
        for witness in self.policy.witnesses:
            patience = self._patience.get(witness.name)
            if patience is None:
                continue
            if witness.name in verdict.cosigned:
                replies[witness.name] = WitnessReply(Reply.THERE)
            elif not impatient and self._monotonic() < patience.not_before_s:
                replies[witness.name] = WitnessReply(Reply.WAITING)
            else:
                asked.append(witness)
        if asked:
            with ThreadPoolExecutor(min(MAX_THREADS, len(asked)), "gather") as pool:
                answers = {pool.submit(self._ask, each, plain, size): each for each in asked}
                for answer in as_completed(answers):
                    witness = answers[answer]
                    replies[witness.name], lines = answer.result()
                    if lines:
                        note = self._store.merge_cosignatures(size, lines, [witness.key])
        return GatherReport(note, replies, self.policy.check(note))

    def _ask(self, witness: PolicyWitness, note: bytes, size: int) -> tuple[WitnessReply, bytes]:
        """Ask one witness; its reply, and the lines to keep."""
        patience = self._patience[witness.name]
        with patience.lock:
            reply, lines = self._converse(witness, note, size, patience)
            if reply.reply is Reply.COSIGNED:
                patience.size, patience.delay_s, patience.not_before_s = size, 0.0, 0.0
            else:
                longer = max(FIRST_DELAY_S, 2 * patience.delay_s)
                patience.delay_s = min(LONGEST_DELAY_S, longer)
                patience.not_before_s = self._monotonic() + patience.delay_s
                _log.info("witness %s: %s: %s", witness.name, reply.reply.value, reply.detail)
            return reply, lines

    def _converse(
        self, witness: PolicyWitness, note: bytes, size: int, patience: _Patience
    ) -> tuple[WitnessReply, bytes]:
        transport = self._transports[witness.name]
        old_size = min(patience.size, size)
        for _ in range(_MAX_TRIES):
            proof = self._store.prove_consistency(old_size, size) if old_size else ()
            request = AddCheckpointRequest(old_size, proof, note)
            try:
                answer = transport.add_checkpoint(request.encode())
            except UnreachableError as error:
                return WitnessReply(Reply.UNREACHABLE, error.message), b""
            if answer.status == Status.OK:
                return _read_cosignature(witness, note, answer)
            if answer.status != Status.CONFLICT:
                return _read_refusal(answer), b""
            try:
                recorded = _read_size(answer)
            except MalformedError as error:
                return WitnessReply(Reply.MISBEHAVED, error.message), b""
            if recorded > size:
                return WitnessReply(Reply.AHEAD, f"it says {recorded} leaves, of {size}"), b""
            if recorded == old_size:
                detail = f"a conflict over the size it asked for, {recorded}"
                return WitnessReply(Reply.MISBEHAVED, detail), b""
            patience.size = old_size = recorded
        return WitnessReply(Reply.REFUSED, "it named another size each time"), b""


def _plain(note: bytes, log_keys: Sequence[VerifierKey]) -> bytes:
    """The checkpoint with its log's signatures alone, which is all that a witness reads."""
    signatures = open_checkpoint(note, log_keys).log_signatures
    text = SignedNote.parse(note).text
    return SignedNote(text, tuple(signature.line for signature in signatures)).encode()


def _read_cosignature(
    witness: PolicyWitness, note: bytes, answer: Answer
) -> tuple[WitnessReply, bytes]:
    if len(answer.body) > MAX_ANSWER_SIZE:
        return WitnessReply(Reply.MISBEHAVED, f"an answer of {len(answer.body)} bytes"), b""
    try:
        cosigned = add_cosignatures(note, answer.body, [witness.key])
    except (MalformedError, VerificationError) as error:
        return WitnessReply(Reply.MISBEHAVED, error.message), b""
    own = (witness.key.name, witness.key.key_id)
    lines = SignedNote.parse(cosigned).signatures
    kept = "".join(line.encode() for line in lines if (line.name, line.key_id) == own)
    return WitnessReply(Reply.COSIGNED), kept.encode("utf-8")


def _read_refusal(answer: Answer) -> WitnessReply:
    said = answer.body[:_MAX_DETAIL].decode("utf-8", "replace").strip()
    detail = f"status {answer.status}: {said}"
    if answer.status == Status.NOT_FOUND:
        return WitnessReply(Reply.UNKNOWN_LOG, detail)
    if answer.status in (Status.BAD_REQUEST, Status.FORBIDDEN, Status.UNPROCESSABLE):
        return WitnessReply(Reply.REFUSED, detail)
    if answer.status >= _SERVER_ERRORS:
        return WitnessReply(Reply.UNREACHABLE, detail)
    return WitnessReply(Reply.MISBEHAVED, detail)


def _read_size(answer: Answer) -> int:
    """The size that a conflict names: decimal, and a newline."""
    if not answer.body.endswith(b"\n"):
        raise MalformedError("a conflict that does not name a size")
    return decode_number(answer.body[:-1].decode("ascii", "replace"), "size of a conflict")
