"""The atomic sale off the chain: sealing all of it, checking all of it, complaining.

::

    seller  MaskedContent        k drawn; z_i, r_z, SHA256("key" || k)
    buyer   ReceivingUnits       all h_i, whose root is r_x; then every z_i, in order
            LockableUnits        whose root is r_z: now the price can be locked
            RevealedUnits        k is here: every unit opens to its leaf, or is complained of

The buyer locks only what it holds whole, so whatever k opens it can use, and whatever k does
not open it can show. The seller's deposit pays for its trouble.

A key is drawn for each sale and used for no other: once revealed it opens whatever was sealed
with it. Everybody who has the z_i can read them then: they go to the buyer alone, over a
transport that hides them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from ledger.chain.sale.complaint import SoldContent, is_right
from ledger.chain.sale.identity import SALE_KEY_SIZE, key_hash
from ledger.chain.sale.masking import UnitMask, unit_size
from ledger.errors import RefusedError, VerificationError
from ledger.exchange.unit_source import UnitSource, UnitTree
from ledger.experience.content_root import content_root_of_leaves
from ledger.merkle.hashing import leaf_hash, tree_root
from ledger.schema.chain_exchange_pb2 import ComplainSale, LockSale, RevealKey


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the chain is shown: a message, and the attachment that it names."""

    message: ComplainSale
    attachment: bytes = field(repr=False)


class WrongUnitError(VerificationError):
    """A unit does not open to what was granted; ``complaint`` gets the money back."""

    def __init__(self, index: int, complaint: Complaint) -> None:
        super().__init__(f"unit {index} is not what was granted", hint="complain at once")
        self.complaint = complaint


class MaskedContent:
    """The seller's side: a content under a key of its own. ``repr`` does not show it."""

    def __init__(
        self,
        sale: bytes,
        source: UnitSource,
        count: int,
        told: Callable[[int], None] = lambda masked: None,
    ) -> None:
        """Draw a key and mask all ``count`` units once, for their root.

        ``told`` hears how many are masked, before each. Raises what it and ``source`` raise.
        """
        self._key: Final = os.urandom(SALE_KEY_SIZE)
        self._source: Final = source
        self._mask: Final = UnitMask(sale, self._key)
        leaves, masked = [], []
        for index in range(count):
            told(index)
            unit = bytes(source.unit(index))
            leaves.append(leaf_hash(unit))
            masked.append(leaf_hash(self._mask.apply(index, unit)))
        self.leaves: Final = tuple(leaves)
        """All h_i, of the units as they are."""
        self.masked_leaves: Final = tuple(masked)
        """SHA256(0x00 || z_i) of each."""
        self.sold: Final = SoldContent(
            sale, source.root, source.size, tree_root(masked), key_hash(self._key)
        )
        """What is proposed."""

    def unit(self, index: int) -> bytes:
        """z_i, the same every time."""
        return self._mask.apply(index, self._source.unit(index))

    def reveal(self) -> RevealKey:
        """What a transaction asks for once the chain says that the price is locked."""
        return RevealKey(sale=self.sold.sale, key=self._key)


class ReceivingUnits:
    """The buyer's side while units arrive."""

    def __init__(self, sold: SoldContent, leaves: Sequence[bytes]) -> None:
        """``sold`` is as the chain has it, ``leaves`` are all h_i.

        Raises VerificationError for leaves that are not those of the content root.
        """
        if len(leaves) != sold.count or content_root_of_leaves(leaves) != sold.content_root:
            raise VerificationError("these leaves are not those of the content that was granted")
        self._sold: Final = sold
        self._leaves: Final = tuple(leaves)
        self._masked: Final[list[bytes]] = []

    def accept(self, masked: bytes) -> None:
        """Take the next z_i; the caller keeps its bytes. Raises VerificationError."""
        index = len(self._masked)
        if index >= self._sold.count:
            raise VerificationError(f"the sale has {self._sold.count} units")
        if len(masked) != unit_size(index, self._sold.content_size):
            raise VerificationError(f"unit {index} has {len(masked)} bytes")
        self._masked.append(leaf_hash(masked))

    def finish(self) -> LockableUnits:
        """All are here. Raises RefusedError while units are missing, VerificationError."""
        if len(self._masked) < self._sold.count:
            raise RefusedError(f"{len(self._masked)} of {self._sold.count} units are here")
        tree = UnitTree(self._masked)
        if tree.root != self._sold.unit_root:
            raise VerificationError(
                "these units are not those of the sale", hint="do not lock its price"
            )
        return LockableUnits(self._sold, UnitTree(self._leaves), self._leaves, tree)


