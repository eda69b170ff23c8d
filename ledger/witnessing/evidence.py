"""Evidence of a fork: two checkpoints that no log which only ever grew can have signed.

Two checkpoints of one origin, each signed by a key of the log, with

(a) equal sizes and different roots, or
(b) n1 < n2 leaves and a consistency proof that leads from (n1, r') to the second
    root, r' being another root than the first one's.

Whoever signed the second root signed a tree whose first n1 leaves have the root r'.
r' is not stated anywhere: it is computed from the proof, and no other proof can lead
to the second root (`follow_consistency`). So an honest log cannot be framed: of its
checkpoints, every proof that leads to the larger root leads to the smaller one too.
A smaller size after a larger one, a proof that is missing, or one that leads nowhere
is no evidence: it may be an old message, a fault, or a third party's lie.

As bytes::

    quipu/fork-evidence/v1
    notes 264 264                       bytes of the first and the second checkpoint
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9te... the path of (b), 1 to 64 hashes; none for (a)
                                        <- empty line
    example.com/husky-7                 the first checkpoint, then the second, verbatim
    ...

The path is the consistency proof, begun with the hash of the last complete subtree
of the first n1 leaves also where n1 is a power of two (RFC 9162 section 2.1.4.2 adds
it there in step 2). The first checkpoint is that of the smaller size, or, where sizes
are equal, of the smaller root as bytes are ordered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.canonical import decode_hash, decode_number, encode_base64
from ledger.checkpoint import Checkpoint, VerifiedCheckpoint, open_checkpoint
from ledger.errors import MalformedError, VerificationError
from ledger.merkle.claim import require_proof
from ledger.merkle.consistency import follow_consistency
from ledger.merkle.hashing import node_hash
from ledger.note import MAX_NOTE_SIZE, VerifierKey
from ledger.witnessing.leaf_path import LeafPath

MAGIC: Final = b"quipu/fork-evidence/v1\n"
MAX_PATH: Final = 64
"""Most hashes of a path: 63 of a consistency proof, and the one it may begin with."""

MAX_EVIDENCE_SIZE: Final = 2 * MAX_NOTE_SIZE + 4096
"""Longest evidence that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class ForkClaim:
    """Two checkpoints and a path that are said to be evidence; no signature is checked."""

    first: bytes
    second: bytes
    path: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        require_proof(self.path)
        if len(self.path) > MAX_PATH:
            raise MalformedError(f"evidence needs a path of at most {MAX_PATH} hashes")
        first, second = Checkpoint.of_note(self.first), Checkpoint.of_note(self.second)
        if (first.size, first.root) > (second.size, second.root):
            raise MalformedError("evidence has its two checkpoints in the wrong order")

    @classmethod
    def of(cls, one: bytes, other: bytes, path: Sequence[bytes] = ()) -> ForkClaim:
        """Put two notes into their order. Raises `MalformedError`."""
        a, b = Checkpoint.of_note(one), Checkpoint.of_note(other)
        if (a.size, a.root) > (b.size, b.root):
            one, other = other, one
        return cls(bytes(one), bytes(other), tuple(path))

    @classmethod
    def parse(cls, data: bytes) -> ForkClaim:
        """Read the bytes of `encode`. Raises `MalformedError`."""
        if len(data) > MAX_EVIDENCE_SIZE:
            raise MalformedError(f"evidence is longer than {MAX_EVIDENCE_SIZE} bytes")
        if not data.startswith(MAGIC):
            raise MalformedError("not evidence of a fork, version 1")
        head, blank, notes = bytes(data[len(MAGIC) :]).partition(b"\n\n")
        try:
            sizes, *hashes = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedError("evidence is not ASCII before its checkpoints") from None
        match sizes.split(" "):
            case ["notes", one, other]:
                split = decode_number(one, "size of the first checkpoint")
                total = split + decode_number(other, "size of the second checkpoint")
            case _:
                raise MalformedError("evidence does not say how long its checkpoints are")
        if not blank or total != len(notes):
            raise MalformedError("evidence has not the two checkpoints that it announces")
        path = tuple(decode_hash(line, "path's hash") for line in hashes[:MAX_PATH])
        if len(hashes) > MAX_PATH:
            raise MalformedError(f"evidence needs a path of at most {MAX_PATH} hashes")
        return cls(notes[:split], notes[split:], path)

    def encode(self) -> bytes:
        """Write the evidence, for an alarm, a file or a transaction."""
        lines = [f"notes {len(self.first)} {len(self.second)}"]
        lines += [encode_base64(step) for step in self.path]
        return MAGIC + "\n".join(lines).encode("ascii") + b"\n\n" + self.first + self.second


