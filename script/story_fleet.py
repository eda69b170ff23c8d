"""The chapters about a fleet: three simulated robots that record, commit and watch each other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from story import DemoError, Story, console, say, until
from story_chain import Settlement
from story_ledger import Memory

from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.service import NoEngineError
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.trust_file import read_trust
from ledger.chain.state_keys import robot_key
from ledger.fleet.board import Observation, RobotFacts
from ledger.fleet.config import read_fleet
from ledger.fleet.home_observer import HomeObserver
from ledger.home import open_home
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN, RobotRecord
from ledger.witnessing.fork_records import ForkRecords

ROBOTS = ("r1", "r2", "r3")
DRIVE_S = 10.0
APART_S = 6.0

FLEET = """\
fleet: example.com/yard
directory: {directory}
domain_id: {domain}
discovery: localhost
simulator: mujoco
simulation: {{seed: 7}}
quorum: majority
engine: embedded
topics: [odom, imu, scan, cmd_vel, /tf, /tf_static]
parameters:
  recorder: {{segment: {{max_duration_s: 5.0}}}}
  memory: {{checkpoint_period_s: 1.0, anchor: {{period_s: 2.0}}}}
robots:
"""


class Yard:
    """The fleet's file, and what is seen of its robots from their homes."""

    def __init__(self, story: Story, domain: int) -> None:
        self._story = story
        self.domain = domain
        self.file = story.folder / "yard.yaml"
        self.directory = story.folder / "yard"

    def home(self, robot: str) -> Path:
        return self.directory / "homes" / robot

    def write(self, **robots: dict[str, Any]) -> None:
        """Write the fleet's file; ``robots`` says what is special about some."""
        head = FLEET.format(directory=self.directory, domain=self.domain)
        rows = ({"name": robot, **robots.get(robot, {})} for robot in ROBOTS)
        text = head + "".join(f"  - {json.dumps(row)}\n" for row in rows)
        self.file.write_text(text, encoding="utf-8")

    def up(self, lines: int = 1) -> None:
        self._story.run("quipu", "fleet", "up", self.file.name, "--detach", lines=lines)

    def down(self) -> None:
        self._story.run("quipu", "fleet", "down", self.file.name, lines=1)

    def facts(self, robot: str) -> RobotFacts:
        """What is to be seen of a robot in its home."""
        for seen in HomeObserver(read_fleet(self.file)).look():
            if isinstance(seen, Observation) and seen.robot == robot:
                return seen.facts
        return RobotFacts()

    def size(self, robot: str) -> int:
        """Entries that the robot's newest checkpoint covers."""
        return self.facts(robot).checkpoint_size or 0

    def witnessed(self, robot: str, by: set[str], least: int = 1) -> bool:
        """Whether the robot's newest checkpoint has ``least`` entries and is cosigned ``by``."""
        facts = self.facts(robot)
        return (facts.checkpoint_size or 0) >= least and by <= set(facts.cosigned_by or ())

    def anchored(self, robot: str) -> int:
        """Entries of the robot that the chain has anchored, as the robot was proven."""
        return self.facts(robot).anchored_size or 0

    @property
    def settlement(self) -> Settlement:
        """The fleet's chain."""
        return Settlement(
            self.directory / "chain", self.directory / "wallets" / "authority", "example.com/yard"
        )

    def is_frozen(self, origin: str) -> bool:
        """Whether the chain has frozen a robot."""
        trust, key = read_trust(self.directory / "chain.trust"), robot_key(origin)
        try:
            with ChainClient(self.directory / "chain" / "chain.sock") as chain:
                value = verify_answer(chain.answer(key), key, trust).value
        except NoEngineError:
            return False
        return RobotRecord.FromString(value or b"").status == ROBOT_STATUS_FROZEN

    def has_proof_against(self, robot: str, origin: str) -> bool:
        """Whether a robot's witness keeps evidence that a log forked."""
        with open_home(self.home(robot)) as home:
            return ForkRecords(home.storage).of(origin) is not None


