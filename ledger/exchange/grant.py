"""What the seller checks before it gives anything: the grant, and the channel that pays.

`SaleChain` is the chain as a seller sees it, through a light client or an engine of its own;
it answers from memory, for it is asked at every chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, Protocol

from ledger.chain.leaf import ID_SIZE
from ledger.errors import MalformedError
from ledger.experience.content_root import chunk_count
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_grant_pb2 import GrantRecord

_GRANT: Final = Struct(">32s32s32s32s32sQIQQQ")
GRANT_SIZE: Final = _GRANT.size
_MAX_U64: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may have which content until when, and what a chunk of it costs.

    On disk::

        chain (32) || grant id (32) || buyer (32) || seller (32) || content root (32)
        || u64be size || u32be asset || u64be chunk price || u64be record price
        || u64be expiry height

    Raises MalformedError for what cannot be.
    """

    chain: bytes
    grant: bytes
    """Its id, 32 bytes."""
    buyer: bytes
    """The one-time key that signs, opens the channel and pays, 32 bytes."""
    seller: bytes
    """The account that is paid, whose key signs for the selling end, 32 bytes."""
    content_root: bytes
    content_size: int
    """Bytes."""
    asset: int
    chunk_price: int
    record_price: int
    """Paid bit by bit, with the chunks; with both prices 0 the content is free."""
    expiry_height: int
    """The last height at which something new is given."""

    def __post_init__(self) -> None:
        names = (self.chain, self.grant, self.buyer, self.seller, self.content_root)
        if any(len(name) != ID_SIZE for name in names):
            raise MalformedError("a grant's ids, keys and root are 32 bytes each")
        prices = (self.chunk_price, self.record_price, self.price)
        wide = (self.content_size, self.expiry_height, *prices)
        if any(not 0 <= number <= _MAX_U64 for number in wide) or not 0 <= self.asset < 1 << 32:
            raise MalformedError("a number of the grant is out of its range")

    @classmethod
    def of_record(cls, chain: bytes, grant: bytes, record: GrantRecord) -> Grant:
        """The grant as a chain holds it under the id ``grant``. Raises MalformedError."""
        terms = record.terms
        return cls(
            chain,
            grant,
            record.key,
            record.seller,
            record.content_root,
            record.content_size,
            terms.asset,
            terms.chunk_price,
            terms.record_price,
            record.expiry_height,
        )

    @property
    def count(self) -> int:
        """Chunks of the content."""
        return chunk_count(self.content_size)

    @property
    def price(self) -> int:
        """Of the whole content."""
        return self.record_price + self.count * self.chunk_price if self.count else 0

    @property
    def price_step(self) -> int:
        """What the price of every unit is a multiple of, the most there is; 0 where it is free."""
        units = self.count
        return self.price // units if units and self.price % units == 0 else min(1, self.price)

    def price_of(self, units: int) -> int:
        """Of the first ``units`` units together: what a claim shows that pays for them.

        The record's price is spread over the units: paid with the first, a seller of one right
        unit, or none, would have all of it.
        """
        # ceil(units * (record price + count * chunk price) / count)
        return -(-units * self.price // self.count) if units else 0

    def units_for(self, paid: int) -> int:
        """How many units so much pays for; 0 where they are free."""
        # the greatest k with price_of(k) <= paid
        return min(self.count, paid * self.count // self.price) if self.price else 0

    def encode(self) -> bytes:
        """Return the layout above."""
        return _GRANT.pack(
            self.chain,
            self.grant,
            self.buyer,
            self.seller,
            self.content_root,
            self.content_size,
            self.asset,
            self.chunk_price,
            self.record_price,
            self.expiry_height,
        )

    @classmethod
    def decode(cls, encoded: bytes) -> Grant:
        """Read ``GRANT_SIZE`` bytes. Raises MalformedError."""
        if len(encoded) != GRANT_SIZE:
            raise MalformedError(f"a grant is {GRANT_SIZE} bytes")
        return cls(*_GRANT.unpack(encoded))


class SaleChain(Protocol):
    """What a seller asks of a chain, verified by whoever implements it."""

    def grant(self, grant: bytes) -> Grant | None:
        """The grant of this id, or None."""
        ...

    def channel(self, channel: bytes) -> ChannelRecord | None:
        """The record of a channel, or None for one that is not open."""
        ...

    def height(self) -> int:
        """The height that the chain has reached."""
        ...

    def is_withdrawn(self, grant: Grant) -> bool:
        """Whether consent is withdrawn to what a grant is about, at `height` or later.

        Where the chain does not say what it is about, it is taken for withdrawn.
        """
        ...
