"""What happens on the frozen chain around a grant: asked for by nobody in particular, pruned."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.chain.ids import contract_id, grant_id, offer_id
from ledger.chain.presentation_claim import PresentationClaim
from ledger.chain.rules.grant import claim_of
from ledger.chain.sponsorship import pool_account
from ledger.checkpoint import log_id
from ledger.credentials.grant_request import GrantRequest
from ledger.experience.entry import encode_entry
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_grant_pb2 import PruneGrants, RequestGrant, SetRevocationEpoch
from ledger.schema.chain_identity_pb2 import SetIssuerKey, SetSponsorship
from ledger.schema.chain_pb2 import Transaction
from ledger.schema.chain_sharing_pb2 import DeployContract, PostOffer, WithdrawContract
from tests.ledger.chain.rules.chain_world import SECOND, START_NS, account_of
from tests.ledger.chain.rules.robot_world import RobotWorld
from tests.ledger.chain.rules.sharing_world import experience, terms
from zkproofs import credential as zk

PRESENTATION: Final = Path(__file__).with_name("presentation_v1.hex")
"""Made with fresh randomness; this one was made once, by `make_presentation`."""

ISSUER: Final = zk.IssuerKey.from_bytes(bytes(31) + b"\7")
FLEET: Final = "hounds"
_NONCE: Final = bytes(16)
_TIME_S: Final = START_NS // SECOND + 300


def grant(chain: RobotWorld, origin: str) -> None:
    """Let a member of another fleet have the recording, and take back what is over."""
    authority, robot, bob = chain.key("authority"), chain.key(origin), chain.key("bob")
    fleet = chain.create_fleet(FLEET, authority="bob")
    key = ISSUER.issuer.to_bytes()
    chain.must(bob, SetIssuerKey(fleet=fleet, epoch=1, public_key=key))
    chain.must(bob, SetRevocationEpoch(fleet=fleet, epoch=2))
    chain.must(bob, SetSponsorship(fleet=fleet, period=1, anonymous_amount=20, anonymous_period=10))
    chain.fund(pool_account(fleet), 50)
    account = chain.account(authority)
    contract = contract_id(chain.chain, account_of(authority), account.sequence if account else 0)
    chain.must(
        authority,
        DeployContract(
            fleet=chain.fleet,
            name="walks",
            policy="permit (principal, action, resource) when { principal.proven_min_level >= 2 };",
            terms=terms(asset=7, grant_lifetime=1),
        ),
    )
    entry = encode_entry(log_id(origin), 0, experience(), robot)
    chain.must(robot, PostOffer(contract=contract, origin=origin, entry=entry, index=0))
    offer = offer_id(chain.chain, contract, leaf_hash(entry))
    message = RequestGrant(
        offer=offer,
        use=1,
        purpose="rescue",
        time_s=_TIME_S,
        fleet=fleet,
        issuer_epoch=1,
        min_level=2,
        revocation_epoch=2,
        presentation=bytes.fromhex(PRESENTATION.read_text()),
    )
    one_time = chain.key("one time")
    chain.must(one_time, message, fee=2, sponsor=fleet, expiry_height=_LAST)
    chain.must(authority, WithdrawContract(contract=contract))
    chain.advance(2)
    name = grant_id(chain.chain, account_of(one_time))
    nullifier = message.presentation[1:49]
    chain.must(bob, PruneGrants(grants=[name], nullifiers=[nullifier]))


_LAST: Final = 1_000


def make_presentation(chain: RobotWorld, contract: bytes, offer: bytes, fleet: bytes) -> bytes:
    """The presentation above, as bytes that differ each time."""
    asking = zk.request_credential(ISSUER.issuer, _NONCE)
    attributes = zk.Attributes(FLEET, "guard", 3, _TIME_S + 1, 7)
    credential = asking.complete(zk.issue(ISSUER, asking.request, attributes, _NONCE)[0])
    gap = zk.find_gap(zk.sign_gaps(ISSUER, FLEET, 2, [5]), 7)
    wanted = GrantRequest(
        chain=chain.chain,
        offer=offer,
        contract=contract,
        use=1,
        purpose="rescue",
        fleet=fleet,
        issuer_epoch=1,
        revocation_epoch=2,
        time_s=_TIME_S,
        min_level=2,
    )
    signed = wanted.sign(credential, gap, chain.key("one time"), 2, _LAST)
    claim: PresentationClaim = claim_of(
        chain.state, chain.chain, Transaction.FromString(signed).body
    )
    return claim.presentation
