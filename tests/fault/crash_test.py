"""Kill a writer again and again, and look at what it left: ``script/crash-test``.

Three ways to die; every second round is of the second:

* ``random``: SIGKILL after a random time; the same log lives through many deaths;
* ``call``: at the k-th write, sync, rename or unlink, k = 1, 2, 3, ..., from the
  making of the log on (`tests.fault.syscall_killer`);
* ``limit``: by SIGXFSZ, in the middle of a write that crosses RLIMIT_FSIZE.

After each death the log is checked from its entries by code that shares nothing
with the writer (`tests.fault.log_checker`), compared with what the writer had
acknowledged, and then opened, appended to and signed by a new writer.

    lost      entries or checkpoints that were acknowledged and are gone or changed
    torn      batches of which a part was kept
    corrupt   stores that contradict themselves
    refused   stores that the next writer could not go on with

``--recorder`` kills a recorder instead: `tests.fault.recording_crash`.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import json
import os
import pickle
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fault.crash_writer import SIGNER, log_directory, open_log, published_in, write_log
from tests.fault.log_checker import CheckedLog, check_log
from tests.fault.recording_crash import RecorderCrashTest
from tests.fault.syscall_killer import TraceError, kill_at_call

BATCHES_OF_A_CALL_ROUND = 4
DEATHS_OF_A_LOG = 10
PIPE_BYTES = 1 << 20


@dataclass
class Result:
    """What is printed."""

    rounds: int = 0
    kills: int = 0
    lost: int = 0
    torn: int = 0
    corrupt: int = 0
    refused: int = 0
    kills_by: dict[str, int] = field(default_factory=dict)
    entries_acknowledged: int = 0
    checkpoints_acknowledged: int = 0
    calls_swept: int = 0
    """Every one of the first this many changing calls was a point of death."""
    whole_sweeps: int = 0
    """How often a run was killed at each of its changing calls, from the first to the last."""
    seconds: float = 0.0
    seed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.torn or self.corrupt or self.refused)


@dataclass
class Acknowledged:
    """What the writers of one log said, over all their lives."""

    leaf_hashes: dict[int, str] = field(default_factory=dict)
    checkpoints: dict[int, str] = field(default_factory=dict)
    begun: tuple[int, int] = (0, 0)

    def take(self, said: bytes, result: Result) -> None:
        for line in said.split(b"\n")[:-1]:  # what follows the last newline was never said
            kind, *words = line.decode().split(" ")
            if kind == "B":
                self.begun = (int(words[0]), int(words[1]))
            elif kind == "A":
                self.leaf_hashes.update(enumerate(words[1:], int(words[0])))
                result.entries_acknowledged += len(words) - 1
            else:
                self.checkpoints[int(words[0])] = words[1]
                result.checkpoints_acknowledged += 1


class Home:
    """A directory with a log, and what was acknowledged about it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="quipu-crash-"))
        self.acknowledged = Acknowledged()
        self.deaths = 0

    def remove(self) -> None:
        shutil.rmtree(self.path)


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a child; its pid."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    return pid


