"""The audit: everything rebuilt from entries and content, and compared with what is stored.

::

    report = audit_home(AuditRequest(home, published_directory(), Depth.DEEP))
    report.ok, report.findings

It changes nothing, needs no lock, and may run beside the writer. `check_tree` is its
part that only hashes.
"""

from ledger.fsck.findings import AuditReport, Counters, Depth, Finding, FindingKind, Phase
from ledger.fsck.isolated import audit_home
from ledger.fsck.log_check import check_log, check_tree
from ledger.fsck.request import AuditRequest

__all__ = [
    "AuditReport",
    "AuditRequest",
    "Counters",
    "Depth",
    "Finding",
    "FindingKind",
    "Phase",
    "audit_home",
    "check_log",
    "check_tree",
]
