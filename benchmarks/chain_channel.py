"""Payments in channels, as the receiver checks them: PayWord links and vouchers.

A link's peer is one bare SHA-256 of as many bytes, a voucher's one bare Ed25519
verification of the same message.
"""

from __future__ import annotations

import os
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from benchmarks.measure import mid, ratios, seconds_of, take_turns
from ledger.chain.channel.payword import MAX_LINKS, PayWordChain, PayWordReceiver
from ledger.chain.channel.voucher import VoucherVerifier, sign_voucher, voucher_message
from ledger.ed25519 import PrivateKey

VOUCHERS = 2_000
LINKS = MAX_LINKS


def measure_channel(rounds: int) -> dict[str, float]:
    """Figures by name."""
    links = LINKS
    chain, channel = os.urandom(32), os.urandom(32)
    payword = PayWordChain(channel, os.urandom(32), links)
    given = [payword.link(index) for index in range(1, links + 1)]
    bare_links = [each.link for each in given]
    preimage = bytes(72)
    key = PrivateKey.generate()
    payer = bytes(key.public_key)
    vouchers = [sign_voucher(chain, channel, key, n) for n in range(1, VOUCHERS + 1)]
    messages = [voucher_message(chain, channel, each.cumulative) for each in vouchers]

    def one_round(_: int) -> dict[str, float]:
        together = PayWordReceiver(channel, links, payword.w0)
        singly = PayWordReceiver(channel, links, payword.w0)
        verifier = VoucherVerifier(chain, channel, payer)
        loaded = Ed25519PublicKey.from_public_bytes(payer)

        def bare() -> None:
            for voucher, message in zip(vouchers, messages, strict=True):
                loaded.verify(voucher.signature, message)

        def ours() -> None:
            for voucher in vouchers:
                verifier.verify(voucher)

        def each_link() -> None:
            for link in given:
                singly.accept(link)

        def hashes() -> None:
            for _ in range(links):
                sha256(preimage).digest()

        return {
            "links": seconds_of(lambda: together.accept_each(bare_links)),
            "link": seconds_of(each_link),
            "hash": seconds_of(hashes),
            "bare": seconds_of(bare),
            "ours": seconds_of(ours),
        }

    taken = take_turns(rounds, one_round)
    return {
        "payword_per_s": links / mid(taken["links"]),
        "payword_one_by_one_per_s": links / mid(taken["link"]),
        "payword_vs_sha256": mid(ratios(taken["hash"], taken["links"])),
        "voucher_vs_ed25519": mid(ratios(taken["bare"], taken["ours"])),
        "vouchers_per_s": VOUCHERS / mid(taken["ours"]),
    }
