"""A chain on disk with something in every table, and a robot's home that it anchored.

Made once; every test tampers with a copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ledger.chain.audit.audit import audit_chain_in_process
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.chain.fleets import fleet_id
from ledger.chain.ids import consent_id
from ledger.chain.rules.payment import approve
from ledger.chain.rules.robot import register_message
from ledger.ed25519 import PrivateKey
from ledger.fsck.findings import AuditReport, AuditTrail, Depth, Finding, FindingKind
from ledger.home import create_home, open_home_to_write
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint
from ledger.schema.chain_channel_pb2 import OpenChannel, VoucherMode
from ledger.schema.chain_consent_pb2 import GrantConsent, WithdrawConsent
from ledger.schema.chain_identity_pb2 import CreateFleet, RegisterRobot
from ledger.schema.chain_payment_pb2 import Mint, Output, SetSpendingCap
from ledger.storage import ReadTransaction, Table, WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.machine.small_chain import SmallChain
from tests.ledger.chain.rules.chain_world import account_of, known_key, name_attachments

ORIGIN: Final = "example.com/husky"
RECORDS: Final = (b"r" * 16, b"s" * 16)
ATTACHMENT: Final = b"bytes that a rule might look at"
KEPT: Final = 8
"""Heights that stay provable."""


@dataclass
class AuditedChain:
    """A chain's home, where its checkpoints are remembered, and a robot's home."""

    home: Path
    published: Path
    robot: Path
    height: int
    consent: bytes
    chain_id: bytes

    def copy(self, folder: Path) -> AuditedChain:
        for source in (self.home, self.published, self.robot):
            shutil.copytree(source, folder / source.name)
        return replace(
            self,
            home=folder / self.home.name,
            published=folder / self.published.name,
            robot=folder / self.robot.name,
        )

    def request(self, depth: Depth = Depth.LOG, **options: Any) -> ChainAuditRequest:
        return ChainAuditRequest(self.home, self.published, depth, **options)

    def audit(self, depth: Depth = Depth.LOG, **options: Any) -> AuditReport:
        counters = ChainCounters()
        trail = AuditTrail(counters)
        audit_chain_in_process(self.request(depth, **options), trail, counters)
        return trail.report()

    def findings(self, **options: Any) -> tuple[Finding, ...]:
        return self.audit(**options).findings

    def kinds(self, **options: Any) -> set[FindingKind]:
        return {finding.kind for finding in self.findings(**options)}

    def rows(self, table: Table) -> list[tuple[bytes, bytes]]:
        storage = LmdbStorage.open_reader(self.home / "log", StoreKind.CHAIN)
        try:
            with storage.read() as txn:
                return list(txn.scan(table))
        finally:
            storage.close()

    def put(self, *rows: tuple[Table, bytes, bytes | None]) -> None:
        """Write rows behind the chain's back; None deletes."""

        def work(txn: WriteTransaction) -> None:
            for table, key, value in rows:
                if value is None:
                    txn.delete(table, key)
                else:
                    txn.put(table, key, value)

        storage = LmdbStorage.open_writer(self.home / "log", StoreKind.CHAIN)
        try:
            storage.write(work)
        finally:
            storage.close()


def make_chain(folder: Path) -> AuditedChain:
    """A dozen blocks: money, a fleet and its robot, anchors, a channel, consent, refusals."""
    home, robot = folder / "chain", folder / "robot"
    published = folder / "published"
    home.mkdir()
    storage = LmdbStorage.create(home / "log", StoreKind.CHAIN)
    chain = SmallChain(folder, storage, kept=KEPT, min_fee=1)
    key, notes = _make_robot(robot)
    fleet = fleet_id(chain.chain, "yard")
    signature = key.sign(register_message(chain.chain, fleet, account_of(key), ORIGIN))
    register = RegisterRobot(
        fleet=fleet, origin=ORIGIN, key=account_of(key), signature=signature, role="rover"
    )
    mint = Mint(asset=1, outputs=[Output(account=account_of(known_key("carol")), amount=77)])
    mint.approvals.extend(
        sorted(
            (approve(chain.chain, known_key(f"governor {n}"), mint) for n in (0, 1)),
            key=lambda approval: approval.key,
        )
    )
    chain.block([chain.pay("alice", "bob", 5), chain.pay("bob", "carol", 7)])
    chain.block([chain.sign("authority", CreateFleet(name="yard"))])
    chain.block([chain.sign("authority", register), chain.sign("bank", mint)])
    chain.block([chain.sign("alice", AnchorCheckpoint(note=notes[0]))], checkpoint=False)
    named = name_attachments([ATTACHMENT])
    chain.block(
        [chain.pay("alice", "carol", 1, attachments=named)],
        {sha256(ATTACHMENT).digest(): ATTACHMENT},
    )
    # Neither of these can be carried out; both stand in the block.
    chain.block([chain.pay("alice", "bob", 5, sequence=0), b"no transaction at all"])
    grant = GrantConsent(subject=b"c" * 32, origin=ORIGIN, record_id=RECORDS, purpose="training")
    consent = consent_id(chain.chain, account_of(known_key("bob")), chain.sequences[_of("bob")])
    chain.block([chain.sign("bob", grant)])
    chain.block([chain.sign("bob", WithdrawConsent(consent=consent))])
    opening = OpenChannel(
        payee=_of("bob"), deposit=1_000, expiry_height=500, challenge=10, voucher=VoucherMode()
    )
    chain.block([chain.sign("alice", opening)])
    chain.block([chain.sign("carol", SetSpendingCap(asset=0, amount=10, period=5))])
    for number in range(4):
        chain.block([chain.pay("bank", f"robot {number}.{n}", 1) for n in range(25)])
    chain.block([chain.pay("bank", "robot 0.0 pays", 1_000)])
    height = chain.machine.info().height
    storage.close()
    return AuditedChain(home, published, robot, height, consent, chain.chain)


def _make_robot(root: Path) -> tuple[PrivateKey, Sequence[bytes]]:
    """A robot with six entries, and its checkpoint of the first five."""
    create_home(root, ORIGIN)
    with open_home_to_write(root) as home:
        home.log.append([b"entry %d" % number for number in range(5)])
        note = home.log.checkpoint(home.signers())
        home.log.append([b"entry 5"])
        return home.entry_key(), [note]


def _of(name: str) -> bytes:
    return account_of(known_key(name))


def get(chain: AuditedChain, table: Table, key: bytes) -> bytes:
    """One row, which must be there."""
    storage = LmdbStorage.open_reader(chain.home / "log", StoreKind.CHAIN)
    try:
        with storage.read() as txn:
            return _present(txn, table, key)
    finally:
        storage.close()


def _present(txn: ReadTransaction, table: Table, key: bytes) -> bytes:
    value = txn.get(table, key)
    assert value is not None
    return value