def record_and_witness(story: Story, yard: Yard) -> None:
    """Ten seconds of driving, recorded, committed every second, cosigned by the others."""
    story.chapter("Three robots drive, remember, and watch each other")
    yard.write()
    yard.up(lines=0)
    until(
        lambda: all(yard.witnessed(robot, set(ROBOTS) - {robot}) for robot in ROBOTS),
        "the first cosignatures",
    )
    with console.status("[dim]driving[/]"):
        time.sleep(DRIVE_S)
    until(lambda: all(map(yard.anchored, ROBOTS)), "anchors of all")
    story.run("quipu", "watch", yard.file.name, "--once")


def kill_and_return(story: Story, yard: Yard) -> None:
    """SIGKILL to r2 in the middle of a segment; it comes back and seals what was on disk."""
    story.chapter("r2 is killed in the middle of a recording, and comes back")
    before = yard.facts("r2")
    if before.memory_pid is None or before.checkpoint_size is None:
        raise DemoError("r2 does not run")
    console.print(f"[bold cyan]$[/] kill -KILL {before.memory_pid}")
    os.kill(before.memory_pid, signal.SIGKILL)

    def is_back() -> bool:
        facts = yard.facts("r2")
        return facts.memory_state == "open" and facts.memory_pid != before.memory_pid

    until(is_back, "return of r2")
    until(lambda: yard.witnessed("r2", {"r1", "r3"}, before.checkpoint_size + 2), "r2's word")
    after = yard.facts("r2")
    say(
        f"r2 runs again as process {after.memory_pid}; its log went on from"
        f" {before.checkpoint_size} to {after.checkpoint_size} entries, cosigned by"
        f" {_names(after)}"
    )
    story.fact("killed", "r2 lost nothing that was committed, and sealed what was on disk")


def cut_off_and_heal(story: Story, yard: Yard) -> Path:
    """r3 goes where nobody hears it, remembers on, and is witnessed in one step afterwards.

    While all stand still, somebody copies r1's home; where the copy is.
    """
    story.chapter("r3 drives out of reach, and catches up when it is back")
    yard.down()
    copied = story.folder / "copied"
    shutil.copytree(yard.home("r1"), copied / "r1", ignore=shutil.ignore_patterns("*.sock"))
    yard.write(r3={"domain_id": yard.domain + 1})
    say(f"r3 now is on ROS domain {yard.domain + 1}, in a world of its own:")
    with _world_of("r3", yard.domain + 1):
        yard.up()
        sizes = {robot: yard.size(robot) for robot in ROBOTS}
        until(
            lambda: (
                yard.witnessed("r1", {"r2"}, sizes["r1"] + 2)
                and yard.witnessed("r2", {"r1"}, sizes["r2"] + 2)
                and yard.size("r3") > sizes["r3"] + 2
            ),
            "new checkpoints on both sides",
        )
        time.sleep(APART_S)
        alone = yard.facts("r3")
        if alone.cosigned_by:
            raise DemoError(f"r3 was to be alone, but has the word of {_names(alone)}")
        story.run("quipu", "watch", yard.file.name, "--once", "--no-ros")
        yard.down()
    yard.write()
    say("and back in reach:")
    yard.up()
    least = (alone.checkpoint_size or 0) + 1
    until(lambda: yard.witnessed("r3", {"r1", "r2"}, least), "r3's checkpoints at the others")
    healed = yard.facts("r3")
    say(
        f"the {healed.checkpoint_size} entries of r3 are cosigned by {_names(healed)}:"
        " one consistency proof covers its absence"
    )
    until(lambda: yard.anchored("r3") >= least, "r3's anchor")
    say(f"{yard.anchored('r3')} of them are anchored: one transaction covers it, too")
    story.fact("cut off", "r3 remembered on without a network, and was witnessed afterwards")
    yard.down()
    return copied


