"""Where the proofs about a log come from. Nothing that comes from there is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ledger.errors import MalformedError
from ledger.log_reader import LogReader
from ledger.merkle.hashing import HASH_SIZE, leaf_hash
from ledger.witnessing.leaf_path import LeafPath


class ProofSource(Protocol):
    """Answers about one log: the log itself, or whoever has its tree.

    Methods raise members of `LedgerError` when there is no answer, and nothing else.
    """

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """The RFC 6962 consistency proof between two sizes, 0 < old_size < size."""
        ...

    def prove_leaf(self, index: int, size: int) -> LeafPath:
        """The inclusion proof of leaf ``index`` in the tree of ``size`` leaves.

        Asked for only after a consistency proof failed: it shows which older tree the
        newer one really has grown from, where the consistency proof does not say.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogProofSource:
    """Proofs straight from a log that this process has open."""

    log: LogReader

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """See `ProofSource`."""
        return self.log.prove_consistency(old_size, size)

    def prove_leaf(self, index: int, size: int) -> LeafPath:
        """See `ProofSource`."""
        return LeafPath(leaf_hash(self.log.entry(index)), self.log.prove_inclusion(index, size))


def split_hashes(joined: bytes) -> tuple[bytes, ...]:
    """Hashes of 32 bytes, joined as messages carry them. Raises `MalformedError`."""
    if len(joined) % HASH_SIZE:
        raise MalformedError(f"a proof of {len(joined)} bytes is no sequence of hashes")
    data = bytes(joined)
    return tuple(data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE))


def join_hashes(hashes: Iterable[bytes]) -> bytes:
    """The counterpart of `split_hashes`."""
    return b"".join(hashes)
