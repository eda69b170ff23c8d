"""Robots that anchor their checkpoints: how many a second, and what 10,000 of them cost.

10,000 robots of one fleet are in the state, each with an anchored checkpoint. Some of them
grow by as many entries as a minute brings and anchor again, with a consistency proof and
paying a fee, a block's share at a time, as if each came once a minute. Everything is done
in one process, so that its CPU time is all there is.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from time import process_time

from benchmarks.chain_accounts import RICH, make_genesis, write_chain
from benchmarks.chain_transfers import push
from benchmarks.measure import mid
from ledger.chain.account import Account
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.state_keys import account_key, anchor_key, fleet_key, robot_by_key_key, robot_key
from ledger.chain.transaction import sign_transaction
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.consistency import prove_consistency
from ledger.merkle.hashing import leaf_hashes
from ledger.merkle.tiles import TileReader, extend_blocks
from ledger.note import NoteSigner
from ledger.schema import chain_anchor_pb2, chain_identity_pb2, chain_pb2
from ledger.schema.canonical import serialize_message

ROBOTS = 10_000
PERIOD_S = 60.0
"""Each robot anchors once in so many seconds."""
BLOCKS_PER_S = 5
ENTRIES_A_MINUTE = 60  # one of growth a second
ANCHORED_AT = 100_000
FLEET = bytes(32)


@dataclass(slots=True)
class Robots:
    """A chain that knows robots, and the checkpoints with which some of them come."""

    root: Path
    chain: bytes
    keys: Sequence[PrivateKey] = field(repr=False)
    sizes: tuple[int, ...]
    roots: tuple[bytes, ...] = field(repr=False)
    proofs: tuple[tuple[bytes, ...], ...] = field(repr=False)
    """From each size to the next."""
    came: dict[int, int] = field(default_factory=dict, repr=False)

    @classmethod
    def make(cls, folder: Path, robots: int, visits: int) -> Robots:
        """Make the chain; each robot can come ``visits`` times."""
        random = Random(robots)
        keys = [PrivateKey.from_seed(random.randbytes(32)) for _ in range(robots)]
        sizes = tuple(ANCHORED_AT + ENTRIES_A_MINUTE * visit for visit in range(visits + 1))
        roots, proofs = _tree(sizes, random)
        root = folder / "chain-of-robots"
        genesis = make_genesis(root.name, bytes(keys[0].public_key))
        rows = genesis.state()
        fleet = chain_identity_pb2.FleetRecord(name="bench", authority=bytes(keys[0].public_key))
        rows[fleet_key(FLEET)] = serialize_message(fleet, "fleet")
        for number, key in enumerate(keys):
            rows.update(_robot_rows(origin_of(number), bytes(key.public_key), sizes[0], roots[0]))
        write_chain(root, genesis, rows)
        return cls(root, genesis.chain, keys, sizes, roots, proofs)

    def anchors(self, robots: Sequence[int]) -> list[bytes]:
        """The next anchor of each of these robots."""
        return [self._anchor(robot) for robot in robots]

    def _anchor(self, robot: int) -> bytes:
        visit = self.came.get(robot, 0)
        self.came[robot] = visit + 1
        origin, key = origin_of(robot), self.keys[robot]
        checkpoint = Checkpoint(origin, self.sizes[visit + 1], self.roots[visit + 1])
        note = sign_checkpoint(checkpoint, [NoteSigner(origin, key)])
        message = chain_anchor_pb2.AnchorCheckpoint(note=note, proof=self.proofs[visit])
        body = chain_pb2.TransactionBody(
            sequence=visit, expiry_height=1 << 40, fee=1, anchor_checkpoint=message
        )
        return sign_transaction(self.chain, key, body)


def measure_anchors(folder: Path, robots: int, rounds: int) -> dict[str, float]:
    """Figures by name; each round brings a tenth of the robots."""
    world = Robots.make(folder, robots, visits=2 * rounds + 1)
    share = max(1, round(robots / PERIOD_S / BLOCKS_PER_S))
    some = range(max(share, robots // 10))
    settings = EngineSettings(signature_processes=0, block_period_s=0.0)
    rates, costs = [], []
    with EmbeddedEngine.open(world.root, settings) as engine:
        push(engine, world.anchors(some))
        for _ in range(rounds):
            anchors = world.anchors(some)
            rates.append(len(anchors) / push(engine, anchors))
            anchors = world.anchors(some)
            gc.collect()
            start = process_time()
            for at in range(0, len(anchors), share):
                push(engine, anchors[at : at + share])
            costs.append((process_time() - start) / len(anchors))
    return {
        "anchor_tx_per_s": mid(rates),
        "anchor_cpu_ms": 1000 * mid(costs),
        "robots_10k_core_share": mid(costs) * ROBOTS / PERIOD_S,
    }


def origin_of(robot: int) -> str:
    return f"example.com/bench/robot-{robot}"


def _tree(
    sizes: Sequence[int], random: Random
) -> tuple[tuple[bytes, ...], tuple[tuple[bytes, ...], ...]]:
    """Roots of one growing tree at these sizes, and the proofs between them."""
    blocks: dict[tuple[int, int], bytes] = {}
    edge, roots = CompactRange(), []
    for size in sizes:
        growth = edge.grow(leaf_hashes([random.randbytes(32) for _ in range(size - edge.size)]))
        for block in extend_blocks(growth, lambda level, index: blocks.get((level, index))):
            blocks[block.level, block.index] = block.data
        edge = growth.after
        roots.append(edge.root())
    reader = TileReader(lambda level, index: blocks.get((level, index)), sizes[-1])
    proofs = [prove_consistency(old, new, reader) for old, new in pairwise(sizes)]
    return tuple(roots), tuple(proofs)


def _robot_rows(origin: str, key: bytes, size: int, root: bytes) -> dict[bytes, bytes | None]:
    robot = chain_identity_pb2.RobotRecord(
        fleet=FLEET,
        role="courier",
        keys=[chain_identity_pb2.KeyPeriod(key=key, first_height=1, first_time_ns=1)],
    )
    anchor = chain_anchor_pb2.AnchorRecord(size=size, root=root, height=1, time_ns=1)
    return {
        account_key(key): Account(holdings=((0, RICH),)).encode(),
        robot_key(origin): serialize_message(robot, "robot"),
        robot_by_key_key(key): origin.encode(),
        anchor_key(origin): serialize_message(anchor, "anchor"),
    }
