"""What an anonymous transaction says that its presentation proves, and what ties the two.

::

    transaction = SHA256(body without the presentation)
    nonce       = SHA256("quipu/presentation/v1\\0" || chain id || transaction)
    scope       = SHA256("quipu/scope/v1\\0" || chain id || contract id || u32be(use))

A claim is plain values, all that a verdict depends on: two that are equal have the same.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, NamedTuple

from ledger.schema.canonical import serialize_message
from ledger.schema.chain_pb2 import TransactionBody

NULLIFIER_SIZE: Final = 48
NONCE_TAG: Final = b"quipu/presentation/v1\0"
SCOPE_TAG: Final = b"quipu/scope/v1\0"


class PresentationClaim(NamedTuple):
    """That ``presentation`` is a fleet member's, made for this transaction alone."""

    issuer: bytes
    """The public key that signed the credential, 96 bytes."""
    fleet: str
    """The fleet's name on the chain."""
    min_level: int
    role: str
    """Empty: it stays hidden."""
    time_s: int
    """The last second of the credential is not before this one."""
    revocation_epoch: int
    scope: bytes
    chain: bytes
    transaction: bytes
    """SHA-256 of the body without the presentation."""
    presentation: bytes

    @property
    def nonce(self) -> bytes:
        """What takes the place of a nonce of the verifier's: nobody is asked twice."""
        return sha256(NONCE_TAG + self.chain + self.transaction).digest()

    @property
    def nullifier(self) -> bytes:
        """The member's name in the scope, 48 bytes; good only once the claim is verified."""
        # version || Nym || ...: `zkproofs.credential.presentation`, nothing being disclosed
        return self.presentation[1 : 1 + NULLIFIER_SIZE]


def scope_of(chain: bytes, contract: bytes, use: int) -> bytes:
    """The scope of one use of a contract; no amendment changes it."""
    return sha256(SCOPE_TAG + chain + contract + use.to_bytes(4, "big")).digest()


def unbound_hash(body: TransactionBody) -> bytes:
    """What a presentation is tied to: the hash of its transaction's body without itself."""
    unbound = TransactionBody()
    unbound.CopyFrom(body)
    unbound.request_grant.ClearField("presentation")
    return sha256(serialize_message(unbound, "transaction's body")).digest()