class CrashTest:
    """The rounds and their outcome."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.result = Result(seed=seed)
        self.long_lived = Home()
        self.next_call = 1
        self.ways = {
            "random": self._die_at_random,
            "call": self._die_at_call,
            "limit": self._die_at_limit,
        }

    def run_round(self) -> None:
        turns = [way for way in ("call", "random", "call", "limit") if way in self.ways]
        name = turns[self.result.rounds % len(turns)]
        self.result.rounds += 1
        try:
            home, status = self.ways[name]()
        except TraceError as error:
            self.result.notes.append(f"no deaths by call: {error}")
            del self.ways[name]
            return
        if os.WIFSIGNALED(status):
            self.result.kills += 1
            self.result.kills_by[name] = self.result.kills_by.get(name, 0) + 1
            home.deaths += 1
        elif os.WEXITSTATUS(status):
            self._blame(home, "refused", f"{name}: the writer failed by itself")
        self._examine(home, name)
        if home is not self.long_lived:
            home.remove()
        elif home.deaths >= DEATHS_OF_A_LOG:
            home.remove()
            self.long_lived = Home()

    def finish(self) -> None:
        self.long_lived.remove()

    # Ways to die: the home, and the wait status of the writer.

    def _die_at_random(self) -> tuple[Home, int]:
        home = self.long_lived
        delay = self.chance.uniform(0, 0.12)
        return home, self._run(home, 200, delay, lambda: None)

    def _die_at_limit(self) -> tuple[Home, int]:
        home = self.long_lived
        data = log_directory(home.path) / "data.mdb"
        size = data.stat().st_size if data.exists() else 0
        limit = size + self.chance.randrange(1, 2_000_000)

        def limited() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        return home, self._run(home, 200, 10, limited)

    def _die_at_call(self) -> tuple[Home, int]:
        home = Home()
        reader, writer = _pipe()

        def work() -> None:
            write_log(home.path, 7, BATCHES_OF_A_CALL_ROUND, writer)

        try:
            status, _ = kill_at_call(work, self.next_call)
        finally:
            os.close(writer)
        home.acknowledged.take(_drain(reader), self.result)
        if os.WIFSIGNALED(status):
            self.result.calls_swept = max(self.result.calls_swept, self.next_call)
            self.next_call += 1
        else:
            self.next_call = 1  # the writer finished: it was killed at every call before
            self.result.whole_sweeps += 1
        return home, status

    def _run(self, home: Home, batches: int, seconds: float, prepare: Callable[[], None]) -> int:
        reader, writer = _pipe()
        seed = self.chance.randrange(1 << 32)

        def work() -> None:
            prepare()
            write_log(home.path, seed, batches, writer)

        pid = in_child(work)
        os.close(writer)
        said = b""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([reader], [], [], left)[0]:
                part = os.read(reader, PIPE_BYTES)
                if not part:
                    break
                said += part
        os.kill(pid, signal.SIGKILL)  # our child, not yet waited for: the pid is its own
        _, status = os.waitpid(pid, 0)
        home.acknowledged.take(said + _drain(reader), self.result)
        return status

    # What is left

    def _examine(self, home: Home, way: str) -> None:
        checked = self._checked(home, way)
        if checked is not None:
            self._compare(home, checked, way)
        pid = in_child(lambda: _go_on(home.path))
        _, status = os.waitpid(pid, 0)
        if status:
            self._blame(home, "refused", f"{way}: the next writer could not go on")
            return
        after = self._checked(home, f"{way}, after going on")
        if after is not None:
            size = len(after.leaf_hashes)
            known = home.acknowledged
            known.leaf_hashes = {i: leaf.hex() for i, leaf in enumerate(after.leaf_hashes)}
            known.checkpoints = {
                at: base64.b64encode(root).decode() for at, root in after.checkpoints.items()
            }
            known.begun = (size, 0)

    def _checked(self, home: Home, way: str) -> CheckedLog | None:
        if not log_directory(home.path).exists():
            return CheckedLog()
        # In a child: LMDB answers some damage with a signal.
        reader, writer = os.pipe()
        published = published_in(home.path).path

        def work() -> None:
            with os.fdopen(writer, "wb") as out:
                pickle.dump(check_log(log_directory(home.path), published), out)

        pid = in_child(work)
        os.close(writer)
        answer = _drain(reader)
        _, status = os.waitpid(pid, 0)
        if status:
            self._blame(home, "corrupt", f"{way}: the check ended with status {status}")
            return None
        checked: CheckedLog = pickle.loads(answer)  # noqa: S301
        if checked.problems:
            self._blame(home, "corrupt", f"{way}: {', '.join(checked.problems)}")
        return checked

    def _compare(self, home: Home, checked: CheckedLog, way: str) -> None:
        said = home.acknowledged
        found = {index: leaf.hex() for index, leaf in enumerate(checked.leaf_hashes)}
        lost = sum(found.get(index) != leaf for index, leaf in said.leaf_hashes.items())
        kept = {at: base64.b64encode(root).decode() for at, root in checked.checkpoints.items()}
        lost += sum(kept.get(size) != root for size, root in said.checkpoints.items())
        if lost:
            self._blame(home, "lost", f"{way}: acknowledged and lost: {lost}", lost)
        start, count = said.begun
        if len(found) not in (len(said.leaf_hashes), start + count):
            self._blame(home, "torn", f"{way}: {len(found)} entries, batch {start}+{count}")

    def _blame(self, home: Home, what: str, note: str, count: int = 1) -> None:
        setattr(self.result, what, getattr(self.result, what) + count)
        self.result.notes.append(f"round {self.result.rounds}: {note}")


def _go_on(home: Path) -> None:
    log = open_log(home)
    size = log.size
    log.append([b"after the crash", b""])
    log.checkpoint([SIGNER])
    if log.size != size + 2:
        raise RuntimeError("appended entries are not there")
    log.close()


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reader, writer


def _drain(reader: int) -> bytes:
    with os.fdopen(reader, "rb") as stream:
        return stream.read()


def main(arguments: list[str] | None = None) -> int:
    """Run the rounds and print the result; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="crash-test", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=300, help="deaths to die (default 300)")
    parser.add_argument("--seconds", type=float, help="stop after this time, however many rounds")
    parser.add_argument("--seed", type=int, help="of the random choices; printed in the result")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--recorder", action="store_true", help="kill a recorder, not a writer")
    chosen = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1 << 32) if chosen.seed is None else chosen.seed
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="quipu-crash-")) if chosen.recorder else None
    test = RecorderCrashTest(folder, seed) if folder else CrashTest(seed)
    for _ in range(chosen.rounds):
        if chosen.seconds and time.monotonic() - started > chosen.seconds:
            break
        test.run_round()
    test.finish()
    if isinstance(test, RecorderCrashTest):
        test.close()
    if folder:
        shutil.rmtree(folder)
    result = test.result
    result.seconds = round(time.monotonic() - started, 1)
    lines = [f"{name.replace('_', ' '):26}{value}" for name, value in asdict(result).items()]
    lines.append("nothing was lost" if result.good else "SOMETHING WAS LOST")
    sys.stdout.write((json.dumps(asdict(result)) if chosen.json else "\n".join(lines)) + "\n")
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
