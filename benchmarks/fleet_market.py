"""A chain with a seller's offer on it and a fleet whose members have credentials.

Made as people would make it: every step is a transaction, through the engine that is
measured afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import Message

from benchmarks.chain_accounts import RICH, make_genesis
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.service import Dropped
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.fleets import fleet_id
from ledger.chain.ids import contract_id, offer_id
from ledger.chain.machine.writer import create_chain
from ledger.chain.rules.robot import register_message
from ledger.chain.sponsorship import pool_account
from ledger.chain.transaction import sign_transaction
from ledger.checkpoint import Checkpoint, log_id, sign_checkpoint
from ledger.credentials.grant_request import GrantRequest
from ledger.ed25519 import PrivateKey
from ledger.experience.entry import encode_entry
from ledger.experience.kinds import Experience, File, Tag
from ledger.merkle.hashing import leaf_hash
from ledger.note import NoteSigner
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint
from ledger.schema.chain_identity_pb2 import (
    CreateFleet,
    RegisterRobot,
    SetIssuerKey,
    SetSponsorship,
)
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import TransactionBody
from ledger.schema.chain_sharing_pb2 import DeployContract, PostOffer, Terms
from zkproofs import credential as zk

GIB = 1 << 30
ROBOT = "example.com/bench/seller"
FLEET = "buyers"
EXPIRY_HEIGHT = 1 << 40
WAIT_S = 120.0
_POLICY = """\
permit (principal, action == Action::"use", resource is Recording)
when { principal.fleet == "buyers" && principal.proven_min_level >= 3
  && context.purpose == "research" };
"""


@dataclass(slots=True)
class GrantMarket:
    """An engine at work, and all it takes to ask for the recording that is offered there."""

    engine: EmbeddedEngine
    chain: bytes
    authority: PrivateKey = field(default_factory=PrivateKey.generate, repr=False)
    robot: PrivateKey = field(default_factory=PrivateKey.generate, repr=False)
    issuer: zk.IssuerKey = field(default_factory=zk.IssuerKey.generate, repr=False)
    sequence: int = 0
    contract: bytes = b""
    offer: bytes = b""

    @property
    def fleet(self) -> bytes:
        """The buyers' id."""
        return fleet_id(self.chain, FLEET)

    def do(self, message: Message, name: str, key: PrivateKey | None = None) -> None:
        """Have an action of the authority's, or of a fresh ``key``, carried out; waits for it."""
        body = TransactionBody(
            sequence=0 if key else self.sequence, expiry_height=EXPIRY_HEIGHT, fee=1
        )
        getattr(body, name).CopyFrom(message)
        self.carry_out([sign_transaction(self.chain, key or self.authority, body)])
        self.sequence += key is None

    def carry_out(self, transactions: list[bytes]) -> None:
        """Have transactions admitted, and wait until all are in a block."""
        admitted = self.engine.submit(transactions)
        bad = [each.words for each in admitted if not each.ok]
        outcomes = self.engine.wait_all([each.id for each in admitted], WAIT_S)
        bad += [each.words for each in outcomes if isinstance(each, Dropped)]
        if bad:
            raise RuntimeError(f"the benchmark's transactions are refused: {bad[0]}")

    def member(self) -> zk.Credential:
        """A new member of the buyers."""
        nonce = secrets.token_bytes(16)
        asking = zk.request_credential(self.issuer.issuer, nonce)
        attributes = zk.Attributes(FLEET, "courier", 4, 4_000_000_000, 7)
        return asking.complete(zk.issue(self.issuer, asking.request, attributes, nonce)[0])

    def requests(
        self, member: zk.Credential, count: int, key: PrivateKey | None = None
    ) -> list[bytes]:
        """So many uses that one member asks for, each with a fresh key, or ``key``."""
        gap = zk.find_gap(zk.sign_gaps(self.issuer, FLEET, 0, [5]), 7)
        now_s = self.engine.info().time_ns // 10**9
        return [
            GrantRequest(
                chain=self.chain,
                offer=self.offer,
                contract=self.contract,
                use=use,
                purpose="research",
                fleet=self.fleet,
                issuer_epoch=0,
                revocation_epoch=0,
                time_s=now_s + 1_800,
                min_level=3,
            ).sign(member, gap, key or PrivateKey.generate(), 1, EXPIRY_HEIGHT)
            for use in range(count)
        ]

    def prepare(self) -> None:
        """Found both fleets, and offer a recording of 1 GiB."""
        sellers = fleet_id(self.chain, "sellers")
        for name in ("sellers", FLEET):
            self.do(CreateFleet(name=name), "create_fleet")
        key = bytes(self.robot.public_key)
        signed = self.robot.sign(register_message(self.chain, sellers, key, ROBOT))
        self.do(
            RegisterRobot(fleet=sellers, origin=ROBOT, key=key, signature=signed), "register_robot"
        )
        public = self.issuer.issuer.to_bytes()
        self.do(SetIssuerKey(fleet=self.fleet, epoch=0, public_key=public), "set_issuer_key")
        paid = SetSponsorship(
            fleet=self.fleet, period=1, anonymous_amount=10**9, anonymous_period=1_000_000
        )
        self.do(paid, "set_sponsorship")
        for account in (pool_account(self.fleet), key):
            self.do(Transfer(recipient=account, amount=10**9), "transfer")
        self.contract = contract_id(self.chain, bytes(self.authority.public_key), self.sequence)
        terms = Terms(chunk_price=10, uses=65_536, grant_lifetime=1_000)
        deployed = DeployContract(fleet=sellers, name="drives", policy=_POLICY, terms=terms)
        self.do(deployed, "deploy_contract")
        experience = Experience(
            record_id=bytes(16),
            start_ns=1,
            end_ns=2,
            content_root=bytes(31) + b"\1",
            content_size=GIB,
            files=(File("drive.mcap", GIB),),
            media_type="application/mcap",
            name="drive",
            tags=(Tag("kind", "episode"),),
        )
        entry = encode_entry(log_id(ROBOT), 0, experience, self.robot)
        leaf = leaf_hash(entry)
        signer = NoteSigner(ROBOT, self.robot)
        note = sign_checkpoint(Checkpoint(ROBOT, 1, leaf), [signer])
        self.do(AnchorCheckpoint(note=note), "anchor_checkpoint")
        posted = PostOffer(contract=self.contract, origin=ROBOT, entry=entry, index=0)
        self.do(posted, "post_offer", self.robot)
        self.offer = offer_id(self.chain, self.contract, leaf)


@contextmanager
def open_market(folder: Path) -> Iterator[GrantMarket]:
    """Make a chain in ``folder`` and put all this on it."""
    authority = PrivateKey.generate()
    genesis = make_genesis(
        folder.name, bytes(authority.public_key), {bytes(authority.public_key): RICH}
    )
    create_chain(folder, genesis)
    with EmbeddedEngine.open(folder, EngineSettings(block_period_s=0.0)) as engine:
        market = GrantMarket(engine, genesis.chain, authority)
        market.prepare()
        yield market
