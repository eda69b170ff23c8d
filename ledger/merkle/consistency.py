"""Consistency proofs: a tree of ``old_size`` leaves is a prefix of one of ``size`` leaves.

A proof is the list of RFC 6962 section 2.1.2: the hashes from which both roots
can be computed. Sizes and roots are the verifier's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ledger.errors import NotFoundError, RefusedError, VerificationError
from ledger.merkle.audit_path import read_audit_path
from ledger.merkle.claim import require_count, require_hash, require_proof
from ledger.merkle.reader import HashReader


def prove_consistency(old_size: int, size: int, reader: HashReader) -> tuple[bytes, ...]:
    """Return the proof that the first ``old_size`` of ``size`` leaves are an older tree.

    Equal sizes give the empty proof.

    Raises:
        MalformedError: a size is not an integer in 0 .. 2**63 - 1.
        RefusedError: ``old_size`` is 0; every tree is consistent with the empty one.
        NotFoundError: ``old_size`` exceeds ``size``, or the reader's tree is smaller.
        CorruptStoreError: as the reader does.
    """
    require_count(old_size, "old tree size")
    require_count(size, "tree size")
    if old_size == 0:
        raise RefusedError("a proof from size 0 proves nothing", hint="start from size 1 or more")
    if old_size > size:
        raise NotFoundError(f"the tree of {size} leaves holds no tree of {old_size}")
    if old_size == size:
        return ()
    # RFC 6962 section 2.1.2. SUBPROOF(m, D[m], false) ends at the last complete subtree
    # of the older tree, of 2^level leaves, and lists it; SUBPROOF(m, D[m], true) ends at
    # the older root itself, which the verifier has: that is when m is a power of two.
    level = (old_size & -old_size).bit_length() - 1
    last_subtree = (old_size >> level) - 1
    return read_audit_path(level, last_subtree, size, reader, with_start=last_subtree > 0)


def verify_consistency(
    old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree (old_size, old_root) is a prefix of the tree (size, root).

    Raises:
        MalformedError: a hash is not 32 bytes, or a size not in 0 .. 2**63 - 1.
        VerificationError: the claim does not hold, the proof is too short or too long,
            or ``old_size`` is 0 (nothing is proven then).
    """
    require_count(old_size, "old tree size")
    require_count(size, "tree size")
    require_hash(old_root, "old root")
    require_hash(root, "root")
    require_proof(proof)

    if old_size == 0:
        raise VerificationError("a consistency proof from size 0 proves nothing")
    if old_size > size:
        raise VerificationError(f"a tree of {old_size} leaves is no prefix of one of {size}")
    if old_size == size:
        if proof:
            raise VerificationError("consistency proof between equal sizes is not empty")
        if old_root != root:
            raise VerificationError(f"two different roots for one tree size {size}")
        return

    # RFC 9162 section 2.1.4.2, step by step.
    # 1. If consistency_path is an empty array, stop and fail.
    if not proof:
        raise VerificationError("consistency proof is empty")
    # 2. If first is an exact power of 2, prepend first_hash to the path.
    path = proof if old_size & (old_size - 1) else (old_root, *proof)
    led_to = follow_consistency(old_size, size, path)
    if led_to[0] != old_root:
        raise VerificationError("consistency proof does not lead to the old root")
    if led_to[1] != root:
        raise VerificationError("consistency proof does not lead to the root")


def follow_consistency(old_size: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots, of ``old_size`` and of ``size`` leaves, that a path leads to.

    ``path`` is a consistency proof that always begins with the hash of the last complete
    subtree of the older tree; the proof itself leaves it out where that is the older
    root. If the second root is that of a tree, the first is that of its prefix: no
    other path could have led there (SHA-256 has no collisions). 0 < old_size < size.

    Raises:
        VerificationError: the path is too short or too long for these sizes.
    """
    if not path or not 0 < old_size < size:
        raise VerificationError("no path from one tree to a larger one")
    # RFC 9162 section 2.1.4.2.  3. fn = first - 1, sn = second - 1.
    fn, sn = old_size - 1, size - 1
    # 4. If LSB(fn) is set, right-shift both until LSB(fn) is not set.
    while fn & 1:
        fn >>= 1
        sn >>= 1
    # 5. fr = sr = the first value of the path.
    fr = sr = path[0]
    # 6. For each subsequent value c:
    for c in path[1:]:
        # 6.1. If sn is 0, the path is too long.
        if sn == 0:
            raise VerificationError("consistency proof is too long for these tree sizes")
        # 6.2. If LSB(fn) is set or fn = sn: hash c on the left of both, and, if LSB(fn)
        # is not set, right-shift both until LSB(fn) is set or fn is 0.
        if fn & 1 or fn == sn:
            fr = sha256(b"\x01" + c + fr).digest()
            sr = sha256(b"\x01" + c + sr).digest()
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        # 6.2, otherwise: sr = HASH(0x01 || sr || c).
        else:
            sr = sha256(b"\x01" + sr + c).digest()
        # 6.3. Right-shift both one time.
        fn >>= 1
        sn >>= 1
    # 7. fr is first_hash, sr is second_hash, and sn is 0.
    if sn != 0:
        raise VerificationError("consistency proof is too short for these tree sizes")
    return fr, sr
