"""Flip bytes of a store one at a time, and audit: ``flip_many.py HOME PUBLISHED DEPTH AT:MASK...``

Every flip is audited in a forked process, for it may kill the reader. Prints, for
each place, ``found``, ``killed`` (which an audit in a child process reports),
``refused`` (an error), ``same`` (nothing found, and all reads back as it was) or what
must not be, ``SILENT``, ``RAISED``, ``ENDLESS``, as JSON. HOME is restored before the program ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from ledger.errors import LedgerError
from ledger.fsck import AuditRequest, Depth
from ledger.fsck.audit import audit_in_process
from ledger.fsck.findings import AuditTrail
from ledger.log_reader import LogReader
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage

COMPARED = (Table.META, Table.ENTRIES, Table.TILES, Table.CHECKPOINTS, Table.RECORDS, Table.CHUNKS)
OUTCOMES = ("found", "refused", "same", "SILENT")


def read_back(home: Path) -> object:
    """Everything that is claimed of the log: rows, and proofs of every entry."""
    storage = LmdbStorage.open_reader(home / "log")
    with storage.read() as txn:
        rows = {table: list(txn.scan(table)) for table in COMPARED}
    log = LogReader(storage)
    size = log.size
    proofs = [log.prove_inclusion(index, size) for index in range(size)]
    growth = [log.prove_consistency(old, size) for old in range(1, size)]
    checkpoints = list(log.checkpoints())
    storage.close()
    return rows, proofs, growth, checkpoints


def outcome(request: AuditRequest, before: object) -> str:
    trail = AuditTrail()
    try:
        audit_in_process(request, trail)
    except LedgerError:
        return "refused"
    if trail.findings_total:
        return "found"
    return "same" if read_back(request.home) == before else "SILENT"


def forked(request: AuditRequest, before: object) -> str:
    child = os.fork()
    if child == 0:
        code = 99
        signal.alarm(120)
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            code = OUTCOMES.index(outcome(request, before))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "ENDLESS" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    code = os.WEXITSTATUS(status)
    return OUTCOMES[code] if code < len(OUTCOMES) else "RAISED"


def main() -> None:
    home, published, depth = Path(sys.argv[1]), Path(sys.argv[2]), Depth(sys.argv[3])
    request = AuditRequest(home, published, depth)
    data = home / "log" / "data.mdb"
    sound = data.read_bytes()
    before = read_back(home)
    results = {}
    for argument in sys.argv[4:]:
        position, mask = map(int, argument.split(":"))
        with data.open("r+b") as file:
            file.seek(position)
            file.write(bytes([sound[position] ^ mask]))
        results[argument] = forked(request, before)
        with data.open("r+b") as file:
            file.seek(position)
            file.write(sound[position : position + 1])
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
