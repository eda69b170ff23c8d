"""Claims made once are good for ever, here and by the plain definitions."""

from __future__ import annotations

import json
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.chain.channel.payword import Link, PayWordReceiver
from ledger.chain.channel.voucher import Voucher, VoucherVerifier
from tests.ledger.chain.channel.frozen import generate

FROZEN = json.loads(generate.FROZEN.read_text())
CHAIN, PAYER = bytes.fromhex(FROZEN["chain"]), bytes.fromhex(FROZEN["payer"])


def test_frozen_vouchers_verify() -> None:
    checked = 0
    for item in FROZEN["channels"]:
        sequence = item["sequence"].to_bytes(8, "big")
        channel = sha256(b"quipu/channel/v1\0" + CHAIN + PAYER + sequence).digest()
        assert channel.hex() == item["channel"]
        for amount, signature in item["vouchers"].items():
            message = b"quipu/voucher/v1\0" + CHAIN + channel + int(amount).to_bytes(8, "big")
            Ed25519PublicKey.from_public_bytes(PAYER).verify(bytes.fromhex(signature), message)
        verifier = VoucherVerifier(CHAIN, channel, PAYER)
        for encoded in item["voucher_messages"]:
            voucher = Voucher.parse(bytes.fromhex(encoded))
            verifier.verify(voucher)
            assert item["vouchers"][str(voucher.cumulative)] == voucher.signature.hex()
            checked += 1
    assert checked == 18


def test_frozen_links_verify() -> None:
    channel = bytes.fromhex(FROZEN["channels"][0]["channel"])
    checked = 0
    for item in FROZEN["payword"]:
        w0 = bytes.fromhex(item["w0"])
        for index, link in item["links"].items():
            word = bytes.fromhex(link)
            for i in range(int(index), 0, -1):
                word = sha256(channel + i.to_bytes(8, "big") + word).digest()
            assert word == w0
        for encoded in item["link_messages"]:
            claim = Link.parse(bytes.fromhex(encoded))
            assert PayWordReceiver(channel, item["count"], w0).accept(claim) == claim.index
            checked += 1
    assert checked == 12


def test_we_still_write_the_same_bytes() -> None:
    assert generate.build() == FROZEN