@dataclass(frozen=True, slots=True)
class ForkEvidence:
    """A claim that was checked: whoever holds the log's key has signed two histories.

    ``contradiction`` is the root, of as many leaves as the first checkpoint has, that
    the second one proves. Made by `verify_evidence`.
    """

    claim: ForkClaim
    first: VerifiedCheckpoint
    second: VerifiedCheckpoint
    contradiction: bytes

    @property
    def origin(self) -> str:
        """The log that forked."""
        return self.first.checkpoint.origin

    def encode(self) -> bytes:
        """The bytes of the claim."""
        return self.claim.encode()

    def __str__(self) -> str:
        one, other = self.first.checkpoint, self.second.checkpoint
        if one.size == other.size:
            return f"{self.origin} signed two different roots of {one.size} leaves"
        return (
            f"{self.origin} signed a tree of {other.size} leaves that did not grow from the"
            f" {one.size} leaves it had signed"
        )


def verify_evidence(
    claim: ForkClaim | bytes,
    log_keys: Sequence[VerifierKey],
    witness_keys: Sequence[VerifierKey] = (),
) -> ForkEvidence:
    """Check that a claim is evidence, as the module says, and refuse all else.

    ``log_keys`` are the keys of the log that were valid when it signed; cosignatures of
    ``witness_keys`` are checked and kept, for they date the checkpoints. Raises
    `MalformedError` for a wrong form, `VerificationError` for what is no evidence.
    """
    if not isinstance(claim, ForkClaim):
        claim = ForkClaim.parse(claim)
    first = open_checkpoint(claim.first, log_keys, witness_keys)
    second = open_checkpoint(claim.second, log_keys, witness_keys)
    contradiction = find_contradiction(first.checkpoint, second.checkpoint, claim.path)
    return ForkEvidence(claim, first, second, contradiction)


def find_contradiction(first: Checkpoint, second: Checkpoint, path: Sequence[bytes]) -> bytes:
    """The root that ``second`` proves of as many leaves as ``first`` has: another than its own.

    Whoever signed both has forked; whether anybody did is for the caller to know. Raises
    `VerificationError` for checkpoints that one log can have signed, or that are of two.
    """
    if first.origin != second.origin:
        raise VerificationError("the checkpoints are of two logs, which may well differ")
    if first.size == second.size:
        if path:
            raise VerificationError("between equal sizes there is no path")
        root = second.root
    else:
        root, led_to = follow_consistency(first.size, second.size, path)
        if led_to != second.root:
            raise VerificationError("the path does not lead to the second checkpoint's root")
    if root == first.root:
        raise VerificationError("the checkpoints do not contradict each other")
    return root


def is_power_of_two(size: int) -> bool:
    """Whether the consistency proofs from ``size`` leave the older root out."""
    return size > 0 and not size & (size - 1)


def path_of_leaf(old_size: int, last_leaf: LeafPath) -> tuple[bytes, ...]:
    """The path of case (b) for an ``old_size`` that is a power of two.

    ``last_leaf`` is the inclusion proof, in the larger tree, of leaf ``old_size - 1``:
    its lowest steps lead to the root of the first ``old_size`` leaves, and the others
    are the consistency proof from there.
    """
    height = old_size.bit_length() - 1
    root = last_leaf.leaf_hash
    for left in last_leaf.path[:height]:
        root = node_hash(left, root)
    return (root, *last_leaf.path[height:])
