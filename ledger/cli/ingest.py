"""``quipu ingest``: commit recordings to the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from ledger.cli.failure import PartlyDoneError
from ledger.cli.ingest_episode import EpisodeOptions, episode_options
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes, short, table
from ledger.errors import EntryTooLargeError
from ledger.experience.content_store import StoreMode
from ledger.experience.ingest import IngestOptions, IngestReceipt, ingest_all
from ledger.experience.kinds import Tag
from ledger.experience.readers import read_recording
from ledger.home import existing_home
from ledger.memory.borrowing import borrow_home


@verb("ingest")
@click.argument(
    "recordings", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False)
)
@click.option("--link", is_flag=True, help="Hard-link the files instead of copying them.")
@click.option("--in-place", is_flag=True, help="Leave the files where they are; keep hashes only.")
@click.option("--encrypt", is_flag=True, help="Seal the copy under a key of its own.")
@click.option("--opaque", is_flag=True, help="Take the bytes as they are, whatever they are.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Add a public tag.")
@episode_options
def command(
    invocation: Invocation,
    recordings: tuple[Path, ...],
    link: bool,
    in_place: bool,
    encrypt: bool,
    opaque: bool,
    tags: tuple[str, ...],
    episode: bool,
    reward: float | None,
    success: bool | None,
    by: str | None,
) -> None:
    """Commit RECORDINGS: rosbag2 folders, .mcap, ROS 1 .bag, LeRobot datasets, any file.

    Each segment becomes one signed entry; it is durable when its line is shown. Files
    are cloned where the file system can, else copied.

    Reward, success and length are not told: the entry commits to them, and an offer can
    prove bounds of them.
    """
    said = EpisodeOptions.of(episode, reward, success, by)
    added, mode = said.tags(parse_tags(tags)), _mode(link, in_place)
    receipts: list[IngestReceipt] = []
    existing_home(invocation.home)
    # Every recording is read before the first is committed: most mistakes show here.
    found = [(path, list(read_recording(path, force_opaque=opaque))) for path in recordings]
    commit = said.commit([part for _, parts in found for part in parts])
    options = IngestOptions(mode=mode, seal=encrypt, tags=added, commit=commit)
    with borrow_home(invocation.home) as home:
        try:
            for path, parts in found:
                total = sum(part.size for part in parts)
                with invocation.output.progress(f"ingesting {path.name}", total) as advance:
                    receipts.extend(ingest_all(home.experiences, parts, options, advance))
        except BaseException as problem:
            if isinstance(problem, EntryTooLargeError) and not opaque:
                problem.hint = f"{problem.hint}; or --opaque, which leaves topics out"
            # What has a receipt is durable, and must be known not to be ingested twice.
            if not receipts:
                raise
            data, show = _told(receipts)
            if not invocation.output.as_json:
                invocation.output.result(data, show)
            raise PartlyDoneError(data) from problem
    data, show = _told(receipts)
    invocation.output.result(data, show)


def _told(receipts: list[IngestReceipt]) -> tuple[dict[str, object], Callable[[Console], None]]:
    """What was committed, as JSON and for a person."""

    def show(console: Console) -> None:
        rows = table("index", "record", "what", "size", "kept")
        for receipt in receipts:
            kept = "sealed" if receipt.sealed else receipt.presence.name.lower().replace("_", " ")
            rows.add_row(
                str(receipt.index),
                short(receipt.record_id),
                escape(receipt.name),
                human_bytes(receipt.content_size),
                kept,
            )
        console.print(rows)
        console.print(f"[green]committed[/] {len(receipts)} entries; next: quipu checkpoint")

    return {"entries": [_as_json(receipt) for receipt in receipts]}, show


def _mode(link: bool, in_place: bool) -> StoreMode:
    if link and in_place:
        raise click.UsageError("--link and --in-place exclude each other")
    if link:
        return StoreMode.LINK
    return StoreMode.IN_PLACE if in_place else StoreMode.REFLINK_OR_COPY


def parse_tags(given: tuple[str, ...]) -> tuple[Tag, ...]:
    """The tags that ``--tag KEY=VALUE`` gives."""
    tags = []
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"--tag {text!r} is not KEY=VALUE")
        tags.append(Tag(key, value))
    return tuple(tags)


def _as_json(receipt: IngestReceipt) -> dict[str, object]:
    return {
        "index": receipt.index,
        "record_id": receipt.record_id.hex(),
        "content_root": receipt.content_root.hex(),
        "content_size": receipt.content_size,
        "name": receipt.name,
        "presence": receipt.presence.name.lower(),
        "sealed": receipt.sealed,
    }
