"""The chapter about what the purchase was for: a policy trained without it, and with it.

Both are the same network, updates, seed and evaluation. Only the recordings differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table
from story import DemoError, Story, console, say
from story_market import BUYER, Market

from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Kept

GAIN = 0.05
"""The least by which the share of attempts that arrive must grow; most often it is 0.2 to 0.4."""
MODELS = ("before.policy", "after.policy")


def learn(market: Market) -> None:
    """Train with the robot's own episode, and with the bought one too."""
    story, world = market.story, market.world
    story.chapter("What it was for: the policy of courier1, before and after")
    state = Acquisition.look(market.acquisition())[1]
    if not isinstance(state, Kept):
        raise DemoError(f"the purchase is {type(state).__name__}")
    episode = world.episodes[BUYER]
    own = _get(story, episode.home, episode.index, "learn/own")
    bought = _get(story, world.couriers.home(BUYER), state.index, "learn/bought")
    say("It has driven in an empty hall only. It learns from that; then from both:")
    before, after = MODELS
    _run(story, "quipu_sim.training", before, own)
    _run(story, "quipu_sim.training", after, own, bought)
    say("Sixty new arenas with obstacles, which nobody has recorded in, the same for both:")
    table = _run(story, "quipu_sim.evaluation", before, after, "teacher")
    rows = {row["model"]: row for row in table["models"]}
    _show(rows, table["attempts"])
    gain = rows[after]["success"] - rows[before]["success"]
    if gain < GAIN:
        raise DemoError(f"the bought episode gained {gain:.0%}, and {GAIN:.0%} was the least")
    story.fact(
        "learnt",
        f"{rows[before]['success']:.0%} of attempts arrive before the purchase,"
        f" {rows[after]['success']:.0%} after it",
    )
    _remember(market, state, after)


def _remember(market: Market, bought: Kept, model: str) -> None:
    """The model and what it was trained on, in the log, on the chain, and as a drawing."""
    story, world = market.story, market.world
    own = world.episodes[BUYER]
    home = ("--home", f"couriers/homes/{BUYER}")
    story.run(
        *("quipu", *home, "model", "add", model, "--name", "among obstacles"),
        *("--input", str(own.index), "--input", str(bought.index)),
    )
    entries = story.ask(*home, "log", "--all")["entries"]
    index = next(each["index"] for each in entries if each.get("name") == model)
    if not world.with_ros:
        world.anchor(BUYER, index + 2)
    story.run(
        *("quipu", *home, "model", "register", str(index)),
        *world.signed(world.couriers.authority),
        lines=2,
    )
    drawn = story.run("quipu", *home, "lineage", str(index))
    if "harbour/husky1" not in drawn:
        raise DemoError("the lineage does not name the robot that recorded it")


def _get(story: Story, home: Path, index: int, into: str) -> str:
    """The recording of an entry, checked against it; the folder."""
    story.ask("--home", str(home), "get", "--segment", str(index), into)
    return into


def _run(story: Story, module: str, *words: str) -> dict[str, Any]:
    console.print(f"[bold cyan]$[/] python -m {module} {escape(' '.join(words))}", soft_wrap=True)
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=story.folder,
        env=story.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"{module} ended with {done.returncode}: {done.stderr[-300:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _show(rows: dict[str, dict[str, Any]], attempts: int) -> None:
    shown = Table(box=None, pad_edge=False, header_style="dim")
    columns: Sequence[str] = ("arrived", "collided", "time_up")
    shown.add_column(f"of {attempts} attempts")
    for column in columns:
        shown.add_column(column.replace("_", " "), justify="right")
    names = ("its own episode", "and the bought one", "the driver of the huskies")
    for name, row in zip(names, rows.values(), strict=True):
        shown.add_row(name, *(str(row[column]) for column in columns))
    console.print(shown)
