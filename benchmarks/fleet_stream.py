"""A stream bought in one process, beside the cryptography that it cannot do without.

Seller and buyer run in one thread: encrypt, fetch, pay, check, decrypt, with the state of
both sides written each chunk and synced every 16, and the content kept in the buyer's folder
but for the figures of the bound and of vouchers, for the peer writes no content either. The
peer is AES-256-GCM there and back and one SHA-256 over the same chunks. The bound is held to a
channel of links: chunks of one price are what those are for. Vouchers, signed and checked for
each chunk, are measured beside them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.measure import mid, ratios, seconds_of, take_turns
from ledger.chain.leaf import ID_SIZE
from ledger.exchange.counter import Counter
from ledger.exchange.grant import Grant
from ledger.exchange.purchase import Purchase
from ledger.exchange.seller import Desk
from ledger.exchange.transport import InProcess, Transport, buy
from ledger.exchange.unit_source import StoredUnits
from ledger.experience.content_root import CHUNK_SIZE, chunk_count, leaves_of_chunks, rechunk
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.wallet.payer import PayerOpen, PayWordOffer
from ledger.wallet.wallet import Wallet

STREAM_BYTES = 256 << 20
PRICE = 10
CHAIN = bytes(range(ID_SIZE))
_SALT_KEY = bytes(range(32))
_SALT_BYTES = 32


class Content:
    """Bytes in memory, as a `ChunkSource`."""

    def __init__(self, size: int) -> None:
        self.data = os.urandom(size)
        self.units = StoredUnits(self, _SALT_KEY, leaves_of_chunks(_SALT_KEY, rechunk([self.data])))

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def read_into(self, offset: int, view: memoryview) -> None:
        """As `ChunkSource`."""
        view[:] = memoryview(self.data)[offset : offset + len(view)]


class CheckedOnly(Purchase):
    """A purchase that keeps salts and leaves, written and synced, and lets the chunks go."""

    def keep(self, leaf: bytes, unit: bytes | memoryview) -> None:
        """As `Purchase.keep`, of a unit whose chunk is empty."""
        super().keep(leaf, unit[:_SALT_BYTES])


class Market:
    """One seller and one buyer, with a channel for each purchase; `SaleChain`, `Contents`."""

    def __init__(self, folder: Path, content: Content) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._content = content
        self._numbers = count(1)
        self._grants: dict[bytes, Grant] = {}
        self._channels: dict[bytes, ChannelRecord] = {}
        self.alice, self.bob = Wallet.create(folder / "a"), Wallet.create(folder / "b")
        (folder / "sales").mkdir()

    def grant(self, grant: bytes) -> Grant | None:
        """As `SaleChain`."""
        return self._grants.get(grant)

    def channel(self, channel: bytes) -> ChannelRecord | None:
        """As `SaleChain`."""
        return self._channels.get(channel)

    def is_withdrawn(self, grant: Grant) -> bool:
        """As `SaleChain`."""
        return False

    def height(self) -> int:
        """As `SaleChain`."""
        return 1

    def find(self, grant: Grant) -> StoredUnits:
        """As `Contents`."""
        return self._content.units

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self._content.size

    def purchase(self, kind: type[Purchase], by_links: bool) -> Callable[..., None]:
        """A purchase that is ready: calling what is returned buys it all.

        Given a `Transport`, it goes over that, and else to a seller in this process.
        """
        number = next(self._numbers)
        units = self._content.units
        total = chunk_count(units.size)
        grant = Grant(
            chain=CHAIN,
            grant=number.to_bytes(ID_SIZE, "big"),
            buyer=self.alice.account,
            seller=self.bob.account,
            content_root=units.root,
            content_size=units.size,
            asset=0,
            chunk_price=PRICE,
            record_price=0,
            expiry_height=1_000,
        )
        opening = self.alice.open_channel(
            CHAIN,
            number,
            payee=self.bob.account,
            asset=0,
            deposit=grant.price,
            expiry_height=2_000,
            challenge=5,
            payword=PayWordOffer(PRICE, total) if by_links else None,
            grant=grant.grant,
        )
        message = opening.message
        record = ChannelRecord(
            payer=self.alice.account,
            payee=message.payee,
            deposit=message.deposit,
            expiry_height=message.expiry_height,
            challenge=message.challenge,
            grant=message.grant,
        )
        if by_links:
            record.payword.CopyFrom(message.payword)
        else:
            record.voucher.SetInParent()
        self._grants[grant.grant], self._channels[opening.channel] = grant, record
        opening.opened(record).release()
        payer = self.alice.payer(opening.channel)
        if not isinstance(payer, PayerOpen):
            raise TypeError("the channel is not open")
        bought = kind.create(self._folder / f"bought {number}", grant, opening.channel)

        def work(way: Transport | None = None) -> None:
            counter = Counter(Desk(self.bob, self, self._folder / "sales"), self)
            buy(bought, self.alice, payer, way or InProcess(counter))
            payer.release()
            counter.close()
            bought.close()
            (bought.folder / "content").unlink()

        return work


def measure_stream(folder: Path, rounds: int) -> dict[str, float]:
    """Figures by name."""
    content = Content(STREAM_BYTES)
    market = Market(folder, content)
    data = memoryview(content.data)
    key, nonce, salt = os.urandom(32), bytes(12), bytes(_SALT_BYTES)

    def bare() -> None:
        """AES-256-GCM both ways, and SHA-256, of every chunk."""
        for start in range(0, len(data), CHUNK_SIZE):
            cipher = AESGCM(key)
            opened = cipher.decrypt(
                nonce, cipher.encrypt(nonce, data[start : start + CHUNK_SIZE], salt), salt
            )
            sha256(opened).digest()

    def one_round(_: int) -> dict[str, float]:
        return {
            "bare": seconds_of(bare),
            "links": seconds_of(market.purchase(CheckedOnly, True)),
            "vouchers": seconds_of(market.purchase(CheckedOnly, False)),
            "kept": seconds_of(market.purchase(Purchase, True)),
        }

    taken = take_turns(rounds, one_round)
    megabytes = STREAM_BYTES / 1e6
    return {
        "stream_mb_s_vs_copy": mid(ratios(taken["bare"], taken["links"])),
        "stream_mb_s": megabytes / mid(taken["links"]),
        "stream_copy_mb_s": megabytes / mid(taken["bare"]),
        "stream_vouchers_vs_copy": mid(ratios(taken["bare"], taken["vouchers"])),
        "stream_vouchers_mb_s": megabytes / mid(taken["vouchers"]),
        "stream_kept_vs_copy": mid(ratios(taken["bare"], taken["kept"])),
        "stream_kept_mb_s": megabytes / mid(taken["kept"]),
    }
