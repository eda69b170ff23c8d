"""Where the story plays: two fleets on one chain, five simulated robots, and what they recorded.

With ROS 2 each fleet is what ``quipu fleet up`` makes of its file: recorder, memory and
witness of every robot, and the settlement process of the chain that the harbour runs for
both. Without it the same files give the same homes and the same chain, a process serves the
chain, and the robots' bags are ingested by command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table
from story import DemoError, Story, console, say, until

from ledger.chain.account import FEE_ASSET
from ledger.chain.engines.client import ChainClient
from ledger.chain.fleets import fleet_id
from ledger.chain.light.trust_file import read_trust
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import anchor_key
from ledger.fleet.board import Observation, RobotFacts
from ledger.fleet.config import read_fleet
from ledger.fleet.home_observer import HomeObserver
from ledger.fleet.own_chain import UNIT
from ledger.schema.chain_anchor_pb2 import AnchorRecord

TOPICS = "[odom, imu, joint_states, scan, cmd_vel, observation, action, reward, done]"
ATTEMPTS = {"harbour": 16, "couriers": 8}
"""Of which one episode is."""
SECONDS = {"harbour": 180.0, "couriers": 120.0}
"""Simulated, and enough for so many attempts: while a recorder is awaited, time goes on."""
ALONE = {"harbour": 130.0, "couriers": 70.0}
"""The same where nothing is waited for."""
SEEDS = {"harbour": 7, "couriers": 11}

FLEET = """\
fleet: {name}
directory: {name}
domain_id: {domain}
discovery: localhost
quorum: {quorum}
engine: {engine}
exchange: {exchange}
topics: {topics}
parameters:
  recorder: {{continuous: false}}
  memory: {{checkpoint_period_s: 1.0, anchor: {{period_s: 2.0}}}}
robots: {robots}
"""
OWN_CHAIN = "{settlement: embedded, parameters: {empty_block_period_s: 0.25}}"
SAME_CHAIN = "{settlement: harbour/chain/chain.sock, trust: harbour/chain.trust}"
SELLS = "{buy: false}"
BUYS = "{sell: false}"
LEVELS = {"courier1": 3, "courier2": 1}
ROLE = "researcher"


def qpu(units: int) -> str:
    """An amount for people."""
    return f"{units / UNIT:.6f} QPU"


@dataclass(frozen=True)
class FleetOfStory:
    """One of the two fleets: its robots, and where it keeps what is its own."""

    name: str
    robots: tuple[str, ...]
    engine: str
    exchange: str
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder.with_suffix(".yaml")

    @property
    def authority(self) -> Path:
        """The wallet that speaks for it."""
        return self.folder / "wallets" / "authority"

    def home(self, robot: str) -> Path:
        return self.folder / "homes" / robot


@dataclass(frozen=True)
class Episode:
    """A recorded episode: an entry of a robot's log."""

    robot: str
    home: Path
    index: int
    record_id: str
    content_root: str

    @property
    def file(self) -> Path:
        """What was recorded, where the home keeps it."""
        (file,) = (self.home / "content").glob(f"*/{self.content_root}/*.mcap")
        return file


