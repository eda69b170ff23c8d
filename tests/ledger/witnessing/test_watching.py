"""Checkpoints that arrive before, after and beside what could prove them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import LockedError, NotFoundError
from ledger.storage.memory import MemoryStorage
from ledger.witness import WitnessState, cosign_checkpoint
from ledger.witnessing import watching
from ledger.witnessing.follower import (
    Cosigned,
    Follower,
    Forked,
    Older,
    Outcome,
    Refused,
    Unchanged,
)
from ledger.witnessing.proof_source import ProofSource
from ledger.witnessing.watching import LONGEST_PAUSE_S, MAX_PLACES, MAX_WAITING, Watch
from tests.ledger.witnessing.sample_trees import (
    LOG,
    MOST,
    ORIGIN,
    OTHER_LOG,
    POLICY,
    WITNESSES,
    LyingSource,
    TreeSource,
    fork_at,
    note,
)


@dataclass
class World:
    """A watch, its clock, and the places it may ask."""

    places: dict[str, ProofSource] = field(default_factory=lambda: {"home": TreeSource()})
    now: float = 100.0
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.follower = Follower(POLICY, WitnessState(MemoryStorage()), WITNESSES[0])
        self.watch = Watch(self.follower, self._source, monotonic=lambda: self.now)

    def _source(self, place: str) -> ProofSource:
        self.asked.append(place)
        nobody = NotFoundError(f"nobody at {place}")
        return self.places.get(place, LyingSource(nobody, nobody))

    def hear(self, *sizes: int, place: str = "home", fork: int | None = None) -> list[Outcome]:
        for size in sizes:
            self.watch.offer(note(size, fork), place)
        return list(self.watch.work())

    @property
    def recorded(self) -> int:
        latest = self.follower.state.latest(ORIGIN)
        return Checkpoint.of_note(latest).size if latest else 0


@pytest.fixture
def world() -> World:
    return World()


def test_one_after_the_other(world: World) -> None:
    for size in (3, 4, 20, MOST):
        (outcome,) = world.hear(size)
        assert isinstance(outcome, Cosigned)
        assert world.recorded == size
    assert world.watch.wait_s() is None


def test_what_was_dealt_with_is_not_looked_at_again(world: World) -> None:
    world.hear(3)
    assert not world.watch.offer(note(3), "home")
    # Nor with more signatures under it.
    assert not world.watch.offer(cosign_checkpoint(note(3), WITNESSES[1], 1), "elsewhere")
    assert world.hear(3) == []


def test_after_a_restart_the_cosignature_of_then_is_given_again(world: World) -> None:
    (first,) = world.hear(3)
    assert isinstance(first, Cosigned)
    again = Watch(world.follower, lambda _: TreeSource())
    again.offer(note(3), "home")
    (second,) = again.work()
    assert isinstance(second, Unchanged)
    assert second.lines == first.lines


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: b"",
        lambda good: b"no note",
        lambda good: good[:-10] + b"AAAAAAAAA\n",
        lambda good: good.replace(b"\n3\n", b"\n4\n"),
        lambda good: note(3, signer=OTHER_LOG).replace(b"other", b"none"),
    ],
)
def test_what_no_followed_log_signed_is_nothing(
    world: World, spoil: Callable[[bytes], bytes]
) -> None:
    assert not world.watch.offer(spoil(note(3)), "home")
    assert world.watch.waiting == 0


def test_a_place_that_answers_late_is_asked_again_after_growing_pauses(world: World) -> None:
    world.hear(3)
    world.places.clear()
    assert world.hear(5) == []
    pauses = []
    for _ in range(10):
        wait = world.watch.wait_s()
        assert wait is not None
        pauses.append(wait)
        assert list(world.watch.work()) == []  # not due
        world.now += wait
        world.asked.clear()
        assert list(world.watch.work()) == []
        assert world.asked == ["home"]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(pauses) == LONGEST_PAUSE_S
    world.places["home"] = TreeSource()
    world.now += LONGEST_PAUSE_S
    (outcome,) = world.watch.work()
    assert isinstance(outcome, Cosigned)
    assert world.recorded == 5


def test_another_place_is_tried_at_once(world: World) -> None:
    world.hear(3)
    world.hear(5, place="a lie")
    assert world.recorded == 3
    (outcome,) = world.hear(5, place="home")
    assert isinstance(outcome, Cosigned)


def test_a_stranger_cannot_hide_the_right_place(world: World) -> None:
    world.hear(3)
    world.watch.offer(note(5), "home")
    for number in range(MAX_PLACES - 1):
        world.watch.offer(note(5), f"lie {number}")
    assert len(list(world.watch.work())) == 1
    assert world.recorded == 5


def test_a_wrong_proof_accuses_nobody_and_is_asked_for_again(world: World) -> None:
    world.hear(3)
    world.places["liar"] = LyingSource([b"x" * 32], NotFoundError("no"))
    assert world.hear(5, place="liar") == []
    (outcome,) = world.hear(5, place="home")
    assert isinstance(outcome, Cosigned)


def test_a_fork_is_found_among_what_waits(world: World) -> None:
    world.hear(8)
    world.places["fork"] = TreeSource(fork_at(4))
    outcomes = world.hear(12, place="fork", fork=4)
    assert [type(each) for each in outcomes] == [Forked]
    (refused,) = world.hear(12)  # the honest side gets no more cosignatures either
    assert isinstance(refused, Refused)
    assert world.recorded == 8


def test_only_the_newest_of_a_log_wait(world: World) -> None:
    world.hear(1)
    world.places.clear()
    world.hear(*range(2, 30))
    assert world.watch.waiting == MAX_WAITING
    world.places["home"] = TreeSource()
    world.now += 10
    outcomes = list(world.watch.work())
    assert len(outcomes) == MAX_WAITING
    assert all(isinstance(each, (Cosigned, Older)) for each in outcomes)
    assert world.recorded == 29


def test_two_logs_do_not_stand_in_each_others_way(world: World) -> None:
    world.hear(3)
    world.places.clear()
    world.hear(5)
    world.watch.offer(note(7, signer=OTHER_LOG), "elsewhere")
    (outcome,) = world.watch.work()
    assert isinstance(outcome, Cosigned)
    assert outcome.checkpoint.origin == OTHER_LOG.name != LOG.name


def test_a_store_that_fails_is_told_of_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.hear(3)

    def locked(*_: object) -> None:
        raise LockedError("process 7 has the home")

    with monkeypatch.context() as patch:
        patch.setattr(watching.Follower, "receive", locked)
        assert world.hear(5) == []
        assert world.watch.failure == "process 7 has the home"
    world.now += 1
    assert len(list(world.watch.work())) == 1
    assert world.watch.failure == ""


def test_the_smaller_side_of_a_fork_waits_for_a_place_that_can_prove_it(world: World) -> None:
    """It was brought by the forger, who proves nothing; the log's true home comes later."""
    world.hear(9)
    world.places["forger"] = TreeSource(fork_at(2))
    assert world.hear(5, place="forger", fork=2) == []
    assert world.watch.waiting == 1
    outcomes = world.hear(5, place="home", fork=2)
    assert [type(each) for each in outcomes] == [Forked]


def test_the_smaller_side_of_a_fork_is_proven_by_whichever_place_can(world: World) -> None:
    world.hear(9)
    world.places["forger"] = TreeSource(fork_at(2))
    world.watch.offer(note(5, 2), "home")
    world.watch.offer(note(5, 2), "forger")
    assert [type(each) for each in world.watch.work()] == [Forked]
    assert world.asked[-2:] == ["forger", "home"]


def test_an_old_checkpoint_that_nobody_can_prove_is_left_alone_at_last(world: World) -> None:
    world.hear(9)
    outcomes = world.hear(5, place="nowhere")
    tries = 1
    while not outcomes:
        wait = world.watch.wait_s()
        assert wait is not None
        world.now += wait
        outcomes = list(world.watch.work())
        tries += 1
    assert outcomes == [Older(Checkpoint.of_note(note(5)), 9, proven=False)]
    assert tries == 6
    assert world.watch.waiting == 0
    assert not world.watch.offer(note(5), "nowhere")
