"""Vouchers: the payer's signature under all that was paid through a channel so far.

::

    voucher = Ed25519(payer, "quipu/voucher/v1\\0" || chain id || channel id || u64be(cumulative))

``cumulative`` counts from the channel's opening, so the newest voucher stands for all
before it: of two the higher counts, and two of the same amount are one payment. The whole
channel is 89 bytes to sign, whatever was paid.

On the wire a voucher is the `Voucher` message of ``chain_channel.proto``.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from ledger.chain.leaf import ID_SIZE
from ledger.ed25519 import SIGNATURE_SIZE, PrivateKey, PublicKey
from ledger.errors import MalformedError, VerificationError
from ledger.schema import chain_channel_pb2
from ledger.schema.canonical import parse_message, serialize_message

VOUCHER_TAG: Final = b"quipu/voucher/v1\0"
MAX_CUMULATIVE: Final = 2**64 - 1

_U64: Final = Struct(">Q")


class Voucher(NamedTuple):
    """A claim to ``cumulative`` units; whether it was signed, a verifier says."""

    cumulative: int
    signature: bytes

    def encode(self) -> bytes:
        """Return the message. Raises MalformedError for an amount that has none."""
        if not 0 < self.cumulative <= MAX_CUMULATIVE:
            raise MalformedError("a voucher is for 1 to 2^64 - 1 units")
        message = chain_channel_pb2.Voucher(cumulative=self.cumulative, signature=self.signature)
        return serialize_message(message, "voucher")

    @classmethod
    def parse(cls, encoded: bytes) -> Voucher:
        """Read a voucher of good form. Raises MalformedError."""
        message = parse_message(chain_channel_pb2.Voucher, encoded, "voucher")
        if not message.cumulative or len(message.signature) != SIGNATURE_SIZE:
            raise MalformedError("a voucher is at least 1 unit and a signature of 64 bytes")
        return cls(message.cumulative, message.signature)


def voucher_prefix(chain: bytes, channel: bytes) -> bytes:
    """What every voucher of a channel signs before its amount. Raises MalformedError."""
    if len(chain) != ID_SIZE or len(channel) != ID_SIZE:
        raise MalformedError("a voucher is of a chain and a channel of 32 bytes each")
    # "quipu/voucher/v1\0" || chain id || channel id
    return VOUCHER_TAG + chain + channel


def voucher_message(chain: bytes, channel: bytes, cumulative: int) -> bytes:
    """The bytes that a payer signs. Raises MalformedError."""
    if not 0 < cumulative <= MAX_CUMULATIVE:
        raise MalformedError("a voucher is for 1 to 2^64 - 1 units")
    # "quipu/voucher/v1\0" || chain id || channel id || u64be(cumulative)
    return voucher_prefix(chain, channel) + _U64.pack(cumulative)


def sign_voucher(chain: bytes, channel: bytes, key: PrivateKey, cumulative: int) -> Voucher:
    """Sign a voucher. Raises MalformedError for an amount of 0, or of 2^64 or more."""
    return Voucher(cumulative, key.sign(voucher_message(chain, channel, cumulative)))


class VoucherVerifier:
    """Checks the vouchers of one channel; the payer's key is loaded once."""

    __slots__ = ("_payer", "_prefix")

    def __init__(self, chain: bytes, channel: bytes, payer: bytes) -> None:
        """Raises MalformedError for ids that are not 32 bytes, or a payer that is no key."""
        self._prefix: Final = voucher_prefix(chain, channel)
        self._payer: Final = PublicKey(payer)

    def verify(self, voucher: Voucher) -> None:
        """Check that the payer signed this amount for this channel.

        Raises MalformedError for an amount that no voucher has, VerificationError for a
        signature that is not the payer's.
        """
        cumulative, signature = voucher
        if not 0 < cumulative <= MAX_CUMULATIVE:
            raise MalformedError("a voucher is for 1 to 2^64 - 1 units")
        try:
            self._payer.verify(signature, self._prefix + _U64.pack(cumulative))
        except VerificationError:
            raise VerificationError(
                f"voucher for {cumulative} is not signed by this channel's payer"
            ) from None