@dataclass(frozen=True, slots=True)
class LockableUnits:
    """Everything is here but the key: the price may be locked."""

    sold: SoldContent
    _content: UnitTree = field(repr=False)
    _leaves: tuple[bytes, ...] = field(repr=False)
    _units: UnitTree = field(repr=False)

    @classmethod
    def of_leaves(
        cls, sold: SoldContent, leaves: Sequence[bytes], masked: Sequence[bytes]
    ) -> LockableUnits:
        """As `ReceivingUnits.finish`, of units that were kept and checked one by one.

        ``masked`` are SHA256(0x00 || z_i) of all of them. Raises VerificationError for
        leaves that do not lead to the sale's roots.
        """
        if not len(leaves) == len(masked) == sold.count:
            raise VerificationError(f"the sale has {sold.count} units")
        content, units = UnitTree(leaves), UnitTree(masked)
        if (content.root, units.root) != (sold.content_root, sold.unit_root):
            raise VerificationError(
                "these units are not those of the sale", hint="do not lock its price"
            )
        return cls(sold, content, tuple(leaves), units)

    def lock(self) -> LockSale:
        """What a transaction asks for that locks the price."""
        return LockSale(sale=self.sold.sale)

    def revealed(self, key: bytes) -> RevealedUnits:
        """With the key that the chain has. Raises VerificationError for another one."""
        if len(key) != SALE_KEY_SIZE or key_hash(key) != self.sold.key_hash:
            raise VerificationError("the key is not the one that was locked")
        return RevealedUnits(self, key, UnitMask(self.sold.sale, key))


@dataclass(frozen=True, slots=True)
class RevealedUnits:
    """The key is here: units open, or are complained of before the deadline."""

    _locked: LockableUnits
    _key: bytes = field(repr=False)
    _mask: UnitMask = field(repr=False)

    def leaf(self, index: int) -> bytes:
        """h_i, of what `open` gives."""
        return self._locked._leaves[index]

    def open(self, index: int, masked: bytes) -> bytes:
        """u_i = salt_i || chunk_i of the z_i that was accepted.

        Raises WrongUnitError where it is not what was granted, VerificationError for bytes
        that are not the unit that was accepted.
        """
        unit = self._mask.apply(index, masked)
        if leaf_hash(unit) == self._locked._leaves[index]:
            return unit
        raise WrongUnitError(index, self.complain(index, masked))

    def complain(self, index: int, masked: bytes) -> Complaint:
        """The complaint about unit ``index``, which the chain takes only if it is wrong.

        Raises VerificationError for bytes that are not the unit that was accepted, or a unit
        that is right.
        """
        locked = self._locked
        leaf = locked._leaves[index]
        if locked._units.read_hashes([(0, index)]) != [leaf_hash(masked)]:
            raise VerificationError(f"these bytes are not unit {index} of the sale")
        if is_right(locked.sold, self._key, index, masked, leaf):
            raise VerificationError(f"unit {index} is what was granted")
        message = ComplainSale(
            sale=locked.sold.sale,
            index=index,
            unit=sha256(masked).digest(),
            unit_path=locked._units.path(index),
            leaf=leaf,
            leaf_path=locked._content.path(index),
        )
        return Complaint(message, masked)