def catch_a_fork(story: Story, yard: Yard, copied: Path) -> None:
    """The copy of r1, with its keys, is given another past; the witnesses prove the fork."""
    story.chapter("A thief copied r1, keys and all, and gives it another past")
    origin = "example.com/yard/r1"
    elsewhere = {"QUIPU_PUBLISHED": str(copied / "published")}
    lies = [story.folder / "lies" / f"lie-{number:02}" for number in range(80)]
    lies[0].parent.mkdir()
    for number, lie in enumerate(lies):
        lie.write_text(f"nothing happened in hour {number}\n", encoding="utf-8")
    story.ask(
        *("--home", str(copied / "r1"), "ingest", "--opaque", *map(str, lies)),
        environment=elsewhere,
    )
    say(f"The copy remembers {len(lies)} things that never were. It takes r1's place:")
    prefix = ["env", *(f"{name}={value}" for name, value in elsewhere.items())]
    yard.write(r1={"home": str(copied / "r1"), "prefix": prefix})
    yard.up()
    until(
        lambda: yard.has_proof_against("r2", origin) and yard.has_proof_against("r3", origin),
        "word of r2 and r3",
    )
    until(lambda: yard.is_frozen(origin), "the chain's word")
    story.run("quipu", "watch", yard.file.name, "--once")
    yard.down()
    evidence = ("quipu", "--home", str(yard.home("r2")), "witness", "evidence", origin)
    story.run(*evidence, "-o", "evidence.fork")
    yard.write()
    story.fact("caught", "a fork of r1: its key signed two histories, and anyone can check it")


def audit_and_open(story: Story, yard: Yard) -> Memory:
    """Every robot's log is whole; its recordings open with the libraries everybody has."""
    story.chapter("Everything is audited, and the recordings open everywhere")
    messages = size = 0
    chosen: Memory | None = None
    for robot in ROBOTS:
        home = ("--home", str(yard.home(robot)))
        story.run("quipu", *home, "audit", "--deep", lines=1)
        for entry in _experiences(story, home):
            folder = story.folder / "opened" / f"{robot}-{entry['index']}"
            story.ask(*home, "get", "--segment", str(entry["index"]), str(folder))
            messages += _open(folder, entry)
            size += entry["content_size"]
            if robot == "r1" and (chosen is None or entry["content_size"] > 600_000):
                chosen = Memory(yard.home(robot), entry["index"], entry["name"])
    if chosen is None:
        raise DemoError("r1 has no recording")
    say(f"{messages:,} messages, {size / 1e6:.1f} MB: the same by mcap and by rosbags")
    story.fact("recorded", f"{messages:,} messages of three robots, {size / 1e6:.1f} MB of MCAP")
    return chosen


def _names(facts: RobotFacts) -> str:
    return " and ".join(sorted(facts.cosigned_by or ()))


def _experiences(story: Story, home: tuple[str, str]) -> list[dict[str, Any]]:
    entries = story.ask(*home, "log", "--all")["entries"]
    return [entry for entry in entries if entry["kind"] == "experience"]


def _open(folder: Path, entry: dict[str, Any]) -> int:
    """Read a restored bag with both libraries; how many messages it has."""
    (storage,) = folder.rglob("*.mcap")
    with storage.open("rb") as stream:
        by_mcap = [
            (channel.topic, message.log_time, message.data)
            for _, channel, message in make_reader(stream).iter_messages()
        ]
    with AnyReader([storage.parent]) as reader:
        by_rosbags = [
            (connection.topic, stamp, bytes(data)) for connection, stamp, data in reader.messages()
        ]
    if sorted(by_mcap) != sorted(by_rosbags) or len(by_mcap) < entry["message_count"]:
        raise DemoError(f"{storage} is not the same to mcap and rosbags")
    return len(by_mcap)


@contextmanager
def _world_of(robot: str, domain: int) -> Iterator[None]:
    """A simulator for one robot, as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "quipu_sim.node", "--ros-args", "-p", f"robots:=['{robot}']"],
        env=os.environ | {"ROS_DOMAIN_ID": str(domain)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
