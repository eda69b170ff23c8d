"""``quipu get``: a recording back, as it was recorded."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.entry_choice import find_experience
from ledger.cli.failure import advice
from ledger.cli.followed_bag import followed_parts
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes
from ledger.errors import LedgerError, NotFoundError, RefusedError
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience
from ledger.experience.restore import RestoredRecording, restore
from ledger.home import HomeReader, open_home
from ledger.log_reader import LogReader


@verb("get")
@click.argument("entry")
@click.argument(
    "folder", type=click.Path(path_type=Path, readable=False, file_okay=False), required=False
)
@click.option("--segment", is_flag=True, help="Only this segment of a split bag.")
def command(invocation: Invocation, entry: str, folder: Path | None, segment: bool) -> None:
    """Write the recording of ENTRY into FOLDER, every byte checked on the way.

    FOLDER is made, named after the recording unless given. The segments of a split
    bag come together, as do the files of one that was followed. Nothing is overwritten.
    """
    with open_home(invocation.home) as home:
        index, _, experience = find_experience(home.log, entry)
        parts = [experience] if segment else _parts(home, index, experience)
        bag = {tag.key: tag.value for tag in parts[0].tags}.get("bag", experience.name)
        target = folder or Path(Path(bag).name)
        if target.exists() and not target.is_dir():
            raise RefusedError(f"{target} is there already", hint="name a folder to write into")
        total = sum(part.content_size for part in parts)
        restored: list[RestoredRecording] = []
        with (
            invocation.output.progress("restoring", total) as advance,
            advice("what is gone from everywhere cannot be brought back"),
        ):
            restored = [
                restore(home.experiences, part.record_id, target, advance) for part in parts
            ]
    paths = [str(path) for each in restored for path in each.paths]
    if not all(each.registered for each in restored):
        invocation.output.note("the home is read-only: a later erasure will not know of this copy")
    invocation.output.text(
        {"folder": str(target), "files": paths, "size": total},
        f"[green]restored[/] {escape(bag)}: {len(paths)} file(s), {human_bytes(total)} in "
        f"[bold]{escape(str(target))}[/]",
    )


def _parts(home: HomeReader, index: int, experience: Experience) -> list[Experience]:
    followed = followed_parts(home.experiences, index, experience)
    return followed or _segments(home.log, index, experience)


def _segments(log: LogReader, index: int, experience: Experience) -> list[Experience]:
    """All segments of the split bag that ``experience`` is a part of, else itself."""
    tags = {tag.key: tag.value for tag in experience.tags}
    try:
        number, count, bag = int(tags["segment"]), int(tags["segments"]), tags["bag"]
    except (KeyError, ValueError):
        return [experience]
    # One bag's segments are committed in a row.
    parts = []
    for place, position in enumerate(range(index - number, index - number + count)):
        part = _experience_at(log, position)
        expected = {"bag": bag, "segment": str(place), "segments": str(count)}
        found = {tag.key: tag.value for tag in part.tags} if part else {}
        if part is None or any(found.get(key) != value for key, value in expected.items()):
            raise NotFoundError(
                f"segment {place} of {count} of {bag} is not in the log",
                hint="--segment takes this one alone",
            )
        parts.append(part)
    return parts


def _experience_at(log: LogReader, index: int) -> Experience | None:
    try:
        kind = parse_entry(log.entry(index)).kind
    except LedgerError:
        return None
    return kind if isinstance(kind, Experience) else None
