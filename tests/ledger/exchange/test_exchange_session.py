"""Keys of sessions and units, computed here once more from the equations."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from ledger.errors import VerificationError
from ledger.exchange.session import (
    Session,
    agree,
    new_agreement_key,
    public_agreement_key,
    sale_agreement_key,
)
from ledger.exchange.unit_cipher import UnitCipher, sealed_size, unit_secret
from tests.ledger.exchange.test_purchase import grant

OPENING = b"the bytes of an opening"
SALE_KEY = bytes(range(32))


def test_both_sides_agree_by_the_equations() -> None:
    buyer, seller = new_agreement_key(), sale_agreement_key(SALE_KEY)
    buyer_public, seller_public = public_agreement_key(buyer), public_agreement_key(seller)
    ours = agree(OPENING, buyer, seller_public, seller_public)
    assert ours == agree(OPENING, seller, buyer_public, seller_public)
    shared = X25519PrivateKey.from_private_bytes(buyer).exchange(
        X25519PublicKey.from_public_bytes(seller_public)
    )
    salt = sha256(OPENING).digest() + seller_public
    for label, key in (
        (b"quipu/stream-mac/v1", ours.mac_key),
        (b"quipu/stream-key/v1", ours.unit_key),
    ):
        assert HKDF(SHA256(), 32, salt, label).derive(shared) == key
    assert ours.session == sha256(OPENING).digest()[:16]
    assert HKDFExpand(SHA256(), 32, b"quipu/stream-agreement/v1").derive(SALE_KEY) == seller


def test_another_opening_or_key_is_another_session() -> None:
    buyer, seller = new_agreement_key(), sale_agreement_key(SALE_KEY)
    public = public_agreement_key(seller)
    keys = {
        agree(opening, private, public, public).unit_key
        for opening in (OPENING, OPENING + b"!")
        for private in (buyer, new_agreement_key())
    }
    assert len(keys) == 4


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)])
def test_a_key_that_agrees_with_everybodys_is_refused(point: bytes) -> None:
    with pytest.raises(VerificationError):
        agree(OPENING, new_agreement_key(), point, point)


def test_units_are_sealed_by_the_equations() -> None:
    terms, session = grant(), Session(bytes(16), b"m" * 32, b"k" * 32)
    cipher, secret, unit = UnitCipher(terms, session), unit_secret(SALE_KEY, 1), b"u" * 100
    index = (1).to_bytes(8, "big")
    assert secret == HKDFExpand(SHA256(), 32, b"quipu/stream-secret/v1" + index).derive(SALE_KEY)
    key = HKDFExpand(SHA256(), 32, b"quipu/stream-unit/v1" + secret).derive(b"k" * 32)
    bound = terms.grant + index + (3).to_bytes(8, "big")
    sealed = cipher.seal(1, secret, unit)
    assert sealed == AESGCM(key).encrypt(bytes(12), unit, bound)
    assert cipher.open(1, secret, sealed) == unit
    assert [sealed_size(terms, i) for i in range(3)] == [262_192, 262_192, 75_760]


def test_a_unit_opens_with_its_own_secret_at_its_own_place_alone() -> None:
    session = Session(bytes(16), b"m" * 32, b"k" * 32)
    cipher, secret = UnitCipher(grant(), session), unit_secret(SALE_KEY, 1)
    sealed = cipher.seal(1, secret, b"unit")
    others = [
        (UnitCipher(grant(), Session(bytes(16), b"m" * 32, b"K" * 32)), 1, secret, sealed),
        (UnitCipher(grant(grant=bytes(32)), session), 1, secret, sealed),
        (UnitCipher(grant(content_size=300_000), session), 1, secret, sealed),
        (cipher, 2, secret, sealed),
        (cipher, 1, unit_secret(SALE_KEY, 2), sealed),
        (cipher, 1, secret, sealed[:-1]),
        (cipher, 1, secret, b""),
    ]
    for other, index, key, data in others:
        with pytest.raises(VerificationError):
            other.open(index, key, data)
