"""The audit as a process of its own: ``python -m ledger.fsck.child``.

It reads a request (`ledger.fsck.request`) from standard input and writes JSON lines to standard
output as it goes, so that what it found is known even if a damaged page kills it::

    {"at": [phase, done, total]}
    {"finding": {...}}                                  as `Finding.to_json`
    {"done": {"findings_total": n, "notes": [...], "counters": {...}, "told": ...}}
    {"error": {"type": ..., "message": ..., "hint": ...}}
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from ledger.errors import LedgerError
from ledger.fsck.audit import audit_in_process
from ledger.fsck.findings import AuditTrail, Counters, Phase
from ledger.fsck.request import decode_request

_PROGRESS_EVERY_S = 0.1


class _Lines:
    """JSON lines to the parent; progress not more often than it can be seen."""

    def __init__(self) -> None:
        self._next_progress = 0.0
        self._phase: Phase | None = None

    def write(self, **document: Any) -> None:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    def progress(self, phase: Phase, done: int, total: int) -> None:
        now = time.monotonic()
        if phase is not self._phase or now >= self._next_progress or done == total:
            self._phase, self._next_progress = phase, now + _PROGRESS_EVERY_S
            self.write(at=[phase.value, done, total])


def run_child(audit: Callable[[str, AuditTrail], Any], counters: Counters) -> None:
    """Run an audit on the request in standard input, and tell what it finds as it goes.

    What ``audit`` returns, JSON values or None, is told beside the counters.
    """
    lines = _Lines()
    trail = AuditTrail(
        counters,
        progress=lines.progress,
        on_finding=lambda finding: lines.write(finding=finding.to_json()),
    )
    try:
        told = audit(sys.stdin.read(), trail)
    except LedgerError as error:
        lines.write(
            error={"type": type(error).__name__, "message": error.message, "hint": error.hint}
        )
        return
    lines.write(
        done={
            "findings_total": trail.findings_total,
            "notes": trail.notes,
            "counters": trail.counters.to_json(),
            "told": told,
        }
    )


def main() -> None:
    """Run one audit of a home."""
    run_child(lambda text, trail: audit_in_process(decode_request(text), trail), Counters())


if __name__ == "__main__":
    main()
