"""Our side: a log in LMDB, through the public interface only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.measure import seconds_of
from benchmarks.workload import Entries
from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.fsck import check_tree
from ledger.fsck.findings import AuditTrail
from ledger.log import Log
from ledger.log_reader import LogReader
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.inclusion import verify_inclusion
from ledger.note import NoteSigner
from ledger.published import PublishedCheckpoint
from ledger.storage.lmdb import LmdbStorage

_ORIGIN = "benchmark.example/log"


class QuipuLog:
    """A log in ``folder``, closed and opened again at will."""

    def __init__(self, folder: Path) -> None:
        self._store = folder / "log"
        self._published = PublishedCheckpoint(folder / "published", log_id(_ORIGIN))
        self._signer = NoteSigner(_ORIGIN, PrivateKey.generate())
        storage = LmdbStorage.create(self._store)
        self._log: Log | None = Log.create(
            storage, _ORIGIN, self._signer.verifier_key, self._published
        )

    def append_batches(self, batches: Iterable[Entries]) -> None:
        """Append entries, durably after each batch."""
        log = self._writer()
        for entries in batches:
            log.append(entries)

    def append_singly(self, entries: Entries) -> None:
        """Append entries, durably after each."""
        log = self._writer()
        for entry in entries:
            log.append([entry])

    def checkpoint(self) -> None:
        """Sign the log as it is."""
        self._writer().checkpoint([self._signer])

    def reopen_and_sign(self, entry: bytes) -> float:
        """Seconds to open the log, apply the restart rule, and sign a checkpoint.

        Beforehand one entry is appended that no checkpoint covers, so that there is
        something to hash again and something to sign.
        """
        self._writer().append([entry])
        self.close()
        start = perf_counter()
        self._log = Log.open(LmdbStorage.open_writer(self._store), self._published)
        self._log.checkpoint([self._signer])
        return perf_counter() - start

    def proving_seconds(self, indices: Sequence[int]) -> float:
        """Seconds to prove the inclusion of leaves in the whole tree, by a new reader."""
        with self._reader() as log:
            size = log.size
            return seconds_of(lambda: [log.prove_inclusion(index, size) for index in indices])

    def verifying_seconds(self, indices: Sequence[int]) -> float:
        """Seconds to verify entries, hashing them too, against the root of the whole tree."""
        with self._reader() as log:
            size, root = log.size, log.root(log.size)
            claims = [(log.entry(i), i, log.prove_inclusion(i, size)) for i in indices]

        def verify() -> None:
            for entry, index, proof in claims:
                verify_inclusion(leaf_hash(entry), index, size, proof, root)

        return seconds_of(verify)

    def audit(self, size: int) -> float:
        """Seconds to hash the whole log again and compare every stored hash with it."""
        self.close()
        start = perf_counter()
        storage = LmdbStorage.open_reader(self._store)
        trail = AuditTrail()
        with storage.read() as transaction:
            check_tree(transaction, trail)
        storage.close()
        seconds = perf_counter() - start
        if trail.findings_total or trail.counters.entries != size:
            raise RuntimeError(f"the audit of a sound log of {size} found {trail.findings}")
        return seconds

    def root(self) -> bytes:
        """The root over all entries."""
        log = self._writer()
        return log.root(log.size)

    def close(self) -> None:
        """Close the log; `append_batches` and the like open it again."""
        if self._log is not None:
            self._log.close()
            self._log = None

    @contextmanager
    def _reader(self) -> Iterator[LogReader]:
        self.close()
        storage = LmdbStorage.open_reader(self._store)
        try:
            yield LogReader(storage)
        finally:
            storage.close()

    def _writer(self) -> Log:
        if self._log is None:
            self._log = Log.open(LmdbStorage.open_writer(self._store), self._published)
        return self._log
