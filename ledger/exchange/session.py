"""Who speaks: an agreement that both sides sign once, and a code under what follows.

::

    open     = Ed25519(grant's key, tag || 0x01 || chain || grant || channel || buyer's X25519)
    opened   = Ed25519(seller,      tag || 0x02 || SHA256(OpenStream) || seller's X25519)
    tag      = "quipu/exchange/v1\\0"         channel: 32 zeros where nothing is paid

and for an atomic sale, with OpenSale in the place of OpenStream below

    open     = Ed25519(grant's key, tag || 0x03 || chain || grant || buyer's X25519)
    opened   = Ed25519(seller,      tag || 0x04 || SHA256(OpenSale) || seller's X25519 || sale id)

    session  = SHA256(OpenStream)[:16]
    PRK      = HKDF-Extract(salt = SHA256(OpenStream) || seller's X25519, X25519(both))
    mac key  = HKDF-Expand(PRK, "quipu/stream-mac/v1", 32)
    unit key = HKDF-Expand(PRK, "quipu/stream-key/v1", 32)        (RFC 5869, RFC 7748)

What the seller reveals for a payment opens nothing without the unit key, so whoever listens
on the network has ciphertext and secrets, and no content. Signing every request instead
would cost a third of a chunk's time and hide nothing.

The seller's X25519 key follows from the stream's sale key: taken up again after any crash, the
same opening gives the same session, and a unit the same key. An atomic sale keeps one beside
its key, for that is shown to everybody in the end.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from ledger.chain.leaf import ID_SIZE
from ledger.errors import VerificationError
from ledger.experience.keyed_hash import keyed_hash

SESSION_SIZE: Final = 16
X25519_SIZE: Final = 32
EXCHANGE_TAG: Final = b"quipu/exchange/v1\0"
_OPEN: Final = b"\x01"
_OPENED: Final = b"\x02"
_OPEN_SALE: Final = b"\x03"
_SALE_OPENED: Final = b"\x04"
_MAC_LABEL: Final = b"quipu/stream-mac/v1"
_KEY_LABEL: Final = b"quipu/stream-key/v1"
_AGREEMENT_LABEL: Final = b"quipu/stream-agreement/v1"


@dataclass(frozen=True, slots=True)
class Session:
    """What both sides know of one opening."""

    session: bytes
    """Its id, 16 bytes."""
    mac_key: bytes = field(repr=False)
    unit_key: bytes = field(repr=False)

    def mac(self, message: bytes) -> bytes:
        """The code under a request, 32 bytes."""
        return keyed_hash(self.mac_key, message)


def open_statement(chain: bytes, grant: bytes, channel: bytes, session_key: bytes) -> bytes:
    """What the grant's key signs, without the tag."""
    return _OPEN + chain + grant + (channel or bytes(ID_SIZE)) + session_key


def opened_statement(opening: bytes, session_key: bytes) -> bytes:
    """What the seller signs in answer to the bytes of an OpenStream, without the tag."""
    return _OPENED + sha256(opening).digest() + session_key


def open_sale_statement(chain: bytes, grant: bytes, session_key: bytes) -> bytes:
    """What the grant's key signs that asks for an atomic sale, without the tag."""
    return _OPEN_SALE + chain + grant + session_key


def sale_opened_statement(opening: bytes, session_key: bytes, sale: bytes) -> bytes:
    """What the seller signs in answer to the bytes of an OpenSale, without the tag."""
    return _SALE_OPENED + sha256(opening).digest() + session_key + sale


def new_agreement_key() -> bytes:
    """An X25519 key, from the operating system's randomness."""
    return X25519PrivateKey.generate().private_bytes_raw()


def sale_agreement_key(sale_key: bytes) -> bytes:
    """The seller's X25519 key of a sale."""
    # HKDF-Expand(sale key, "quipu/stream-agreement/v1", 32), one block
    return hmac.digest(sale_key, _AGREEMENT_LABEL + b"\x01", "sha256")


def public_agreement_key(private: bytes) -> bytes:
    """What the other side is told."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def session_id(opening: bytes) -> bytes:
    """The id of the session that an OpenStream or OpenSale begins."""
    return sha256(opening).digest()[:SESSION_SIZE]


def agree(opening: bytes, private: bytes, other: bytes, seller_public: bytes) -> Session:
    """The session of an opening, from one's own X25519 key and the other side's.

    Raises VerificationError for a key of the other side that agrees with everybody's.
    """
    own = X25519PrivateKey.from_private_bytes(private)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError:
        # RFC 7748, section 6.1: the all-zero value, from a point of small order.
        raise VerificationError("the session key is a point of small order") from None
    # RFC 5869: PRK = HMAC(salt, IKM); T(1) = HMAC(PRK, info || 0x01).
    prk = hmac.digest(sha256(opening).digest() + seller_public, shared, "sha256")
    return Session(
        session_id(opening),
        hmac.digest(prk, _MAC_LABEL + b"\x01", "sha256"),
        hmac.digest(prk, _KEY_LABEL + b"\x01", "sha256"),
    )
