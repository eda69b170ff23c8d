"""Kill a recorder again and again: ``script/crash-test --recorder --rounds N``.

After each death the home is audited in full, with the record that was being written
still open. After the last one a recorder is started and ended in good order, which
seals what was left. Then, of all that was ever acknowledged:

    lost         entries (progress, seals) that are not in the log as they were
    unaccounted  records with progress in the log that are neither sealed nor open
    unsound      findings of an audit
    unreadable   sealed segments that the mcap library cannot read, or reads otherwise
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from mcap.reader import make_reader

from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience, Progress
from ledger.fsck import AuditRequest, Depth
from ledger.fsck.audit import audit_in_process
from ledger.fsck.findings import AuditTrail
from ledger.home import create_home, open_home

ROOT = Path(__file__).resolve().parents[2]
MOST_COMMITS = 7
LONGEST_MOMENT_S = 0.05
ACKNOWLEDGED = ("P", "S")


@dataclass
class RecorderResult:
    """What is printed."""

    rounds: int = 0
    kills: int = 0
    lost: int = 0
    unaccounted: int = 0
    unsound: int = 0
    unreadable: int = 0
    acknowledged: int = 0
    sealed: int = 0
    recovered: int = 0
    messages: int = 0
    seconds: float = 0.0
    seed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.unaccounted or self.unsound or self.unreadable)


class RecorderCrashTest:
    """Many deaths of the recorder of one home."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.home = folder / "home"
        self.published = folder / "published"
        self.chance = random.Random(seed)
        self.result = RecorderResult(seed=seed)
        self.said: dict[int, tuple[str, str]] = {}
        os.environ["QUIPU_PUBLISHED"] = str(self.published)
        create_home(self.home, "example.com/victim")
        self._complaints = (folder / "complaints").open("w+")
        self._recorders = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.recording_process", str(self.home)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
        )

    def run_round(self) -> None:
        """One life, ended by SIGKILL, and an audit of what is left.

        It lasts until so many commits were acknowledged, and a moment more: as many fall
        into a life on a slow machine as on a fast one. Without any, death comes while the
        home is opened, or what the last one left is recovered.
        """
        self.result.rounds += 1
        pid = self._start()
        wanted = self.chance.randrange(MOST_COMMITS)
        while wanted and (said := self._hear()):
            wanted -= said[0] in ACKNOWLEDGED
        time.sleep(self.chance.uniform(0.0, LONGEST_MOMENT_S))
        os.kill(pid, signal.SIGKILL)
        if (code := self._end()) == -signal.SIGKILL:
            self.result.kills += 1
        else:
            self._blame("unsound", f"it ended by itself with {code}")
        self._audit("after a kill")

    def finish(self) -> None:
        """A last life in good order, then the account."""
        pid = self._start()
        for _ in range(MOST_COMMITS):
            self._hear()
        os.kill(pid, signal.SIGTERM)
        if code := self._end():
            self._blame("unsound", f"the last recorder ended with {code}")
        self._audit("at the end")
        self._account()

    def close(self) -> None:
        """End what is left."""
        with self._recorders, self._complaints:
            self._recorders.kill()

    def _start(self) -> int:
        """A new recorder; its process."""
        if self._recorders.stdin is None:
            raise RuntimeError("no pipe")
        self._recorders.stdin.write(f"{self.chance.randrange(1 << 32)}\n")
        self._recorders.stdin.flush()
        return int(self._hear("F")[1])

    def _end(self) -> int:
        """Hear the last words; the exit code."""
        return int(self._hear("E")[1])

    def _hear(self, wanted: str = "") -> list[str]:
        """The next line, or the next that begins with ``wanted``."""
        if self._recorders.stdout is None:
            raise RuntimeError("no pipe")
        while line := self._recorders.stdout.readline():
            word, *rest = line.split()
            if word in ACKNOWLEDGED:
                self.said[int(rest[0])] = (word, rest[1])
                self.result.acknowledged += 1
            if word == "E" and wanted != "E":
                break  # it has died before its time
            if not wanted or word == wanted:
                return [word, *rest]
        self._complaints.seek(0)
        raise RuntimeError(f"the recorder said no more: {self._complaints.read()[-2000:]}")

    def _audit(self, when: str) -> None:
        trail = AuditTrail()
        audit_in_process(AuditRequest(self.home, self.published, Depth.DEEP), trail)
        for finding in trail.report().findings:
            self._blame("unsound", f"{when}: {finding.message}")

    def _account(self) -> None:
        with open_home(self.home) as home:
            kinds = [parse_entry(home.log.entry(index)).kind for index in range(home.log.size)]
            sealed = [kind for kind in kinds if isinstance(kind, Experience)]
            self.result.sealed = len(sealed)
            for index, (word, record) in self.said.items():
                kind = kinds[index] if index < len(kinds) else None
                wanted = Progress if word == "P" else Experience
                if not isinstance(kind, wanted) or kind.record_id.hex() != record:
                    self._blame("lost", f"entry {index} is not what was acknowledged")
            known = {experience.record_id for experience in sealed}
            open_now = {path.name for path in (self.home / "recording").iterdir()}
            for kind in kinds:
                if (
                    isinstance(kind, Progress)
                    and kind.record_id not in known
                    and kind.record_id.hex() not in open_now
                ):
                    self._blame("unaccounted", f"record {kind.record_id.hex()} is nowhere")
            if open_now:
                self._blame("unaccounted", f"still open after the last recorder: {open_now}")
            for experience in sealed:
                self._read(experience)

    def _read(self, experience: Experience) -> None:
        tags = {tag.key: tag.value for tag in experience.tags}
        self.result.recovered += "recovered" in tags
        root = experience.content_root
        path = self.home / "content" / root[:1].hex() / root.hex() / experience.files[0].name
        last: dict[int, int] = {}
        count = 0
        with path.open("rb") as stream:
            for _, channel, message in make_reader(stream).iter_messages(log_time_order=False):
                number = int.from_bytes(message.data[:8], "big")
                count += 1
                if message.data != number.to_bytes(8, "big") * (len(message.data) // 8):
                    self._blame("unreadable", f"{path.name}: a message is not what was sent")
                if message.sequence != last.get(channel.id, -1) + 1:
                    self._blame("unreadable", f"{path.name}: a message is missing")
                last[channel.id] = message.sequence
        self.result.messages += count
        if count != experience.message_count:
            self._blame("unreadable", f"{path.name} holds {count} messages")

    def _blame(self, what: str, note: str) -> None:
        setattr(self.result, what, getattr(self.result, what) + 1)
        self.result.notes.append(f"round {self.result.rounds}: {note}")
