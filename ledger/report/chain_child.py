"""The audit of a chain that is to be told, as a process of its own.

``python -m ledger.report.chain_child`` speaks as `ledger.chain.audit.child` does, and tells
the story beside.
"""

from __future__ import annotations

from typing import Any

from ledger.chain.audit.audit import audit_chain_in_process
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.fsck.child import run_child
from ledger.fsck.findings import AuditTrail
from ledger.report.chain_story import chain_story
from ledger.report.codec import to_json


def main() -> None:
    """Run one audit of a chain."""
    counters = ChainCounters()

    def audit(text: str, trail: AuditTrail) -> Any:
        past = audit_chain_in_process(ChainAuditRequest.decode(text), trail, counters)
        return None if past is None else to_json(chain_story(past))

    run_child(audit, counters)


if __name__ == "__main__":
    main()
