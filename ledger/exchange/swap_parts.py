"""What a seller gives of a content that it sells whole: leaves, masked units, and the deed."""

from __future__ import annotations

import threading
from typing import Final

from ledger.chain.sale.masking import UnitMask
from ledger.errors import ErasedError, NotFoundError
from ledger.exchange.grant import Grant
from ledger.exchange.messages import DeedReply, Reason
from ledger.exchange.sale_refusal import SaleRefusedError
from ledger.exchange.seller import sealed_deed
from ledger.exchange.session import Session
from ledger.exchange.sought_units import SoughtUnits
from ledger.exchange.swap_file import SwapRow, join_leaf_pairs
from ledger.exchange.swap_messages import PAGE_UNITS
from ledger.exchange.transport import NoSellerError
from ledger.exchange.unit_source import Contents
from ledger.merkle.hashing import leaf_hash


class SwapParts:
    """For any thread; contents are read by one at a time.

    Methods raise SaleRefusedError for what there is not, NoSellerError once it is closed, and
    what is the seller's own trouble.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents: Final = contents
        self._reading: Final = threading.Lock()
        self._is_closed = False

    def leaves(self, row: SwapRow, page: int) -> bytes:
        """A page of pairs of leaves."""
        first = page * PAGE_UNITS
        if first >= row.grant.count:
            raise SaleRefusedError(Reason.NO_UNIT, f"page {page} of {row.grant.count} units")
        last = first + PAGE_UNITS
        return join_leaf_pairs(row.leaves[first:last], row.masked_leaves[first:last])

    def unit(self, row: SwapRow, index: int) -> bytes:
        """A unit, masked."""
        if index >= row.grant.count:
            raise SaleRefusedError(Reason.NO_UNIT, f"unit {index} of {row.grant.count}")
        with self._reading:
            self._require_open()
            try:
                unit = self._contents.find(row.grant).unit(index)
            except (ErasedError, NotFoundError) as error:
                raise SaleRefusedError(Reason.GONE, error.message) from error
            masked = UnitMask(row.sale, row.key).apply(index, unit)
        if leaf_hash(masked) != row.masked_leaves[index]:
            raise SaleRefusedError(Reason.GONE, f"unit {index} is not what it was")
        return masked

    def deed(self, grant: Grant, session: Session) -> DeedReply:
        """The deed, sealed for a session."""
        with self._reading:
            self._require_open()
            return sealed_deed(SoughtUnits(self._contents, grant), grant, session)

    def close(self) -> None:
        """Read contents no more."""
        with self._reading:
            self._is_closed = True

    def _require_open(self) -> None:
        if self._is_closed:
            raise NoSellerError("the storefront was closed", hint="ask again later")
