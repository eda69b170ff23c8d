"""The audit of a chain as a process of its own: ``python -m ledger.chain.audit.child``.

It speaks as `ledger.fsck.child` does.
"""

from __future__ import annotations

from ledger.chain.audit.audit import audit_chain_in_process
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.fsck.child import run_child
from ledger.fsck.findings import AuditTrail


def main() -> None:
    """Run one audit of a chain."""
    counters = ChainCounters()

    def audit(text: str, trail: AuditTrail) -> None:
        audit_chain_in_process(ChainAuditRequest.decode(text), trail, counters)

    run_child(audit, counters)


if __name__ == "__main__":
    main()
