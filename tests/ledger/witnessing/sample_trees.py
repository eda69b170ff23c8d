"""Trees that grow, trees that fork, and checkpoints of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import LedgerError, NotFoundError
from ledger.note import CosignatureSigner, NoteSigner
from ledger.witnessing.leaf_path import LeafPath
from ledger.witnessing.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness
from tests.ledger.merkle.naive_tree import NaiveTree, leaves

MOST = 64

ORIGIN = "example.com/robot"
LOG = NoteSigner(ORIGIN, PrivateKey.from_seed(b"l" * 32))
OLD_LOG = NoteSigner(ORIGIN, PrivateKey.from_seed(b"L" * 32))
OTHER_LOG = NoteSigner("example.com/other", PrivateKey.from_seed(b"o" * 32))
KEYS = [LOG.verifier_key]
WITNESSES = [
    CosignatureSigner(f"example.com/w{number}", PrivateKey.from_seed(bytes([number]) * 32))
    for number in range(4)
]
POLICY = Policy(
    (PolicyLog(LOG.verifier_key), PolicyLog(OTHER_LOG.verifier_key)),
    tuple(PolicyWitness(f"w{n}", each.verifier_key) for n, each in enumerate(WITNESSES)),
    (PolicyGroup("most", 3, ("w0", "w1", "w2", "w3")),),
    "most",
)

HONEST = NaiveTree(leaves(MOST))


@cache
def fork_at(position: int) -> NaiveTree:
    """A tree that is another from leaf ``position`` on."""
    other = [hashlib.sha256(b"other" + each).digest() for each in leaves(MOST)]
    return NaiveTree([*leaves(MOST)[:position], *other[position:]])


@cache
def note(size: int, fork: int | None = None, signer: NoteSigner = LOG) -> bytes:
    """The signed checkpoint of the honest tree, or of the one that forks at ``fork``."""
    tree = HONEST if fork is None else fork_at(fork)
    return sign_checkpoint(Checkpoint(signer.name, size, tree.mth(0, size)), [signer])


def path(old_size: int, size: int, tree: NaiveTree = HONEST) -> tuple[bytes, ...]:
    """The path of evidence: the proof, begun with the older root where it leaves that out."""
    proof = tree.proof(old_size, size)
    if old_size & (old_size - 1):
        return tuple(proof)
    return (tree.mth(0, old_size), *proof)


@dataclass
class TreeSource:
    """Proofs from a tree. ``failing`` says no to everything; ``asked`` are the questions."""

    tree: NaiveTree = field(default_factory=lambda: HONEST)
    failing: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        self._ask(old_size, size)
        return tuple(self.tree.proof(old_size, size))

    def prove_leaf(self, index: int, size: int) -> LeafPath:
        self._ask(index, size)
        return LeafPath(self.tree.leaves[index], tuple(self.tree.path(index, 0, size)))

    def _ask(self, smaller: int, larger: int) -> None:
        self.asked.append((smaller, larger))
        if self.failing:
            raise NotFoundError("gone")


@dataclass
class LyingSource:
    """Answers with what it was given, whatever the question; or with an error."""

    proof: Sequence[bytes] | LedgerError
    leaf: LeafPath | LedgerError

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        if isinstance(self.proof, LedgerError):
            raise self.proof
        return tuple(self.proof)

    def prove_leaf(self, index: int, size: int) -> LeafPath:
        if isinstance(self.leaf, LedgerError):
            raise self.leaf
        return self.leaf
