"""``quipu prune``: let old or large recordings go; hashes and proofs stay."""

from __future__ import annotations

import re
import time

import click
from rich.console import Console

from ledger.cli.entry_choice import find_experience
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import human_bytes, short
from ledger.experience.retention import RetentionPolicy, prune, select
from ledger.memory.borrowing import borrow_home

_DAY_NS = 86_400 * 10**9
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class ByteSize(click.ParamType[int]):
    """A size such as ``500M`` or ``2GiB``; binary units."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Parse the text, or complain as click does."""
        match = re.fullmatch(r"([0-9]{1,18})\s*([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
        if match is None:
            self.fail(f"{value!r} is not a size such as 500M or 2G", param, ctx)
        return int(match[1]) * _UNITS[match[2].upper()]


@verb("prune")
@click.argument("entries", nargs=-1)
@click.option("--older-than", type=click.IntRange(min=0), metavar="DAYS", help="Recorded before.")
@click.option("--larger-than", type=ByteSize(), help="Larger than this, e.g. 2G.")
@click.option("--keep-at-most", type=ByteSize(), help="Total to keep; the oldest goes first.")
@click.option("--reason", default="", help="Goes into the log.")
@click.option("--force", is_flag=True, help="Also what was never offloaded: gone for good.")
def command(
    invocation: Invocation,
    entries: tuple[str, ...],
    older_than: int | None,
    larger_than: int | None,
    keep_at_most: int | None,
    reason: str,
    force: bool,
) -> None:
    """Remove the content of ENTRIES, or of what the limits choose, from this robot.

    Entries, hashes, keys and proofs stay; the pruning itself is an entry. What has no
    verified offloaded copy is refused unless forced.
    """
    limits = (older_than, larger_than, keep_at_most)
    if not entries and all(limit is None for limit in limits):
        raise click.UsageError("nothing is chosen: name entries, or a limit")
    policy = RetentionPolicy(
        ended_before_ns=None if older_than is None else time.time_ns() - older_than * _DAY_NS,
        larger_than=larger_than,
        keep_at_most=keep_at_most,
    )
    with borrow_home(invocation.home) as home:
        chosen = [find_experience(home.log, entry)[2].record_id for entry in entries]
        chosen += [record.record_id for record in select(home.experiences, policy)]
        report = prune(home.experiences, chosen, reason, force=force)

    def show(console: Console) -> None:
        console.print(
            f"[green]pruned[/] {len(report.pruned)} recording(s), "
            f"{human_bytes(report.freed_bytes)} freed"
        )
        for record in report.refused:
            console.print(
                f"[yellow]kept[/] record {short(record)}: no verified offloaded copy in reach",
                soft_wrap=True,
            )

    data = {
        "pruned": [record.hex() for record in report.pruned],
        "refused": [record.hex() for record in report.refused],
        "freed_bytes": report.freed_bytes,
        "entries": list(report.entries),
    }
    invocation.output.result(data, show)
