"""Contents under a key, honest or not, of chunks that are small for once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ledger.chain.sale.complaint import SoldContent
from ledger.chain.sale.identity import key_hash, sale_id
from ledger.chain.sale.masking import UnitMask
from ledger.exchange.fairswap import LockableUnits, ReceivingUnits
from ledger.exchange.unit_source import UnitTree
from ledger.merkle.hashing import leaf_hash, tree_root
from tests.ledger.exchange.stream_world import content_of, units_of

SALE: Final = sale_id(bytes(32), bytes(range(32)), 5)
KEY: Final = bytes(range(100, 132))


class Swap:
    """A content of ``units`` chunks, and what a seller, who may cheat, makes of it."""

    def __init__(
        self,
        units: int,
        edit: Callable[[list[bytes]], None] = lambda masked: None,
        sale: bytes = SALE,
    ) -> None:
        source = units_of(content_of(units))
        self.units = [bytes(source.unit(index)) for index in range(units)]
        self.leaves = [leaf_hash(unit) for unit in self.units]
        mask = UnitMask(sale, KEY)
        self.masked = [mask.apply(index, unit) for index, unit in enumerate(self.units)]
        edit(self.masked)
        self.tree = UnitTree([leaf_hash(each) for each in self.masked])
        self.content_tree = UnitTree(self.leaves)
        self.sold = SoldContent(
            sale, tree_root(self.leaves), source.size, self.tree.root, key_hash(KEY)
        )

    def received(self, masked: Sequence[bytes] | None = None) -> LockableUnits:
        """The buyer that took every unit."""
        receiving = ReceivingUnits(self.sold, self.leaves)
        for each in self.masked if masked is None else masked:
            receiving.accept(each)
        return receiving.finish()
