"""A member's request for a grant: made by whoever holds a credential, signed by a fresh key.

What stands in the request in the clear should say nothing of the member. So the time is a
round one, the use is drawn from all that are left, and the key is made for it and kept for
nothing else. Whoever asks decides `min_level` and ``role`` by what the contract wants, not
by what the credential has.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ledger.chain.presentation_claim import PresentationClaim, scope_of, unbound_hash
from ledger.chain.presentations import binding_of, policy_of
from ledger.chain.transaction import VERSION, sign_transaction
from ledger.ed25519 import PrivateKey
from ledger.errors import RefusedError
from ledger.schema.chain_grant_pb2 import RequestGrant
from ledger.schema.chain_pb2 import TransactionBody
from zkproofs.credential import Credential, Gap, nullifier_of, present
from zkproofs.errors import ProofError

TIME_STEP_S: Final = 600
_MARGIN_S: Final = 60


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What is asked for, and what is shown for it."""

    chain: bytes
    offer: bytes
    contract: bytes
    use: int
    purpose: str
    fleet: bytes
    """The member's, 32 bytes."""
    issuer_epoch: int
    revocation_epoch: int
    time_s: int
    min_level: int = 0
    role: str = ""
    """Empty: it stays hidden."""

    def sign(
        self, credential: Credential, gap: Gap, key: PrivateKey, fee: int, expiry_height: int
    ) -> bytes:
        """The transaction, presented with ``credential`` and signed by the one-time ``key``.

        Raises RefusedError where the credential does not have what is to be shown.
        """
        message = RequestGrant(
            offer=self.offer,
            use=self.use,
            purpose=self.purpose,
            time_s=self.time_s,
            fleet=self.fleet,
            issuer_epoch=self.issuer_epoch,
            min_level=self.min_level,
            role=self.role,
            revocation_epoch=self.revocation_epoch,
        )
        body = TransactionBody(
            version=VERSION,
            signer=bytes(key.public_key),
            expiry_height=expiry_height,
            fee=fee,
            sponsor=self.fleet,
            request_grant=message,
        )
        claim = PresentationClaim(
            issuer=credential.issuer.to_bytes(),
            fleet=credential.attributes.fleet,
            min_level=self.min_level,
            role=self.role,
            time_s=self.time_s,
            revocation_epoch=self.revocation_epoch,
            scope=scope_of(self.chain, self.contract, self.use),
            chain=self.chain,
            transaction=unbound_hash(body),
            presentation=b"",
        )
        try:
            policy = policy_of(claim)
            shown = present(credential, policy, binding_of(claim), gap)
            body.request_grant.presentation = shown.to_bytes(policy)
        except ProofError as error:
            raise RefusedError(
                f"the credential does not answer this: {error.message}",
                hint="ask for what it has, or renew it",
            ) from error
        return sign_transaction(self.chain, key, body)


def round_time(now_s: int) -> int:
    """The time to ask with, in seconds: the same for all who ask in these ten minutes."""
    return -(-(now_s + _MARGIN_S) // TIME_STEP_S) * TIME_STEP_S


def choose_use(
    credential: Credential,
    chain: bytes,
    contract: bytes,
    uses: int,
    is_used: Callable[[bytes], bool],
) -> int:
    """One of the member's uses that are left, any as likely as another.

    ``is_used`` says whether a nullifier is on the chain. Raises RefusedError where all are.
    """
    left = list(range(uses))
    while left:
        place = secrets.randbelow(len(left))
        left[place], left[-1] = left[-1], left[place]
        use = left.pop()
        if not is_used(nullifier_of(credential, scope_of(chain, contract, use)).to_bytes()):
            return use
    raise RefusedError(
        f"all {uses} uses that the contract gives a member are used",
        hint="nothing but another contract gives more",
    )
