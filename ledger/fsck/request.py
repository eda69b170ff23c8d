"""What an audit is asked, and the JSON in which a child process is asked it.

::

    {"home": ..., "published": ..., "depth": ..., "since": base64 or null, "pinned": [vkey, ...]}
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from ledger.fsck.findings import Depth
from ledger.note import VerifierKey


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to audit. ``home`` and ``published`` (where checkpoints are remembered) are
    folders. ``since`` is a signed checkpoint to trust for the entries it covers;
    ``pinned`` are verifier keys the log must be of.
    """

    home: Path
    published: Path
    depth: Depth = Depth.LOG
    since: bytes | None = None
    pinned: tuple[VerifierKey, ...] = ()

    @property
    def log(self) -> Path:
        """The LMDB environment."""
        return self.home / "log"


def encode_request(request: AuditRequest) -> str:
    """Write a request for standard input."""
    return json.dumps(
        {
            "home": str(request.home),
            "published": str(request.published),
            "depth": request.depth.value,
            "since": None if request.since is None else b64encode(request.since).decode("ascii"),
            "pinned": [vkey.encode() for vkey in request.pinned],
        }
    )


def decode_request(text: str) -> AuditRequest:
    """Read what `encode_request` wrote."""
    document = json.loads(text)
    since = document["since"]
    return AuditRequest(
        home=Path(document["home"]),
        published=Path(document["published"]),
        depth=Depth(document["depth"]),
        since=None if since is None else b64decode(since),
        pinned=tuple(VerifierKey.parse(vkey) for vkey in document["pinned"]),
    )
