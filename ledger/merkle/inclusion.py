"""Inclusion proofs: an entry is leaf ``index`` of the tree of ``size`` leaves.

A proof is the Merkle audit path of RFC 6962 section 2.1.1: the hashes of the
siblings from the leaf up to the root, lowest first. It holds nothing else; index,
size, leaf hash and root are the verifier's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ledger.errors import NotFoundError, VerificationError
from ledger.merkle.audit_path import read_audit_path
from ledger.merkle.claim import require_count, require_hash, require_proof
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.reader import HashReader


def prove_inclusion(index: int, size: int, reader: HashReader) -> tuple[bytes, ...]:
    """Return the audit path of leaf ``index`` in the tree of the first ``size`` leaves.

    Raises:
        MalformedError: index or size is not an integer in 0 .. 2**63 - 1.
        NotFoundError: there is no such leaf, or the reader's tree is smaller.
        CorruptStoreError: as the reader does.
    """
    require_count(index, "index")
    require_count(size, "tree size")
    if index >= size:
        raise NotFoundError(f"leaf {index} is not in a tree of {size} leaves")
    return read_audit_path(0, index, size, reader)


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf_hash`` is leaf ``index`` of the tree of ``size`` leaves with ``root``.

    Hash the entry itself with `hashing.leaf_hash`; a leaf hash taken from elsewhere
    proves nothing about an entry. Size and root belong together and come from one
    verified checkpoint: a path alone fits several sizes.

    Raises:
        MalformedError: a hash is not 32 bytes, or a number not in 0 .. 2**63 - 1.
        VerificationError: the claim does not hold, or the proof is too short or too long.
    """
    require_hash(leaf_hash, "leaf hash")
    require_count(index, "index")
    require_count(size, "tree size")
    require_proof(proof)
    require_hash(root, "root")

    # RFC 9162 section 2.1.3.2, step by step.
    # 1. Compare leaf_index with tree_size; fail unless it is smaller.
    if index >= size:
        raise VerificationError(f"leaf {index} cannot be in a tree of {size} leaves")
    # 2. fn = leaf_index, sn = tree_size - 1.  3. r = hash.
    fn, sn, r = index, size - 1, leaf_hash
    for p in proof:
        # 4.1. If sn is 0, the path is too long.
        if sn == 0:
            raise VerificationError("inclusion proof is too long for this tree size")
        # 4.2. If LSB(fn) is set or fn = sn: r = HASH(0x01 || p || r), and, if LSB(fn) is
        # not set, right-shift both until LSB(fn) is set or fn is 0.
        if fn & 1 or fn == sn:
            r = sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        # 4.2, otherwise: r = HASH(0x01 || r || p).
        else:
            r = sha256(b"\x01" + r + p).digest()
        # 4.3. Right-shift both one time.
        fn >>= 1
        sn >>= 1
    # 5. Compare sn to 0, r to the root.
    if sn != 0:
        raise VerificationError("inclusion proof is too short for this tree size")
    if r != root:
        raise VerificationError("inclusion proof does not lead to the root")


def range_before(index: int, size: int, proof: Sequence[bytes]) -> CompactRange:
    """Return the tree of the leaves before leaf ``index``, out of that leaf's proof.

    The siblings to the left on the way up are just the complete subtrees that leaves
    [0, index) consist of, one for every bit set in ``index``. As good as the proof:
    `verify_inclusion` first.

    Raises:
        MalformedError: it is no proof of that leaf in a tree of that size.
    """
    require_proof(proof)
    fn, sn = index, size - 1
    left: list[bytes] = []
    for p in proof:
        # RFC 9162 section 2.1.3.2, step 4.2: here p stands to the left.
        if fn & 1 or fn == sn:
            left.append(p)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        fn >>= 1
        sn >>= 1
    return CompactRange(index, tuple(reversed(left)))
