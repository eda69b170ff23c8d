"""Signatures checked in other processes: the same verdicts, whatever becomes of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.chain.engines import signature_workers
from ledger.chain.engines.signature_wire import (
    decode_claims,
    encode_claims,
    encode_verdicts,
)
from ledger.chain.engines.signature_workers import MIN_CLAIMS, SignatureWorkers
from ledger.chain.machine.signatures import InlineChecker
from ledger.chain.transaction import SignatureClaim
from ledger.errors import MalformedError
from tests.ledger.chain.engines.engine_world import PATIENCE_S, name_of, person

ROOT = Path(__file__).resolve().parents[4]


def some_claims(count: int) -> list[SignatureClaim]:
    """Claims of which every third is false, each in another way."""
    key = person(1)
    claims = []
    for number in range(count):
        message = b"message %d" % number + bytes(number % 70)
        claim = SignatureClaim(name_of(key), key.sign(message), message)
        if number % 3 == 2:
            claim = (
                claim._replace(message=message + b"!"),
                claim._replace(key=name_of(person(2))),
                claim._replace(signature=bytes(64)),
                claim._replace(key=b"\xff" * 32),
            )[number // 3 % 4]
        claims.append(claim)
    return claims


CLAIMS = some_claims(400)
VERDICTS = InlineChecker().begin(CLAIMS).result()


@pytest.fixture
def workers() -> Iterator[SignatureWorkers]:
    with SignatureWorkers(2) as pool:
        yield pool


def is_gone(pid: int) -> bool:
    """Whether no process of ours, not even a dead one that was not waited for, has this pid."""
    return not Path(f"/proc/{pid}").exists()


def test_the_verdicts_are_known() -> None:
    assert list(VERDICTS) == [number % 3 != 2 for number in range(400)]


@pytest.mark.parametrize("count", [0, 1, MIN_CLAIMS - 1, MIN_CLAIMS, 129, 400])
def test_the_same_verdicts_as_in_place(workers: SignatureWorkers, count: int) -> None:
    assert workers.begin(CLAIMS[:count]).result() == VERDICTS[:count]
    assert bool(workers.pids) <= (count >= MIN_CLAIMS)


def test_processes_do_most_of_the_work_and_end_with_the_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_place = 0
    check = signature_workers.is_signed

    def counted(key: bytes, signature: bytes, message: bytes) -> bool:
        nonlocal in_place
        in_place += 1
        time.sleep(0.002)  # a core that has other things to do
        return check(key, signature, message)

    monkeypatch.setattr(signature_workers, "is_signed", counted)
    with SignatureWorkers(1) as pool:
        checks = [pool.begin(CLAIMS) for _ in range(3)]
        assert [each.result() for each in checks] == [VERDICTS] * 3
        (pid,) = pool.pids
        assert in_place < len(CLAIMS)
    assert is_gone(pid)


def test_without_processes_all_is_done_in_place() -> None:
    with SignatureWorkers(0) as pool:
        assert pool.begin(CLAIMS).result() == VERDICTS
        assert pool.pids == []


def test_many_threads_at_once(workers: SignatureWorkers) -> None:
    with ThreadPoolExecutor(8) as threads:
        checks = list(threads.map(lambda n: workers.begin(CLAIMS[n:]).result(), range(10)))
    assert checks == [VERDICTS[n:] for n in range(10)]


def test_a_process_that_dies_is_replaced(
    workers: SignatureWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature_workers, "RESTART_S", 0.0)
    assert workers.begin(CLAIMS).result() == VERDICTS
    for _ in range(2):
        dead = workers.pids
        assert dead
        for pid in dead:
            os.kill(pid, signal.SIGKILL)
        # A worker that gets nothing to do does not learn of its process's death.
        deadline = time.monotonic() + PATIENCE_S
        while not workers.pids or set(workers.pids) & set(dead):
            assert time.monotonic() < deadline, "it was not replaced"
            assert workers.begin(CLAIMS).result() == VERDICTS
        for pid in dead:
            assert is_gone(pid)


def test_a_process_that_dies_at_work(
    workers: SignatureWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature_workers, "RESTART_S", 0.0)
    workers.begin(CLAIMS).result()
    for delay_s in (0.0, 0.01):
        check = workers.begin(CLAIMS * 2)
        time.sleep(delay_s)
        for pid in workers.pids:
            os.kill(pid, signal.SIGKILL)
        assert check.result() == VERDICTS * 2


def test_a_process_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with SignatureWorkers(1) as pool:
        pool.begin(CLAIMS).result()
        monkeypatch.setattr(signature_workers, "ANSWER_S", 0.2)
        monkeypatch.setattr(signature_workers, "_END_S", 0.1)
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        assert pool.begin(CLAIMS * 3).result() == VERDICTS * 3
        assert is_gone(pid)


def test_a_process_that_answers_nonsense_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    liar = "import os\nwhile os.read(0, 65536): os.write(1, bytes([0, 0, 0, 1, 7]) * 9)\n"

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", liar]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(signature_workers, "_start", start)
    monkeypatch.setattr(signature_workers, "ANSWER_S", 1.0)
    with SignatureWorkers(1) as pool:
        assert pool.begin(CLAIMS).result() == VERDICTS


def test_a_process_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> subprocess.Popen[bytes]:
        raise FileNotFoundError("no such interpreter")

    monkeypatch.setattr(signature_workers, "_start", start)
    with SignatureWorkers(1) as pool:
        assert pool.begin(CLAIMS).result() == VERDICTS


def test_a_pool_that_was_closed_still_answers() -> None:
    pool = SignatureWorkers(1)
    before = pool.begin(CLAIMS)
    pool.close()
    assert before.result() == VERDICTS
    assert pool.begin(CLAIMS).result() == VERDICTS


def test_processes_end_with_a_parent_that_is_killed() -> None:
    program = (
        "import sys, time\n"
        "from ledger.chain.engines.signature_workers import SignatureWorkers\n"
        "from tests.ledger.chain.engines.test_signature_workers import CLAIMS\n"
        "pool = SignatureWorkers(1)\n"
        "pool.begin(CLAIMS).result()\n"
        "print(*pool.pids, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
    deadline = time.monotonic() + 60
    while not is_gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    state = Path(f"/proc/{pid}/stat")
    # Nobody may be there to reap an orphan; then it is dead all the same.
    assert is_gone(pid) or state.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_an_interrupt_from_the_terminal_is_the_engines_business(
    workers: SignatureWorkers,
) -> None:
    workers.begin(CLAIMS).result()
    before = workers.pids
    for pid in before:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.05)
    assert workers.begin(CLAIMS).result() == VERDICTS
    assert workers.pids == before


def test_claims_are_read_as_they_were_written() -> None:
    encoded = encode_claims(CLAIMS[:50])
    assert decode_claims(encoded[4:]) == CLAIMS[:50]
    assert int.from_bytes(encoded[:4], "big") == len(encoded) - 4
    assert encode_verdicts([True, False]) == b"\x00\x00\x00\x02\x01\x00"
    for cut in (1, 30, 99, 104):
        with pytest.raises(MalformedError):
            decode_claims(encoded[4:][:-cut])
