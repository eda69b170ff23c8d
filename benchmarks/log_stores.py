"""The same log three times: ours, the bare loop's and the peer's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.measure import seconds_of
from benchmarks.pymerkle_log import PymerkleLog
from benchmarks.quipu_log import QuipuLog
from benchmarks.raw_log import RawLog
from benchmarks.workload import Entries, in_batches

QUIPU, RAW, PYMERKLE = "quipu", "raw", "pymerkle"


class LogStores:
    """Three logs in a folder; each method gives all of them their turn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.quipu = QuipuLog(folder / QUIPU)
        self.raw = RawLog(folder / RAW)
        self.pymerkle = PymerkleLog(folder / PYMERKLE / "tree.sqlite")

    def append(self, entries: Entries, batch: int) -> dict[str, float]:
        """Append entries, durably: in batches, and by pymerkle's bulk call at once."""
        batches = in_batches(entries, batch)
        return {
            QUIPU: seconds_of(lambda: self.quipu.append_batches(batches)),
            RAW: seconds_of(lambda: self.raw.append_batches(batches)),
            PYMERKLE: seconds_of(lambda: self.pymerkle.append_bulk(entries)),
        }

    def append_singly(self, entries: Entries) -> dict[str, float]:
        """Append entries, durably after each one; the bare loop only stores them."""
        return {
            QUIPU: seconds_of(lambda: self.quipu.append_singly(entries)),
            RAW: seconds_of(lambda: self.raw.put_singly(entries)),
            PYMERKLE: seconds_of(lambda: self.pymerkle.append_singly(entries)),
        }

    def reopen_pymerkle(self) -> None:
        """Open the peer's tree anew: it then has nothing computed in memory."""
        self.pymerkle.close()
        self.pymerkle = PymerkleLog(self._folder / PYMERKLE / "tree.sqlite")

    def check_roots(self) -> None:
        """Raise RuntimeError unless all three built the same tree."""
        roots = {self.quipu.root(), self.raw.root(), self.pymerkle.root()}
        if len(roots) != 1:
            raise RuntimeError("the sides did not build the same tree: nothing can be compared")

    def remove(self) -> None:
        """Close and delete everything."""
        self.quipu.close()
        self.raw.close()
        self.pymerkle.close()
        shutil.rmtree(self._folder)
        os.sync()  # what is measured next must not wait for this to be written
