"""The whole audit of a home, in this process.

`ledger.fsck.audit_home` runs it in a child process instead, which a damaged page
of ``data.mdb`` may kill; call this one only where that is not to be feared.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from ledger.checkpoint import log_id
from ledger.errors import FormatVersionError, StorageError
from ledger.fsck.content_check import ContentCheck
from ledger.fsck.findings import AuditTrail, Depth, FindingKind, Phase
from ledger.fsck.log_check import check_log
from ledger.fsck.record_rows import RecordRows
from ledger.fsck.request import AuditRequest
from ledger.log_reader import ORIGIN
from ledger.published import PublishedCheckpoint
from ledger.storage import Storage, Table
from ledger.storage.lmdb import LmdbStorage, verify_pages
from ledger.storage.lmdb_pages import verify_meta_pages

_PAGES_NAMED = 8
_NO_DAMAGE = {errno.ENOMEM, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
"""What keeps us from reading a store that may be sound."""


def audit_in_process(request: AuditRequest, trail: AuditTrail) -> None:
    """Audit a home and write down what is found.

    Raises MalformedError or VerificationError for a ``since`` that is no checkpoint of
    this log; FormatVersionError, and StorageError for what is not damage.
    """
    check_structure(request, trail)
    try:
        storage = LmdbStorage.open_reader(request.log)
        try:
            audit_parts(storage, request, trail)
        finally:
            storage.close()
    except FormatVersionError:
        if not trail.findings_total:
            raise
    except StorageError as error:
        if _code(error) in _NO_DAMAGE:
            raise
        trail.find(FindingKind.STORE_DAMAGED, "data.mdb", error.message, file=_data(request))


def audit_parts(storage: Storage, request: AuditRequest, trail: AuditTrail) -> None:
    """Audit an open store with the folders of its home."""
    # Before the snapshot: a writer publishes only what it has committed.
    with storage.read() as txn:
        published = _published(request, txn.get(Table.META, ORIGIN), trail)
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


def check_structure(request: AuditRequest, trail: AuditTrail) -> None:
    """Check what LMDB itself relies on: always its two meta pages, every page if `DEEP`."""
    wrong = verify_meta_pages(request.log)
    if not wrong and request.depth is Depth.DEEP:
        trail.at(Phase.STRUCTURE, 0, 0)
        wrong = verify_pages(request.log) and _pages_of_a_snapshot(request)
    report_pages(request, trail, wrong)


def _pages_of_a_snapshot(request: AuditRequest) -> list[str]:
    """Verify again while a snapshot is held: a writer then leaves the newest pages alone.

    (LMDB reuses a page only when no reader is as old as the commit that freed it.)
    """
    try:
        storage = LmdbStorage.open_reader(request.log)
    except StorageError:
        return verify_pages(request.log)
    try:
        with storage.read():
            return verify_pages(request.log)
    finally:
        storage.close()


def report_pages(request: AuditRequest, trail: AuditTrail, wrong: Sequence[str]) -> None:
    """Write down what is wrong with pages, as `verify_pages` says it."""
    named = {finding.message for finding in trail.findings}
    for message in wrong[:_PAGES_NAMED]:
        if message not in named:
            trail.find(FindingKind.STORE_DAMAGED, "data.mdb", message, file=_data(request))
    if len(wrong) > _PAGES_NAMED:
        trail.note(f"{len(wrong) - _PAGES_NAMED} more pages of data.mdb are damaged")


def _published(request: AuditRequest, origin: bytes | None, trail: AuditTrail) -> bytes | None:
    try:
        name = (origin or b"").decode("utf-8")
        return PublishedCheckpoint(request.published, log_id(name)).latest()
    except (UnicodeDecodeError, StorageError) as error:
        trail.note(f"the published checkpoint could not be read: {error}")
        return None


def _code(error: StorageError) -> int:
    """The ``errno`` under an error of the storage, from the system or from LMDB; 0 for none."""
    cause = error.__cause__
    return getattr(cause, "errno", None) or getattr(cause, "code", None) or 0


def _data(request: AuditRequest) -> str:
    return str(request.log / "data.mdb")
