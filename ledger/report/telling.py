"""An audit in a child process, and the story of what it read."""

from __future__ import annotations

from typing import Any

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.fsck.findings import AuditReport, AuditTrail, Progress
from ledger.fsck.isolated import run_isolated
from ledger.fsck.request import AuditRequest, encode_request
from ledger.report.codec import from_json
from ledger.report.model import Story


def audit_chain_and_tell(
    request: ChainAuditRequest, progress: Progress | None = None
) -> tuple[AuditReport, Story | None]:
    """`ledger.chain.audit.isolated.audit_chain`, and the story; None of a chain past telling."""
    trail = AuditTrail(ChainCounters(), progress=progress)
    told = run_isolated("ledger.report.chain_child", request.encode(), request.log, trail)
    return trail.report(), _story(told)


def audit_home_and_tell(
    request: AuditRequest, progress: Progress | None = None
) -> tuple[AuditReport, Story | None]:
    """`ledger.fsck.audit_home`, and the story; None of a home past telling."""
    trail = AuditTrail(progress=progress)
    told = run_isolated("ledger.report.home_child", encode_request(request), request.log, trail)
    return trail.report(), _story(told)


def _story(told: Any) -> Story | None:
    return None if told is None else from_json(Story, told)
