"""What a memory node says on ``/diagnostics``: one status, ``<node>: memory``."""

from __future__ import annotations

import time
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus

from ledger.memory.anchor_status import NOT_ANCHORED, AnchorState
from ledger.memory.maintenance import MaintenanceReport
from ledger.memory.status import MemoryStatus, OwnerState
from ledger.witnessing.policy import PolicyVerdict

_ERRORS = {
    OwnerState.BEHIND: "the log is behind what it published: nothing can be committed",
    OwnerState.FAULTY: "the home cannot be written",
    OwnerState.CLOSED: "the home is closed",
}


_UNANCHORED = (AnchorState.REFUSED, AnchorState.FAILED)


def memory_verdict(
    status: MemoryStatus,
    verdict: PolicyVerdict | None,
    report: MaintenanceReport | None,
    *,
    active: bool,
) -> tuple[bytes, str]:
    """Level and a sentence."""
    if status.state in _ERRORS:
        return DiagnosticStatus.ERROR, status.fault or _ERRORS[status.state]
    if not active:
        return DiagnosticStatus.OK, "not active"
    if status.anchor.alarming:
        words = status.anchor.detail or status.anchor.state.name.lower()
        return DiagnosticStatus.ERROR, f"nothing more is anchored: {words}"
    if status.state is OwnerState.LENT:
        return DiagnosticStatus.WARN, f"lent to process {status.lent_to}"
    if report is not None and report.error:
        return DiagnosticStatus.WARN, f"no room is made: {report.error}"
    if report is not None and report.refused:
        return (
            DiagnosticStatus.WARN,
            f"{report.refused} recordings should go and have no copy elsewhere",
        )
    if status.anchor.state in _UNANCHORED:
        return DiagnosticStatus.WARN, f"not anchored now: {status.anchor.detail}"
    if verdict is not None and not verdict.quorum_met:
        return DiagnosticStatus.OK, "the newest checkpoint lacks cosignatures"
    return DiagnosticStatus.OK, "committing"


def memory_facts(
    status: MemoryStatus,
    verdict: PolicyVerdict | None,
    report: MaintenanceReport | None,
    *,
    active: bool,
) -> Mapping[str, object]:
    """The values."""
    facts: dict[str, object] = {
        "state": status.state.name.lower() if active else "inactive",
        "lent": status.lent_to or "",
        "origin": status.origin,
        "entries": status.entries,
        "backlog_entries": status.uncheckpointed,
        "waiting": status.waiting,
        "open_records": status.open_records,
        "last_checkpoint_size": status.checkpoint_size,
        "cosignatures": len(verdict.cosigned) if verdict else status.cosignatures,
        "commit_ms": f"{status.last_commit_ms:.1f}",
        "disk_free_bytes": status.disk_free_bytes,
        "fault": status.fault,
    }
    if status.checkpoint_time_ns:
        age_s = max(0.0, (time.time_ns() - status.checkpoint_time_ns) / 1e9)
        facts["last_checkpoint_age_s"] = f"{age_s:.1f}"
    if verdict is not None:
        facts["quorum"] = str(verdict.quorum_met).lower()
        facts["cosigned_by"] = ",".join(verdict.cosigned)
    if status.anchor != NOT_ANCHORED:
        facts["anchor_state"] = status.anchor.state.name.lower()
        facts["anchored_size"] = status.anchor.size
        facts["anchored_height"] = status.anchor.height
        facts["anchor_detail"] = status.anchor.detail
    if report is not None:
        facts["offloaded"] = report.offloaded
        facts["pruned"] = report.pruned
        facts["kept_for_lack_of_a_copy"] = report.refused
    return facts
