"""The forks that a witness has found, kept for as long as its store.

One row a log, in META: ``"fork/" || log id`` -> the first evidence found
(`ledger.witnessing.evidence`). A log with such a row gets no cosignature any more: a
witness says that all it has seen of a log is one history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import Checkpoint, log_id
from ledger.errors import CorruptStoreError, MalformedError
from ledger.storage import Storage, Table, WriteTransaction
from ledger.witnessing.evidence import ForkClaim, ForkEvidence

_PREFIX: Final = b"fork/"


@dataclass(frozen=True, slots=True)
class ForkRecords:
    """What is kept in one store. Methods raise `StorageError` and its kin."""

    storage: Storage

    def keep(self, evidence: ForkEvidence) -> bool:
        """Keep the evidence, durably; False if there was some for this log already."""
        key, data = _PREFIX + log_id(evidence.origin), evidence.encode()

        def put(transaction: WriteTransaction) -> bool:
            if transaction.get(Table.META, key) is not None:
                return False
            transaction.put(Table.META, key, data)
            return True

        return self.storage.write(put)

    def of(self, origin: str) -> ForkClaim | None:
        """What was kept for a log; it was checked before it was written."""
        with self.storage.read() as transaction:
            row = transaction.get(Table.META, _PREFIX + log_id(origin))
        return None if row is None else _parse(row)

    def all(self) -> Iterator[tuple[str, ForkClaim]]:
        """Every log that forked, and the evidence."""
        with self.storage.read() as transaction:
            rows = list(transaction.scan(Table.META, _PREFIX, _PREFIX[:-1] + b"0"))
        for _, row in rows:
            claim = _parse(row)
            yield Checkpoint.of_note(claim.first).origin, claim


def _parse(row: bytes) -> ForkClaim:
    try:
        return ForkClaim.parse(row)
    except MalformedError as error:
        raise CorruptStoreError("kept evidence of a fork is unreadable") from error
