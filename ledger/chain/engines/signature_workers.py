"""Signatures checked on other cores: processes fed with pieces of what is to be checked.

A thread beside a busy interpreter checks hardly anything, for it must win the interpreter
back after every signature; a process does not care. Each process has a thread here that
keeps two pieces on their way to it, so that it never waits. Whoever wants a result takes
claims from the other end and checks them itself, as long as that is not much slower: then
the interpreter is free, and would only wait.

Processes start when there is first enough to check. One that dies, or stands still, is
reaped and replaced, and what it had is checked here.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from select import select
from typing import IO, Final, NamedTuple

from ledger.chain.engines.signature_wire import encode_claims, encode_verdicts
from ledger.chain.machine.signatures import Checking
from ledger.chain.transaction import SignatureClaim
from ledger.closing import Closing
from ledger.ed25519 import KEY_SIZE, SIGNATURE_SIZE, is_signed

_LOG: Final = logging.getLogger(__name__)

MIN_CLAIMS: Final = 16
"""Fewer are checked where they are wanted: 2 ms of work."""
ANSWER_S: Final = 10.0
"""A process that is silent for so long over a piece is given up."""
RESTART_S: Final = 1.0
"""The least time between two starts of a process."""

_PIPE_BYTES: Final = 1 << 20
_PIECE: Final = 128
_ON_THEIR_WAY: Final = 2
_OWN: Final = 4
_MUCH_SLOWER: Final = 4.0
_END_S: Final = 5.0


class _Piece(NamedTuple):
    checking: _Checking
    start: int
    stop: int

    @property
    def claims(self) -> Sequence[SignatureClaim]:
        return self.checking.claims[self.start : self.stop]


class _Checking:
    """Claims of which the first are taken by processes, the last by whoever waits."""

    def __init__(self, pool: SignatureWorkers, claims: Sequence[SignatureClaim]) -> None:
        self._pool = pool
        self.claims = claims
        self.verdicts: list[bool] = [False] * len(claims)
        self.front = 0
        self.back = len(claims)
        self.open = len(claims)
        """How many are not known yet."""

    def result(self) -> list[bool]:
        self._pool.finish(self)
        return self.verdicts


class SignatureWorkers(Closing):
    """A `SignatureChecker` with processes; ends them when its ``with`` block does."""

    def __init__(self, processes: int | None = None) -> None:
        """Without a number, one process for each core but the first."""
        if processes is None:
            processes = len(os.sched_getaffinity(0)) - 1
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[_Checking] = deque()
        self._closed = False
        self._claim_s = 0.0
        """Seconds that a process took for a claim lately."""
        self._workers = [_Worker(self) for _ in range(processes)]

    def close(self) -> None:
        """End the processes. What is not checked yet is checked by whoever waits for it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()

    @property
    def pids(self) -> list[int]:
        """The processes that are at work."""
        return [pid for worker in self._workers if (pid := worker.pid)]

    def begin(self, claims: Sequence[SignatureClaim]) -> Checking:
        """Begin to check claims, elsewhere if there are enough."""
        checking = _Checking(self, claims)
        if self._workers and len(claims) >= MIN_CLAIMS and all(map(_is_sized, claims)):
            with self._changed:
                if self._closed:
                    return checking
                self._queue.append(checking)
                self._changed.notify_all()
            for worker in self._workers:
                worker.start()
        return checking

    def finish(self, checking: _Checking) -> None:
        """Check what nobody has taken yet, and wait for the rest."""
        slow = False
        while True:
            with self._changed:
                while slow and checking.open and checking.front < checking.back:
                    # The processes do better alone; but one may have died.
                    slow = self._changed.wait(_OWN * _MUCH_SLOWER * self._claim_s + 0.05)
                stop = checking.back
                start = checking.back = max(checking.front, stop - _OWN)
                if start == stop:
                    self._changed.wait_for(lambda: not checking.open)
                    return
            began = time.perf_counter()
            verdicts = [is_signed(*claim) for claim in checking.claims[start:stop]]
            took = (time.perf_counter() - began) / (stop - start)
            self.put(_Piece(checking, start, stop), verdicts)
            slow = 0 < self._claim_s * _MUCH_SLOWER < took

    def take(self, wait: bool) -> _Piece | None:
        """The next piece for a process; None if there is none, or at the end."""
        with self._changed:
            while not self._closed:
                while self._queue and self._queue[0].front == self._queue[0].back:
                    self._queue.popleft()
                if self._queue:
                    checking = self._queue[0]
                    start = checking.front
                    checking.front = min(start + _PIECE, checking.back)
                    return _Piece(checking, start, checking.front)
                if not wait:
                    return None
                self._changed.wait()
        return None

    def put(self, piece: _Piece, verdicts: Sequence[bool], each_s: float = 0.0) -> None:
        """Note the verdicts on a piece, and how long a process took for each."""
        checking, start, stop = piece
        with self._changed:
            checking.verdicts[start:stop] = verdicts
            checking.open -= stop - start
            if each_s:
                self._claim_s = each_s if not self._claim_s else 0.8 * self._claim_s + 0.2 * each_s
            self._changed.notify_all()


