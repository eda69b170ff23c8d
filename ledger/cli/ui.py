"""All that ``quipu`` prints, and the rules it prints by.

1. Results go to standard output; progress, notes and errors to standard error.
2. With ``--json`` standard output is exactly one JSON object, also after an error:
   ``{"ok": false, "error": {"kind": ..., "message": ..., "hint": ...}}``.
3. An error is one line: ``quipu: what is wrong (what to do)``. Never a traceback.
   Names come from strangers: their control characters are shown, not obeyed.
4. Colour and progress bars only on a terminal; ``NO_COLOR`` is respected.
5. Hashes, keys and paths are never cut in ``--json``; for people, ids are shortened.
   JSON is UTF-8 whatever the locale.
6. Who stops reading (``quipu log | head``) misses the rest; the exit status stays true.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich import markup
from rich.console import Console

from ledger.errors import LedgerError, StorageError

if TYPE_CHECKING:
    from rich.table import Table

Advance = Callable[[int], None]
"""Called with the work done since the last call, in the unit of the bar."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where results go: text for people, or one JSON object."""

    as_json: bool

    def result(self, data: Mapping[str, Any], show: Callable[[Console], None]) -> None:
        """Print ``data`` as JSON, ``ok`` unless it says otherwise, or let ``show`` write it."""
        with printing():
            if self.as_json:
                _write_json({"ok": True, **data})
            else:
                show(stdout())

    def text(self, data: Mapping[str, Any], *lines: str) -> None:
        """Print ``data`` as JSON, or ``lines`` of rich markup."""
        self.result(data, lambda console: console.print("\n".join(lines), soft_wrap=True))

    def note(self, line: str) -> None:
        """Tell a person something that is no part of the result, on standard error."""
        with printing(complain=False):
            stderr().print(f"[dim]{escape(line)}[/]", soft_wrap=True)

    def error(self, error: LedgerError, data: Mapping[str, Any] | None = None) -> None:
        """Print ``error`` on standard error and, with ``--json``, on standard output.

        ``data`` is what was done before it.
        """
        hint = f" [dim]({escape(error.hint)})[/]" if error.hint else ""
        with printing(complain=False):
            stderr().print(f"[bold red]quipu:[/] {escape(error.message)}{hint}", soft_wrap=True)
        if self.as_json:
            fault = {
                "kind": type(error).__name__,
                "message": error.message,
                "hint": error.hint,
            }
            with printing(complain=False):
                _write_json({**(data or {}), "ok": False, "error": fault})

    @contextmanager
    def progress(self, label: str, total: int, *, in_bytes: bool = True) -> Iterator[Advance]:
        """A progress bar on standard error, if that is a terminal and the work is not tiny."""
        console = stderr()
        if self.as_json or not console.is_terminal:
            yield _ignore
            return
        from rich import progress as bars

        amount: tuple[bars.ProgressColumn, ...] = (
            (bars.DownloadColumn(), bars.TransferSpeedColumn())
            if in_bytes
            else (bars.MofNCompleteColumn(),)
        )
        with bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            *amount,
            bars.TimeRemainingColumn(),
            console=console,
            transient=True,
        ) as shown:
            task = shown.add_task(label, total=total or None)
            yield lambda done: shown.advance(task, done)

    @contextmanager
    def phases(self) -> Iterator[Callable[[str, int, int], None]]:
        """A bar on standard error for work in phases: told the phase, done and total."""
        console = stderr()
        if self.as_json or not console.is_terminal:
            yield lambda _phase, _done, _total: None
            return
        from rich import progress as bars

        with bars.Progress(console=console, transient=True) as shown:
            task = shown.add_task("")

            def follow(phase: str, done: int, total: int) -> None:
                shown.update(task, description=phase, completed=done, total=total or None)

            yield follow


def _ignore(_done: int) -> None:
    return None


def escape(text: str) -> str:
    """Text of unknown origin, to print: neither rich markup nor terminal controls act in it."""
    return markup.escape(printable(text))


def printable(text: str) -> str:
    """``text`` with an escape in place of each character that a terminal might obey."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class _Console(Console):
    """A console that leaves it to us what a closed pipe means."""

    def on_broken_pipe(self) -> NoReturn:
        """Called by rich while it handles a BrokenPipeError."""
        raise


def stdout() -> Console:
    """The console of standard output, looked up anew so that tests may redirect it."""
    return _Console(file=sys.stdout, highlight=False, emoji=False)


def stderr() -> Console:
    """The console of standard error."""
    return _Console(file=sys.stderr, highlight=False, emoji=False)


def prepare_streams() -> None:
    """Make sure that standard output and error are there, and take any text.

    To be called once, by the process's entry point.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the shell's ``>&-``
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for life
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            # Names that are no UTF-8, or not in the locale's alphabet.
            stream.reconfigure(errors="backslashreplace")


def _write_json(document: Mapping[str, Any]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A lone surrogate (a name that is no UTF-8) comes out as JSON's own escape of it.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextmanager
def printing(*, complain: bool = True) -> Iterator[None]:
    """Let nobody reading be no error, and a full disk behind ``>`` be one of ours."""
    try:
        yield
    except BrokenPipeError:
        _silence()
    except OSError as error:
        _silence()
        if complain:
            raise StorageError(
                f"the output cannot be written: {error.strerror}",
                hint="what was asked for is done; make room to see what it says",
            ) from error


def _silence() -> None:
    """Send what is still to be printed nowhere, so that the interpreter ends in peace."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def table(*columns: str) -> Table:
    """A plain table: a header, no frame."""
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        right = column in {"index", "size", "messages", "chunks", "count"}
        shown.add_column(column, justify="right" if right else "left", overflow="fold")
    return shown


def short(value: bytes) -> str:
    """The first eight hex digits of an id or hash, for people."""
    return value.hex()[:8]


def human_bytes(size: int) -> str:
    """``1536`` as ``1.5 KiB``."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} PiB"


def human_time(time_ns: int) -> str:
    """Nanoseconds since 1970 as UTC to the second; ``-`` for 0, which means unknown."""
    if time_ns == 0:
        return "-"
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"


def human_duration(duration_ns: int) -> str:
    """Nanoseconds as ``395.3 s`` or ``6 min 35 s``."""
    seconds = duration_ns / 10**9
    if seconds < 600:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
