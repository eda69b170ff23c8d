"""The selling end of an atomic sale, one type for each state that the chain can be in.

::

    prepare() -> PreparedSwap --the proposal--> ProposedSwap --the buyer locks--> LockedSwap
                      |                              |                                |
                      |             nobody locked: the deposit comes back         the key
                      v                              v                                v
                 EndedSwap <-------------------- EndedSwap <---- paid ---------- RevealedSwap

`observe` says from the file and the chain where a sale is, so a seller that was killed
anywhere goes on from there. What is due then, `swap_due` does for many sales at a time, and
nothing of it has an effect twice.

Who ended a sale, and how, the chain says: anybody may settle, and the buyer complain, while
the seller is away. Nothing is taken for the end of a sale but what is proven to be it.

The key leaves only while a block can still take it with some to spare: shown too late it
would give the content away and earn nothing. It is shown although the content was erased
meanwhile, for the price of it is locked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from ledger.chain.codes import ResultCode
from ledger.chain.sale.identity import sale_id
from ledger.chain.sale_end import Ending, SaleEnd
from ledger.errors import CorruptStoreError, RefusedError
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.grant import Grant, SaleChain
from ledger.exchange.session import X25519_SIZE
from ledger.exchange.swap_chain import SellersChain, SellingTerms, is_in_time
from ledger.exchange.swap_file import SwapRow, SwapStage, forget_swap, write_swap
from ledger.exchange.unit_source import UnitSource
from ledger.experience.content_root import content_root_of_leaves
from ledger.schema.chain_exchange_pb2 import RefundSale, RevealKey, SaleRecord, SettleSale
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet

_PATIENCE: Final = 100
"""Blocks for which a refund or a settlement may wait."""


@dataclass(frozen=True, slots=True)
class SwapDesk:
    """What every atomic sale of one seller needs."""

    wallet: Wallet
    grants: SaleChain
    chain: SellersChain
    folder: Path
    """Where sales are kept; it exists."""
    terms: SellingTerms


@dataclass(frozen=True, slots=True)
class _Swap:
    desk: SwapDesk
    row: SwapRow

    def _body(self, expiry_height: int) -> TransactionBody:
        """What is asked for comes into it, and a sequence when it is submitted."""
        return TransactionBody(expiry_height=expiry_height, fee=self.desk.terms.fee)


@dataclass(frozen=True, slots=True)
class PreparedSwap(_Swap):
    """The key is on disk; the chain does not have the proposal."""

    refusal: ResultCode | None = None
    """What the chain said to it last."""

    def propose(self) -> SwapState:
        """Propose it, and wait for the block; not once consent to it is withdrawn."""
        desk, row = self.desk, self.row
        if desk.grants.is_withdrawn(row.grant):
            return replace(self, refusal=ResultCode.CONSENT_WITHDRAWN)
        body = self._body(row.lock_height)
        body.sequence = row.sequence
        body.propose_sale.CopyFrom(row.proposal())
        code = desk.chain.submit(desk.wallet.sign(desk.chain.chain, body))
        found = observe(desk, row)
        return replace(found, refusal=code) if isinstance(found, PreparedSwap) else found


@dataclass(frozen=True, slots=True)
class ProposedSwap(_Swap):
    """The deposit is set aside, and the buyer has until the lock height."""

    record: SaleRecord

    def is_due(self, height: int) -> bool:
        """Whether the deposit comes back at this height: nobody can lock any more."""
        return not is_in_time(height, self.record.lock_height)

    def body(self, height: int) -> TransactionBody:
        """What has the deposit back."""
        body = self._body(height + _PATIENCE)
        body.refund_sale.CopyFrom(RefundSale(sale=self.row.sale))
        return body


@dataclass(frozen=True, slots=True)
class LockedSwap(_Swap):
    """The price is set aside: the key is due."""

    record: SaleRecord

    def is_due(self, height: int) -> bool:
        """Whether the key is shown at this height. Where it is too late, all goes to the buyer."""
        return is_in_time(height, self.record.reveal_height, self.desk.terms.margin)

    def body(self, height: int) -> TransactionBody:
        """What shows the key."""
        del height  # the same bytes each time: after a crash they are known to wait already
        body = self._body(self.record.reveal_height)
        body.reveal_key.CopyFrom(RevealKey(sale=self.row.sale, key=self.row.key))
        return body


@dataclass(frozen=True, slots=True)
class RevealedSwap(_Swap):
    """The key is on the chain, and the buyer may complain."""

    record: SaleRecord

    def is_due(self, height: int) -> bool:
        """Whether the price comes at this height: nobody can complain any more."""
        return not is_in_time(height, self.record.complaint_height)

    def body(self, height: int) -> TransactionBody:
        """What has it paid."""
        body = self._body(height + _PATIENCE)
        body.settle_sale.CopyFrom(SettleSale(sale=self.row.sale))
        return body


@dataclass(frozen=True, slots=True)
class EndedSwap(_Swap):
    """The chain holds nothing of it any more, and never will."""

    @property
    def was_proposed(self) -> bool:
        """Whether it ever was on the chain."""
        return self.row.stage is not SwapStage.PREPARED

    @property
    def is_sold(self) -> bool:
        """Whether the price was paid: its buyer may have the deed."""
        return self.row.stage is SwapStage.SOLD

    def end(self) -> SaleEnd | None:
        """How it ended, as the chain says now. Raises as that does."""
        return self.desk.chain.ended(self.row.sale, self.row.height)

    def is_past(self, height: int) -> bool:
        """Whether it is known how it ended, and nothing can be asked under its grant."""
        return self.row.stage.is_over and height > self.row.grant.expiry_height

    def forget(self) -> None:
        """Forget it; for one that is past. Raises StorageError."""
        forget_swap(self.desk.folder, self.row.grant.grant)


SwapState: TypeAlias = PreparedSwap | ProposedSwap | LockedSwap | RevealedSwap | EndedSwap


def prepare(
    desk: SwapDesk,
    grant: Grant,
    content: UnitSource,
    told: Callable[[int], None] = lambda masked: None,
) -> PreparedSwap:
    """Draw a key, mask everything once for its root, and have it on disk.

    Every unit is read, and must be what was granted: a unit that is wrong costs the deposit.
    ``told`` hears how many are masked, before each; what it raises ends it, and nothing is kept.
    Raises RefusedError for a grant that no sale can be made of, CorruptStoreError, ErasedError,
    StorageError, and what the chain raises.
    """
    chain, terms = desk.chain, desk.terms
    if not grant.price or not grant.content_size:
        raise RefusedError("what is free or empty is not sold whole")
    _lock_height(desk, grant, chain.height())
    sequence = chain.sequence(desk.wallet.account)
    sale = sale_id(grant.chain, grant.grant, sequence)
    masked = MaskedContent(sale, content, grant.count, told)
    if content_root_of_leaves(masked.leaves) != grant.content_root:
        raise CorruptStoreError(
            "the content is not what was granted: its leaves have another root",
            hint="audit the home",
        )
    # Only now: it may have taken blocks.
    height = chain.height()
    row = SwapRow(
        stage=SwapStage.PREPARED,
        grant=grant,
        key=masked.reveal().key,
        agreement=os.urandom(X25519_SIZE),
        sequence=sequence,
        height=height,
        unit_root=masked.sold.unit_root,
        lock_height=_lock_height(desk, grant, height),
        reveal_blocks=terms.reveal_blocks,
        complaint_blocks=terms.complaint_blocks_of(grant.count),
        leaves=masked.leaves,
        masked_leaves=masked.masked_leaves,
    )
    write_swap(desk.folder, row)
    return PreparedSwap(desk, row)


def _lock_height(desk: SwapDesk, grant: Grant, height: int) -> int:
    lock_height = min(height + desk.terms.lock_blocks, grant.expiry_height)
    if not is_in_time(height, lock_height):
        raise RefusedError("the grant is over")
    return lock_height


def locked(desk: SwapDesk, row: SwapRow) -> LockedSwap | None:
    """The sale, if its price is locked and its key not shown, by the record alone.

    Neither a disk nor a look through the blocks keeps a key back. Raises as the chain does.
    """
    record = desk.chain.sale(row.sale)
    if record is None or record.complaint_height or not record.reveal_height:
        return None
    return LockedSwap(desk, row, record) if record.key_hash == row.sold.key_hash else None


def observe(desk: SwapDesk, row: SwapRow) -> SwapState:
    """Where a sale is, by what the chain says now. Raises StorageError, and as the chain does.

    A proposal that cannot come any more is forgotten; a sale loses its secrets once the chain
    has said how it ended.
    """
    if row.stage.is_over:
        return EndedSwap(desk, row)
    # Before the record: what was too late then is too late for the record.
    height, sequence = desk.chain.height(), desk.chain.sequence(desk.wallet.account)
    record = desk.chain.sale(row.sale)
    if record is None:
        # A refused transaction can still be carried out later, with this key: only a sequence
        # that is used, or a height that is past, says that it never will.
        if (
            row.stage is SwapStage.PREPARED
            and sequence <= row.sequence
            and is_in_time(height, row.lock_height)
        ):
            return PreparedSwap(desk, row)
        end = desk.chain.ended(row.sale, row.height)
        if end is not None:
            row = row.ended(is_sold=end.ending is Ending.SETTLED)
            write_swap(desk.folder, row)
        elif row.stage is SwapStage.PREPARED:
            forget_swap(desk.folder, row.grant.grant)
        return EndedSwap(desk, row)
    if (record.key_hash, record.unit_root) != (row.sold.key_hash, row.unit_root):
        raise CorruptStoreError(
            f"the chain's sale {row.sale.hex()} is of another key than this seller's file",
            hint="two sellers use one account, or an old copy of the folder was put back",
        )
    if row.stage is SwapStage.PREPARED:
        row = replace(row, stage=SwapStage.PROPOSED)
        write_swap(desk.folder, row)
    if record.complaint_height:
        return RevealedSwap(desk, row, record)
    if record.reveal_height:
        return LockedSwap(desk, row, record)
    return ProposedSwap(desk, row, record)
