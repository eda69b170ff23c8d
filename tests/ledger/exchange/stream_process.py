"""A whole sale in one process, both ends on disk, to be killed at any point and taken up again.

``trade(root, said)`` begins or takes up the sale under ``root`` and goes on to its end. On
``said`` it writes ``paid N`` when a payment to N units left the buyer, ``given N`` when the
secret of unit N - 1 left the seller, and ``kept N`` when the buyer had checked N units.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ledger.errors import KeyStoreError
from ledger.exchange.buyer import BoughtContent, BuyerState, HeldUnit, OpeningStream, PaidUnit
from ledger.exchange.counter import Counter
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reply, UnitReply, parse_reply
from ledger.exchange.purchase import Purchase
from ledger.exchange.seller import Desk
from ledger.exchange.unit_source import StoredUnits
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.wallet.channel_file import PAYEE_SUFFIX, PAYER_SUFFIX
from ledger.wallet.payee import PayeeOpen
from ledger.wallet.payer import PayerOpen, PayerOpening, PayWordOffer
from ledger.wallet.wallet import Wallet
from tests.ledger.exchange.stream_world import content_of, units_of

CHAIN: Final = bytes(range(32))
GRANT: Final = bytes(range(32, 64))
PRICE: Final = 10
UNITS: Final = 3
CONTENT: Final = content_of(UNITS)


class Ends:
    """Both ends as they were left; `SaleChain` and `Contents` at once."""

    def __init__(self, root: Path, offer: PayWordOffer | None) -> None:
        self.root = root
        self.buyer, self.seller = open_wallet(root / "buyer"), open_wallet(root / "seller")
        (root / "sales").mkdir(exist_ok=True)
        self.units = units_of(CONTENT)
        self.payer = open_channel(self.buyer, self.seller, offer)
        self.granted = Grant(
            chain=CHAIN,
            grant=GRANT,
            buyer=self.buyer.account,
            seller=self.seller.account,
            content_root=self.units.root,
            content_size=self.units.size,
            asset=0,
            chunk_price=PRICE,
            record_price=0,
            expiry_height=50,
        )
        self.counter = Counter(Desk(self.seller, self, root / "sales"), self)
        folder = root / "bought"
        self.purchase = (
            Purchase.open(folder)
            if (folder / "purchase").exists()
            else Purchase.create(folder, self.granted, self.payer.channel)
        )

    def grant(self, grant: bytes) -> Grant | None:
        return self.granted if grant == GRANT else None

    def channel(self, channel: bytes) -> ChannelRecord | None:
        return record_of(self.payer) if channel == self.payer.channel else None

    def is_withdrawn(self, grant: Grant) -> bool:
        return False

    def height(self) -> int:
        return 1

    def find(self, grant: Grant) -> StoredUnits:
        return self.units

    def close(self) -> None:
        self.payer.release()
        self.counter.close()
        self.purchase.close()


def open_channel(buyer: Wallet, seller: Wallet, offer: PayWordOffer | None) -> PayerOpen:
    """The channel between the two, opened if it is not."""
    known = [name for name, end in buyer.channels() if end.value == PAYER_SUFFIX]
    payer = (
        buyer.payer(known[0])
        if known
        else buyer.open_channel(
            CHAIN,
            0,
            payee=seller.account,
            asset=0,
            deposit=UNITS * PRICE,
            expiry_height=100,
            challenge=5,
            payword=offer,
            grant=GRANT,
        )
    )
    if isinstance(payer, PayerOpening):
        payer = payer.opened(record_of(payer))
    assert isinstance(payer, PayerOpen)
    return payer


def prepare(root: Path, offer: PayWordOffer | None) -> None:
    """Two wallets and a channel, of which the wallet's own tests know how they are made."""
    root.mkdir()
    open_channel(open_wallet(root / "buyer"), open_wallet(root / "seller"), offer).release()


def open_wallet(root: Path) -> Wallet:
    try:
        return Wallet.open(root)
    except KeyStoreError:
        return Wallet.create(root)


def record_of(payer: PayerOpening | PayerOpen) -> ChannelRecord:
    """What the chain would say of the channel."""
    message = payer.terms.opening()
    record = ChannelRecord(
        payer=payer.terms.payer,
        payee=message.payee,
        deposit=message.deposit,
        expiry_height=message.expiry_height,
        challenge=message.challenge,
        grant=message.grant,
    )
    if message.HasField("payword"):
        record.payword.CopyFrom(message.payword)
    else:
        record.voucher.SetInParent()
    return record


def trade(root: Path, offer: PayWordOffer | None, said: int) -> None:
    ends = Ends(root, offer)

    def ask(request: bytes) -> Reply:
        reply = ends.counter.answer(request)
        answer = parse_reply(reply)
        if isinstance(answer, UnitReply) and answer.secret:
            os.write(said, b"given %d\n" % answer.index)
        return reply

    state: BuyerState = OpeningStream(ends.purchase, ends.buyer, ends.payer)
    while not isinstance(state, BoughtContent):
        if isinstance(state, HeldUnit):
            state = state.pay()
        else:
            if isinstance(state, PaidUnit):
                os.write(said, b"paid %d\n" % (ends.payer.paid // PRICE))
            state = state.receive(ask(state.request()))
        os.write(said, b"kept %d\n" % ends.purchase.kept)
    ends.close()


def left(root: Path) -> tuple[int, int, int]:
    """Units paid, earned and kept, as the files say."""
    paid = earned = kept = 0
    for name in ("buyer", "seller"):
        try:
            wallet = Wallet.open(root / name)
        except KeyStoreError:
            continue
        for channel, end in wallet.channels():
            state = wallet.payee(channel) if end.value == PAYEE_SUFFIX else wallet.payer(channel)
            if isinstance(state, PayerOpen):
                paid = state.paid // PRICE
            elif isinstance(state, PayeeOpen):
                earned = state.earned // PRICE
            state.release()
    if (root / "bought" / "purchase").exists():
        purchase = Purchase.open(root / "bought")
        kept = purchase.kept
        purchase.close()
    return paid, earned, kept
