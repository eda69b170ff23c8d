"""``quipu follow``: commit bags while another recorder writes them."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.cli.exit_code import ExitCode
from ledger.cli.ingest import parse_tags
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes, printing, short, stdout
from ledger.errors import LockedError, StorageError
from ledger.experience.content_store import StoreMode
from ledger.experience.ingest import IngestOptions
from ledger.follow.catalogue import Catalogue, HomeCatalogue
from ledger.follow.events import Alarm, Event, Noted, Progressed, Sealed
from ledger.follow.follower import Follower
from ledger.follow.settings import FollowSettings
from ledger.home import open_home
from ledger.memory.control_server import owned_home
from ledger.memory.owner_sink import OwnerSink
from ledger.memory.sink import RecordSink
from ledger.memory.socket_sink import SocketSink

_STORE = {
    "in-place": StoreMode.IN_PLACE,
    "copy": StoreMode.REFLINK_OR_COPY,
    "link": StoreMode.LINK,
}
_A_COMMAND_S = 10.0
_PASSING_S = 5.0


@verb("follow")
@click.argument(
    "directories",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    metavar="DIR...",
)
@click.option(
    "--store",
    type=click.Choice(list(_STORE)),
    default="in-place",
    show_default=True,
    help="What becomes of a finished file: it stays, or is kept in the home too.",
)
@click.option("--encrypt", is_flag=True, help="Seal the copy under a key of its own.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Add a public tag.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.05, max=3600.0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to commit a file that grows.",
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0.0, max=3600.0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a file rests before it is looked at whether it was closed.",
)
@click.option("--once", is_flag=True, help="Commit what is there, and end.")
@click.option("--verbose", is_flag=True, help="Tell every commit.")
def command(
    invocation: Invocation,
    directories: tuple[Path, ...],
    store: str,
    encrypt: bool,
    tags: tuple[str, ...],
    every: float,
    settle: float,
    once: bool,
    verbose: bool,
) -> None:
    """Commit the bags in each DIR while another recorder writes them, until stopped.

    Nothing in DIR is touched. An MCAP file is committed as it grows, up to its last
    complete record; SQLite and compressed files once they are closed. Exits with 1 if
    what had been committed was changed or lost.
    """
    options = IngestOptions(mode=_STORE[store], seal=encrypt, tags=parse_tags(tags))
    if encrypt and options.mode is not StoreMode.REFLINK_OR_COPY:
        raise click.UsageError("--encrypt needs --store copy: what stays where it is stays plain")
    told = _Told(invocation.output.as_json, verbose)
    stop = threading.Event()
    with _home(invocation.home) as (sink, catalogue):
        follower = Follower(
            sink,
            directories,
            catalogue,
            settings=FollowSettings(options, progress_period_s=every, settle_s=settle),
            listener=told.tell,
            avoid=invocation.home,
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        try:
            told.begin(directories)
            if once:
                _run_once(follower, stop)
            else:
                follower.run(stop)
        finally:
            follower.close()
            sink.close()
    invocation.output.result(told.as_json(), told.end)
    if told.alarms:
        click.get_current_context().exit(ExitCode.NOT_VERIFIED)


def _run_once(follower: Follower, stop: threading.Event) -> None:
    """Follow until all is committed that can be. Raises why the home does not take it."""
    until_s = float("inf")
    while not stop.is_set() and not follower.at_rest:
        if not follower.poll():
            stop.wait(FollowSettings().poll_period_s)
        failure = follower.failure
        if failure is None:
            until_s = float("inf")
        else:
            # A store may be busy, or full, for a moment; the rest does not mend itself.
            passing = isinstance(failure, StorageError)
            until_s = min(until_s, time.monotonic() + (_PASSING_S if passing else 0.0))
            if time.monotonic() >= until_s:
                raise failure


@contextmanager
def _home(root: Path) -> Iterator[tuple[RecordSink, Catalogue]]:
    """Where records go: through the process that owns the home, or as its owner."""
    try:
        owned = owned_home(root, wait_s=_A_COMMAND_S)
        owner = owned.__enter__()
    except LockedError:
        yield SocketSink(root), HomeCatalogue(lambda: open_home(root))
        return
    try:
        yield OwnerSink(owner), HomeCatalogue(owner.reader)
    finally:
        owned.__exit__(*sys.exc_info())


@dataclass(slots=True)
class _Told:
    """What happened, told as it happens, and again as one object at the end."""

    as_object: bool
    verbose: bool
    commits: int = 0
    sealed: list[Sealed] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def begin(self, directories: tuple[Path, ...]) -> None:
        """Say what is followed."""
        names = ", ".join(escape(str(directory)) for directory in directories)
        self._print(f"[green]following[/] {names}; Ctrl-C ends it")

    def tell(self, event: Event) -> None:
        """Take one event."""
        path = escape(f"{event.path.parent.name}/{event.path.name}")
        match event:
            case Progressed(index=index, length=length):
                self.commits += 1
                if self.verbose:
                    self._print(f"[dim]committed {human_bytes(length)} of {path}, entry {index}[/]")
            case Sealed(receipt=receipt):
                self.sealed.append(event)
                kept = "sealed" if receipt.sealed else receipt.presence.name.lower()
                self._print(
                    f"[green]sealed[/] {path}: entry {receipt.index}, record "
                    f"{short(receipt.record_id)}, {human_bytes(receipt.content_size)}, "
                    f"{kept.replace('_', ' ')}"
                )
            case Noted(kind=kind, detail=detail):
                self.notes.append(event)
                self._print(f"[dim]{kind.value}: {path}: {escape(detail)}[/]")
            case Alarm(kind=kind, detail=detail, record_id=record_id):
                self.alarms.append(event)
                self._print(
                    f"[bold red]ALARM {kind.value}[/]: {path} (record {short(record_id)}): "
                    f"{escape(detail)}"
                )

    def end(self, console: Console) -> None:
        """Say what it came to."""
        line = f"{len(self.sealed)} file(s) sealed, {self.commits} commit(s) on the way"
        if self.alarms:
            line = f"[bold red]{len(self.alarms)} alarm(s)[/], {line}"
        console.print(line, soft_wrap=True)

    def as_json(self) -> dict[str, Any]:
        """Everything but the single commits."""
        return {
            "ok": not self.alarms,
            "commits": self.commits,
            "sealed": [
                {
                    "path": str(event.path),
                    "index": event.receipt.index,
                    "record_id": event.receipt.record_id.hex(),
                    "content_root": event.receipt.content_root.hex(),
                    "content_size": event.receipt.content_size,
                    "presence": event.receipt.presence.name.lower(),
                }
                for event in self.sealed
            ],
            "alarms": [
                {
                    "kind": event.kind.value,
                    "path": str(event.path),
                    "record_id": event.record_id.hex(),
                    "message": event.detail,
                }
                for event in self.alarms
            ],
            "notes": [
                {"kind": event.kind.value, "path": str(event.path), "message": event.detail}
                for event in self.notes
            ],
        }

    def _print(self, line: str) -> None:
        if not self.as_object:
            with printing():
                stdout().print(line, soft_wrap=True)
