"""The terms of a channel: what payer, payee and chain must mean alike.

::

    terms = chain id (32) || channel id (32) || payer (32) || payee (32)
            || u32be asset || u64be deposit || u64be expiry height || u32be challenge
            || w_0 (32) || u64be unit || u32be n          all zero for vouchers
            || grant id (32)                              zero for a channel of none
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct
from typing import Final

from ledger.chain.channel.payword import LINK_SIZE, MAX_LINKS
from ledger.chain.leaf import ID_SIZE
from ledger.errors import MalformedError, VerificationError
from ledger.schema.chain_channel_pb2 import (
    ChannelRecord,
    OpenChannel,
    PayWordMode,
    VoucherMode,
)

MAX_U64: Final = 2**64 - 1
_TERMS: Final = Struct(">32s32s32s32sIQQI32sQI32s")
_NO_GRANT: Final = bytes(ID_SIZE)
TERMS_SIZE: Final = _TERMS.size


@dataclass(frozen=True, slots=True)
class PayWordTerms:
    """A channel paid by links: each is worth ``unit``, and there are ``count``."""

    w0: bytes
    unit: int
    count: int

    def __post_init__(self) -> None:
        if len(self.w0) != LINK_SIZE or not 1 <= self.count <= MAX_LINKS or self.unit < 1:
            raise MalformedError(f"PayWord takes a w_0, a price and 1 to {MAX_LINKS} links")


@dataclass(frozen=True, slots=True)
class ChannelTerms:
    """A channel as it was opened. Raises MalformedError for one that cannot be."""

    chain: bytes
    channel: bytes
    payer: bytes
    payee: bytes
    asset: int
    deposit: int
    """Raised by top-ups."""
    expiry_height: int
    challenge: int
    """Blocks."""
    payword: PayWordTerms | None = None
    """None: vouchers."""
    grant: bytes = b""
    """That it pays for, 32 bytes; nothing for a channel of no grant."""

    def __post_init__(self) -> None:
        names = (self.chain, self.channel, self.payer, self.payee)
        if any(len(name) != ID_SIZE for name in names):
            raise MalformedError("chain, channel, payer and payee are 32 bytes each")
        if self.grant and (len(self.grant) != ID_SIZE or self.grant == _NO_GRANT):
            raise MalformedError("a grant's id is 32 bytes, and not zero")
        wide = (self.deposit, self.expiry_height)
        narrow = (self.asset, self.challenge)
        if any(not 0 <= number <= MAX_U64 for number in wide) or any(
            not 0 <= number < 1 << 32 for number in narrow
        ):
            raise MalformedError("a number of the channel's terms is out of its range")
        if self.payword and self.payword.count * self.payword.unit > self.deposit:
            raise MalformedError("all links together are worth more than the deposit")

    @classmethod
    def of_record(cls, chain: bytes, channel: bytes, record: ChannelRecord) -> ChannelTerms:
        """The terms as the chain holds them. Raises MalformedError."""
        mode = record.payword if record.HasField("payword") else None
        return cls(
            chain,
            channel,
            record.payer,
            record.payee,
            record.asset,
            record.deposit,
            record.expiry_height,
            record.challenge,
            PayWordTerms(mode.w0, mode.unit, mode.count) if mode else None,
            record.grant,
        )

    def encode(self) -> bytes:
        """Return the layout above."""
        mode = self.payword
        return _TERMS.pack(
            self.chain,
            self.channel,
            self.payer,
            self.payee,
            self.asset,
            self.deposit,
            self.expiry_height,
            self.challenge,
            *((mode.w0, mode.unit, mode.count) if mode else (bytes(LINK_SIZE), 0, 0)),
            self.grant or _NO_GRANT,
        )

    @classmethod
    def decode(cls, encoded: bytes) -> ChannelTerms:
        """Read ``TERMS_SIZE`` bytes. Raises MalformedError."""
        fields = _TERMS.unpack(encoded)
        chain, channel, payer, payee, asset, deposit, expiry, challenge = fields[:8]
        w0, unit, count, grant = fields[8:]
        mode = PayWordTerms(w0, unit, count) if count else None
        grant = b"" if grant == _NO_GRANT else grant
        return cls(chain, channel, payer, payee, asset, deposit, expiry, challenge, mode, grant)

    def opening(self) -> OpenChannel:
        """The message that opens the channel."""
        mode = self.payword
        return OpenChannel(
            payee=self.payee,
            asset=self.asset,
            deposit=self.deposit,
            expiry_height=self.expiry_height,
            challenge=self.challenge,
            voucher=None if mode else VoucherMode(),
            payword=PayWordMode(w0=mode.w0, unit=mode.unit, count=mode.count) if mode else None,
            grant=self.grant,
        )

    def with_deposit_of(self, record: ChannelRecord) -> ChannelTerms:
        """These terms with the deposit that the chain holds, which only ever rises.

        Raises VerificationError for the record of another channel, MalformedError for none.
        """
        found = ChannelTerms.of_record(self.chain, self.channel, record)
        if replace(found, deposit=self.deposit) != self or found.deposit < self.deposit:
            raise VerificationError("the chain's record is of other terms than this channel's")
        return found
