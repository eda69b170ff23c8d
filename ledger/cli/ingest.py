"""``quipu ingest``: commit recordings to the log."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from ledger.cli.main import Invocation, verb
from ledger.cli.ui import human_bytes, short, table
from ledger.errors import RefusedError
from ledger.experience.content_store import StoreMode
from ledger.experience.ingest import IngestOptions, IngestReceipt, ingest_all
from ledger.experience.kinds import Tag
from ledger.experience.readers import read_recording
from ledger.home import HomeWriter, open_home_to_write


@verb("ingest")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--link", is_flag=True, help="Hard-link the files instead of copying them.")
@click.option("--in-place", is_flag=True, help="Leave the files where they are; keep hashes only.")
@click.option("--encrypt", is_flag=True, help="Seal the copy under a key of its own.")
@click.option("--opaque", is_flag=True, help="Take the bytes as they are, whatever they are.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Add a public tag.")
def command(
    invocation: Invocation,
    recordings: tuple[Path, ...],
    link: bool,
    in_place: bool,
    encrypt: bool,
    opaque: bool,
    tags: tuple[str, ...],
) -> None:
    """Commit RECORDINGS: rosbag2 folders, .mcap, ROS 1 .bag, LeRobot datasets, any file.

    Each segment becomes one signed entry; it is durable when its line is shown. Files
    are cloned where the file system can, else copied.
    """
    options = IngestOptions(mode=_mode(link, in_place), seal=encrypt, tags=_tags(tags))
    receipts: list[IngestReceipt] = []
    with open_home_to_write(invocation.home) as home:
        for recording in recordings:
            receipts += _ingest(invocation, home, recording, options, opaque)

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

    invocation.output.result({"entries": [_as_json(receipt) for receipt in receipts]}, show)


def _ingest(
    invocation: Invocation, home: HomeWriter, path: Path, options: IngestOptions, opaque: bool
) -> list[IngestReceipt]:
    found = list(read_recording(path, force_opaque=opaque))
    total = sum(recording.size for recording in found)
    with invocation.output.progress(f"ingesting {path.name}", total) as advance:
        return list(ingest_all(home.experiences, found, options, advance))


def _mode(link: bool, in_place: bool) -> StoreMode:
    if link and in_place:
        raise RefusedError("--link and --in-place exclude each other")
    if link:
        return StoreMode.LINK
    return StoreMode.IN_PLACE if in_place else StoreMode.REFLINK_OR_COPY


def _tags(given: tuple[str, ...]) -> tuple[Tag, ...]:
    tags = []
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise RefusedError(f"--tag {text!r} is not KEY=VALUE")
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
