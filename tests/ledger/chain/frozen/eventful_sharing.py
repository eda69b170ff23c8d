"""What happens on the frozen chain around a contract: deployed, amended, offered under, ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ledger.chain.ids import contract_id, offer_id
from ledger.chain.quality_claim import quality_context
from ledger.checkpoint import Checkpoint, log_id, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.experience.entry import encode_entry
from ledger.merkle.hashing import leaf_hash
from ledger.note import NoteSigner
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    DeployContract,
    PostOffer,
    QualityProof,
    Royalty,
    WithdrawContract,
    WithdrawOffer,
)
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.robot_world import RobotWorld
from tests.ledger.chain.rules.sharing_world import AT_LEAST_0_8, REWARD, experience, terms
from zkproofs import range_proof
from zkproofs.interval import Interval

PROOF: Final = Path(__file__).with_name("quality_proof_v1.hex")
"""Proofs are made with fresh randomness; this one was made once, by `make_proof`."""

_FIRST: Final = """\
permit (principal, action == Action::"use", resource is Recording)
when { principal.proven_min_level >= 2 && ["search", "rescue"].contains(context.purpose) }
unless { context.age_s > 86400 };
"""
_SECOND: Final = _FIRST + 'forbid (principal, action, resource) when { resource.kind == "test" };\n'


def share(chain: RobotWorld, origin: str) -> None:
    """Let a robot of `RobotWorld.fleet` offer its one recording, and stop again."""
    authority, robot = chain.key("authority"), chain.key(origin)
    entry = encode_entry(log_id(origin), 0, experience(), robot)
    note = sign_checkpoint(Checkpoint(origin, 1, leaf_hash(entry)), [NoteSigner(origin, robot)])
    chain.must(chain.key("bob"), AnchorCheckpoint(note=note))
    account = chain.account(authority)
    contract = contract_id(chain.chain, account_of(authority), account.sequence if account else 0)
    royalty = Royalty(account=account_of(chain.key("carol")), parts=500)
    chain.must(
        authority,
        DeployContract(
            fleet=chain.fleet,
            name="drives",
            policy=_FIRST,
            terms=terms(royalties=[royalty], expiry_height=1_000, deposit=9),
        ),
    )
    chain.must(
        authority,
        AmendContract(contract=contract, policy=_SECOND, terms=terms(asset=7, record_price=3)),
    )
    chain.must(
        robot,
        PostOffer(
            contract=contract,
            origin=origin,
            entry=entry,
            index=0,
            qualities=[_quality(bytes.fromhex(PROOF.read_text()))],
        ),
    )
    chain.must(authority, WithdrawOffer(offer=offer_id(chain.chain, contract, leaf_hash(entry))))
    chain.must(authority, WithdrawContract(contract=contract))


def make_proof(chain: bytes, robot: PrivateKey, leaf: bytes) -> bytes:
    """The proof of the offer above, as bytes that differ each time."""
    context = quality_context(chain, account_of(robot), leaf, experience().content_root)
    proven: Any = range_proof.prove([REWARD], [Interval(*AT_LEAST_0_8)], context)
    return bytes(proven.to_bytes())


def _quality(proof: bytes) -> QualityProof:
    low, high = AT_LEAST_0_8
    return QualityProof(kind=1, source=2, low=low, high=high, proof=proof)
