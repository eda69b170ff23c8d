"""A store opened to be audited: what LMDB relies on first, and damage is a finding."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

from ledger.checkpoint import log_id
from ledger.errors import FormatVersionError, StorageError
from ledger.fsck.findings import AuditTrail, Depth, FindingKind, Phase
from ledger.published import PublishedCheckpoint
from ledger.storage import Storage
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.lmdb_pages import verify_meta_pages, verify_pages
from ledger.storage.store_kind import StoreKind

_PAGES_NAMED = 8
_NO_DAMAGE = {errno.ENOMEM, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
"""What keeps us from reading a store that may be sound."""


def audit_store(
    log: Path,
    kind: StoreKind,
    depth: Depth,
    trail: AuditTrail,
    audit: Callable[[Storage], None],
) -> None:
    """Check the structure of the LMDB environment ``log``, open it, and have it audited.

    Raises FormatVersionError, StorageError for what is not damage, and what ``audit`` does.
    """
    check_structure(log, kind, depth, trail)
    try:
        storage = LmdbStorage.open_reader(log, kind)
        try:
            audit(storage)
        finally:
            storage.close()
    except FormatVersionError:
        if not trail.findings_total:
            raise
    except StorageError as error:
        if _code(error) in _NO_DAMAGE:
            raise
        file = str(log / "data.mdb")
        trail.find(FindingKind.STORE_DAMAGED, "data.mdb", error.message, file=file)


def check_structure(log: Path, kind: StoreKind, depth: Depth, trail: AuditTrail) -> None:
    """Check what LMDB itself relies on: always its two meta pages, every page if `DEEP`."""
    wrong = verify_meta_pages(log)
    if not wrong and depth is Depth.DEEP:
        trail.at(Phase.STRUCTURE, 0, 0)
        wrong = verify_pages(log) and _pages_of_a_snapshot(log, kind)
    report_pages(log, trail, wrong)


def _pages_of_a_snapshot(log: Path, kind: StoreKind) -> list[str]:
    """Verify again while a snapshot is held: a writer then leaves the newest pages alone.

    (LMDB reuses a page only when no reader is as old as the commit that freed it.)
    """
    try:
        storage = LmdbStorage.open_reader(log, kind)
    except StorageError:
        return verify_pages(log)
    try:
        with storage.read():
            return verify_pages(log)
    finally:
        storage.close()


def report_pages(log: Path, trail: AuditTrail, wrong: Sequence[str]) -> None:
    """Write down what is wrong with pages, as `verify_pages` says it."""
    named = {finding.message for finding in trail.findings}
    for message in wrong[:_PAGES_NAMED]:
        if message not in named:
            trail.find(FindingKind.STORE_DAMAGED, "data.mdb", message, file=str(log / "data.mdb"))
    if len(wrong) > _PAGES_NAMED:
        trail.note(f"{len(wrong) - _PAGES_NAMED} more pages of data.mdb are damaged")


def read_published(folder: Path, origin: bytes | None, trail: AuditTrail) -> bytes | None:
    """The newest note that left this machine for the log ``origin``, or None."""
    try:
        name = (origin or b"").decode("utf-8")
        return PublishedCheckpoint(folder, log_id(name)).latest()
    except (UnicodeDecodeError, StorageError) as error:
        trail.note(f"the published checkpoint could not be read: {error}")
        return None


def _code(error: StorageError) -> int:
    """The ``errno`` under an error of the storage, from the system or from LMDB; 0 for none."""
    cause = error.__cause__
    return getattr(cause, "errno", None) or getattr(cause, "code", None) or 0
