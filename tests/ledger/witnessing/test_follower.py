"""A follower's verdict on each checkpoint that arrives, in whatever order and from whomever."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.errors import CorruptStoreError, NotFoundError, RefusedError
from ledger.note import CosignatureSigner, SignedNote
from ledger.storage import Table
from ledger.storage.memory import MemoryStorage
from ledger.witness import WitnessState, add_cosignatures
from ledger.witnessing.evidence import ForkClaim, verify_evidence
from ledger.witnessing.follower import (
    Cosigned,
    Follower,
    Forked,
    Older,
    Refusal,
    Refused,
    Unchanged,
)
from ledger.witnessing.fork_records import ForkRecords
from ledger.witnessing.leaf_path import LeafPath
from ledger.witnessing.policy import Policy, PolicyLog
from tests.ledger.witnessing.sample_trees import (
    HONEST,
    KEYS,
    LOG,
    MOST,
    OLD_LOG,
    ORIGIN,
    OTHER_LOG,
    POLICY,
    WITNESSES,
    LyingSource,
    TreeSource,
    fork_at,
    note,
    path,
)

WITNESS = WITNESSES[0]


def follower(size: int = 0, policy: Policy = POLICY, **options: object) -> Follower:
    made = Follower(policy, WitnessState(MemoryStorage()), WITNESS, **options)  # type: ignore[arg-type]
    if size:
        assert isinstance(made.receive(note(size), TreeSource()), Cosigned)
    return made


def recorded_size(of: Follower) -> int:
    latest = of.state.latest(ORIGIN)
    return 0 if latest is None else Checkpoint.of_note(latest).size


def test_a_growing_log_is_cosigned() -> None:
    witness = follower(clock=lambda: 1234)
    for size in (0, 1, 2, 5, 8, 40):
        outcome = witness.receive(note(size), TreeSource())
        assert isinstance(outcome, Cosigned)
        assert outcome.checkpoint == Checkpoint.of_note(note(size))
        merged = add_cosignatures(note(size), outcome.lines, [WITNESS.verifier_key])
        opened = open_checkpoint(merged, KEYS, [WITNESS.verifier_key])
        assert [each.time_s for each in opened.cosignatures] == [1234]


def test_the_same_checkpoint_again_is_unchanged_and_tells_the_cosignature_of_then() -> None:
    times = iter(range(1, 9))
    witness = follower(clock=lambda: next(times))
    first = witness.receive(note(5), TreeSource())
    assert isinstance(first, Cosigned)
    silent = TreeSource(failing=True)
    assert witness.receive(note(5), silent) == Unchanged(first.checkpoint, first.lines)
    assert silent.asked == []


def test_a_checkpoint_recorded_without_a_cosignature_is_cosigned() -> None:
    witness = follower()
    witness.state.observe(note(5), KEYS, 0, ())
    outcome = witness.receive(note(5), TreeSource(failing=True))
    assert isinstance(outcome, Cosigned)


def test_one_proof_catches_up_with_whatever_came_between() -> None:
    witness = follower(3)
    source = TreeSource()
    assert isinstance(witness.receive(note(60), source), Cosigned)
    assert source.asked == [(3, 60)]


def test_an_older_checkpoint_is_no_alarm_and_is_looked_at_once() -> None:
    witness = follower(9)
    source = TreeSource()
    for size in (0, 1, 4, 8):
        old = Checkpoint.of_note(note(size))
        for _ in range(3):
            assert witness.receive(note(size), source) == Older(old, 9, proven=True)
    assert source.asked == [(1, 9), (4, 9), (8, 9)]
    silent = TreeSource(failing=True)
    assert witness.receive(note(5), silent) == Older(Checkpoint.of_note(note(5)), 9, proven=False)
    assert recorded_size(witness) == 9


def test_an_older_checkpoint_that_one_source_cannot_prove_another_can() -> None:
    """Of two places that are named for the other side of a fork, one may be the forger's own."""
    witness = follower(9)
    forged = note(5, 2)
    for liar in (TreeSource(failing=True), TreeSource(fork_at(2))):
        assert witness.receive(forged, liar) == Older(Checkpoint.of_note(forged), 9, proven=False)
    assert isinstance(witness.receive(forged, TreeSource()), Forked)


def test_what_is_remembered_of_old_checkpoints_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.witnessing.follower._REMEMBERED", 2)
    witness, source = follower(9), TreeSource()
    for size in (1, 2, 3, 3, 2, 1):
        witness.receive(note(size), source)
    assert source.asked == [(1, 9), (2, 9), (3, 9), (1, 9)]


@pytest.mark.parametrize("size", [1, 4, 5, 7, 8])
def test_the_other_side_of_a_fork_is_evidence(size: int) -> None:
    """Larger than what is recorded, as large, and smaller; powers of two among them."""
    for other in (1, 2, 5, 6, 8, 20):
        for fork in {0, min(size, other) - 1}:
            witness = follower(size)
            larger = fork_at(fork) if other >= size else HONEST
            outcome = witness.receive(note(other, fork), TreeSource(larger))
            assert isinstance(outcome, Forked), (size, other, fork, outcome)
            assert outcome.new
            assert verify_evidence(outcome.evidence.encode(), KEYS) == outcome.evidence
            assert recorded_size(witness) == size


