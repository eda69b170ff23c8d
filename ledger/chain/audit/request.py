"""What the audit of a chain is asked, and the JSON in which a child process is asked it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ledger.fsck.findings import Depth
from ledger.note import VerifierKey


@dataclass(frozen=True, slots=True)
class ChainAuditRequest:
    """What to audit: ``home`` is the chain's, ``published`` where checkpoints are remembered.

    ``robots`` are homes whose logs are held against their anchors; ``pinned`` are verifier
    keys that the chain's log must be of.
    """

    home: Path
    published: Path
    depth: Depth = Depth.LOG
    pinned: tuple[VerifierKey, ...] = ()
    robots: tuple[Path, ...] = ()

    @property
    def log(self) -> Path:
        """The LMDB environment."""
        return self.home / "log"

    def encode(self) -> str:
        """Write the request for standard input."""
        return json.dumps(
            {
                "home": str(self.home),
                "published": str(self.published),
                "depth": self.depth.value,
                "pinned": [vkey.encode() for vkey in self.pinned],
                "robots": [str(path) for path in self.robots],
            }
        )

    @classmethod
    def decode(cls, text: str) -> ChainAuditRequest:
        """Read what `encode` wrote."""
        document = json.loads(text)
        return cls(
            home=Path(document["home"]),
            published=Path(document["published"]),
            depth=Depth(document["depth"]),
            pinned=tuple(VerifierKey.parse(vkey) for vkey in document["pinned"]),
            robots=tuple(Path(path) for path in document["robots"]),
        )
