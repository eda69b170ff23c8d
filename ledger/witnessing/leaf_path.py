"""The inclusion proof of a leaf, as it is asked for where a consistency proof failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeafPath:
    """An inclusion proof together with the leaf hash that it starts from, both unchecked."""

    leaf_hash: bytes
    path: tuple[bytes, ...]
