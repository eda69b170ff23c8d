"""Whether a unit that was sold is what was granted: what the chain computes in a dispute.

A complaint shows z_i, its path to the root r_z that was locked, the leaf h_i, and its path to
the content root r_x. It holds exactly if the paths do and

::

    SHA256(0x00 || u_i) != h_i            u_i = z_i XOR AES-256-CTR(k_i)

Both trees have n leaves, and n, the index and the size of a unit are the sale's own numbers:
so z_j at place i, an inner node for a leaf, and a last leaf that is counted twice are all
paths that lead nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.sale.masking import UnitMask, unit_size
from ledger.errors import VerificationError
from ledger.experience.content_root import chunk_count
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.inclusion import verify_inclusion


@dataclass(frozen=True, slots=True)
class SoldContent:
    """What was locked: numbers and roots that both sides and the chain have."""

    sale: bytes
    content_root: bytes
    """r_x."""
    content_size: int
    """Bytes."""
    unit_root: bytes
    """r_z."""
    key_hash: bytes

    @property
    def count(self) -> int:
        """n."""
        return chunk_count(self.content_size)


def check_complaint(
    sold: SoldContent,
    index: int,
    masked: bytes,
    unit_path: Sequence[bytes],
    leaf: bytes,
    leaf_path: Sequence[bytes],
) -> None:
    """Check that what is shown is unit ``index`` of the sale, whatever it opens to.

    Raises VerificationError where it is not, MalformedError for hashes of another size.
    """
    if not 0 <= index < sold.count:
        raise VerificationError(f"unit {index} of {sold.count}")
    if len(masked) != unit_size(index, sold.content_size):
        raise VerificationError(f"a unit of {len(masked)} bytes at place {index}")
    verify_inclusion(leaf_hash(masked), index, sold.count, tuple(unit_path), sold.unit_root)
    verify_inclusion(leaf, index, sold.count, tuple(leaf_path), sold.content_root)


def is_right(sold: SoldContent, key: bytes, index: int, masked: bytes, leaf: bytes) -> bool:
    """Whether the unit opens, under the revealed key, to what its leaf says."""
    return leaf_hash(UnitMask(sold.sale, key).apply(index, masked)) == leaf