class _Worker:
    """One process and the thread that feeds it."""

    def __init__(self, pool: SignatureWorkers) -> None:
        self._pool = pool
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = float("-inf")

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process else None

    def start(self) -> None:
        """Have the thread running."""
        if self._thread is not None:
            return
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._feed, name="quipu-signatures", daemon=True)
                thread.start()
                self._thread = thread

    def join(self) -> None:
        with self._starting:
            if self._thread is not None:
                self._thread.join()

    def _feed(self) -> None:
        sent: deque[tuple[_Piece, float]] = deque()
        answered_s = 0.0
        while True:
            piece = self._pool.take(wait=not sent) if len(sent) < _ON_THEIR_WAY else None
            if piece is None and not sent:
                break
            try:
                if piece is not None:
                    sent.append((piece, time.perf_counter()))
                    self._send(encode_claims(piece.claims))
                    continue
                verdicts = self._receive(len(sent[0][0].claims))
            except OSError as error:
                _LOG.warning("a process that checks signatures is lost: %s", error)
                self._end()
                while sent:
                    lost, _ = sent.popleft()
                    self._pool.put(lost, [is_signed(*claim) for claim in lost.claims])
                continue
            done, sent_s = sent.popleft()
            began_s, answered_s = max(sent_s, answered_s), time.perf_counter()
            self._pool.put(done, verdicts, (answered_s - began_s) / len(verdicts))
        self._end()

    def _send(self, request: bytes) -> None:
        if self._process is None:
            wait_s = self._started_s + RESTART_S - time.monotonic()
            if wait_s > 0:
                raise OSError(f"it is not started again for another {wait_s:.1f} s")
            self._started_s = time.monotonic()
            self._process = _start()
        descriptor = _pipe(self._process.stdin)
        left = memoryview(request)
        while left:
            if not select([], [descriptor], [], ANSWER_S)[1]:
                raise OSError("it takes no work")
            left = left[os.write(descriptor, left) :]

    def _receive(self, count: int) -> list[bool]:
        if self._process is None:
            raise OSError("it ended")
        descriptor = _pipe(self._process.stdout)
        answer, wanted = b"", encode_verdicts([False] * count)
        while len(answer) < len(wanted):
            if not select([descriptor], [], [], ANSWER_S)[0]:
                raise OSError("it does not answer")
            part = os.read(descriptor, len(wanted) - len(answer))
            if not part:
                raise OSError("it ended")
            answer += part
            head = len(wanted) - count
            if not wanted.startswith(answer[:head]) or answer[head:].strip(b"\x00\x01"):
                raise OSError("its answer is none")
        return [verdict == 1 for verdict in answer[head:]]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start() -> subprocess.Popen[bytes]:
    # The same package as here, wherever this program found it; never one in the folder
    # that it happens to run in (-P).
    package = str(Path(__file__).resolve().parents[3])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ledger.chain.engines.signature_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    descriptor = _pipe(process.stdin)
    os.set_blocking(descriptor, False)
    with suppress(OSError):
        fcntl(descriptor, F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _pipe(stream: IO[bytes] | None) -> int:
    if stream is None:
        raise OSError("it has no pipe")
    return stream.fileno()


def _is_sized(claim: SignatureClaim) -> bool:
    return len(claim.key) == KEY_SIZE and len(claim.signature) == SIGNATURE_SIZE
