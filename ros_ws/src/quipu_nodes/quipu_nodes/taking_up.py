"""Purchases that need no goal, brought to their end without one; nothing of ROS is needed.

A robot that is killed while the price of a whole purchase is locked has to complain of a wrong
key in time. Nobody need know of it, so whoever has the purchases goes on with those by itself
(`ledger.market.locked_price`), and with those that are paid for, of which the rest of the money
or the place in the home is missing: once it starts, and whenever a goal has ended. Where
something is away it is tried again, with pauses that grow, for as long as the chain gives
anything to whoever asks it. A goal for the same offer goes on in its place.

What can have nothing more is given up (`quipu_nodes.letting_go`); for that, the chain is asked
now and then about whatever was begun.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Final, TypeAlias

from ledger.chain.engines.service import EngineError
from ledger.closing import Closing
from ledger.errors import LedgerError, LockedError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Abandoned, Abandoning, Bought, Closed
from ledger.market.erasing import is_erased
from ledger.market.giving_up import NotYetError
from ledger.market.locked_price import cannot_wait, is_past_help
from ledger.market.shelf import Shelf, Shelved
from ledger.market.tools import Tools
from quipu_nodes.acquiring import End, Outcome, go_on
from quipu_nodes.letting_go import let_go, may_be_lost

_LOG: Final = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 5.0
_LOOK_S: Final = 30.0
"""Between two looks at what is under way, whether it can have more. Grants last for days."""
_TURN_S: Final = 5.0
"""How long one may wait for blocks while others cannot wait either."""

MakeTools: TypeAlias = Callable[[threading.Event, ExitStack], Tools]
"""What to go on with, given up with the stack; the event ends what it waits for."""


class _Left(Enum):
    """What a round leaves to be done."""

    NOTHING = auto()
    TO_LOOK_AT = auto()
    """By and by: nothing is lost meanwhile."""
    TO_TRY = auto()


class _Turn:
    """A purchase that is being gone on with."""

    def __init__(self, offer: bytes) -> None:
        self.offer: Final = offer
        self.stopped: Final = threading.Event()
        self.ended: Outcome | None = None
        """How it came to its end, if it did."""


_GoOn: TypeAlias = Callable[[Shelved, _Turn, float], bool]
"""Goes on with one for so long; whether nothing more is to be done about it."""


class TakingUp(Closing):
    """Goes on from construction, on a thread of its own, until it is closed."""

    def __init__(self, shelf: Shelf, make_tools: MakeTools, *, has_home: bool) -> None:
        """``has_home``: whether what is bought is kept in a home."""
        self._shelf: Final = shelf
        self._make_tools: Final = make_tools
        self._has_home: Final = has_home
        self._changed: Final = threading.Condition()
        self._lent: Final[set[bytes]] = set()
        self._turn: _Turn | None = None
        self._is_woken = self._is_closed = False
        self._past_help: Final[dict[Path, bytes]] = {}
        """Offers by folder, until a goal has been there."""
        self._open: Final[dict[Path, str]] = {}
        """What was last said of what is not over, by folder."""
        # The thread's own.
        self._said: Final[dict[Path, str]] = {}
        self._begun: Final[set[Path]] = set()
        self._thread: Final = threading.Thread(target=self._run, name="quipu-take-up", daemon=True)
        self._thread.start()

    @property
    def open(self) -> tuple[str, ...]:
        """What was last said of each purchase that is not over, a line each."""
        with self._changed:
            return tuple(self._open.values())

    @contextmanager
    def lent(self, offer: bytes) -> Iterator[Outcome | None]:
        """Leave the purchases of an offer to a goal, for the length of the block.

        How the one that was under way ended, if it came to its end while it was asked for.
        """
        with self._changed:
            self._lent.add(offer)
            turn = self._turn
            if turn is not None and turn.offer == offer:
                turn.stopped.set()
                self._changed.wait_for(lambda: self._turn is not turn)
            else:
                turn = None
        try:
            yield None if turn is None else turn.ended
        finally:
            with self._changed:
                self._lent.discard(offer)
                for folder in [f for f, its in self._past_help.items() if its == offer]:
                    del self._past_help[folder]
                    self._open.pop(folder, None)
                self._is_woken = True
                self._changed.notify_all()

    def close(self) -> None:
        """Stop wherever it waits; what is not over is taken up the next time."""
        with self._changed:
            self._is_closed = True
            if self._turn is not None:
                self._turn.stopped.set()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._is_closed:
            left = self._round()
            wait_s = {_Left.TO_TRY: pause_s, _Left.TO_LOOK_AT: _LOOK_S}.get(left)
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._is_woken, wait_s)
                pause_s = _FIRST_PAUSE_S if self._is_woken else min(2 * pause_s, _LONGEST_PAUSE_S)
                self._is_woken = False

    def _round(self) -> _Left:
        """Go on with each; whether something is left that is worth another try."""
        try:
            found = [each for each in self._shelf.all() if each.folder not in self._past_help]
        except LedgerError as error:
            self._warn(self._shelf.root, f"purchases cannot be looked at: {error}")
            return _Left.TO_TRY
        self._stands(self._shelf.root, None)
        urgent = [each for each in found if self._needs_no_goal(each)]
        left = self._each(urgent, self._go_on)
        others = [each for each in found if each not in urgent and may_be_lost(each)]
        if self._each(others, self._look_at) is _Left.TO_TRY and left is _Left.NOTHING:
            return _Left.TO_LOOK_AT
        return left

    def _each(self, found: Sequence[Shelved], go_on: _GoOn) -> _Left:
        """Go on with these so, those left out that a goal has."""
        is_left = False
        for each in found:
            turn = _Turn(each.wish.offer)
            with self._changed:
                if self._is_closed:
                    return _Left.NOTHING
                if turn.offer in self._lent:
                    continue
                self._turn = turn
            until = time.monotonic() + (_TURN_S if len(found) > 1 else math.inf)
            try:
                is_left = not go_on(each, turn, until) or is_left
            except Exception as error:  # noqa: BLE001 - one of them must not keep the others
                self._warn(each.folder, f"{each.folder} failed: {type(error).__name__}: {error}")
                is_left = True
            finally:
                with self._changed:
                    self._turn = None
                    self._changed.notify_all()
        return _Left.TO_TRY if is_left else _Left.NOTHING

    def _look_at(self, shelved: Shelved, turn: _Turn, until: float) -> bool:
        """Give one up that can have nothing more; whether it is over."""
        folder, name = shelved.folder, f"the purchase of {shelved.wish.offer.hex()[:8]}"

        def is_stopped() -> bool:
            return turn.stopped.is_set() or time.monotonic() >= until

        with ExitStack() as held:
            try:
                tools = self._make_tools(turn.stopped, held)
                ended = let_go(self._shelf, tools, shelved, is_stopped)
            except NotYetError as later:
                self._tell(folder, f"{name} is given up: {later.message}", logging.INFO)
                return False
            except LockedError:  # whoever has it open goes on with it
                return False
            except LedgerError as error:
                self._warn(folder, f"{name} is looked at again: {error}")
                return False
        if ended is None:
            if not isinstance(shelved.state, Abandoning):
                self._stands(folder, None)
            return False
        self._stands(folder, None)
        _LOG.info("%s is over: %s", name, ended)
        return True

    def _needs_no_goal(self, shelved: Shelved) -> bool:
        return self._is_paid_for(shelved) or cannot_wait(shelved) or shelved.folder in self._begun

    def _go_on(self, shelved: Shelved, turn: _Turn, until: float) -> bool:
        """Whether nothing is left to be done, or nothing that is worth another try."""
        folder, name = shelved.folder, f"the purchase of {shelved.wish.offer.hex()[:8]}"
        if folder not in self._begun:
            self._begun.add(folder)
            why = "which is paid for" if self._is_paid_for(shelved) else "whose price is locked"
            line = f"going on with {name}, {why}"
            self._stands(folder, line)
            _LOG.info("%s", line)
        with ExitStack() as held:
            try:
                tools = self._make_tools(turn.stopped, held)
            except LedgerError as error:
                self._warn(folder, f"{name} is tried again: {error}")
                return False
            outcome = go_on(
                self._shelf,
                tools,
                shelved,
                lambda: turn.stopped.is_set() or time.monotonic() >= until,
            )
            if outcome.is_success or _is_abandoned(shelved):
                turn.ended = outcome
                self._begun.discard(folder)
                self._stands(folder, None)
                _LOG.info("%s is over: %s", name, outcome.words or outcome.end.name.lower())
                return True
            if outcome.end is End.CANCELLED:
                return False
            if _is_past_help(tools, shelved, outcome):
                with self._changed:
                    self._past_help[folder] = shelved.wish.offer
                self._warn(folder, f"{name} is left to a goal: {outcome.words}")
                return True
        self._warn(folder, f"{name} is tried again: {outcome.words}")
        return False

    def _is_paid_for(self, shelved: Shelved) -> bool:
        """Whether all of it is here, and its rest of the money or its place in the home is not."""
        kind = type(shelved.state)
        if kind is Closed:
            return self._has_home and not is_erased(shelved.folder)
        return kind is Bought

    def _warn(self, folder: Path, line: str) -> None:
        self._tell(folder, line, logging.WARNING)

    def _tell(self, folder: Path, line: str, level: int) -> None:
        """Once, until there is something else to say of it."""
        self._stands(folder, line)
        if self._said.get(folder) != line:
            self._said[folder] = line
            _LOG.log(level, "%s", line)

    def _stands(self, folder: Path, line: str | None) -> None:
        with self._changed:
            self._open.pop(folder, None)
            if line is not None:
                self._open[folder] = line


def _is_abandoned(shelved: Shelved) -> bool:
    try:
        return isinstance(Acquisition.look(shelved.folder)[1], Abandoned)
    except LedgerError:
        return False


def _is_past_help(tools: Tools, shelved: Shelved, outcome: Outcome) -> bool:
    """Whether another try can only do what a goal can as well, and at any time."""
    if isinstance(outcome.cause, EngineError | LockedError):  # the chain's, or its or the home's
        return False
    try:
        # As it is now: it may have come further before it failed.
        if type(Acquisition.look(shelved.folder)[1]) is Closed:
            return True
        return is_past_help(tools.chain, shelved)
    except LedgerError:
        return False
