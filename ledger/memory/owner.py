"""The one owner of a home in a running system: commits, checkpoints, proofs, and lending.

A process that runs for long, as a robot's does, opens a home once and keeps the right
to write it. Whoever else wants to write comes to it: threads of the process through
`MemoryOwner.writer`, other processes through ``HOME/control.sock``
(`ledger.memory.control_server`). ``HOME/owner.lock`` is held for as long as the owner
lives, so that there is one; the writer's lock of the log changes hands when the home is
lent.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError, LockedError, NotFoundError, StorageError
from ledger.home import HomeReader, HomeWriter, existing_home
from ledger.memory.anchor_status import AnchorStatus
from ledger.memory.held_home import HeldHome
from ledger.memory.live_records import LiveRecords
from ledger.memory.observation import free_bytes, with_checkpoint
from ledger.memory.status import (
    CheckpointStored,
    MemoryEvent,
    MemoryListener,
    MemoryStatus,
    OwnerState,
    StateChanged,
)
from ledger.memory.turns import Turns
from ledger.note import VerifierKey
from ledger.prover import prove_entry
from ledger.storage.writer_lock import WriterLock

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)

RETRY_S: Final = 5.0
"""A home that could not be opened to write is tried again at most this often."""

_FIRST_WAIT_S: Final = 0.02
_LONGEST_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class ConsistencyAnswer:
    """That the log of ``old`` leaves is the beginning of that of ``new_size``.

    ``note`` is the stored checkpoint of ``new_size``, or empty where there is none.
    """

    new_size: int
    proof: tuple[bytes, ...]
    note: bytes


class MemoryOwner:
    """The one writer of a home. Use `open`; methods may be called from any thread."""

    def __init__(self, root: Path, lock: WriterLock, held: HeldHome) -> None:
        self.root: Final = root
        self.live_records: Final = LiveRecords()
        self._lock = lock
        self._held = held
        self._turns = Turns(self._why_not)
        self._listeners: list[MemoryListener] = []
        self._at_close = ExitStack()
        self._closing = threading.Event()
        self._fault: LedgerError | None = None
        self._tried_s = 0.0
        self._lent_to = 0
        self._status = MemoryStatus("", os.getpid(), OwnerState.OPEN)
        self._note = b""
        self._anchor = AnchorStatus()

    @classmethod
    def open(
        cls, root: Path, keys: Sequence[VerifierKey] = (), *, wait_s: float = 0.0
    ) -> MemoryOwner:
        """Become the owner, by the restart rule; what a crash left half done is settled.

        Waits up to ``wait_s`` for a command that is writing. Raises `LockedError`, naming
        the process, where there is another owner or a writer; StorageError,
        `CorruptStoreError` or `ForkError` as `ledger.home.open_home_to_write` does.
        """
        existing_home(root)
        until = time.monotonic() + wait_s
        lock = WriterLock(root / "owner.lock")
        try:
            held = HeldHome(root, keys)
            while True:
                try:
                    home = held.open_to_write()
                    break
                except LockedError:
                    if time.monotonic() >= until:
                        held.close()
                        raise
                    time.sleep(_FIRST_WAIT_S)
            owner = cls(root, lock, held)
            owner._look(home)
        except BaseException:
            lock.release()
            raise
        return owner

    def __enter__(self) -> MemoryOwner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writer(self) -> Iterator[HomeWriter]:
        """The home to write, for the length of the block and nobody else meanwhile.

        Waits for its turn, also while the home is lent (`set_patience`). The `HomeWriter`
        must not be kept beyond the block: another one follows when the home was lent.
        Raises `LockedError` when the patience is at an end, StorageError after `close`,
        and what stands in the way of writing if the home could not be opened.
        """
        with self._turns.taken():
            home = self._writable()
            try:
                yield home
            finally:
                self._look(home)

    @contextmanager
    def reader(self) -> Iterator[HomeReader]:
        """The home to read; a commit does not block it, nor does a command that has it.

        Keep the block short: the home is not lent, nor taken back, before it ends.
        """
        with self._held.reading() as home:
            yield home

    def commit(self, work: Callable[[HomeWriter], T]) -> T:
        """Do a small durable ``work`` in a turn of its own, and take its time."""
        with self.writer() as home:
            began = time.monotonic()
            done = work(home)
            took_ms = (time.monotonic() - began) * 1e3
            self._status = replace(self._status, last_commit_ms=took_ms)
        return done

    def checkpoint(self) -> bytes:
        """Sign the log as it is: the signed note, durable and remembered as published."""
        return self.commit(lambda home: home.log.checkpoint(home.signers()))

    def prove_inclusion(self, index: int, size: int = 0) -> bytes:
        """The C2SP tlog-proof of an entry, under the checkpoint of ``size``, or (0) the newest.

        Raises `NotFoundError` for an entry or a checkpoint that is not there, `RefusedError`
        for an entry that the checkpoint does not cover.
        """
        with self.reader() as home:
            return prove_entry(home.experiences, index, size=size or None).encode()

    def prove_consistency(self, old_size: int, new_size: int = 0) -> ConsistencyAnswer:
        """That a tree grew from ``old_size`` to ``new_size`` leaves, or (0) the newest checkpoint.

        Raises `NotFoundError` for sizes that the log does not have or that shrink.
        """
        with self.reader() as home:
            note = home.log.checkpoint_at(new_size) if new_size else home.log.latest_checkpoint()
            if not new_size:
                if note is None:
                    raise NotFoundError("the log has no checkpoint yet", hint="ask later")
                new_size = Checkpoint.of_note(note).size
            if not 0 <= old_size <= new_size <= home.log.size:
                raise NotFoundError(f"the log did not grow from {old_size} to {new_size} leaves")
            proof = home.log.prove_consistency(old_size, new_size) if old_size else ()
            return ConsistencyAnswer(new_size, tuple(proof), note or b"")

    def merge_cosignatures(
        self, size: int, lines: bytes, witness_keys: Sequence[VerifierKey]
    ) -> bytes:
        """Add witnesses' lines to a stored checkpoint; see `ledger.log.Log`."""
        return self.commit(lambda home: home.log.merge_cosignatures(size, lines, witness_keys))

    def status(self) -> MemoryStatus:
        """How things are. Never waits: not for a slow disk, nor for a command that has the home."""
        return replace(
            self._status,
            state=self._state(),
            lent_to=self._lent_to,
            open_records=len(self.live_records),
            waiting=self._turns.waiting,
            disk_free_bytes=free_bytes(self.root),
            fault=self._fault.message if self._fault else "",
            anchor=self._anchor,
        )

    def set_anchor(self, status: AnchorStatus) -> None:
        """Have `status` say how far the log is anchored; for whoever anchors it."""
        self._anchor = status

    def subscribe(self, listener: MemoryListener) -> Callable[[], None]:
        """Have ``listener`` told of new checkpoints and states; call what is returned to end it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def set_patience(self, seconds: float | None) -> None:
        """Let nobody wait for a turn beyond ``seconds`` from now; None, as at first: for ever.

        To be set to a few seconds when the process is to end: a home that is lent then
        keeps nobody, however much there is still to commit.
        """
        self._turns.set_patience(seconds)

    @contextmanager
    def lent(self, process_id: int) -> Iterator[None]:
        """Leave the home to another process for the length of the block.

        Waits until what was begun is done. Then the other process may open the home to
        write, and afterwards it is opened anew by the restart rule. Reading goes on.
        """
        with self._turns.taken():
            self._lent_to = process_id
            self._held.open_to_read()
            self._tell(StateChanged(OwnerState.LENT))
            try:
                yield
            finally:
                self._take_back()

    def at_close(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` first thing in `close`: whoever serves others stops then."""
        self._at_close.callback(callback)

    def close(self) -> None:
        """Give the home back when what is under way is done; a second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._turns.close()
        self._at_close.close()
        self._turns.wait_until_free()
        self._held.close()
        self._lock.release()
        self._tell(StateChanged(OwnerState.CLOSED))

    def _writable(self) -> HomeWriter:
        if self._held.writer is None and time.monotonic() - self._tried_s >= RETRY_S:
            self._take_back()
        home = self._held.writer
        if home is None:
            raise self._why_not()
        return home

    def _take_back(self) -> None:
        wait_s = _FIRST_WAIT_S
        home: HomeWriter | None = None
        while not self._closing.is_set():
            self._tried_s = time.monotonic()
            try:
                home = self._held.open_to_write()
                self._fault = None
            except LockedError as error:  # somebody slipped in, and will be done
                self._fault = error
                self._closing.wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                continue
            except LedgerError as error:
                self._fault = error
                _LOG.error("the home %s cannot be opened to write: %s", self.root, error)
            break
        # Whoever hears that it is open may ask at once how many entries there are.
        news = self._see(home) if home is not None else ()
        self._lent_to = 0
        self._tell(StateChanged(self._state(), self._fault.message if self._fault else ""))
        for event in news:
            self._tell(event)

    def _look(self, home: HomeReader) -> None:
        """Remember what `status` says, and tell of a checkpoint that is new."""
        for event in self._see(home):
            self._tell(event)

    def _see(self, home: HomeReader) -> tuple[MemoryEvent, ...]:
        """Remember what `status` says: the checkpoint that is new, to be told of."""
        try:
            note = home.log.latest_checkpoint() or b""
            status = replace(self._status, origin=home.log.origin, entries=home.log.size)
            if note != self._note:
                status = with_checkpoint(status, note, home)
        except LedgerError as error:
            _LOG.warning("the home %s cannot be read: %s", self.root, error)
            return ()
        self._status, known, self._note = status, self._note, note
        return (CheckpointStored(note),) if note and note != known else ()

    def _tell(self, event: MemoryEvent) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - a listener must not undo a commit
                _LOG.exception("a listener failed at %s", type(event).__name__)

    def _state(self) -> OwnerState:
        if self._closing.is_set():
            return OwnerState.CLOSED
        if self._lent_to:
            return OwnerState.LENT
        home = self._held.writer
        if home is None:
            return OwnerState.FAULTY
        return OwnerState.OPEN if home.log.behind is None else OwnerState.BEHIND

    def _why_not(self) -> LedgerError:
        if self._closing.is_set():
            return StorageError(f"the owner of {self.root} is closed", hint="open it again")
        if self._lent_to:
            return LockedError(
                f"process {self._lent_to} has {self.root} for a command",
                hint="try again when it is done",
            )
        if self._fault is not None:
            return self._fault
        return LockedError(f"others are writing to {self.root}", hint="try again")
