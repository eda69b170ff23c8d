"""Both ends of a channel at work, saying what left them; to be killed at any point.

``pay(root, mode, said)`` makes the wallets if they are not there, takes up the channel where
it was left, and pays ten times 10; one line, ``sent N`` or ``served N``, on the file
descriptor ``said`` for each total that was shown to the other end, or served.
"""

from __future__ import annotations

import os
from pathlib import Path

from ledger.errors import KeyStoreError, NotFoundError
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.wallet.channel_file import PAYEE_SUFFIX, PAYER_SUFFIX
from ledger.wallet.payee import PayeeOpen
from ledger.wallet.payer import PayerOpen, PayerOpening, PayWordOffer
from ledger.wallet.wallet import Wallet

CHAIN = bytes(range(32))
DEPOSIT = 20_000
PAYMENT = 10


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


def take_up(root: Path, payword: PayWordOffer | None) -> tuple[PayerOpen, PayeeOpen]:
    """The two ends as they were left, or begun."""
    alice, bob = open_wallet(root / "alice"), open_wallet(root / "bob")
    known = [name for name, end in alice.channels() if end.value == PAYER_SUFFIX]
    if known:
        payer = alice.payer(known[0])
    else:
        payer = alice.open_channel(
            CHAIN,
            0,
            payee=bob.account,
            asset=0,
            deposit=DEPOSIT,
            expiry_height=100,
            challenge=5,
            payword=payword,
        )
    if isinstance(payer, PayerOpening):
        payer = payer.opened(record_of(payer))
    assert isinstance(payer, PayerOpen)
    if any(end.value == PAYEE_SUFFIX for _, end in bob.channels()):
        payee = bob.payee(payer.channel)
    else:
        payee = bob.begin_payee(CHAIN, payer.channel, record_of(payer))
    assert isinstance(payee, PayeeOpen)
    return payer, payee


def pay(root: Path, payword: PayWordOffer | None, said: int, count: int = 10) -> None:
    payer, payee = take_up(root, payword)
    for _ in range(count):
        claim = payer.pay(PAYMENT)
        os.write(said, b"sent %d\n" % payer.paid)
        payment = payee.accept(claim, 1)
        os.write(said, b"served %d\n" % payment.total)
    payer.release()
    payee.release()


def left(root: Path) -> tuple[int, int]:
    """What the ends say was paid and earned, whoever of them is there."""
    paid = earned = 0
    for name in ("alice", "bob"):
        try:
            wallet = Wallet.open(root / name)
        except (KeyStoreError, NotFoundError):
            continue
        for channel, end in wallet.channels():
            if end.value == PAYER_SUFFIX:
                payer = wallet.payer(channel)
                paid = payer.paid if isinstance(payer, PayerOpen) else 0
                payer.release()
            else:
                payee = wallet.payee(channel)
                earned = payee.earned
                payee.release()
    return paid, earned
