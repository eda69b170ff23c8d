"""The audit of a home that is to be told, as a process of its own.

``python -m ledger.report.home_child`` speaks as `ledger.fsck.child` does, and tells the
story beside, if the home can still be read.
"""

from __future__ import annotations

from typing import Any

from ledger.chain.audit.home_facts import HomeReading
from ledger.errors import LedgerError
from ledger.fsck.audit import audit_in_process
from ledger.fsck.child import run_child
from ledger.fsck.findings import AuditTrail, Counters
from ledger.fsck.request import AuditRequest, decode_request
from ledger.report.codec import to_json
from ledger.report.home_story import home_story
from ledger.storage.lmdb import LmdbStorage


def main() -> None:
    """Run one audit of a home."""

    def audit(text: str, trail: AuditTrail) -> Any:
        request = decode_request(text)
        audit_in_process(request, trail)
        return _tell(request)

    run_child(audit, Counters())


def _tell(request: AuditRequest) -> Any:
    try:
        storage = LmdbStorage.open_reader(request.log)
    except LedgerError:
        return None
    try:
        return to_json(home_story(HomeReading(request.home, storage).facts()))
    except LedgerError:
        return None  # why, the findings say
    finally:
        storage.close()


if __name__ == "__main__":
    main()
