"""Vouchers: what was signed verifies, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.channel.voucher import (
    Voucher,
    VoucherVerifier,
    sign_voucher,
    voucher_message,
)
from ledger.ed25519 import PrivateKey
from ledger.errors import MalformedError, VerificationError

CHAIN, CHANNEL = b"c" * 32, b"h" * 32
KEY = PrivateKey.from_seed(bytes(range(32)))
PAYER = bytes(KEY.public_key)
VERIFIER = VoucherVerifier(CHAIN, CHANNEL, PAYER)


def test_what_is_signed() -> None:
    message = voucher_message(CHAIN, CHANNEL, 0x0102)
    assert message == b"quipu/voucher/v1\x00" + CHAIN + CHANNEL + b"\0\0\0\0\0\0\1\2"
    assert len(message) == 89
    voucher = sign_voucher(CHAIN, CHANNEL, KEY, 0x0102)
    KEY.public_key.verify(voucher.signature, message)


@pytest.mark.parametrize("amount", [1, 2, 1000, 2**63, 2**64 - 1])
def test_a_voucher_verifies_and_survives_the_wire(amount: int) -> None:
    voucher = sign_voucher(CHAIN, CHANNEL, KEY, amount)
    VERIFIER.verify(voucher)
    assert Voucher.parse(voucher.encode()) == voucher


def test_equal_amounts_are_one_voucher() -> None:
    assert sign_voucher(CHAIN, CHANNEL, KEY, 7) == sign_voucher(CHAIN, CHANNEL, KEY, 7)


@pytest.mark.parametrize("amount", [-1, 0, 2**64])
def test_amounts_that_no_voucher_has(amount: int) -> None:
    with pytest.raises(MalformedError):
        sign_voucher(CHAIN, CHANNEL, KEY, amount)
    with pytest.raises(MalformedError):
        VERIFIER.verify(Voucher(amount, bytes(64)))
    with pytest.raises(MalformedError):
        Voucher(amount, bytes(64)).encode()


def test_every_bit_of_a_signature_counts() -> None:
    voucher = sign_voucher(CHAIN, CHANNEL, KEY, 7)
    for bit in range(512):
        spoiled = bytearray(voucher.signature)
        spoiled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VerificationError):
            VERIFIER.verify(Voucher(7, bytes(spoiled)))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_signatures_of_another_size(size: int) -> None:
    with pytest.raises(VerificationError):
        VERIFIER.verify(Voucher(7, bytes(size)))


def test_replay_on_another_chain_channel_or_payer() -> None:
    voucher = sign_voucher(CHAIN, CHANNEL, KEY, 7)
    stranger = bytes(PrivateKey.from_seed(bytes(32)).public_key)
    for verifier in (
        VoucherVerifier(b"d" * 32, CHANNEL, PAYER),
        VoucherVerifier(CHAIN, b"i" * 32, PAYER),
        VoucherVerifier(CHANNEL, CHAIN, PAYER),
        VoucherVerifier(CHAIN, CHANNEL, stranger),
    ):
        with pytest.raises(VerificationError):
            verifier.verify(voucher)


@given(st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1))
def test_a_signature_is_good_for_its_amount_alone(signed: int, claimed: int) -> None:
    voucher = Voucher(claimed, sign_voucher(CHAIN, CHANNEL, KEY, signed).signature)
    if signed == claimed:
        VERIFIER.verify(voucher)
    else:
        with pytest.raises(VerificationError):
            VERIFIER.verify(voucher)


@pytest.mark.parametrize("payer", [b"", bytes(31), b"\x01" + bytes(31), b"\xff" * 32])
def test_payers_that_are_no_key(payer: bytes) -> None:
    with pytest.raises(MalformedError):
        VoucherVerifier(CHAIN, CHANNEL, payer)


@pytest.mark.parametrize(("chain", "channel"), [(b"c" * 31, CHANNEL), (CHAIN, b"h" * 33)])
def test_ids_of_another_size(chain: bytes, channel: bytes) -> None:
    with pytest.raises(MalformedError):
        VoucherVerifier(chain, channel, PAYER)
    with pytest.raises(MalformedError):
        sign_voucher(chain, channel, KEY, 1)


GOOD = sign_voucher(CHAIN, CHANNEL, KEY, 300).encode()


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\0",
        GOOD + GOOD,
        GOOD[3:] + GOOD[:3],  # fields in another order
        b"\x08\xac\x82\x00" + GOOD[3:],  # an idle byte in the amount
        b"\x08\x00" + GOOD[3:],
        GOOD + b"\x18\x01",
        GOOD[:3] + b"\x12\x3f" + bytes(63),
    ],
)
def test_bytes_that_are_no_voucher(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        Voucher.parse(encoded)
