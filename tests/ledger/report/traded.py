"""What `busy_world` leaves on disk, closed: audited as it is, and copied by whoever alters it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ledger.chain.audit.audit import ChainPast, audit_chain_in_process
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.request import ChainAuditRequest
from ledger.ed25519 import PrivateKey
from ledger.fsck.findings import AuditReport, AuditTrail, Depth
from ledger.home import HomeWriter, open_home_to_write
from ledger.storage import Table, WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.report.trading_world import TradingWorld, busy_world

HUSKY, CLINIC, ROVER = (f"sellers.example/{name}" for name in ("husky", "clinic", "rover-2"))
COAST, FOREST = "buyers.example/robot-1", "buyers.example/robot-2"


@dataclass(frozen=True)
class Traded:
    """A chain's home, where checkpoints are remembered, and every robot's home by its origin."""

    root: Path
    chain: Path
    published: Path
    homes: dict[str, Path]
    secrets: tuple[bytes, ...]
    """Keys that sign, and what would tell one purchase of a member from another."""

    def copy(self, folder: Path) -> Traded:
        """All of it in another place."""
        for source in (self.chain, self.published, *self.homes.values()):
            shutil.copytree(source, folder / source.name)
        homes = {origin: folder / home.name for origin, home in self.homes.items()}
        return replace(
            self,
            root=folder,
            chain=folder / self.chain.name,
            published=folder / self.published.name,
            homes=homes,
        )

    def request(self, depth: Depth = Depth.LOG) -> ChainAuditRequest:
        """An audit of the chain and of all homes."""
        robots = tuple(self.homes.values())
        return ChainAuditRequest(self.chain, self.published, depth, robots=robots)

    def read(self, depth: Depth = Depth.LOG) -> tuple[AuditReport, ChainPast]:
        """Audit it in this process; the report, and what was read."""
        counters = ChainCounters()
        trail = AuditTrail(counters)
        past = audit_chain_in_process(self.request(depth), trail, counters)
        assert past is not None
        return trail.report(), past

    def put(self, table: Table, key: bytes, value: bytes | None) -> None:
        """Write a row of the chain's store behind its back; None deletes."""
        _put(self.chain / "log", StoreKind.CHAIN, table, key, value)

    def put_home(self, origin: str, table: Table, key: bytes, value: bytes | None) -> None:
        """The same of a robot's store."""
        _put(self.homes[origin] / "log", StoreKind.LOG, table, key, value)

    @contextmanager
    def writing(self, origin: str) -> Iterator[HomeWriter]:
        """A robot's home, in the hands of its owner."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("QUIPU_PUBLISHED", str(self.published))
            with open_home_to_write(self.homes[origin]) as home:
                yield home


def trade(root: Path) -> Traded:
    """Have it all happen, and close everything."""
    published = root / "published"
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(published))
        world = busy_world(root, held)
        sellers = {robot.origin: robot.home.paths.root for robot in world.robots}
        buyers = {fleet.home.log.origin: fleet.home.paths.root for fleet in world.fleets}
        keys = [use.key for use in world.uses]
        secrets = [bytes(key.public_key) for key in keys]
        secrets += [_seed(home.entry_key()) for home in _homes(world)]
        secrets += [_seed(key) for key in keys]
        for robot in world.robots[:1]:
            kept = robot.home.experiences.keys.get(robot.recorded.record_id)
            secrets += [kept.salt_key, *(each.blinding for each in kept.openings)]
    return Traded(root, root / "chain", published, {**sellers, **buyers}, tuple(secrets))


def spellings(secret: bytes) -> tuple[str, ...]:
    """The ways in which bytes could stand in a text."""
    return (
        secret.hex(),
        secret.hex()[:24],
        base64.b64encode(secret).decode("ascii")[:20],
        base64.urlsafe_b64encode(secret).decode("ascii")[:20],
    )


def _homes(world: TradingWorld) -> Iterator[HomeWriter]:
    for robot in world.robots:
        yield robot.home
    for fleet in world.fleets:
        yield fleet.home


def _seed(key: PrivateKey) -> bytes:
    # PKCS #8 of an Ed25519 key ends with its seed.
    body = b"".join(key.to_pem().splitlines()[1:-1])
    return base64.b64decode(body)[-32:]


def _put(log: Path, kind: StoreKind, table: Table, key: bytes, value: bytes | None) -> None:
    def work(txn: WriteTransaction) -> None:
        if value is None:
            txn.delete(table, key)
        else:
            txn.put(table, key, value)

    storage = LmdbStorage.open_writer(log, kind)
    try:
        storage.write(work)
    finally:
        storage.close()
