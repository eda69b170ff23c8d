"""Where the trie gets its tiles and leaves from."""

from __future__ import annotations

from typing import Protocol

from ledger.chain.state.bucket import Leaf


class NodeReader(Protocol):
    """One state, as it is stored: tiles, and leaves in the order of their paths."""

    def read_tile(self, level: int, prefix: int) -> bytes | None:
        """Return the tile at that place, or None."""
        ...

    def read_bucket(self, level: int, prefix: int, count: int) -> list[Leaf]:
        """Return the ``count`` leaves whose paths begin with a slot's prefix."""
        ...
