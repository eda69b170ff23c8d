"""What happens on the frozen chain around atomic sales: settled, complained of, refunded."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.chain.fleets import fleet_id
from ledger.chain.ids import contract_id, grant_id, offer_id
from ledger.chain.rules.grant import claim_of
from ledger.chain.sale.identity import key_hash, sale_id
from ledger.chain.sale.masking import UnitMask
from ledger.checkpoint import Checkpoint, log_id, sign_checkpoint
from ledger.credentials.grant_request import GrantRequest
from ledger.ed25519 import PrivateKey
from ledger.experience.content_root import CHUNK_SIZE, chunk_salt
from ledger.experience.entry import encode_entry
from ledger.experience.kinds import File
from ledger.merkle.hashing import leaf_hash, node_hash
from ledger.note import NoteSigner
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint
from ledger.schema.chain_exchange_pb2 import (
    ComplainSale,
    LockSale,
    ProposeSale,
    RefundSale,
    RevealKey,
    SettleSale,
)
from ledger.schema.chain_grant_pb2 import RequestGrant
from ledger.schema.chain_pb2 import Transaction
from ledger.schema.chain_sharing_pb2 import DeployContract, PostOffer, Royalty
from tests.ledger.chain.frozen.eventful_grant import FLEET, ISSUER
from tests.ledger.chain.rules.chain_world import SECOND, START_NS, account_of
from tests.ledger.chain.rules.robot_world import RobotWorld
from tests.ledger.chain.rules.sharing_world import experience, terms
from zkproofs import credential as zk

PRESENTATION: Final = Path(__file__).with_name("sale_presentation_v1.hex")
"""Made with fresh randomness; this one was made once, by `make_presentation`."""

KEY: Final = b"a sale's key of thirty-two bytes"
CONTENT: Final = (
    bytes(CHUNK_SIZE) + b"seventy bytes of a recording that ends soon after its second chunk ..."
)
_SALTS: Final = bytes(range(32))
_UNITS: Final = [
    chunk_salt(_SALTS, index) + CONTENT[index * CHUNK_SIZE : (index + 1) * CHUNK_SIZE]
    for index in range(2)
]
_TIME_S: Final = START_NS // SECOND + 300
_LAST: Final = 1_000


def exchange(chain: RobotWorld, origin: str) -> None:
    """Sell one recording three times: well, badly, and not at all."""
    robot, buyer, bob = chain.key(origin), chain.key("second time"), chain.key("bob")
    offer = _offer(chain, origin)
    chain.must(
        buyer,
        RequestGrant(
            offer=offer,
            purpose="rescue",
            time_s=_TIME_S,
            fleet=_fleet(chain),
            issuer_epoch=1,
            min_level=2,
            revocation_epoch=2,
            presentation=bytes.fromhex(PRESENTATION.read_text()),
        ),
        fee=2,
        sponsor=_fleet(chain),
        expiry_height=_LAST,
    )
    chain.fund(buyer, 500)
    grant = grant_id(chain.chain, account_of(buyer))
    good, bad, none = (_propose(chain, robot, grant, spoil) for spoil in (False, True, False))
    for sale in (good, bad):
        chain.must(buyer, LockSale(sale=sale))
        chain.must(robot, RevealKey(sale=sale, key=KEY))
    masked = _masked(bad, spoil=True)
    leaves = [leaf_hash(unit) for unit in _UNITS]
    chain.must(
        buyer,
        ComplainSale(
            sale=bad,
            index=1,
            unit=sha256(masked[1]).digest(),
            unit_path=[leaf_hash(masked[0])],
            leaf=leaves[1],
            leaf_path=[leaves[0]],
        ),
        given=[masked[1]],
    )
    chain.advance(3)
    chain.must(bob, SettleSale(sale=good))
    chain.must(bob, RefundSale(sale=none))


def _propose(chain: RobotWorld, robot: PrivateKey, grant: bytes, spoil: bool) -> bytes:
    account = chain.account(robot)
    sale = sale_id(chain.chain, grant, account.sequence if account else 0)
    first, second = (leaf_hash(each) for each in _masked(sale, spoil=spoil))
    chain.must(
        robot,
        ProposeSale(
            grant=grant,
            unit_root=node_hash(first, second),
            key_hash=key_hash(KEY),
            lock_height=chain.height + 1,
            reveal_blocks=1,
            complaint_blocks=1,
        ),
    )
    return sale


def _masked(sale: bytes, *, spoil: bool) -> list[bytes]:
    masked = [UnitMask(sale, KEY).apply(index, unit) for index, unit in enumerate(_UNITS)]
    if spoil:
        masked[1] = bytes([masked[1][0] ^ 1]) + masked[1][1:]
    return masked


def _offer(chain: RobotWorld, origin: str) -> bytes:
    """A second recording, of content that is really there, in the log and offered."""
    authority, robot = chain.key("authority"), chain.key(origin)
    leaves = [leaf_hash(unit) for unit in _UNITS]
    recorded = replace(
        experience(),
        record_id=bytes(range(16, 32)),
        content_root=node_hash(*leaves),
        content_size=len(CONTENT),
        files=(File("b.mcap", len(CONTENT)),),
    )
    log = log_id(origin)
    first = leaf_hash(encode_entry(log, 0, experience(), robot))
    entry = encode_entry(log, 1, recorded, robot)
    second = leaf_hash(entry)
    checkpoint = Checkpoint(origin, 2, node_hash(first, second))
    note = sign_checkpoint(checkpoint, [NoteSigner(origin, robot)])
    chain.must(robot, AnchorCheckpoint(note=note, proof=[second]))
    account = chain.account(authority)
    contract = contract_id(chain.chain, account_of(authority), account.sequence if account else 0)
    royalty = Royalty(account=account_of(chain.key("carol")), parts=2_500)
    chain.must(
        authority,
        DeployContract(
            fleet=chain.fleet,
            name="sales",
            policy="permit (principal, action, resource) when { principal.proven_min_level >= 2 };",
            terms=terms(grant_lifetime=20, record_price=3, deposit=7, royalties=[royalty]),
        ),
    )
    chain.must(
        robot, PostOffer(contract=contract, origin=origin, entry=entry, index=1, path=[first])
    )
    return offer_id(chain.chain, contract, second)


def _fleet(chain: RobotWorld) -> bytes:
    return fleet_id(chain.chain, FLEET)


def make_presentation(chain: RobotWorld, contract: bytes, offer: bytes) -> bytes:
    """The presentation above, as bytes that differ each time."""
    asking = zk.request_credential(ISSUER.issuer, bytes(16))
    attributes = zk.Attributes(FLEET, "guard", 3, _TIME_S + 1, 7)
    credential = asking.complete(zk.issue(ISSUER, asking.request, attributes, bytes(16))[0])
    gap = zk.find_gap(zk.sign_gaps(ISSUER, FLEET, 2, [5]), 7)
    wanted = GrantRequest(
        chain=chain.chain,
        offer=offer,
        contract=contract,
        use=0,
        purpose="rescue",
        fleet=_fleet(chain),
        issuer_epoch=1,
        revocation_epoch=2,
        time_s=_TIME_S,
        min_level=2,
    )
    signed = wanted.sign(credential, gap, chain.key("second time"), 2, _LAST)
    return claim_of(chain.state, chain.chain, Transaction.FromString(signed).body).presentation
