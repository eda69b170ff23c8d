"""A `SharingWorld` whose buyers have credentials, and an offer that they may have.

Credentials are made once for all tests: level-3 robots 7 and 8, and others by name.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Final

from ledger.chain.ids import grant_id
from ledger.chain.presentations import size_of_presentation
from ledger.chain.result import Result
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import grant_key
from ledger.chain.transaction import sign_transaction
from ledger.credentials.grant_request import GrantRequest
from ledger.ed25519 import PrivateKey
from ledger.schema.chain_grant_pb2 import GrantRecord, RequestGrant, SetRevocationEpoch
from ledger.schema.chain_identity_pb2 import SetIssuerKey, SetSponsorship
from ledger.schema.chain_pb2 import Transaction, TransactionBody
from tests.ledger.chain.rules.chain_world import SECOND, START_NS, account_of
from tests.ledger.chain.rules.sharing_world import SharingWorld, terms
from zkproofs import credential as zk

NOW_S: Final = START_NS // SECOND + 300
"""What requests compare the expiry with: some blocks ahead of all that the tests do."""
EXPIRY: Final = NOW_S + 10_000
POLICY: Final = """\
permit (principal, action, resource)
when { principal.fleet == "buyers" && principal.proven_min_level >= 2
  && ["rescue", "research"].contains(context.purpose) };
"""
NONCE: Final = bytes(16)
FEE: Final = 3


def issuer(name: str = "buyers") -> zk.IssuerKey:
    return _issuer(name)


@cache
def _issuer(name: str) -> zk.IssuerKey:
    return zk.IssuerKey.generate()


def member(
    robot_id: int = 7,
    level: int = 3,
    expiry: int = EXPIRY,
    fleet: str = "buyers",
    key: str = "buyers",
) -> zk.Credential:
    """The credential of one robot; its nym is of these very values."""
    return _member(zk.Attributes(fleet, "courier", level, expiry, robot_id), key)


@cache
def _member(attributes: zk.Attributes, key: str) -> zk.Credential:
    asking = zk.request_credential(issuer(key).issuer, NONCE)
    return asking.complete(zk.issue(issuer(key), asking.request, attributes, NONCE)[0])


@cache
def gaps(
    epoch: int = 0, revoked: tuple[int, ...] = (), fleet: str = "buyers", key: str = "buyers"
) -> tuple[zk.Gap, ...]:
    return zk.sign_gaps(issuer(key), fleet, epoch, revoked)


class GrantWorld(SharingWorld):
    """One offer under one contract of two uses; ``buyers`` pay for members they cannot tell."""

    def __init__(self, policy: str = POLICY, **terms_of: Any) -> None:
        super().__init__(min_fee=1, max_overlap=5)
        bob = self.key("bob")
        self.must(bob, self.announced(1))
        self.must(
            bob,
            SetSponsorship(
                fleet=self.buyers, period=1, anonymous_amount=100 * FEE, anonymous_period=50
            ),
        )
        self.fund(pool_account(self.buyers), 1_000)
        self.contract_id: Final = self.deployed(policy=policy, terms=terms(**terms_of))
        self.index: Final = self.record()
        self.offer_id: Final = self.offered(self.contract_id, self.index)

    def announced(
        self, epoch: int, key: str = "buyers", fleet: bytes | None = None
    ) -> SetIssuerKey:
        return SetIssuerKey(
            fleet=fleet or self.buyers, epoch=epoch, public_key=issuer(key).issuer.to_bytes()
        )

    def set_epoch(self, epoch: int) -> Result:
        return self.do(self.key("bob"), SetRevocationEpoch(fleet=self.buyers, epoch=epoch))

    def wanted(self, **fields: Any) -> GrantRequest:
        values = {
            "chain": self.chain,
            "offer": self.offer_id,
            "contract": self.contract_id,
            "use": 0,
            "purpose": "rescue",
            "fleet": self.buyers,
            "issuer_epoch": 1,
            "revocation_epoch": 0,
            "time_s": NOW_S,
            "min_level": 2,
            **fields,
        }
        return GrantRequest(**values)

    def request(
        self,
        who: zk.Credential | None = None,
        key: str = "one time",
        gap: zk.Gap | None = None,
        fee: int = FEE,
        **fields: Any,
    ) -> bytes:
        """The transaction of a member who asks; ``fields`` of what it wants."""
        credential = who or member()
        if gap is None:
            gap = zk.find_gap(gaps(), credential.attributes.robot_id)
        return self.wanted(**fields).sign(credential, gap, self.key(key), fee, self.height + 100)

    def ask(self, who: zk.Credential | None = None, key: str = "one time", **fields: Any) -> int:
        """The code of what comes of a request."""
        return self.submit(self.request(who, key, **fields)).code

    def grant_of(self, key: str = "one time") -> GrantRecord | None:
        return self.state.read(GrantRecord, grant_key(self.grant_name(key)))

    def grant_name(self, key: str = "one time") -> bytes:
        return grant_id(self.chain, account_of(self.key(key)))

    def one_time(self, key: str = "one time") -> PrivateKey:
        return self.key(key)

    def altered(self, encoded: bytes, key: str = "one time", **fields: Any) -> bytes:
        """The same request with fields of it, or of its body, changed; signed by ``key``."""
        body = TransactionBody.FromString(Transaction.FromString(encoded).body)
        message = body.request_grant
        for name, value in fields.items():
            setattr(message if name in message.DESCRIPTOR.fields_by_name else body, name, value)
        return sign_transaction(self.chain, self.key(key), body)

    def unproven(self, key: str = "one time", **fields: Any) -> bytes:
        """A request of good form that proves nothing: for what is refused before the proof."""
        message = RequestGrant(
            offer=self.offer_id,
            purpose="rescue",
            time_s=NOW_S,
            fleet=self.buyers,
            issuer_epoch=1,
            min_level=2,
            presentation=bytes(size_of_presentation(shows_role="role" in fields)),
        )
        encoded = self.sign(self.key(key), message, fee=FEE, sponsor=self.buyers)
        return self.altered(encoded, key, **fields)

    def code_of(self, **fields: Any) -> int:
        """The code of a request that proves nothing."""
        return self.submit(self.unproven(**fields)).code


def renewed(credential: zk.Credential, **changes: Any) -> zk.Credential:
    """Another credential of the same nym, by the same issuer."""
    asking = zk.request_reissue(credential, NONCE)
    attributes = replace(credential.attributes, **changes)
    held = zk.Registration(
        attributes.fleet, attributes.robot_id, credential.issuer.nym_point * credential.nym
    )
    return asking.complete(zk.reissue(issuer(), held, asking.request, attributes, NONCE))