@dataclass
class World:
    """Both fleets, their chain, and their episodes once they have recorded."""

    story: Story
    with_ros: bool
    domain: int
    episodes: dict[str, Episode] = field(default_factory=dict)
    """Of each robot, its first."""

    def __post_init__(self) -> None:
        folder = self.story.folder
        self.harbour = FleetOfStory(
            "harbour", ("husky1", "husky2", "husky3"), OWN_CHAIN, SELLS, folder / "harbour"
        )
        self.couriers = FleetOfStory(
            "couriers", ("courier1", "courier2"), SAME_CHAIN, BUYS, folder / "couriers"
        )

    @property
    def fleets(self) -> tuple[FleetOfStory, FleetOfStory]:
        return self.harbour, self.couriers

    @property
    def chain(self) -> Path:
        return self.harbour.folder / "chain"

    @property
    def governor(self) -> Path:
        """The wallet that had all the money at first."""
        return self.chain / "keys" / "governor"

    @property
    def storefront(self) -> Path:
        """The socket of the harbour's selling end."""
        return self.harbour.folder / "sales" / "storefront.sock"

    def signed(self, wallet: Path) -> tuple[str, str]:
        """What tells a command who signs."""
        return ("--wallet", str(wallet.relative_to(self.story.folder)))

    @contextmanager
    def proven(self) -> Iterator[ProvenChain]:
        """The chain as anybody may ask it, who believes nothing without its proof."""
        with ChainClient(self.chain / "chain.sock") as client:
            yield ProvenChain(client, read_trust(self.harbour.folder / "chain.trust"))

    def balance(self, account: bytes) -> int:
        """What an account has, in millionths of a QPU."""
        with self.proven() as chain:
            return chain.balance(account, FEE_ASSET)

    def pool(self, fleet: FleetOfStory) -> int:
        """What a fleet's pool has."""
        with self.proven() as chain:
            return chain.balance(pool_account(fleet_id(chain.chain, fleet.name)), FEE_ASSET)

    def all_robots(self) -> list[tuple[FleetOfStory, str]]:
        return [(fleet, robot) for fleet in self.fleets for robot in fleet.robots]

    def facts(self, fleet: FleetOfStory, robot: str) -> RobotFacts:
        """What is to be seen of a robot in its home."""
        for seen in HomeObserver(read_fleet(fleet.file)).look():
            if isinstance(seen, Observation) and seen.robot == robot:
                return seen.facts
        return RobotFacts()

    def anchored(self, robot: str) -> int:
        """Entries of a robot's log that the chain has anchored."""
        fleet = next(fleet for fleet, name in self.all_robots() if name == robot)
        with self.proven() as chain:
            record = chain.read(AnchorRecord, anchor_key(f"{fleet.name}/{robot}"))
        return record.size if record is not None else 0

    def anchor(self, robot: str, least: int) -> None:
        """See that so many entries of a robot are anchored: it does so itself, with ROS."""
        if not self.with_ros:
            fleet = next(fleet for fleet, name in self.all_robots() if name == robot)
            home = str(fleet.home(robot))
            self.story.ask("--home", home, "checkpoint")
            self.story.ask(*("chain", "anchor", "--robot", home, "--sponsor", fleet.name))
        until(lambda: self.anchored(robot) >= least, f"anchor of {robot}")

    def down(self) -> None:
        """End what still runs."""
        if self.with_ros:
            for fleet in reversed(self.fleets):
                if fleet.file.exists():
                    self.story.ask("fleet", "down", fleet.file.name, expect=None)


def found(world: World) -> None:
    """Two fleets, five robots, one chain, which the harbour runs and nobody has to believe."""
    story = world.story
    story.chapter("Two fleets, five robots, and a chain that both can check")
    story.export("QUIPU_CHAIN", "harbour/chain")
    for fleet in world.fleets:
        _write(world, fleet)
    _start(world, world.harbour)
    authority = str(world.couriers.authority.relative_to(story.folder))
    account = str(story.ask("wallet", "new", "--wallet", authority)["account"])
    governed = world.signed(world.governor)
    story.run("quipu", "wallet", "pay", account, "100", *governed, lines=1)
    _start(world, world.couriers)
    story.run("quipu", "wallet", "pay", "pool:couriers", "100", *governed, lines=1)
    story.run(
        *("quipu", "chain", "fleet", "sponsor", "couriers", "1", "--anonymous", "1"),
        *world.signed(world.couriers.authority),
        lines=1,
    )


def record(world: World) -> None:
    """Everybody drives and records; the couriers only where nothing stands in the way."""
    story = world.story
    story.chapter("They drive; every robot records, and commits to what it recorded")
    say("the harbour's huskies among obstacles, the couriers in an empty hall:")
    if world.with_ros:
        _simulate(world)
    else:
        _record_in_process(world)
    for fleet, robot in world.all_robots():
        world.episodes[robot] = _episode_of(world, fleet, robot)
    until(
        lambda: all(
            world.anchored(robot) > episode.index for robot, episode in world.episodes.items()
        ),
        "anchors of all",
    )
    if world.with_ros:
        for fleet in world.fleets:
            story.run("quipu", "watch", fleet.file.name, "--once")
    size = sum(episode.file.stat().st_size for episode in world.episodes.values())
    story.fact("recorded", f"5 robots' episodes, {size / 1e6:.1f} MB of rosbag2, committed")


def _write(world: World, fleet: FleetOfStory) -> None:
    text = FLEET.format(
        name=fleet.name,
        domain=world.domain,
        quorum="majority" if world.with_ros else "none",
        engine=fleet.engine,
        exchange=fleet.exchange,
        topics=TOPICS,
        robots=json.dumps([_robot(robot) for robot in fleet.robots]),
    )
    fleet.file.write_text(text, encoding="utf-8")


def _robot(name: str) -> dict[str, object]:
    if name in LEVELS:
        return {"name": name, "exchange": {"level": LEVELS[name], "role": ROLE}}
    return {"name": name}


