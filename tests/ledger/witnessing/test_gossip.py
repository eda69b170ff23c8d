"""Two witnesses that saw two sides of a fork find it out by talking to each other."""

from __future__ import annotations

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.note import NoteSigner
from ledger.storage.memory import MemoryStorage
from ledger.witness import WitnessState
from ledger.witnessing.follower import (
    Cosigned,
    Follower,
    Forked,
    Older,
    Refusal,
    Refused,
    Unchanged,
)
from ledger.witnessing.gossip import RecordingWitness, hear_witnesses
from ledger.witnessing.service import WitnessService, origin_hash
from ledger.witnessing.transport import UnreachableError
from tests.ledger.witnessing.sample_trees import (
    HONEST,
    POLICY,
    WITNESSES,
    TreeSource,
    fork_at,
    note,
)


class Peer:
    """A witness that tells what it has recorded, as its HTTP page does."""

    def __init__(self, number: int) -> None:
        self.follower = Follower(POLICY, WitnessState(MemoryStorage()), WITNESSES[number])
        self._service = WitnessService(self.follower)

    def recorded(self, origin: str) -> bytes | None:
        answer = self._service.recorded(origin_hash(origin))
        return answer.body if answer.status == 200 else None

    def saw(self, size: int, fork: int | None = None) -> Peer:
        tree = HONEST if fork is None else fork_at(fork)
        assert isinstance(self.follower.receive(note(size, fork), TreeSource(tree)), Cosigned)
        return self


class Down:
    def recorded(self, origin: str) -> bytes | None:
        raise UnreachableError("no route")


class Liar:
    """Says what somebody else than the log made up."""

    def recorded(self, origin: str) -> bytes | None:
        stranger = NoteSigner(origin, WITNESSES[3].private_key)
        return sign_checkpoint(Checkpoint(origin, 9, bytes(32)), [stranger])


def test_two_roots_of_one_size_are_evidence_without_any_proof() -> None:
    one, other = Peer(0).saw(5), Peer(1).saw(5, 2)
    ((name, outcome),) = hear_witnesses(one.follower, {"other": other})
    assert name == "other"
    assert isinstance(outcome, Forked)
    ((_, outcome),) = hear_witnesses(other.follower, {"one": one})
    assert isinstance(outcome, Forked)


def test_two_sizes_need_whoever_has_the_tree() -> None:
    for mine, theirs in ((5, 9), (9, 5), (4, 9), (9, 4)):
        one, other = Peer(0).saw(mine), Peer(1).saw(theirs, 2)
        ((_, outcome),) = hear_witnesses(one.follower, {"other": other})
        assert isinstance(outcome, Refused | Older)
        larger = TreeSource(fork_at(2) if theirs > mine else HONEST)
        ((_, outcome),) = hear_witnesses(one.follower, {"other": other}, larger)
        assert isinstance(outcome, Forked), (mine, theirs)


def test_witnesses_of_an_honest_log_have_nothing_to_tell() -> None:
    one = Peer(0).saw(5)
    peers: dict[str, RecordingWitness] = {
        "same": Peer(1).saw(5),
        "behind": Peer(2).saw(3),
        "empty": Peer(3),
        "down": Down(),
        "liar": Liar(),
    }
    found = dict(hear_witnesses(one.follower, peers, TreeSource()))
    assert isinstance(found["same"], Unchanged)
    assert found["behind"] == Older(Checkpoint.of_note(note(3)), 5, proven=True)
    assert found["liar"].refusal is Refusal.NOT_SIGNED  # type: ignore[union-attr]
    assert set(found) == {"same", "behind", "liar"}
    assert not list(one.follower.forks.all())
    # What another has seen further brings this one on, if somebody proves it.
    ahead = {"ahead": Peer(1).saw(9)}
    ((_, outcome),) = hear_witnesses(one.follower, ahead)
    assert outcome.refusal is Refusal.NO_PROOF  # type: ignore[union-attr]
    ((_, outcome),) = hear_witnesses(one.follower, ahead, TreeSource())
    assert isinstance(outcome, Cosigned)
