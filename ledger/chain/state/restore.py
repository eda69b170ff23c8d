"""A state put into a store by its leaves alone, part by part, as out of a snapshot.

There is one set of tiles for any keys and values (`tile`), so what comes out is, byte for
byte, what a store holds that has lived through every height, but for the history.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.chain.state.bucket import Leaf
from ledger.chain.state.hashing import EMPTY_ROOT
from ledger.chain.state.history import NewestNodes
from ledger.chain.state.store import MAX_HEIGHT, heights, put_first_height, write_nodes
from ledger.chain.state.tile import Tile
from ledger.chain.state.trie import update_trie
from ledger.errors import RefusedError, VerificationError
from ledger.storage import WriteTransaction


def add_leaves(transaction: WriteTransaction, leaves: Sequence[Leaf]) -> None:
    """Write leaves, whose paths strictly ascend, to a state that has no height yet.

    Raises RefusedError for one that has.
    """
    if heights(transaction) is not None:
        raise RefusedError("the store has a state already")
    write_nodes(transaction, update_trie(NewestNodes(transaction), leaves))


def begin_at(transaction: WriteTransaction, height: int, root: bytes) -> None:
    """End `add_leaves`: the state is that of ``height``, and every later one follows.

    Raises VerificationError if it has not this root; RefusedError.
    """
    if heights(transaction) is not None or not 0 <= height <= MAX_HEIGHT:
        raise RefusedError("the store has a state already")
    tile = NewestNodes(transaction).read_tile(0, 0)
    found = Tile(tile).root(0) if tile else EMPTY_ROOT
    if found != root:
        raise VerificationError("the leaves that were restored are not those of the state")
    put_first_height(transaction, height, root)
