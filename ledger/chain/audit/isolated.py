"""The audit of a chain in a child process, whose death is a finding."""

from __future__ import annotations

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.fsck.findings import AuditReport, AuditTrail, Progress
from ledger.fsck.isolated import run_isolated


def audit_chain(request: ChainAuditRequest, progress: Progress | None = None) -> AuditReport:
    """Audit a chain and report. Damage, of any kind, is in the report and not raised.

    Raises FormatVersionError for a newer store, StorageError for what is no store.
    """
    trail = AuditTrail(ChainCounters(), progress=progress)
    run_isolated("ledger.chain.audit.child", request.encode(), request.log, trail)
    return trail.report()
