"""A log among witnesses that are honest, down, slow, behind, ahead, or liars."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import NotFoundError, StorageFullError, VerificationError
from ledger.note import CosignatureSigner, SignatureLine, SignedNote
from ledger.storage.memory import MemoryStorage
from ledger.witness import AddCheckpointRequest, WitnessState
from ledger.witnessing.follower import Follower
from ledger.witnessing.gathering import Gatherer, GatherReport, Reply
from ledger.witnessing.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness
from ledger.witnessing.service import WitnessService
from ledger.witnessing.transport import Answer, UnreachableError, WitnessTransport
from tests.ledger.sample_log import ORIGIN, SIGNER, SampleLog, entries
from tests.ledger.witnessing.sample_trees import WITNESSES

POLICY = Policy(
    (PolicyLog(SIGNER.verifier_key),),
    tuple(PolicyWitness(f"w{n}", each.verifier_key) for n, each in enumerate(WITNESSES)),
    (PolicyGroup("two", 2, ("w0", "w1", "w2", "w3")),),
    "two",
)


@dataclass
class Direct:
    """A witness in this process; ``bend`` makes it answer otherwise."""

    signer: CosignatureSigner
    bend: Callable[[bytes, Answer], Answer] | None = None
    bodies: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.follower = Follower(POLICY, WitnessState(MemoryStorage()), self.signer)
        self.service = WitnessService(self.follower)

    def add_checkpoint(self, body: bytes) -> Answer:
        self.bodies.append(body)
        answer = self.service.add_checkpoint(body)
        return self.bend(body, answer) if self.bend else answer

    @property
    def old_sizes(self) -> list[int]:
        return [AddCheckpointRequest.parse(body).old_size for body in self.bodies]


class Down:
    def __init__(self) -> None:
        self.asked = 0

    def add_checkpoint(self, body: bytes) -> Answer:
        self.asked += 1
        raise UnreachableError("no route")


@pytest.fixture
def sample(tmp_path: Path) -> SampleLog:
    made = SampleLog.create(tmp_path)
    made.log.append(entries(0, 5))
    made.log.checkpoint([SIGNER])
    return made


def grow(sample: SampleLog, to: int) -> None:
    sample.log.append(entries(sample.log.size, to))
    sample.log.checkpoint([SIGNER])


def honest() -> dict[str, Direct]:
    return {f"w{number}": Direct(each) for number, each in enumerate(WITNESSES)}


def replies(report: GatherReport) -> dict[str, Reply]:
    return {name: each.reply for name, each in report.replies.items()}


def gatherer(
    sample: SampleLog, witnesses: Mapping[str, WitnessTransport], **options: object
) -> Gatherer:
    return Gatherer(sample.log, POLICY, witnesses, **options)  # type: ignore[arg-type]


def test_a_round_brings_every_cosignature_into_the_store(sample: SampleLog) -> None:
    witnesses = honest()
    report = gatherer(sample, witnesses).gather()
    assert set(replies(report).values()) == {Reply.COSIGNED}
    assert report.verdict.quorum_met
    assert sorted(report.verdict.cosigned) == ["w0", "w1", "w2", "w3"]
    assert sample.log.latest_checkpoint() == report.note
    assert sample.reopened().latest_checkpoint() == report.note
    opened = open_checkpoint(
        report.note, [SIGNER.verifier_key], [each.verifier_key for each in WITNESSES]
    )
    assert len(opened.cosignatures) == 4
    assert len(opened.log_signatures) == 1


def test_proofs_start_where_a_witness_is(sample: SampleLog) -> None:
    witnesses = honest()
    gathering = gatherer(sample, witnesses)
    gathering.gather()
    grow(sample, 9)
    grow(sample, 20)
    assert set(replies(gathering.gather()).values()) == {Reply.COSIGNED}
    assert witnesses["w0"].old_sizes == [0, 5]
    # A gatherer that forgot learns the size from the conflict.
    grow(sample, 21)
    assert set(replies(gatherer(sample, witnesses).gather()).values()) == {Reply.COSIGNED}
    assert witnesses["w0"].old_sizes == [0, 5, 0, 20]


def test_who_has_cosigned_is_not_asked_again(sample: SampleLog) -> None:
    witnesses = honest()
    gatherer(sample, {"w0": witnesses["w0"]}).gather()
    report = gatherer(sample, witnesses).gather()
    assert replies(report) == {
        "w0": Reply.THERE, "w1": Reply.COSIGNED, "w2": Reply.COSIGNED, "w3": Reply.COSIGNED,
    }  # fmt: skip
    assert len(witnesses["w0"].bodies) == 1


def test_requests_carry_the_logs_signature_alone(sample: SampleLog) -> None:
    witnesses = honest()
    gatherer(sample, {"w0": witnesses["w0"]}).gather()
    gatherer(sample, witnesses).gather()
    request = AddCheckpointRequest.parse(witnesses["w3"].bodies[0])
    assert [line.name for line in SignedNote.parse(request.note).signatures] == [ORIGIN]


def test_a_witness_that_is_down_takes_nothing_from_the_others(sample: SampleLog) -> None:
    now = [100.0]
    down = Down()
    witnesses = {**honest(), "w1": down}
    gathering = gatherer(sample, witnesses, monotonic=lambda: now[0])
    report = gathering.gather()
    assert replies(report)["w1"] is Reply.UNREACHABLE
    assert report.replies["w1"].detail == "no route"
    assert report.verdict.quorum_met
    for delay in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        now[0] += delay - 0.01
        assert replies(gathering.gather())["w1"] is Reply.WAITING
        now[0] += 0.02
        assert replies(gathering.gather())["w1"] is Reply.UNREACHABLE
    assert down.asked == 12
    assert replies(gathering.gather(impatient=True))["w1"] is Reply.UNREACHABLE


def test_a_slow_witness_holds_no_other_up(sample: SampleLog) -> None:
    release = threading.Event()

    def slow(body: bytes, answer: Answer) -> Answer:
        release.wait(60)
        return answer

    witnesses = {**honest(), "w0": Direct(WITNESSES[0], slow)}
    rounds: list[GatherReport] = []
    thread = threading.Thread(target=lambda: rounds.append(gatherer(sample, witnesses).gather()))
    thread.start()
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            note = sample.log.latest_checkpoint() or b""
            if len(POLICY.check(note).cosigned) == 3:
                break
            time.sleep(0.01)
        else:
            pytest.fail("the others' cosignatures are not stored while one is slow")
    finally:
        release.set()
        thread.join()
    assert len(rounds[0].verdict.cosigned) == 4


def test_a_log_that_nobody_answers_says_that_the_quorum_is_not_met(sample: SampleLog) -> None:
    before = sample.log.latest_checkpoint()
    report = gatherer(sample, {f"w{number}": Down() for number in range(4)}).gather()
    assert not report.verdict.quorum_met
    assert report.note == before == sample.log.latest_checkpoint()


# Liars


def resigned(
    signer: CosignatureSigner, text: str | None = None
) -> Callable[[bytes, Answer], Answer]:
    """Answers signed by another key, or over another text."""

    def bend(body: bytes, _answer: Answer) -> Answer:
        own = AddCheckpointRequest.parse(body).checkpoint.encode()
        return Answer(200, signer.sign(text or own, 5).encode().encode())

    return bend


def said(status: int, body: bytes) -> Callable[[bytes, Answer], Answer]:
    return lambda _body, _answer: Answer(status, body)


def edited(edit: Callable[[bytes], bytes]) -> Callable[[bytes, Answer], Answer]:
    return lambda _body, answer: Answer(answer.status, edit(answer.body))


NAMESAKE = CosignatureSigner(WITNESSES[0].name, WITNESSES[3].private_key)
STRANGERS = SignatureLine("x.example", b"abcd", bytes(1500)).encode().encode() * 50
OTHER_TEXT = Checkpoint(ORIGIN, 5, bytes(32)).encode()


@pytest.mark.parametrize(
    ("bend", "reply"),
    [
        (resigned(WITNESSES[0], OTHER_TEXT), Reply.MISBEHAVED),
        (resigned(WITNESSES[1]), Reply.MISBEHAVED),
        (resigned(NAMESAKE), Reply.MISBEHAVED),
        (edited(lambda body: body[:-10] + b"AAAAAAAA=\n"), Reply.MISBEHAVED),
        (edited(lambda body: body * 2), Reply.COSIGNED),
        (edited(lambda body: body[:-1]), Reply.MISBEHAVED),
        (edited(lambda body: b"\n" + body), Reply.MISBEHAVED),
        (edited(lambda body: b""), Reply.MISBEHAVED),
        (edited(lambda body: b"<html>"), Reply.MISBEHAVED),
        (edited(lambda body: body + b" " * 70_000), Reply.MISBEHAVED),
        (edited(lambda body: body * 65), Reply.MISBEHAVED),
        (edited(lambda body: body + STRANGERS), Reply.MISBEHAVED),
        (edited(lambda body: body + STRANGERS[: len(STRANGERS) // 50]), Reply.COSIGNED),
        (said(200, SIGNER.sign(OTHER_TEXT).encode().encode()), Reply.MISBEHAVED),
        (said(301, b""), Reply.MISBEHAVED),
        (said(307, b"http://elsewhere.example"), Reply.MISBEHAVED),
        (said(204, b""), Reply.MISBEHAVED),
        (said(418, b"teapot"), Reply.MISBEHAVED),
        (said(400, b"\xff\x00" * 9999), Reply.REFUSED),
        (said(403, b"no"), Reply.REFUSED),
        (said(422, b"inconsistent"), Reply.REFUSED),
        (said(404, b"who?"), Reply.UNKNOWN_LOG),
        (said(500, b""), Reply.UNREACHABLE),
        (said(503, b"later"), Reply.UNREACHABLE),
        (said(409, b"0\n"), Reply.MISBEHAVED),
        (said(409, b"3\n"), Reply.MISBEHAVED),
        (said(409, b"6\n"), Reply.AHEAD),
        (said(409, b"9223372036854775807\n"), Reply.AHEAD),
        (said(409, b"9223372036854775808\n"), Reply.MISBEHAVED),
        (said(409, b"5"), Reply.MISBEHAVED),
        (said(409, b""), Reply.MISBEHAVED),
        (said(409, b"-1\n"), Reply.MISBEHAVED),
        (said(409, b"+3\n"), Reply.MISBEHAVED),
        (said(409, "\u0663\n".encode()), Reply.MISBEHAVED),
    ],
)
def test_a_liar_gets_nothing_in_and_takes_nothing_from_the_others(
    sample: SampleLog, bend: Callable[[bytes, Answer], Answer], reply: Reply
) -> None:
    witnesses = {**honest(), "w0": Direct(WITNESSES[0], bend)}
    report = gatherer(sample, witnesses).gather()
    assert replies(report) == {
        "w0": reply, "w1": Reply.COSIGNED, "w2": Reply.COSIGNED, "w3": Reply.COSIGNED,
    }  # fmt: skip
    assert len(witnesses["w0"].bodies) <= 3
    assert ("w0" in report.verdict.cosigned) == (reply is Reply.COSIGNED)
    # What is stored is what the log and honest witnesses signed, nothing else.
    stored = sample.reopened().latest_checkpoint()
    assert stored is not None
    assert stored.count("\u2014".encode()) == 1 + len(report.verdict.cosigned)
    assert len(POLICY.check(stored).cosigned) == len(report.verdict.cosigned)


def test_a_witness_that_names_another_size_each_time_is_given_up(sample: SampleLog) -> None:
    sizes = iter([1, 2, 3, 4])
    liar = Direct(WITNESSES[0], lambda _body, _answer: Answer(409, b"%d\n" % next(sizes)))
    report = gatherer(sample, {"w0": liar}).gather()
    assert replies(report) == {"w0": Reply.REFUSED}
    assert liar.old_sizes == [0, 1, 2]


def test_a_conflict_is_a_size_and_a_newline(sample: SampleLog) -> None:
    liar = Direct(WITNESSES[0], said(409, b"33"))
    assert replies(gatherer(sample, {"w0": liar}).gather()) == {"w0": Reply.MISBEHAVED}
    assert len(liar.bodies) == 1


def test_a_log_that_became_shorter_is_no_error_of_the_witness(sample: SampleLog) -> None:
    """A home that was restored under a gatherer that remembers what it asked for."""

    class Restored:
        log = sample.log

        def __getattr__(self, name: str) -> object:
            return getattr(self.log, name)

    store, witness = Restored(), Direct(WITNESSES[0])
    gathering = Gatherer(store, POLICY, {"w0": witness})  # type: ignore[arg-type]
    gathering.gather()
    shorter = SampleLog.create(sample.published.directory.parent / "restored")
    shorter.log.append(entries(0, 3))
    shorter.log.checkpoint([SIGNER])
    store.log = shorter.log
    assert replies(gathering.gather()) == {"w0": Reply.AHEAD}


def test_a_witness_that_saw_a_longer_log_is_believed_no_further(sample: SampleLog) -> None:
    """As after a home was restored from a backup: nothing to prove, nothing to sign."""
    witness = Direct(WITNESSES[0])
    gathering = gatherer(sample, {"w0": witness})
    gathering.gather()
    grow(sample, 9)
    gathering.gather()
    shorter = SampleLog.create(sample.published.directory.parent / "again")
    shorter.log.append(entries(0, 7))
    shorter.log.checkpoint([SIGNER])
    report = gatherer(shorter, {"w0": witness}).gather()
    assert replies(report) == {"w0": Reply.AHEAD}


def test_a_fork_of_our_own_is_refused_by_the_witness(sample: SampleLog) -> None:
    witness = Direct(WITNESSES[0])
    gatherer(sample, {"w0": witness}).gather()
    forked = SampleLog.create(sample.published.directory.parent / "again")
    forked.log.append(entries(0, 9, b"another"))
    forked.log.checkpoint([SIGNER])
    report = gatherer(forked, {"w0": witness}).gather()
    assert replies(report) == {"w0": Reply.REFUSED}
    assert list(witness.follower.forks.all())


# What the log's side lacks


def test_a_log_without_a_checkpoint_has_nothing_to_ask_for(tmp_path: Path) -> None:
    empty = SampleLog.create(tmp_path)
    with pytest.raises(NotFoundError, match="no checkpoint"):
        gatherer(empty, honest()).gather()


def test_a_log_that_is_not_in_the_policy_is_refused(sample: SampleLog) -> None:
    with pytest.raises(VerificationError):
        Gatherer(sample.log, Policy(witnesses=POLICY.witnesses), honest()).gather()
    with pytest.raises(NotFoundError, match="w9"):
        gatherer(sample, {"w9": Down()})


def test_a_store_that_fails_is_no_witnesss_fault(sample: SampleLog) -> None:
    class Full:
        latest_checkpoint = sample.log.latest_checkpoint
        prove_consistency = sample.log.prove_consistency

        def merge_cosignatures(self, *_: object) -> bytes:
            raise StorageFullError("no space")

    with pytest.raises(StorageFullError):
        Gatherer(Full(), POLICY, honest()).gather()


def test_rounds_at_the_same_time_do_not_harm_each_other(sample: SampleLog) -> None:
    witnesses = honest()
    gathering = gatherer(sample, witnesses)
    threads = [threading.Thread(target=gathering.gather) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    note = sample.log.latest_checkpoint() or b""
    assert len(POLICY.check(note).cosigned) == 4