def test_a_log_that_forked_gets_no_cosignature_any_more() -> None:
    witness = follower(5)
    assert isinstance(witness.receive(note(5, 2), TreeSource()), Forked)
    for later in (note(5), note(9), note(9, 2), note(5, 2)):
        outcome = witness.receive(later, TreeSource())
        assert isinstance(outcome, Refused)
        assert outcome.refusal is Refusal.FORKED
    other = note(3, signer=OTHER_LOG)
    assert isinstance(witness.receive(other, TreeSource()), Cosigned)
    again = Follower(POLICY, witness.state, WITNESS)
    assert isinstance(again.receive(note(9), TreeSource()), Refused)


def test_evidence_is_kept_once_and_the_first_stays() -> None:
    witness = follower(5)
    first = verify_evidence(ForkClaim.of(note(5), note(5, 2)), KEYS)
    second = verify_evidence(ForkClaim.of(note(5), note(5, 3)), KEYS)
    assert witness.report(first).new
    assert not witness.report(second).new
    assert witness.forks.of(ORIGIN) == first.claim
    assert witness.forks.of("example.com/other") is None
    assert list(ForkRecords(witness.state.storage).all()) == [(ORIGIN, first.claim)]
    assert list(ForkRecords(MemoryStorage()).all()) == []
    key = next(iter(_fork_keys(witness)))
    witness.state.storage.write(lambda txn: txn.put(Table.META, key, b"damaged"))
    with pytest.raises(CorruptStoreError):
        witness.forks.of(ORIGIN)


def _fork_keys(witness: Follower) -> list[bytes]:
    with witness.state.storage.read() as transaction:
        return [key for key, _ in transaction.scan(Table.META) if key.startswith(b"fork/")]


def refusal_of(witness: Follower, offered: bytes, source: object) -> Refusal:
    outcome = witness.receive(offered, source)  # type: ignore[arg-type]
    assert isinstance(outcome, Refused), outcome
    assert outcome.detail
    assert "\n" not in outcome.detail
    assert _fork_keys(witness) == []
    return outcome.refusal


def test_what_is_refused_and_why() -> None:
    witness = follower(5)
    good = TreeSource()
    assert refusal_of(witness, b"", good) is Refusal.MALFORMED
    assert refusal_of(witness, note(9)[:-1], good) is Refusal.MALFORMED
    stranger = sign_checkpoint(Checkpoint("example.com/x", 9, bytes(32)), [OTHER_X])
    assert refusal_of(witness, stranger, good) is Refusal.UNKNOWN_LOG
    assert refusal_of(witness, note(9, signer=OLD_LOG), good) is Refusal.NOT_SIGNED
    assert refusal_of(witness, note(9), TreeSource(failing=True)) is Refusal.NO_PROOF
    proof = tuple(HONEST.proof(5, 9))
    for wrong in ((), proof[:-1], (*proof, bytes(32)), (b"x",), [bytes(32)] * 70):
        lies = LyingSource(wrong, LeafPath(bytes(32), ()))
        assert refusal_of(witness, note(9), lies) is Refusal.WRONG_PROOF
    void = sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), [LOG])
    assert refusal_of(follower(), void, good) is Refusal.WRONG_PROOF
    assert good.asked == []
    assert recorded_size(witness) == 5


OTHER_X = type(LOG)("example.com/x", OTHER_LOG.private_key)


def test_an_honest_log_is_not_framed_by_whoever_brings_its_checkpoints() -> None:
    """Proofs of a fork that the log never signed, for checkpoints that it did."""
    for size in (4, 5):
        witness = follower(size)
        for tree in (fork_at(0), fork_at(3)):
            assert refusal_of(witness, note(9), TreeSource(tree)) is Refusal.WRONG_PROOF
            outcome = witness.receive(note(3), TreeSource(tree))
            assert outcome == Older(Checkpoint.of_note(note(3)), size, proven=False)
        assert isinstance(witness.receive(note(9), TreeSource()), Cosigned)


def test_a_robots_own_log_is_not_witnessed() -> None:
    witness = follower(except_origins=[ORIGIN])
    assert refusal_of(witness, note(5), TreeSource()) is Refusal.UNKNOWN_LOG
    with pytest.raises(RefusedError):
        Follower(POLICY, WitnessState(MemoryStorage()), CosignatureSigner("x", LOG.private_key))


