"""A robot's log of a few entries beside a `ChainWorld`, which may anchor it."""

from __future__ import annotations

from ledger.chain.state_keys import anchor_key
from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.experience.entry import Erasure, Kind, encode_entry
from ledger.merkle.hashing import leaf_hash, node_hash
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_consent_pb2 import ReportErasure
from tests.ledger.chain.rules.chain_world import ChainWorld


class RobotLog:
    """A robot's log as its owner keeps it, and as it is anchored."""

    def __init__(self, world: ChainWorld, origin: str) -> None:
        self.world, self.origin = world, origin
        self.entries: list[bytes] = []

    def erase(self, *ids: bytes, key: PrivateKey | None = None) -> int:
        """Append an Erasure; its index."""
        return self.append(Erasure(record_ids=ids), key)

    def append(self, kind: Kind, key: PrivateKey | None = None, sequence: int | None = None) -> int:
        index = len(self.entries)
        signer = key or self.world.key(self.origin)
        number = index if sequence is None else sequence
        self.entries.append(encode_entry(log_id(self.origin), number, kind, signer))
        return index

    def anchor(self) -> None:
        """Write an anchor of the log as it is, as the anchor rule would."""
        record = AnchorRecord(
            size=len(self.entries),
            root=_root(self.leaves),
            height=self.world.height,
            time_ns=self.world.time_ns,
        )
        self.world.state.write(anchor_key(self.origin), record)
        self.world.state.keep()

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(entry) for entry in self.entries]

    def report(self, consent: bytes, index: int) -> ReportErasure:
        return ReportErasure(
            consent=consent,
            entry=self.entries[index],
            index=index,
            path=self.path(index),
        )

    def path(self, index: int) -> list[bytes]:
        """From an entry to the root of the whole log."""
        return _path(index, self.leaves)


def _split(leaves: list[bytes]) -> int:
    # RFC 6962, section 2.1: the largest power of two below n.
    return 1 << (len(leaves) - 1).bit_length() - 1


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = _split(leaves)
    return node_hash(_root(leaves[:k]), _root(leaves[k:]))


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = _split(leaves)
    if index < k:
        return [*_path(index, leaves[:k]), _root(leaves[k:])]
    return [*_path(index - k, leaves[k:]), _root(leaves[:k])]
