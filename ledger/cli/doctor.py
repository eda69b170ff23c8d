"""``quipu doctor``: look for what is wrong with a home, and mend what can be mended."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console

from ledger import __version__
from ledger.catch_up import catch_up
from ledger.cli.exit_code import ExitCode
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes, short
from ledger.cli.vkeys import read_vkeys
from ledger.errors import LedgerError
from ledger.experience.growing import interrupted_records
from ledger.home import HomePaths, HomeWriter, open_home
from ledger.memory.borrowing import borrow_home
from ledger.published import published_directory

_LOW_DISK_BYTES = 1 << 30


class State(Enum):
    """How a thing that was looked at is."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Examined:
    """One thing that was looked at, and what to do about it."""

    what: str
    state: State
    message: str
    hint: str | None = None


@verb("doctor")
@click.option(
    "--catch-up",
    "export",
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    metavar="FOLDER",
    help="Bring a home restored from an old backup up to date from a tile export.",
)
@click.option("--key", "keys", multiple=True, help="A newer verifier key, which a backup may lack.")
def command(invocation: Invocation, export: Path | None, keys: tuple[str, ...]) -> None:
    """Look at the home: keys, disk, writer, restart rule, what was published.

    Opening the log as its writer mends what a crash left half done. Exits with 4 when
    something is wrong.
    """
    home = invocation.home
    caught_up = 0
    if export is not None:
        with (
            borrow_home(home, read_vkeys(keys)) as writer,
            advice("give a folder that `quipu export-tiles` wrote for this log", about=export),
        ):
            caught_up = len(catch_up(writer, export, tuple(read_vkeys(keys))))
    examined = [*_machine(home), *_home(home)]
    wrong = any(each.state is State.WRONG for each in examined)

    def show(console: Console) -> None:
        colours = {State.GOOD: "green", State.NOTE: "yellow", State.WRONG: "bold red"}
        if caught_up:
            console.print(f"[green]caught up[/] by {caught_up} entries")
        for each in examined:
            hint = f" [dim]({escape(each.hint)})[/]" if each.hint else ""
            console.print(
                f"[{colours[each.state]}]{each.state.value:5}[/] {each.what}: "
                f"{escape(each.message)}{hint}",
                soft_wrap=True,
            )

    found = [
        {"what": e.what, "state": e.state.value, "message": e.message, "hint": e.hint}
        for e in examined
    ]
    data = {"ok": not wrong, "caught_up": caught_up, "examined": found}
    invocation.output.result(data, show)
    if wrong:
        click.get_current_context().exit(ExitCode.HOME_UNUSABLE)


def _machine(home: Path) -> Iterator[Examined]:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("lmdb", "cryptography", "mcap"))
    yield Examined(
        "software",
        State.GOOD,
        f"quipu-ledger {__version__}, Python {platform.python_version()}, {libraries}",
    )
    place = next(path for path in (home, *home.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    low = free < _LOW_DISK_BYTES
    yield Examined(
        "disk",
        State.NOTE if low else State.GOOD,
        f"{human_bytes(free)} free",
        "offload and prune" if low else None,
    )


def _home(home: Path) -> Iterator[Examined]:
    paths = HomePaths(home)
    if not paths.exists:
        yield Examined("home", State.WRONG, f"{home} is not a home", "quipu init")
        return
    try:
        with open_home(home) as reader:
            size = reader.log.size
            yield Examined("log", State.GOOD, f"{reader.log.origin}, {size} entries")
    except LedgerError as error:
        yield Examined("log", State.WRONG, error.message, error.hint or "quipu audit")
        return
    yield from _folders(paths)
    try:
        with borrow_home(home) as writer:
            yield from _writer(writer)
    except LedgerError as error:
        yield Examined("writer", State.WRONG, error.message, error.hint)


def _folders(paths: HomePaths) -> Iterator[Examined]:
    open_to_others = [
        folder
        for folder in (paths.signing_keys, paths.record_keys)
        if folder.is_dir() and folder.stat().st_mode & 0o077
    ]
    for folder in open_to_others:
        yield Examined("keys", State.WRONG, f"others can enter {folder}", f"chmod 700 {folder}")
    published = published_directory()
    place = next(path for path in (published, *published.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK):
        yield Examined(
            "published",
            State.WRONG,
            f"{published} cannot be written, so nothing can be signed",
            "set QUIPU_PUBLISHED to a folder outside the home",
        )


def _writer(home: HomeWriter) -> Iterator[Examined]:
    for signer in home.signers():
        yield Examined("key", State.GOOD, f"{signer.verifier_key.encode()} is there")
    if home.log.behind is not None:
        yield Examined(
            "published",
            State.WRONG,
            f"the log has {home.log.size} entries, but published {home.log.behind.size}",
            "quipu doctor --catch-up EXPORT, from a tile export that somebody kept",
        )
    else:
        yield Examined(
            "writer", State.GOOD, "the newest checkpoint and what came after it hold together"
        )
    for each in interrupted_records(home.experiences):
        committed = human_bytes(each.marks[-1].length) if each.marks else "nothing"
        yield Examined(
            "recording",
            State.NOTE,
            f"record {short(each.record.record_id)} is open, {committed} of it committed",
            "its recorder, started again, goes on with it or ends it",
        )
