"""Flip bytes of a chain's store and audit each: ``flip_chain.py HOME PUBLISHED AT:MASK...``

As ``tests/ledger/fsck/flip_many.py``, which says what the outcomes mean.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ledger.chain.audit.audit import audit_chain_in_process
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.errors import LedgerError
from ledger.fsck.findings import AuditTrail, Depth
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind

OUTCOMES = ("found", "refused", "same", "SILENT")


def read_back(home: Path) -> object:
    storage = LmdbStorage.open_reader(home / "log", StoreKind.CHAIN)
    try:
        with storage.read() as txn:
            return {table: list(txn.scan(table)) for table in Table}
    finally:
        storage.close()


def outcome(request: ChainAuditRequest, before: object) -> str:
    counters = ChainCounters()
    trail = AuditTrail(counters)
    try:
        audit_chain_in_process(request, trail, counters)
    except LedgerError:
        return "refused"
    if trail.findings_total:
        return "found"
    return "same" if read_back(request.home) == before else "SILENT"


def forked(request: ChainAuditRequest, before: object) -> str:
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            code = OUTCOMES.index(outcome(request, before))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed"
    code = os.WEXITSTATUS(status)
    return OUTCOMES[code] if code < len(OUTCOMES) else "RAISED"


def main() -> None:
    home, published = Path(sys.argv[1]), Path(sys.argv[2])
    request = ChainAuditRequest(home, published, Depth.LOG)
    data = home / "log" / "data.mdb"
    sound = data.read_bytes()
    before = read_back(home)
    results = {}
    for argument in sys.argv[3:]:
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