def test_a_checkpoint_recorded_under_a_key_that_is_listed_no_more() -> None:
    """Growth is followed over the rotation; a contradiction could be shown to nobody."""
    both = Policy((*POLICY.logs, PolicyLog(OLD_LOG.verifier_key)), POLICY.witnesses)
    witness = follower(policy=both)
    assert isinstance(witness.receive(note(5, signer=OLD_LOG), TreeSource()), Cosigned)
    now = Follower(POLICY, witness.state, WITNESS)
    assert refusal_of(now, note(5, 2), TreeSource()) is Refusal.WRONG_PROOF
    assert refusal_of(now, note(9, 2), TreeSource(fork_at(2))) is Refusal.WRONG_PROOF
    assert isinstance(now.receive(note(3, 2), TreeSource()), Older)
    assert isinstance(now.receive(note(9), TreeSource()), Cosigned)
    # A policy that still lists the old key does have evidence.
    witness.state.storage.write(lambda txn: txn.delete(Table.META, _row(witness)))
    assert isinstance(witness.receive(note(5, signer=OLD_LOG), TreeSource()), Cosigned)
    assert isinstance(witness.receive(note(5, 2), TreeSource()), Forked)


def _row(witness: Follower) -> bytes:
    with witness.state.storage.read() as transaction:
        return next(key for key, _ in transaction.scan(Table.META) if key.startswith(b"witness/"))


class OvertakingSource(TreeSource):
    """Another checkpoint is received while this one's proof is being asked for."""

    def __init__(self, overtake: Callable[[], object]) -> None:
        super().__init__()
        self.overtake = overtake

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        self.overtake()
        return super().prove_consistency(old_size, size)


def test_an_overtaken_checkpoint_is_judged_again() -> None:
    witness = follower(3)
    source = OvertakingSource(lambda: witness.receive(note(6), TreeSource()))
    assert isinstance(witness.receive(note(9), source), Cosigned)
    assert source.asked == [(3, 9), (6, 9)]
    witness = follower(3)
    source = OvertakingSource(lambda: witness.receive(note(20), TreeSource()))
    assert witness.receive(note(9), source) == Older(Checkpoint.of_note(note(9)), 20, proven=True)
    witness = follower(3)
    fork = OvertakingSource(lambda: witness.receive(note(9), TreeSource()))
    fork.tree = fork_at(4)
    assert isinstance(witness.receive(note(9, 4), fork), Forked)
    assert recorded_size(witness) == 9


def test_who_is_overtaken_again_and_again_is_refused() -> None:
    witness = follower(3)
    sizes = iter(range(4, 40))
    source = OvertakingSource(lambda: witness.receive(note(next(sizes)), TreeSource()))
    assert refusal_of(witness, note(60), source) is Refusal.BUSY


def test_a_clock_before_1970_signs_nothing() -> None:
    witness = follower(clock=lambda: 0)
    outcome = witness.receive(note(5), TreeSource())
    assert isinstance(outcome, Refused)
    assert "time" in outcome.detail
    assert witness.state.latest(ORIGIN) is None


# Whatever happens to it


class HonestWorld(RuleBasedStateMachine):
    """One honest log, two witnesses, and messengers who lose, repeat, reorder and lie."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 1
        self.witnesses = [follower(), follower()]
        self.cosigned: list[list[Checkpoint]] = [[], []]

    @rule(more=st.integers(1, 9))
    def grow(self, more: int) -> None:
        self.size = min(MOST, self.size + more)

    @rule(who=st.integers(0, 1), back=st.integers(0, MOST), how=st.integers(0, 5))
    def deliver(self, who: int, back: int, how: int) -> None:
        size = max(0, self.size - back)
        source = [
            TreeSource(),
            TreeSource(),
            TreeSource(failing=True),
            TreeSource(fork_at(back % MOST)),
            LyingSource(path(3, 7), LeafPath(bytes(32), ())),
            LyingSource(NotFoundError("no"), LeafPath(HONEST.leaves[0], path(1, 2))),
        ][how]
        witness = self.witnesses[who]
        before = recorded_size(witness)
        outcome = witness.receive(note(size), source)
        assert not isinstance(outcome, Forked)
        if isinstance(outcome, Cosigned):
            assert size >= before
            self.cosigned[who].append(outcome.checkpoint)
        elif how < 2:
            assert isinstance(outcome, Unchanged | Older)

    @rule(teller=st.integers(0, 1))
    def gossip(self, teller: int) -> None:
        told = self.witnesses[teller].state.latest(ORIGIN)
        if told is not None:
            # With the teller's cosignature on it, which is a stranger's line here.
            outcome = self.witnesses[1 - teller].receive(told, TreeSource())
            assert isinstance(outcome, Cosigned | Unchanged | Older)
            assert Checkpoint.of_note(told).size <= recorded_size(self.witnesses[1 - teller])

    @invariant()
    def all_is_one_history(self) -> None:
        for witness, signed in zip(self.witnesses, self.cosigned, strict=True):
            assert [each.size for each in signed] == sorted(each.size for each in signed)
            for each in signed:
                assert each.root == HONEST.mth(0, each.size)
            assert _fork_keys(witness) == []
            latest = witness.state.latest(ORIGIN)
            if latest is not None:
                names = {line.name for line in SignedNote.parse(latest).signatures}
                assert names <= {ORIGIN, WITNESS.name}


TestHonestWorld = HonestWorld.TestCase
TestHonestWorld.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
