"""The purchase over ROS 2: the robot's own exchange node buys, through its fleet's gateway.

What is killed is the robot's whole process, recorder, memory, witness and exchange at once. Its
supervisor starts it again, and the same goal takes the purchase up where it was.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from story import DemoError, console, say, until
from story_market import BUYER, Market
from story_world import qpu

from ledger.fleet.process_record import ProcessRecord

ASKING = Path(__file__).with_name("ask_exchange.py")
KILLED_AFTER = 2
"""Chunks that the robot has told of when it is killed; it may have some more by then."""
PATIENCE_S = 60.0


def buy_and_be_killed(market: Market, look: Callable[[], None]) -> None:
    """Buy by the action; ``look`` is called while the robot is dead."""
    world = market.world
    before = world.facts(world.couriers, BUYER).memory_pid
    if before is None:
        raise DemoError(f"{BUYER} does not run")
    with _asked(market) as heard:
        for said in heard:
            if said.get("kept", 0) >= KILLED_AFTER:
                os.kill(before, signal.SIGKILL)
                break
            if "outcome" in said:
                raise DemoError(f"{BUYER} was not killed in time: {said}")
    console.print(f"[bold cyan]$[/] kill -KILL {before}    [dim]# the process of {BUYER}[/]")
    until(lambda: not _is_alive(before), f"end of {BUYER}")
    look()

    def is_back() -> bool:
        facts = world.facts(world.couriers, BUYER)
        return facts.memory_state == "open" and facts.memory_pid != before

    until(is_back, f"return of {BUYER}")
    say(f"{BUYER} runs again as process {world.facts(world.couriers, BUYER).memory_pid}.")
    with _asked(market) as heard:
        *_, last = heard
    if last.get("outcome") != "KEPT":
        raise DemoError(f"the purchase ended so: {last}")
    say(
        f"It is entry {last['entry_index']} of its log now, for {qpu(last['paid'])}, fees included."
    )


def _is_alive(process: int) -> bool:
    """Whether a process runs; one that is over and not yet buried does not."""
    record = ProcessRecord.of(process)
    return record is not None and record.alive


@contextmanager
def _asked(market: Market) -> Iterator[Iterator[dict[str, Any]]]:
    """Send the goal, and hear what comes of it, on a bar."""
    words = [f"/{BUYER}", market.offer, "training"]
    shown = f"python {ASKING.name} {' '.join(words)}"
    console.print(f"[bold cyan]$[/] {escape(shown)}", soft_wrap=True)
    process = subprocess.Popen(
        [sys.executable, str(ASKING), *words],
        env=os.environ
        | {
            "ROS_DOMAIN_ID": str(market.world.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Progress(*columns, console=console) as bar:
            yield _heard(process, bar)
    finally:
        process.kill()
        process.communicate()


def _heard(process: subprocess.Popen[str], bar: Progress) -> Iterator[dict[str, Any]]:
    task = bar.add_task("asking", total=None)
    deadline = time.monotonic() + PATIENCE_S
    if process.stdout is None:
        raise DemoError("nothing is heard")
    for line in process.stdout:
        said: dict[str, Any] = json.loads(line)
        if "stage" in said:
            bar.update(
                task,
                description=f"{said['stage'].lower()}, paid {qpu(said['paid'])}",
                completed=said["kept_bytes"],
                total=said["bytes"] or None,
            )
        yield said
        if time.monotonic() > deadline:
            raise DemoError(f"no end of the purchase after {PATIENCE_S:.0f} s")
    if process.wait(10):
        raise DemoError(
            f"the exchange was not asked: {(process.stderr or sys.stdin).read()[-400:]}"
        )
