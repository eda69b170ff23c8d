"""A chain with two fleets, a contract of one of them, and a robot with a recording to offer.

The recording's reward is hidden: 0.9, in millionths above -10^9 as recorders write it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Final

from ledger.chain.ids import contract_id, offer_id
from ledger.chain.quality_claim import quality_context
from ledger.chain.result import Result
from ledger.chain.rules.sharing import read_contract
from ledger.chain.state_keys import contract_version_key, offer_key
from ledger.ed25519 import PrivateKey
from ledger.experience.entry import Pruning
from ledger.experience.kinds import (
    Commitment,
    CommitmentKind,
    Experience,
    File,
    RewardSource,
    Tag,
    Topic,
)
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    ContractRecord,
    ContractVersion,
    DeployContract,
    OfferRecord,
    PostOffer,
    QualityProof,
    Terms,
    WithdrawContract,
    WithdrawOffer,
)
from tests.ledger.chain.rules.chain_world import SECOND, START_NS, ChainWorld, account_of
from tests.ledger.chain.rules.robot_log import RobotLog
from zkproofs import range_proof
from zkproofs.group import group
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening

ROBOT: Final = "robot.example/seller"
POLICY: Final = 'permit (principal, action, resource) when { principal.fleet == "buyers" };'
OTHER_POLICY: Final = "permit (principal, action, resource) when { context.age_s <= 60 };"

REWARD_SCALE: Final = 10**6
REWARD_OFFSET: Final = -(10**15)
REWARD: Final = Opening(900_000 - REWARD_OFFSET, group().scalar(4711))
LENGTH: Final = Opening(12_345, group().scalar(815))
AT_LEAST_0_8: Final = (800_000 - REWARD_OFFSET, 800_000 - REWARD_OFFSET + 2**32 - 1)
"""Of the committed integer: one slot of 32 bits."""


def commitment(
    opening: Opening, kind: CommitmentKind, source: RewardSource, offset: int, scale: int
) -> Commitment:
    return Commitment(kind, source, group().encode_g1(opening.commitment()), offset, scale)


@cache
def experience() -> Experience:
    """What the robot lived through."""
    return Experience(
        record_id=bytes(range(16)),
        start_ns=START_NS - 30 * SECOND,
        end_ns=START_NS - 10 * SECOND,
        content_root=bytes(31) + b"\1",
        content_size=600_000,
        files=(File("a.mcap", 600_000),),
        media_type="application/mcap",
        name="drive",
        topics=(Topic("/camera", "a/Image", 3), Topic("/imu", "a/Imu", 4)),
        tags=(Tag("kind", "episode"), Tag("site", "harbour")),
        commitments=(
            commitment(
                REWARD, CommitmentKind.REWARD, RewardSource.TASK, REWARD_OFFSET, REWARD_SCALE
            ),
            commitment(LENGTH, CommitmentKind.LENGTH, RewardSource.UNSPECIFIED, 0, 1_000),
        ),
    )


def terms(**fields: Any) -> Terms:
    values = {"asset": 0, "chunk_price": 10, "uses": 2, "grant_lifetime": 20, **fields}
    return Terms(**values)


class SharingWorld(ChainWorld):
    """Fleets `sellers` (authority: `authority`) and `buyers` (authority: `bob`)."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.sellers: Final = self.create_fleet("sellers")
        self.buyers: Final = self.create_fleet("buyers", authority="bob")
        self.seller: Final = self.register(self.sellers, ROBOT)
        self.fund(self.seller)
        self.log: Final = RobotLog(self, ROBOT)

    @property
    def authority(self) -> PrivateKey:
        return self.key("authority")

    # Contracts

    def deploy(self, who: str = "authority", **fields: Any) -> tuple[Result, bytes]:
        """Deploy a contract; its result and what its id is, if it is."""
        values = {
            "fleet": self.sellers,
            "name": "drives",
            "policy": POLICY,
            "terms": terms(),
            **fields,
        }
        key = self.key(who)
        account = self.account(key)
        sequence = account.sequence if account else 0
        result = self.do(key, DeployContract(**values))
        return result, contract_id(self.chain, account_of(key), sequence)

    def deployed(self, **fields: Any) -> bytes:
        """The id of a contract that has to be deployed."""
        result, contract = self.deploy(**fields)
        assert not result.code, result.code
        return contract

    def amend(self, contract: bytes, who: str = "authority", **fields: Any) -> Result:
        values = {"contract": contract, "policy": OTHER_POLICY, "terms": terms(), **fields}
        return self.do(self.key(who), AmendContract(**values))

    def withdraw(self, contract: bytes, who: str = "authority") -> Result:
        return self.do(self.key(who), WithdrawContract(contract=contract))

    def contract(self, contract: bytes) -> ContractRecord:
        return read_contract(self.state, contract)

    def version(self, contract: bytes, number: int) -> ContractVersion | None:
        return self.state.read(ContractVersion, contract_version_key(contract, number))

    # Offers

    def record(self, key: PrivateKey | None = None, **fields: Any) -> int:
        """Append an experience between other entries, and anchor the log; its index."""
        self.log.append(Pruning(record_ids=(bytes(16),)), key)
        index = self.log.append(replace(experience(), **fields), key)
        self.log.append(Pruning(record_ids=(bytes(16),)), key)
        self.log.anchor()
        return index

    def posting(self, contract: bytes, index: int, /, **fields: Any) -> PostOffer:
        values = {
            "contract": contract,
            "origin": ROBOT,
            "entry": self.log.entries[index],
            "index": index,
            "path": self.log.path(index),
            **fields,
        }
        return PostOffer(**values)

    def offered(self, contract: bytes, index: int, **fields: Any) -> bytes:
        """The id of an offer that has to be posted."""
        self.must(self.seller, self.posting(contract, index, **fields))
        return offer_id(self.chain, contract, self.leaf(index))

    def leaf(self, index: int) -> bytes:
        return leaf_hash(self.log.entries[index])

    def offer(self, offer: bytes) -> OfferRecord | None:
        return self.state.read(OfferRecord, offer_key(offer))

    def withdraw_offer(self, offer: bytes, key: PrivateKey) -> Result:
        return self.do(key, WithdrawOffer(offer=offer))

    def proof(
        self,
        index: int,
        bounds: tuple[int, int] = AT_LEAST_0_8,
        opening: Opening = REWARD,
        kind: CommitmentKind = CommitmentKind.REWARD,
        source: RewardSource = RewardSource.TASK,
        **tied_to: bytes,
    ) -> QualityProof:
        """A proof of quality; ``tied_to`` overrides what its context is made of."""
        context = {
            "chain": self.chain,
            "seller": account_of(self.seller),
            "leaf": self.leaf(index),
            "content_root": experience().content_root,
            **tied_to,
        }
        proven = range_proof.prove([opening], [Interval(*bounds)], quality_context(**context))
        return QualityProof(
            kind=kind.value,
            source=source.value,
            low=bounds[0],
            high=bounds[1],
            proof=proven.to_bytes(),
        )
