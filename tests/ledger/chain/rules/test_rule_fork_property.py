"""Whatever history a log has: an honest one never freezes its robot, a forked one always does.

Trees and proofs are the library's own, not the tests'.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.codes import ResultCode
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.merkle.consistency import prove_consistency
from ledger.merkle.hashing import leaf_hash, tree_root
from ledger.merkle.tiles import TileReader
from ledger.note import NoteSigner
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_ACTIVE, ROBOT_STATUS_FROZEN
from ledger.witnessing.evidence import ForkClaim
from tests.ledger.chain.rules.robot_world import ORIGIN, RobotWorld
from tests.ledger.merkle.naive_tree import StoredTree

MOST = 600
"""More than two tiles of 256 leaves."""


class GrowingLog:
    """Leaves, hashed and stored by `ledger.merkle`."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.hashes = [leaf_hash(entry) for entry in entries]
        self.tree = StoredTree()
        self.tree.append(self.hashes)

    def root(self, size: int) -> bytes:
        return tree_root(self.hashes[:size])

    def path(self, old: int, size: int) -> list[bytes]:
        """The path of evidence between two sizes, from a proof of the library."""
        if not 0 < old < size:
            return []
        reader = TileReader(self.tree.get_block, len(self.hashes))
        proof = prove_consistency(old, size, reader)
        return [*([] if old & (old - 1) else [self.root(old)]), *proof]


def entries(count: int, branch: int | None = None) -> list[bytes]:
    """Entries of a log; from leaf ``branch`` on those of another history."""
    return [
        b"%d%s" % (index, b"" if branch is None or index < branch else b" otherwise")
        for index in range(count)
    ]


HONEST = GrowingLog(entries(MOST))


@cache
def forked(branch: int) -> GrowingLog:
    return GrowingLog(entries(MOST, branch))


@cache
def world() -> RobotWorld:
    """One chain for all rounds: a report that is refused changes nothing in it."""
    return RobotWorld()


def note(log: GrowingLog, size: int) -> bytes:
    signer = NoteSigner(ORIGIN, world().husky)
    return sign_checkpoint(Checkpoint(ORIGIN, size, log.root(size)), [signer])


sizes = st.one_of(st.integers(0, MOST), st.sampled_from([1, 2, 255, 256, 257, 511, 512, 513, MOST]))
hashes = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, MOST - 1).map(lambda index: HONEST.hashes[index]),
    st.integers(0, MOST).map(HONEST.root),
    st.integers(0, MOST).map(lambda size: forked(0).root(size)),
)


@st.composite
def paths(draw: st.DrawFn, old: int, size: int) -> list[bytes]:
    """The true path, one of other sizes or of a fork, or anything; then some mutations."""
    log = draw(st.sampled_from([HONEST, forked(0), forked(300)]))
    around = st.integers(-2, 2)
    steps = draw(
        st.one_of(
            st.just(log.path(old, size)),
            st.builds(
                lambda a, b: log.path(max(0, old + a), min(MOST, max(0, size + b))), around, around
            ),
            st.builds(log.path, sizes, sizes),
            st.lists(hashes, max_size=12),
        )
    )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(steps)))
        match draw(st.sampled_from(["insert", "replace", "drop", "flip", "swap"])):
            case "insert":
                steps = [*steps[:at], draw(hashes), *steps[at:]]
            case "replace":
                steps = [*steps[:at], draw(hashes), *steps[at + 1 :]]
            case "drop":
                steps = [*steps[:at], *steps[at + 1 :]]
            case "flip" if at < len(steps):
                bit = draw(st.integers(0, 255))
                number = int.from_bytes(steps[at], "big") ^ 1 << bit
                steps = [*steps[:at], number.to_bytes(32, "big"), *steps[at + 1 :]]
            case "swap" if at < len(steps):
                other = draw(st.integers(0, len(steps) - 1))
                steps = list(steps)
                steps[at], steps[other] = steps[other], steps[at]
            case _:
                pass
    return steps


@given(st.data(), sizes, sizes)
def test_no_two_checkpoints_of_an_honest_log_freeze(
    data: st.DataObject, one: int, other: int
) -> None:
    old, size = sorted((one, other))
    steps = data.draw(paths(old, size))
    claim = ForkClaim.of(note(HONEST, old), note(HONEST, size), steps[:64])
    result = world().report_bytes(claim.encode())
    assert result.code == ResultCode.NO_EVIDENCE
    assert world().robot(ORIGIN).status == ROBOT_STATUS_ACTIVE


@given(sizes, sizes, st.integers(0, MOST - 1))
def test_two_checkpoints_of_a_forked_log_always_freeze(one: int, other: int, branch: int) -> None:
    old, size = sorted((one, other))
    log = forked(branch // 50 * 50)
    if log.root(old) == HONEST.root(old):
        # The fork is later than what both hold: no contradiction, and none is found.
        claim = ForkClaim.of(note(HONEST, old), note(log, size), log.path(old, size))
        assert world().report_bytes(claim.encode()).code == ResultCode.NO_EVIDENCE
        return
    claim = ForkClaim.of(note(HONEST, old), note(log, size), log.path(old, size))
    assert world().report_bytes(claim.encode()).code == ResultCode.OK
    assert world().robot(ORIGIN).status == ROBOT_STATUS_FROZEN
    world().set_status(ORIGIN, ROBOT_STATUS_ACTIVE)


def test_the_logs_of_these_tests_differ_where_they_say() -> None:
    for branch in (0, 50, 300):
        assert forked(branch).root(branch) == HONEST.root(branch)
        assert forked(branch).root(branch + 1) != HONEST.root(branch + 1)
    assert sha256(b"\0" + b"0").digest() == HONEST.hashes[0]
