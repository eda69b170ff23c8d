"""The whole audit of a home, in this process.

`ledger.fsck.audit_home` runs it in a child process instead, which a damaged page
of ``data.mdb`` may kill; call this one only where that is not to be feared.
"""

from __future__ import annotations

from ledger.fsck.content_check import ContentCheck
from ledger.fsck.findings import AuditTrail, Phase
from ledger.fsck.log_check import check_log
from ledger.fsck.record_rows import RecordRows
from ledger.fsck.request import AuditRequest
from ledger.fsck.structure import audit_store, read_published
from ledger.log_reader import ORIGIN
from ledger.storage import Storage, Table
from ledger.storage.store_kind import StoreKind


def audit_in_process(request: AuditRequest, trail: AuditTrail) -> None:
    """Audit a home and write down what is found.

    Raises MalformedError or VerificationError for a ``since`` that is no checkpoint of
    this log; FormatVersionError, and StorageError for what is not damage.
    """
    audit_store(
        request.log,
        StoreKind.LOG,
        request.depth,
        trail,
        lambda storage: audit_parts(storage, request, trail),
    )


def audit_parts(storage: Storage, request: AuditRequest, trail: AuditTrail) -> None:
    """Audit an open store with the folders of its home."""
    # Before the snapshot: a writer publishes only what it has committed.
    with storage.read() as txn:
        published = read_published(request.published, txn.get(Table.META, ORIGIN), trail)
    with storage.read() as txn:
        rows = RecordRows(txn, trail)
        first = check_log(
            txn,
            trail,
            published=published,
            since=request.since,
            pinned=request.pinned,
            on_entry=rows.follow,
        )
        trail.at(Phase.RECORDS, 0, 0)
        rows.finish(whole=first == 0)
    ContentCheck(storage, request.home, trail, request.depth, first).run(
        rows.content_bytes, rows.unsealed
    )
