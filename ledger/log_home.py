"""What the homes of all logs have, a robot's and a chain's: a store, and the keys that sign.

::

    HOME/log/               LMDB (ledger.storage.lmdb)
    HOME/keys/signing/      private keys, those of the log's verifier keys
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.log_reader import LogReader
from ledger.note import VerifierKey
from ledger.published import PublishedCheckpoint, published_directory
from ledger.storage import Storage


@dataclass(frozen=True, slots=True)
class LogPaths:
    """The folders of a log's home."""

    root: Path

    @property
    def log(self) -> Path:
        """The LMDB environment."""
        return self.root / "log"

    @property
    def signing_keys(self) -> Path:
        """The private keys that sign the log."""
        return self.root / "keys" / "signing"

    @property
    def exists(self) -> bool:
        """Whether a home was made here."""
        return (self.log / "data.mdb").is_file()


class LogHome:
    """A log's home opened to read."""

    def __init__(self, storage: Storage, log: LogReader) -> None:
        self.storage: Final = storage
        self.log = log

    @property
    def vkeys(self) -> tuple[VerifierKey, ...]:
        """The keys that sign the log now, the newest last."""
        return tuple(VerifierKey.parse(vkey) for vkey in self.log.active_vkeys)

    @property
    def published(self) -> PublishedCheckpoint:
        """What this machine remembers of the log's newest checkpoint."""
        return PublishedCheckpoint(published_directory(), self.log.log_id)
