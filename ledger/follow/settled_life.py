"""The life of a file that is committed once, after it was closed.

SQLite databases, whose pages are rewritten; compressed files, which are written at one
go; ``metadata.yaml``; and what is named like a bag and is none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledger.follow.commitment import Surroundings
from ledger.follow.events import NoteKind
from ledger.follow.file_life import Ending, FileLife, Outcome
from ledger.follow.steps import Steps, Turn, grow_to


class SettledLife(FileLife):
    """Follows one file until it is closed and ``is_ready``. ``why`` is said once, if it waits."""

    def __init__(
        self,
        path: Path,
        around: Surroundings,
        *,
        is_ready: Callable[[], bool] = lambda: True,
        why: str | None = None,
    ) -> None:
        super().__init__(path, around)
        self._is_ready = is_ready
        self._why = why

    @property
    def at_rest(self) -> bool:
        """Also while another file of the bag is being written."""
        return super().at_rest or not self._is_ready()

    def _live(self) -> Steps:
        state = self._look()
        while not (self._is_ready() and self._is_closed()):
            if self._why is not None:
                self._around.note(NoteKind.WAITING_FOR_CLOSE, self.path, self._why)
                self._why = None
            yield Turn.WAIT
            state = self._look()
        if state.size == 0:
            self._around.note(NoteKind.EMPTY, self.path, "there is nothing in it")
            self.ending = Ending(Outcome.PASSED_OVER, state)
            return
        while (content := self._commitment.begin(self.path)) is None:
            yield Turn.WAIT
        yield from grow_to(content, self._file, state.size)
        if self._look() != state or content.length != state.size:
            yield from self._give_up("it changed while it was read")
            self.ending = Ending(Outcome.AGAIN)
            return
        yield from self._seal()

    def _vanished(self) -> Steps:
        yield from self._give_up("deleted before it was sealed")
