"""The audit in a child process, whose death is a finding.

LMDB maps ``data.mdb`` and believes it: a flipped bit can send it past the map
(SIGSEGV, SIGBUS), into an assertion (SIGABRT), or round in a circle. That must
not end whoever asked for the audit.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import ledger
from ledger import errors
from ledger.errors import LedgerError, StorageError
from ledger.fsck.findings import (
    AuditReport,
    AuditTrail,
    Finding,
    FindingKind,
    Phase,
    Progress,
)
from ledger.fsck.request import AuditRequest, encode_request
from ledger.fsck.structure import report_pages
from ledger.storage.lmdb_pages import verify_pages

STALL_S: Final = 300.0
"""Seconds without a sign of progress through the log after which the child is given up."""

ENDING_S: Final = 10.0
_WATCHED: Final = (None, Phase.LOG)


def audit_home(request: AuditRequest, progress: Progress | None = None) -> AuditReport:
    """Audit a home and report. Damage, of any kind, is in the report and not raised.

    Raises MalformedError or VerificationError for a ``since`` that is no checkpoint of
    this log, FormatVersionError for a newer store, StorageError for what is no store.
    """
    trail = AuditTrail(progress=progress)
    run_isolated("ledger.fsck.child", encode_request(request), request.log, trail)
    return trail.report()


def run_isolated(module: str, request: str, log: Path, trail: AuditTrail) -> Any:
    """Run ``module``, an audit that speaks as `ledger.fsck.child` does, on a request.

    What it finds is written down in ``trail``; ``log`` is the LMDB environment that its
    death is blamed on. Returns what it told beside, None where it died. Raises the error
    that it ended with.
    """
    told: list[Any] = []
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=_environment(),
        )
        try:
            ended = _follow(child, request, trail, told)
            if not ended and _still_runs(child):
                child.kill()
            code = child.wait()
        finally:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
        if not ended:
            complaints.seek(0)
            _report_death(log, trail, code, complaints.read())
    return told[0] if told else None


def _follow(
    child: subprocess.Popen[bytes], request: str, trail: AuditTrail, told: list[Any]
) -> bool:
    """Take down what the child says; whether it came to its end."""
    if child.stdin is None or child.stdout is None:
        raise StorageError("the audit's process has no pipes")
    with suppress(BrokenPipeError):  # it is dead already; it may have said something
        child.stdin.write(request.encode("utf-8"))
        child.stdin.close()
    for line in _lines(child.stdout, lambda: STALL_S if trail.phase in _WATCHED else None):
        try:
            document = json.loads(line)
        except ValueError:
            return False
        if "at" in document:
            phase, done, total = document["at"]
            trail.at(Phase(phase), done, total)
        elif "finding" in document:
            trail.add(Finding.from_json(document["finding"]))
        elif "error" in document:
            raise _error(document["error"])
        else:
            end = document["done"]
            trail.findings_total = end["findings_total"]
            trail.notes = end["notes"]
            trail.counters = type(trail.counters)(**end["counters"])
            told.append(end["told"])
            return True
    return False


def _still_runs(child: subprocess.Popen[bytes]) -> bool:
    """Whether a child that said nothing more is stuck, and not just ending."""
    try:
        child.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _lines(stream: IO[bytes], patience: Callable[[], float | None]) -> Iterator[bytes]:
    """Lines as they come, until the end or until ``patience()`` seconds bring nothing."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(patience()):
            data = os.read(stream.fileno(), 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from lines


def _report_death(log: Path, trail: AuditTrail, code: int, complaint: bytes) -> None:
    """Say why the child ended before the audit did."""
    wrong = verify_pages(log)
    if wrong:
        report_pages(log, trail, wrong)
        return
    if code >= 0:
        last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise StorageError(
            f"the audit did not come to its end: {last or f'exit code {code}'}",
            hint="this is a fault of the audit itself, please report it",
        )
    if code == -signal.SIGKILL:
        message = "reading it did not come to an end"
    else:
        message = f"reading it killed the reader ({signal.Signals(-code).name})"
    trail.find(FindingKind.STORE_DAMAGED, "data.mdb", message, file=str(log / "data.mdb"))


def _error(document: dict[str, Any]) -> LedgerError:
    """The error that the child raised."""
    kind: type[LedgerError] = getattr(errors, document["type"], LedgerError)
    return kind(document["message"], hint=document["hint"])


def _environment() -> dict[str, str]:
    """The child finds this very package, wherever it was imported from."""
    here = str(Path(ledger.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{path}" if path else here}
