"""A purchase while it goes on: a bar with chunks, speed and money; and Ctrl-C between chunks."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from ledger.cli.ui import Output, stderr
from ledger.market.acquisition_states import Stage
from ledger.market.tools import Cancelled, Progress, Told

_STAGES: Final = {
    Stage.WISHED: "asking for a grant",
    Stage.REQUESTED: "asking for a grant",
    Stage.GRANTED: "granted, to be paid for",
    Stage.FUNDED: "opening a channel",
    Stage.CHANNEL_OPENED: "channel is open",
    Stage.STREAMING: "buying",
    Stage.SWAPPING: "buying",
    Stage.BOUGHT: "bought, settling",
    Stage.CLOSED: "settled",
    Stage.KEPT: "kept",
    Stage.REFUSED: "refused",
    Stage.ABANDONING: "giving up",
    Stage.ABANDONED: "given up",
}
"""What is being done, or was last, once a stage is reached."""


def stage_text(stage: Stage) -> str:
    """A stage in words."""
    return _STAGES[stage]


def doing(progress: Progress) -> str:
    """What is being done, in words: told apart where it is bought whole."""
    if progress.stage is not Stage.SWAPPING:
        return stage_text(progress.stage)
    if progress.opened:
        return f"opening {progress.opened}/{progress.units}"
    return "waiting for the key" if progress.kept == progress.units else "fetching"


@contextmanager
def shown_progress(
    output: Output, first: Progress, money_text: Callable[[int], str]
) -> Iterator[Told]:
    """A bar on standard error, if that is a terminal."""
    console = stderr()
    if output.as_json or not console.is_terminal:
        yield lambda _progress: None
        return
    from rich import progress as bars

    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=20),
        bars.TextColumn("{task.fields[units]}"),
        bars.DownloadColumn(binary_units=True),
        bars.TransferSpeedColumn(),
        bars.TextColumn("{task.fields[paid]}"),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(stage_text(first.stage), total=None, units="", paid="")

        def told(progress: Progress) -> None:
            bar.update(
                task,
                description=doing(progress),
                completed=progress.kept_bytes,
                total=progress.bytes or None,
                units=f"{progress.kept}/{progress.units} chunks" if progress.units else "",
                paid=f"paid {money_text(progress.paid)}" if progress.price else "",
            )

        told(first)
        yield told


@contextmanager
def stopping(output: Output) -> Iterator[Cancelled]:
    """Let the first Ctrl-C stop after the chunk that is under way, and the second at once."""
    asked: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        output.note("stopping after this chunk; again to stop at once")

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