def _start(world: World, fleet: FleetOfStory) -> None:
    """Bring a fleet up; without ROS make what it has, and serve its chain."""
    story = world.story
    if world.with_ros:
        story.run("quipu", "fleet", "up", fleet.file.name, "--detach", lines=3)
    else:
        story.run("quipu", "fleet", "init", fleet.file.name, lines=4)
        if fleet is world.harbour:
            story.serve("quipu", "chain", "serve", "--empty-blocks", "0.25")
            until((world.chain / "chain.sock").exists, "the chain's engine")
            homes = [f"harbour/homes/{robot}" for robot in fleet.robots]
            story.serve(
                *("quipu", "sales", "serve", *homes, "--sales", "harbour/sales"),
                *world.signed(fleet.authority),
            )
    until((world.chain / "chain.sock").exists, "the chain's engine")


def _simulate(world: World) -> None:
    """A world of MuJoCo for each fleet, both as fast as the recorders take it."""
    started = time.perf_counter()
    running = []
    for fleet in world.fleets:
        names = "[" + ", ".join(f"'{robot}'" for robot in fleet.robots) + "]"
        settings = {
            "robots": names,
            "seed": SEEDS[fleet.name],
            "obstacles": str(fleet is world.harbour).lower(),
            "episodes": "true",
            "attempts": ATTEMPTS[fleet.name],
            "duration_s": SECONDS[fleet.name],
            "paced": "false",
            "wait_for_readers": 1,
        }
        words = [word for name, value in settings.items() for word in ("-p", f"{name}:={value}")]
        command = ["python", "-m", "quipu_sim.node", "--ros-args", *words]
        story_shown = " ".join(command)
        console.print(f"[bold cyan]$[/] {story_shown}", soft_wrap=True, markup=True)
        running.append(
            subprocess.Popen(
                [sys.executable, *command[1:]],
                env=os.environ
                | {
                    "ROS_DOMAIN_ID": str(world.domain),
                    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    with console.status("[dim]driving[/]"):
        ended = [process.communicate(timeout=120) for process in running]
    summaries: list[dict[str, Any]] = []
    for process, (said, complaint) in zip(running, ended, strict=True):
        if process.returncode:
            raise DemoError(f"a simulator ended with {process.returncode}: {complaint[-500:]}")
        summaries.append(json.loads(said[said.index("{") :]))
    _show(world, summaries, time.perf_counter() - started)


def _record_in_process(world: World) -> None:
    """The same drives without ROS: bags, which are ingested with their marks."""
    started = time.perf_counter()
    driving = []
    for number, (fleet, robot) in enumerate(world.all_robots()):
        bag = world.story.folder / "drives" / robot
        command = [sys.executable, "-m", "quipu_sim.attempts", str(bag), "--robot", robot]
        command += ["--seconds", str(ALONE[fleet.name])]
        command += ["--seed", str(SEEDS[fleet.name] + number)]
        command += [] if fleet is world.harbour else ["--empty"]
        driving.append(
            subprocess.Popen(
                command,
                env=world.story.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for (fleet, robot), process in zip(world.all_robots(), driving, strict=True):
        said, complaint = process.communicate(timeout=120)
        if process.returncode:
            raise DemoError(f"{robot} could not drive: {complaint}")
        drive = json.loads(said)
        bag = world.story.folder / "drives" / robot
        world.story.ask(
            *(
                "--home",
                str(fleet.home(robot)),
                "ingest",
                str(bag),
                "--reward",
                f"{drive['reward']:.3f}",
            ),
            *("--success" if drive["success"] else "--failure", "--by", "task"),
        )
        console.print(f"  {robot}: {drive['outcomes']}, committed", style="dim", markup=False)
        world.anchor(robot, 1)
    say(f"MuJoCo, headless, and {len(world.all_robots())} logs, in "
        f"{time.perf_counter() - started:.1f} s")  # fmt: skip


def _show(world: World, summaries: Sequence[dict[str, Any]], took_s: float) -> None:
    rows = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("fleet", "simulated", "faster than real", "arrived", "collided", "episodes"):
        rows.add_column(column, justify="left" if column == "fleet" else "right")
    for fleet, summary in zip(world.fleets, summaries, strict=True):
        rows.add_row(
            fleet.name,
            f"{summary['simulated_s']:.0f} s",
            f"{summary['realtime_factor']:.0f} times",
            str(summary["arrived"]),
            str(summary["collided"]),
            str(summary["episodes_committed"]),
        )
    console.print(rows)
    say(f"MuJoCo, headless, over DDS into five recorders that lost nothing, in {took_s:.1f} s")


def _episode_of(world: World, fleet: FleetOfStory, robot: str) -> Episode:
    """A robot's first episode, with every attempt in it."""
    home = fleet.home(robot)
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        entries = world.story.ask("--home", str(home), "log", "--all")["entries"]
        found[:] = [entry for entry in entries if entry["kind"] == "experience"]
        return bool(found)

    until(is_there, f"episode of {robot}")
    first = found[0]
    return Episode(robot, home, first["index"], first["record_id"], first["content_root"])
