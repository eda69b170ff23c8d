"""The engine of one process: it orders, and the state machine beside it decides.

Callers' threads have their transactions admitted; one thread makes blocks of what waits,
when a block is full or its time has come. Everybody whose transaction is in a block wakes
when that block is durable: one disk write for all of them. While a block is carried out,
signatures for the next one are being checked in other processes (`signature_workers`).

The time of a block is the system's clock, moved on where it does not rise. If the store
fails, nothing of the block at hand is kept, everybody who waits is told, and the engine
stops; what waited can be submitted again to the next one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.engines.mempool import Mempool
from ledger.chain.engines.outcomes import Included, Outcomes
from ledger.chain.engines.queries import ChainQueries
from ledger.chain.engines.service import (
    NO_ATTACHMENTS,
    Block,
    BlockEvents,
    Dropped,
    EngineClosedError,
    EngineError,
    EngineStoppedError,
    Inclusion,
    NotIncludedError,
    Outcome,
    follow,
)
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.engines.signature_workers import SignatureWorkers
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.proposal import Admission, Finalized, Info
from ledger.chain.machine.writer import ChainWriter, open_chain_to_write
from ledger.chain.transaction import parse_transaction
from ledger.closing import Closing
from ledger.errors import LedgerError, NotFoundError

_LOG: Final = logging.getLogger(__name__)


class _Phase(Enum):
    OPEN = 1
    CLOSING = 2
    """Nothing more is admitted; what waits is being committed."""
    ENDED = 3
    """No further block comes; what is there can be read."""
    CLOSED = 4


_OVER: Final = (_Phase.ENDED, _Phase.CLOSED)


class EmbeddedEngine(Closing):
    """A `ChainService` in this process, and the one writer of its home. Use `open`."""

    def __init__(self, home: ChainWriter, settings: EngineSettings, held: ExitStack) -> None:
        self._home = home
        self._machine = home.machine
        self._settings = settings
        self._held = held
        self._queries = ChainQueries(home)
        self._changed = threading.Condition(threading.Lock())
        self._mempool = Mempool(settings.mempool_transactions, settings.mempool_bytes)
        self._outcomes = Outcomes()
        self._phase = _Phase.OPEN
        self._failure: EngineStoppedError | None = None
        self._calls = 0
        self._listeners: list[Callable[[], None]] = []
        self._block_s = self._empty_s = time.monotonic() - settings.block_period_s
        self._until_s = float("inf")
        self._thread = threading.Thread(target=self._run, name="quipu-chain", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, root: Path, settings: EngineSettings | None = None) -> EmbeddedEngine:
        """Open the chain's home at ``root`` and go on with it.

        A chain without any block gets its first one, empty, so that its state can be
        proven. Raises as `open_chain_to_write`.
        """
        chosen = settings or EngineSettings()
        held = ExitStack()
        try:
            checker = held.enter_context(SignatureWorkers(chosen.signature_processes))
            home = held.enter_context(open_chain_to_write(root, checker, chosen.kept_heights))
            engine = cls(home, chosen, held)
            with engine._changed:
                engine._changed.wait_for(lambda: engine.info().height or engine._phase in _OVER)
                engine._require_going()
            return engine
        except BaseException:
            held.close()
            raise

    def finish(self) -> None:
        """Commit what waits, as far as there is time; no further block comes.

        What is committed is still told of and read, until `close`.
        """
        with self._changed:
            if self._phase is _Phase.OPEN:
                self._phase = _Phase.CLOSING
                self._until_s = time.monotonic() + self._settings.close_patience_s
            self._changed.notify_all()
        self._thread.join()

    def close(self) -> None:
        """Finish, and answer nobody any more."""
        self.finish()
        with self._changed:
            self._phase = _Phase.CLOSED
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._calls)
        self._held.close()

    @property
    def failure(self) -> EngineStoppedError | None:
        """Why the engine stopped by itself, if it did."""
        return self._failure

    def join(self, timeout_s: float) -> bool:
        """Wait until no further block will come; False when the time is over first."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def at_block(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every block, and at the end; it must be quick."""
        with self._changed:
            self._listeners.append(listener)

    # Transactions

    def submit(
        self, transactions: Sequence[bytes], attachments: Mapping[bytes, bytes] = NO_ATTACHMENTS
    ) -> list[Admission]:
        """See `ChainService.submit`."""
        given = sum(map(len, attachments.values()))
        with self._call():
            with self._changed:
                self._require_open()
                ids = [self._mempool.id_of(encoded) for encoded in transactions]
                fresh = [
                    encoded for encoded, known in zip(transactions, ids, strict=True) if not known
                ]
                room = self._mempool.reserve(fresh, given)
            try:
                verdicts = self._machine.check(
                    fresh[: room.count],
                    attachments,
                    lambda good: self._admit(good, attachments),
                )
            finally:
                with self._changed:
                    self._mempool.give_back(room)
        verdicts += map(_no_room, fresh[len(verdicts) :])
        if len(fresh) == len(transactions):
            return verdicts
        news = iter(verdicts)
        return [Admission(known, ResultCode.OK) if known else next(news) for known in ids]

    def wait(self, transaction: bytes, timeout_s: float) -> Inclusion:
        """See `ChainService.wait`."""
        (outcome,) = self.wait_all([transaction], timeout_s)
        if isinstance(outcome, Dropped):
            raise outcome.error()
        return outcome

    def wait_all(self, transactions: Sequence[bytes], timeout_s: float) -> list[Outcome]:
        """See `ChainService.wait_all`."""
        deadline = time.monotonic() + timeout_s
        found: dict[bytes, Included | Dropped] = {}
        missing = set(transactions)
        with self._call():
            while missing := self._find(missing, found):
                with self._changed:
                    if all(map(self._mempool.has, missing)):
                        self._require_going()
                        left = deadline - time.monotonic()
                        if left <= 0:
                            raise NotIncludedError(
                                f"{len(missing)} of {len(transactions)} transactions are in no"
                                " block yet",
                                hint="they still wait; ask again",
                            )
                        self._changed.wait(left)
        outcomes = (found[each] for each in transactions)
        return [each.inclusion() if isinstance(each, Included) else each for each in outcomes]

    def outcomes(self, transactions: Sequence[bytes]) -> list[Outcome] | None:
        """What came of transactions, in order, or None while one of them waits.

        Raises `NotFoundError` for one that does not wait, and if no block will come.
        """
        try:
            return self.wait_all(transactions, 0)
        except NotIncludedError:
            return None

    # Reading

    @property
    def waiting(self) -> int:
        """Transactions that wait for a block."""
        return len(self._mempool)

    def info(self) -> Info:
        """See `ChainService.info`."""
        return self._machine.info()

    def genesis(self) -> bytes:
        """See `ChainService.genesis`."""
        return self._machine.genesis.encoded

    def receipt(self, transaction: bytes) -> bytes:
        """See `ChainService.receipt`."""
        with self._call():
            return self._queries.receipt(transaction)

    def answer(self, key: bytes, height: int | None = None) -> bytes:
        """See `ChainService.answer`."""
        with self._call():
            return self._queries.answer(key, height)

    def signed_header(self, height: int | None = None) -> bytes:
        """See `ChainService.signed_header`."""
        with self._call():
            return self._queries.signed_header(height)

    def block(self, height: int) -> Block:
        """See `ChainService.block`."""
        with self._call():
            return self._queries.block(height)

    def events(self, from_height: int, wait_s: float) -> list[BlockEvents]:
        """See `ChainService.events`."""
        if from_height < 1:
            raise NotFoundError("the first block is block 1")
        deadline = time.monotonic() + wait_s
        with self._call():
            with self._changed:
                while self._machine.info().height < from_height:
                    self._require_going()
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return []
                    self._changed.wait(left)
            return self._queries.events(from_height)

    def subscribe(self, from_height: int) -> Iterator[BlockEvents]:
        """See `ChainService.subscribe`."""
        return follow(self, from_height)

    def checkpoint(self) -> bytes:
        """See `ChainService.checkpoint`."""
        with self._call():
            return self._queries.checkpoint()

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See `ChainService.consistency`."""
        with self._call():
            return self._queries.consistency(old_size, new_size)

    # Callers' threads

    @contextmanager
    def _call(self) -> Iterator[None]:
        """Keep the store open until this call is over."""
        with self._changed:
            if self._phase is _Phase.CLOSED:
                raise _closed()
            self._calls += 1
        try:
            yield
        finally:
            with self._changed:
                self._calls -= 1
                if not self._calls and self._phase in _OVER:
                    self._changed.notify_all()

    def _require_open(self) -> None:
        self._require_going()
        if self._phase is not _Phase.OPEN:
            raise _closed()

    def _require_going(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._phase in _OVER:
            raise _closed()

    def _admit(
        self, good: Sequence[tuple[bytes, Admission]], attachments: Mapping[bytes, bytes]
    ) -> None:
        own = [_own(self._machine.genesis.chain, each, attachments) for each, _ in good]
        with self._changed:
            self._require_open()
            for (encoded, admission), named in zip(good, own, strict=True):
                self._mempool.add(encoded, admission.id, named)
                self._outcomes.forget_dropped(admission.id)
            self._changed.notify_all()

    def _find(self, missing: set[bytes], found: dict[bytes, Included | Dropped]) -> set[bytes]:
        """Put what is decided into ``found``; the rest, every one of which waits."""
        waiting, unknown = set(), []
        with self._changed:
            for each in missing:
                outcome = self._outcomes.find(each)
                if outcome is not None:
                    found[each] = outcome
                elif self._mempool.has(each):
                    waiting.add(each)
                else:
                    unknown.append(each)
        for each in unknown:
            found[each] = self._queries.included(each)
        return waiting

    # The thread that makes blocks

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._make_block()
            self._queries.sign(0)
            self._end(None)
        except LedgerError as error:
            _LOG.error("the chain's engine stopped: %s", error)
            self._end(EngineStoppedError(f"the engine stopped: {error.message}", hint=error.hint))
        except Exception as error:  # noqa: BLE001 - whoever waits must be told of it
            _LOG.exception("the chain's engine failed")
            self._end(EngineStoppedError(f"the engine failed: {type(error).__name__}"))

    def _end(self, failure: EngineStoppedError | None) -> None:
        with self._changed:
            self._phase, self._failure = _Phase.ENDED, failure
            self._changed.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def _wait_for_work(self) -> bool:
        """Wait until a block is due; False if none will be."""
        limits = self._machine.genesis.parameters
        with self._changed:
            while True:
                now = time.monotonic()
                waiting = len(self._mempool)
                if self._phase is not _Phase.OPEN:
                    return waiting > 0 and now < self._until_s
                if (
                    waiting >= limits.max_block_transactions
                    or self._mempool.size >= limits.max_block_bytes
                    or not self._machine.info().height
                ):
                    return True
                due_s = self._empty_due_s()
                if waiting:
                    due_s = min(due_s, self._block_s + self._settings.block_period_s)
                if now >= due_s:
                    return True
                self._changed.wait(min(due_s - now, threading.TIMEOUT_MAX))

    def _empty_due_s(self) -> float:
        period_s = self._settings.empty_block_period_s
        return float("inf") if period_s is None else self._empty_s + period_s

    def _make_block(self) -> None:
        self._block_s = time.monotonic()
        with self._changed:
            batch = self._mempool.first(self._machine.genesis.parameters.max_block_transactions)
        work_until_s = time.monotonic() + self._settings.block_work_s
        prepared = self._machine.prepare(
            batch.transactions,
            time.time_ns(),
            batch.attachments,
            lambda: time.monotonic() >= work_until_s,
        )
        decided = batch.transactions[: prepared.considered]
        if batch.transactions and not decided:
            raise EngineError("no block takes the transaction that has waited longest")
        dropped = [
            Dropped(admission.id, admission.code, admission.words)
            for _, admission in prepared.refused
        ]
        finalized: Finalized | None = None
        if (
            prepared.proposal.transactions
            or prepared.proposal.height == 1
            or self._block_s >= self._empty_due_s()
        ):
            finalized = self._machine.finalize(prepared.proposal)
            self._machine.commit()
            self._empty_s = time.monotonic()
        with self._changed:
            self._mempool.remove(decided)
            self._outcomes.drop(dropped)
            if finalized:
                self._outcomes.include(finalized)
            self._changed.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
        self._queries.sign(self._settings.checkpoint_period_s)


def _own(
    chain: bytes, encoded: bytes, attachments: Mapping[bytes, bytes]
) -> Mapping[bytes, bytes] | None:
    """The attachments that a transaction of good form names."""
    if not attachments:
        return None
    return {name: attachments[name] for name, _ in parse_transaction(chain, encoded).attachments}


def _no_room(encoded: bytes) -> Admission:
    name = leaf_id(LeafKind.TRANSACTION, encoded)
    return Admission(name, ResultCode.MEMPOOL_FULL, "too much waits already (try again later)")


def _closed() -> EngineClosedError:
    return EngineClosedError("the engine is closed", hint="submit again to the next one")
