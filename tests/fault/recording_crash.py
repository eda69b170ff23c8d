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
from ledger.fsck import AuditRequest, Depth, audit_home
from ledger.home import create_home, open_home

ROOT = Path(__file__).resolve().parents[2]
LONGEST_LIFE_S = 1.2


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

    def run_round(self) -> None:
        """One life, ended by SIGKILL, and an audit of what is left."""
        self.result.rounds += 1
        life = self.chance.uniform(0.3, LONGEST_LIFE_S)
        process = self._start()
        time.sleep(life)
        process.send_signal(signal.SIGKILL)
        said, complaint = process.communicate()
        if process.returncode == -signal.SIGKILL:
            self.result.kills += 1
        else:
            self._blame("unsound", f"it ended by itself: {complaint[-500:]}")
        self._take(said)
        self._audit("after a kill")

    def finish(self) -> None:
        """A last life in good order, then the account."""
        process = self._start()
        time.sleep(1.0)
        said, complaint = process.communicate("", timeout=120)
        if process.returncode:
            self._blame("unsound", f"the last recorder failed: {complaint[-500:]}")
        self._take(said)
        self._audit("at the end")
        self._account()

    def _start(self) -> subprocess.Popen[str]:
        seed = self.chance.randrange(1 << 32)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.recording_process", str(self.home), str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Its first word comes when the home is open: a kill before would hit the imports.
        if process.stdout is None:
            raise RuntimeError("no pipe")
        self._take(process.stdout.readline())
        return process

    def _take(self, said: str) -> None:
        for line in said.splitlines(keepends=True):
            if not line.endswith("\n"):
                continue  # cut off: it was never said
            word, *rest = line.split()
            if word in ("P", "S"):
                self.said[int(rest[0])] = (word, rest[1])
                self.result.acknowledged += 1

    def _audit(self, when: str) -> None:
        report = audit_home(AuditRequest(self.home, self.published, Depth.DEEP))
        for finding in report.findings:
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
