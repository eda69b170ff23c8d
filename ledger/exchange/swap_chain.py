"""The chain as the two sides of an atomic sale see it, and what they leave themselves of time.

Deadlines are heights of the chain, never a clock: a transaction that is submitted at height h
is in block h + 1 at the earliest. Whoever reads a height first and a record afterwards may
say of that record what had happened up to the height.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Protocol

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.genesis import MAX_BLOCKS
from ledger.chain.sale.identity import key_hash
from ledger.chain.sale_end import SaleEnd
from ledger.chain.transaction import parse_transaction
from ledger.errors import RefusedError
from ledger.schema.chain_exchange_pb2 import RevealKey, SaleRecord
from ledger.schema.chain_pb2 import Attachment, TransactionBody
from ledger.wallet.wallet import Wallet

_UNITS_A_BLOCK: Final = 16
"""That a buyer is given one block of time for, to look through them; see `complaint_window`."""


class SwapChain(Protocol):
    """What both sides ask of a chain, verified by whoever implements it.

    Every method may raise LedgerError where the chain cannot be reached; asking again is safe.
    """

    @property
    def chain(self) -> bytes:
        """Its id, 32 bytes."""
        ...

    def height(self) -> int:
        """The height that the chain has reached."""
        ...

    def sequence(self, account: bytes) -> int:
        """How many transactions of an account were carried out."""
        ...

    def sale(self, sale: bytes) -> SaleRecord | None:
        """The record of a sale; None before it is proposed, and once it has ended."""
        ...

    def revealed_key(self, sale: bytes, hashed: bytes, from_height: int) -> bytes | None:
        """The key of a sale that has ended, out of the blocks from a height on; see `find_key`.

        Who shows the blocks can keep it back: None does not say that there was none.
        """
        ...

    def ended(self, sale: bytes, from_height: int) -> SaleEnd | None:
        """How a sale ended, looked for in blocks from a height on; None for one that has not.

        Who shows the blocks can keep an end back, and cannot make one up: None does not say
        that there was none.
        """
        ...

    def submit(self, transaction: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        """Have a transaction carried out, and say what became of it.

        The same bytes may be submitted again. A refusal moves nothing.
        """
        ...


class SellersChain(SwapChain, Protocol):
    """What a seller asks besides, which has many sales at a time."""

    def submit_all(self, wallet: Wallet, bodies: Sequence[TransactionBody]) -> list[ResultCode]:
        """Have transactions of one account carried out, and say what became of each.

        They are signed here, with one sequence after the other in this order, and wait for
        their block together. Of one that is refused, those behind it have a sequence that
        comes too early: they are refused too, and may be submitted again.
        """
        ...


@dataclass(frozen=True, slots=True)
class SellingTerms:
    """What a seller proposes, in blocks, and how it behaves.

    Raises RefusedError where no sale could be open, or no key be shown in time.
    """

    lock_blocks: int = 60
    """For the buyer to fetch everything and lock; so long the deposit may lie for nothing."""
    reveal_blocks: int = 30
    complaint_blocks: int = 120
    """Of a small content; at least the chain's `Parameters.min_challenge`."""
    margin: int = 3
    """The key is not submitted in the last blocks: what is late is still seen by others."""
    fee: int = 1
    """Of each transaction, in asset 0."""
    most_open: int = 256
    """Sales at a time whose key may still fall due: those that are asked for, masked, proposed
    or locked. Whoever asks for one more is told NOT_YET. All of them can be locked in one
    block, and their keys then have the next `reveal_blocks` less `margin`; so many keys are
    60 kB, which one block takes."""

    def __post_init__(self) -> None:
        if self.most_open < 1 or not is_in_time(0, self.reveal_blocks, self.margin):
            raise RefusedError("a sale can be open, and its key shown with some blocks to spare")

    def fitting(self, block_transactions: int) -> SellingTerms:
        """The same on a chain whose blocks take so many transactions: no more sales are open
        than have their keys shown in time by half of each block."""
        blocks = self.reveal_blocks - self.margin
        return replace(
            self, most_open=min(self.most_open, max(1, blocks * block_transactions // 2))
        )

    def complaint_blocks_of(self, count: int) -> int:
        """What is proposed for a content of ``count`` units."""
        return complaint_window(self.complaint_blocks, count)


@dataclass(frozen=True, slots=True)
class BuyingTerms:
    """What a buyer agrees to, in blocks."""

    most_reveal_blocks: int = 1_000
    """So long its money may lie without a key."""
    least_complaint_blocks: int = 2
    """Of a small content: enough to read the key and to complain."""
    fee: int = 1
    """Of each transaction, in asset 0: the lock, and a complaint or refund."""

    def least_complaint_blocks_of(self, count: int) -> int:
        """What is asked for with a content of ``count`` units."""
        return complaint_window(self.least_complaint_blocks, count)


def complaint_window(small: int, count: int) -> int:
    """Blocks for complaints about a content of ``count`` units, ``small`` being those of a few.

    One more for every 16 units. An engine that makes a block in 0.2 s, for whoever sends it a
    transfer each, gives 12.5 ms a unit so. Reading, opening and hashing a unit of 256 KiB takes
    some 0.4 ms from memory and 0.7 ms from an SSD: the rest is for slow disks and small
    computers, which read 20 MiB a second. A GiB gets 256 blocks, 51 s at the least. Both sides
    reckon so: a seller that offers no less for few units than a buyer asks for offers no less
    for many. Never more than any chain takes.
    """
    return min(small + count // _UNITS_A_BLOCK, MAX_BLOCKS)


def is_in_time(height: int, last: int, margin: int = 0) -> bool:
    """Whether what is submitted now can be in a block up to ``last``, ``margin`` blocks early."""
    return height + 1 + margin <= last


def find_key(
    chain: bytes, transactions: Iterable[bytes], sale: bytes, hashed: bytes
) -> bytes | None:
    """The key of a sale among transactions of blocks, or None.

    A buyer that was away while its key came and the sale was settled finds it so. What has
    the hash that was locked is the key, whoever showed it.
    """
    for encoded in transactions:
        if sale not in encoded:
            continue
        try:
            message = parse_transaction(chain, encoded).message
        except RefusalError:
            continue
        if (
            isinstance(message, RevealKey)
            and message.sale == sale
            and key_hash(message.key) == hashed
        ):
            return message.key
    return None


def named_attachments(attachments: Sequence[bytes]) -> list[Attachment]:
    """How a transaction's body names attachments: ascending by hash."""
    named = sorted((sha256(each).digest(), len(each)) for each in attachments)
    return [Attachment(hash=name, size=size) for name, size in named]
