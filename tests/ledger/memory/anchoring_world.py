"""A chain that runs, a fleet on it, and robots' homes that are registered there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.chain.account import FEE_ASSET
from ledger.chain.body import Message, body_asking
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.service import ChainService, Inclusion, NoEngineError
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.fleets import fleet_id
from ledger.chain.genesis import Genesis
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.trust import Trust
from ledger.chain.machine.proposal import Admission
from ledger.chain.machine.writer import create_chain
from ledger.chain.rules.robot import register_message
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import account_key, anchor_key, robot_key
from ledger.chain.transaction import sign_transaction
from ledger.ed25519 import PrivateKey
from ledger.home import open_home
from ledger.memory.owner import MemoryOwner
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_identity_pb2 import (
    CreateFleet,
    RegisterRobot,
    RobotRecord,
    SetSponsorship,
    SetWitnessPolicy,
)
from ledger.schema.chain_payment_pb2 import Asset, Transfer
from ledger.schema.chain_pb2 import Allocation, Governors, Parameters
from ledger.schema.chain_pb2 import Genesis as GenesisMessage
from ledger.signing_keys import SigningKeys

AUTHORITY = PrivateKey.from_seed(sha256(b"the authority of a yard").digest())
SETTINGS = EngineSettings(block_period_s=0.0, signature_processes=0)
MONEY = 10**9


def name_of(key: PrivateKey) -> bytes:
    return bytes(key.public_key)


class AnchoringWorld:
    """The chain of a fleet, in a folder of its own; its operator can be stopped."""

    def __init__(
        self,
        root: Path,
        *,
        min_fee: int = 1,
        sponsored: int = 1_000,
        origin: str = "chain.example/yard",
    ) -> None:
        self.root = root
        authority = name_of(AUTHORITY)
        self.genesis = Genesis.make(
            GenesisMessage(
                version=1,
                origin=origin,
                time_ns=1_700_000_000_000_000_000,
                parameters=Parameters(
                    min_fee=min_fee,
                    treasury=authority,
                    max_block_transactions=100,
                    max_block_bytes=1 << 20,
                    cap_delay=10,
                    recovery_delay=10,
                    max_overlap=10,
                    min_challenge=2,
                ),
                governors=Governors(threshold=1, keys=[authority]),
                assets=[Asset(id=FEE_ASSET, symbol="QPU", decimals=2)],
                allocations=[Allocation(account=authority, asset=FEE_ASSET, amount=MONEY)],
            )
        )
        self.chain = self.genesis.chain
        self.trust = Trust(self.chain, [create_chain(root, self.genesis)])
        self.fleet = fleet_id(self.chain, "yard")
        self.engine = EmbeddedEngine.open(root, SETTINGS)
        self.must(CreateFleet(name="yard"))
        if sponsored:
            self.must(SetSponsorship(fleet=self.fleet, amount=sponsored, period=1_000))
            pool = pool_account(self.fleet)
            self.must(Transfer(asset=FEE_ASSET, recipient=pool, amount=100_000))

    def stop(self) -> None:
        self.engine.close()

    def start(self) -> None:
        self.engine = EmbeddedEngine.open(self.root, SETTINGS)

    def read(self, kind: type[Any], key: bytes) -> Any:
        value = verify_answer(self.engine.answer(key), key, self.trust).value
        return None if value is None else kind.FromString(value)

    def anchored(self, origin: str) -> int:
        record = self.read(AnchorRecord, anchor_key(origin))
        return int(record.size) if record else 0

    def status(self, origin: str) -> int:
        return int(self.read(RobotRecord, robot_key(origin)).status)

    def must(self, message: Message, key: PrivateKey = AUTHORITY) -> Inclusion:
        from ledger.chain.account import Account

        row = verify_answer(
            self.engine.answer(account_key(name_of(key))), account_key(name_of(key)), self.trust
        ).value
        sequence = Account.decode(row).sequence if row else 0
        body = body_asking(
            message,
            sequence=sequence,
            expiry_height=1 << 40,
            fee=self.genesis.parameters.min_fee,
        )
        (admission,) = self.engine.submit([sign_transaction(self.chain, key, body)])
        assert admission.ok, admission
        included = self.engine.wait(admission.id, 10.0)
        assert included.code == 0, included
        return included

    def ask_for_witnesses(self, policy: bytes) -> None:
        self.must(SetWitnessPolicy(fleet=self.fleet, policy=policy))

    def register(self, robot: MemoryOwner | Path) -> PrivateKey:
        """Register the robot of a home; its key."""
        reading = open_home(robot) if isinstance(robot, Path) else robot.reader()
        with reading as home:
            origin, vkey = home.log.origin, home.vkeys[-1]
            key = SigningKeys(home.paths.signing_keys).signer(vkey).private_key
        signature = key.sign(register_message(self.chain, self.fleet, name_of(key), origin))
        self.must(
            RegisterRobot(fleet=self.fleet, origin=origin, key=name_of(key), signature=signature)
        )
        return key

    def close(self) -> None:
        self.engine.close()


def grow(
    owner: MemoryOwner, leaves: int, *, checkpoint: bool = True, past: bytes = b"entry"
) -> None:
    """Commit entries, and sign the log."""

    def append(home: Any) -> None:
        size = home.log.size
        home.log.append([b"%b %d" % (past, size + number) for number in range(leaves)])

    owner.commit(append)
    if checkpoint:
        owner.checkpoint()


class Line:
    """A `ChainPort` to an engine that can be cut, or tampered with; counts what is asked."""

    def __init__(self, world: AnchoringWorld) -> None:
        self._world = world
        self.cut = False
        self.lost_answers = 0
        """How many submissions are carried out whose answer never arrives."""
        self.asked = 0
        self.sent: list[bytes] = []
        self.forged: Mapping[bytes, bytes] = {}
        """Answers that are given in place of the engine's, by key."""

    def _engine(self) -> ChainService:
        self.asked += 1
        if self.cut:
            raise NoEngineError("no way to the chain")
        return self._world.engine

    def submit(self, transactions: Sequence[bytes]) -> list[Admission]:
        engine = self._engine()
        self.sent += transactions
        admissions = engine.submit(transactions)
        if self.lost_answers:
            self.lost_answers -= 1
            raise NoEngineError("the connection ended")
        return admissions

    def wait(self, transaction: bytes, timeout_s: float) -> Inclusion:
        return self._engine().wait(transaction, timeout_s)

    def answer(self, key: bytes) -> bytes:
        return self.forged.get(key) or self._engine().answer(key)

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        return self._engine().consistency(old_size, new_size)

    def close(self) -> None:
        pass
