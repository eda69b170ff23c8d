"""Witnesses as processes of their own: robots of two sites cosign each other over HTTP."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.ed25519 import PrivateKey
from ledger.note import NoteSigner, VerifierKey
from ledger.witness import AddCheckpointRequest, add_cosignatures
from ledger.witnessing.http_client import HttpWitness
from ledger.witnessing.policy import Policy, PolicyLog, PolicyWitness
from ledger.witnessing.transport import UnreachableError
from tests.cli.robot import REPOSITORY, CommandServer, Robot
from tests.ledger.witnessing.sample_trees import HONEST, LOG, MOST, WITNESSES, fork_at, note

PATIENCE_S = 60.0


@dataclass
class Serving:
    """A running ``quipu witness serve``."""

    process: subprocess.Popen[bytes]
    url: str
    vkey: str

    def ended(self) -> tuple[int, str]:
        """Ask it to end; its exit status and what it said on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, err.decode()


SERVE = "from ledger.cli.main import main; main()"

# Dies when the first request has been answered but the answer not yet sent.
SERVE_AND_DIE = (
    """
import os, signal
from ledger.witnessing.service import WitnessService
answer = WitnessService.add_checkpoint
def add_checkpoint(self, body):
    answer(self, body)
    os.kill(os.getpid(), signal.SIGKILL)
WitnessService.add_checkpoint = add_checkpoint
"""
    + SERVE
)


@contextmanager
def serve(folder: Path, policy: Path, *options: str, program: str = SERVE) -> Iterator[Serving]:
    """Run ``quipu witness serve`` in a Python of its own."""
    arguments = ["witness", "serve", "--json", "--state", str(folder), "--policy", str(policy)]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments, "--listen", "127.0.0.1:0", *options],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1].decode()
            told = json.loads(line)
            yield Serving(process, told["url"], told["vkey"])
        finally:
            process.kill()


def make_witness(robot: Robot, name: str) -> tuple[Path, VerifierKey]:
    folder = robot.folder / "witness"
    vkey = robot.told("witness", "key", "--state", folder, "--create", name)["vkey"]
    return folder, VerifierKey.parse(vkey)


def live(robot: Robot, size: int) -> None:
    """Let the robot's log grow by one, to ``size`` entries, and sign it."""
    recording = robot.work / f"run-{size}.log"
    recording.write_text(f"{robot.folder.name} lived through {size}\n")
    robot.did("ingest", recording)
    assert robot.told("checkpoint")["size"] == size


@pytest.fixture
def robots(server: CommandServer, tmp_path: Path) -> list[Robot]:
    made = [Robot(tmp_path / name, server) for name in ("anna", "bob")]
    for robot in made:
        robot.did("init", "--origin", f"{robot.folder.name}.example/r1")
        live(robot, 1)
    return made


def write_policy(path: Path, policy: Policy) -> Path:
    path.write_bytes(policy.encode())
    return path


def listing(robots: Sequence[Robot]) -> tuple[PolicyLog, ...]:
    return tuple(PolicyLog(VerifierKey.parse(robot.vkey())) for robot in robots)


def test_two_robots_of_two_sites_cosign_each_other(robots: list[Robot]) -> None:
    """Each site has a witness and asks the other's; then one is cut off, and catches up."""
    logs = listing(robots)
    witnesses = [make_witness(each, f"{each.folder.name}.example/witness") for each in robots]
    served = [write_policy(each.work / "serves", Policy(logs)) for each in robots]
    with serve(witnesses[0][0], served[0]) as at_anna, serve(witnesses[1][0], served[1]) as at_bob:
        policy = Policy(
            logs,
            (
                PolicyWitness("anna", witnesses[0][1], at_anna.url),
                PolicyWitness("bob", witnesses[1][1], at_bob.url),
            ),
            quorum="anna",
        )
        for robot, other in (robots, robots[::-1]):
            asked = Policy(logs, policy.witnesses, quorum=other.folder.name)
            rules = write_policy(robot.work / "policy", asked)
            told = robot.told("witness", "gather", "--policy", rules)
            assert told["cosigned"] == ["anna", "bob"]
            checkpoint = robot.work / "checkpoint"
            robot.did("checkpoint", "-o", checkpoint)
            assert robot.told("witness", "policy", "check", rules, "--checkpoint", checkpoint)["ok"]
            # A stranger far away asks for the other site's cosignature, and gets it.
            robot.did("prove", "0", "-o", "claim")
            vkey = policy.witnesses[robots.index(other)].key
            robot.did("verify", "claim", "--key", robot.vkey(), "--witness", vkey)
            robot.is_whole()
        # Anna is cut off for three checkpoints; one proof brings her back.
        anna = robots[0]
        for size in (2, 3, 4):
            live(anna, size)
        told = anna.told("witness", "gather", "--policy", anna.work / "policy")
        assert [each["reply"] for each in told["replies"].values()] == ["cosigned"] * 2
        followed = robots[1].told("witness", "status", "--state", witnesses[1][0])["logs"]
        assert {each["origin"]: each["size"] for each in followed} == {
            "anna.example/r1": 4,
            "bob.example/r1": 1,
        }
        assert all(time.time() - each["cosigned_s"] < 100 for each in followed)
        for running in (at_anna, at_bob):
            assert running.ended() == (0, "")
    # A witness that is down: said, and the rest goes on.
    live(anna, 5)
    told = anna.told("witness", "gather", "--policy", anna.work / "policy", code=1)
    assert {each["reply"] for each in told["replies"].values()} == {"unreachable"}
    assert told["cosigned"] == []


def test_a_forged_fork_is_refused_told_and_proven_to_others(
    robots: list[Robot], server: CommandServer, tmp_path: Path
) -> None:
    """Anna's home is copied, together with her key, and lives another life."""
    anna, bob = robots
    folder, key = make_witness(bob, "bob.example/witness")
    served = write_policy(bob.work / "serves", Policy(listing(robots)))
    twin = Robot(tmp_path / "twin", server)
    shutil.copytree(anna.home, twin.home)
    shutil.copytree(anna.published, twin.published)
    with serve(folder, served) as witness:
        asks = Policy(listing(robots), (PolicyWitness("bob", key, witness.url),), quorum="bob")
        rules = write_policy(anna.work / "policy", asks)
        for size in (2, 3):
            live(anna, size)
        anna.did("witness", "gather", "--policy", rules)
        for size in (2, 3, 4, 5):
            live(twin, size)
        told = twin.told("witness", "gather", "--policy", rules, code=1)
        assert told["replies"]["bob"]["reply"] == "refused"
        assert told["cosigned"] == []
        # Bob's cosignatures have an end, whichever side asks.
        live(anna, 4)
        assert anna.told("witness", "gather", "--policy", rules, code=1)["cosigned"] == []
        code, said = witness.ended()
        assert code == 0
        assert said.count("ALARM") == 1
        assert "anna.example/r1 signed a tree of 5 leaves that did not grow" in said
    bob.did("witness", "evidence", "anna.example/r1", "--state", folder, "-o", "evidence")
    assert "forked" in bob.did("witness", "status", "--state", folder)
    bob.refused("witness", "evidence", "bob.example/r1", "--state", folder, code=3)
    # Anyone with Anna's public key can judge it; with another key nobody is accused.
    found = bob.told("witness", "judge", "evidence", "--key", anna.vkey())
    assert (found["origin"], found["sizes"]) == ("anna.example/r1", [3, 5])
    bob.refused("witness", "judge", "evidence", "--key", bob.vkey(), code=1)
    for robot in (anna, bob, twin):
        robot.is_whole()  # each side is whole in itself: only together they are a fork


def test_two_witnesses_that_were_shown_two_sides_find_out(nobody: Robot, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    keys = [
        VerifierKey.parse(
            nobody.told("witness", "key", "--state", each, "--create", f"{each.name}.example")[
                "vkey"
            ]
        )
        for each in folders
    ]
    log = (PolicyLog(LOG.verifier_key),)
    alone = write_policy(nobody.work / "alone", Policy(log))
    with serve(folders[0], alone) as first:
        talking = Policy(log, (PolicyWitness("a", keys[0], first.url),))
        rules = write_policy(nobody.work / "talking", talking)
        assert add(first.url, 0, 5) == 200
        with serve(folders[1], rules, "--compare", "0.2") as second:
            assert add(second.url, 0, 5, fork=2) == 200
            end = time.monotonic() + PATIENCE_S
            told = ("witness", "status", "--state", folders[1])
            while not nobody.told(*told)["logs"][0]["forked"]:
                assert time.monotonic() < end
            assert add(second.url, 5, 9, fork=2) == 422
            code, said = second.ended()
            assert (code, said.count("ALARM")) == (0, 1)
            assert "two different roots of 5 leaves" in said


def test_a_witness_is_one_process_and_its_home_stays_free(robots: list[Robot]) -> None:
    anna = robots[0]
    folder, _ = make_witness(anna, "anna.example/witness")
    served = write_policy(anna.work / "serves", Policy(listing(robots)))
    with serve(folder, served, "--prefix", "/site/a") as witness:
        assert witness.url.endswith("/site/a")
        again = ("witness", "serve", "--policy", served, "--state", folder, "--listen", "0")
        assert "is writing to" in anna.refused(*again, code=4)
        live(anna, 2)
        taken = witness.url.removeprefix("http://").partition("/")[0]
        other, _ = make_witness(robots[1], "bob.example/witness")
        line = robots[1].refused(
            "witness", "serve", "--policy", served, "--state", other, "--listen", taken, code=4
        )
        assert "cannot listen" in line
        witness.process.send_signal(signal.SIGINT)
        assert witness.process.wait(PATIENCE_S) == 0


# Kill -9


def add(url: str, old: int, new: int, fork: int | None = None, signer: NoteSigner = LOG) -> int:
    tree = HONEST if fork is None else fork_at(fork)
    proof = tuple(tree.proof(old, new)) if 0 < old < new else ()
    request = AddCheckpointRequest(old, proof, note(new, fork, signer)).encode()
    return HttpWitness(url, 5).add_checkpoint(request).status


def test_killed_between_record_and_answer_it_does_not_sign_another_history(
    nobody: Robot,
) -> None:
    folder, _ = make_witness(nobody, "w.example")
    policy = write_policy(nobody.work / "serves", Policy((PolicyLog(LOG.verifier_key),)))
    with serve(folder, policy, program=SERVE_AND_DIE) as witness:
        with pytest.raises(UnreachableError):
            add(witness.url, 0, 5)
        assert witness.process.wait(PATIENCE_S) == -signal.SIGKILL
    with serve(folder, policy) as witness:
        # What nobody was told is recorded all the same: no other five leaves are signed,
        assert HttpWitness(witness.url).recorded(LOG.name) is not None
        assert add(witness.url, 0, 9) == 409
        # nor a tree that did not grow from them; the log itself goes on.
        assert add(witness.url, 5, 8, fork=7) == 200
        assert add(witness.url, 5, 9) == 409
        assert add(witness.url, 8, 9) == 422


def test_killed_at_any_time_it_has_recorded_all_that_it_ever_signed(nobody: Robot) -> None:
    """A log grows as fast as it is cosigned, until the witness is killed; each round another."""
    folder, key = make_witness(nobody, "w.example")
    rounds = 8
    signers = [
        NoteSigner(f"r{number}.example", PrivateKey.from_seed(b"race" + bytes([number]) * 28))
        for number in range(rounds + 1)
    ]
    logs = tuple(PolicyLog(each.verifier_key) for each in signers)
    policy = write_policy(nobody.work / "serves", Policy(logs))
    signed = {each.name: 0 for each in signers}
    rng = random.Random(5)

    def grow(url: str, signer: NoteSigner) -> None:
        witness = HttpWitness(url, 5)
        for size in range(1, MOST):
            offered = note(size, signer=signer)
            proof = tuple(HONEST.proof(size - 1, size)) if size > 1 else ()
            request = AddCheckpointRequest(size - 1, proof, offered).encode()
            try:
                answer = witness.add_checkpoint(request)
            except UnreachableError:
                return
            add_cosignatures(offered, answer.body, [key])  # a good one
            signed[signer.name] = size

    killed_at_work = 0
    for number in range(rounds):
        with serve(folder, policy) as witness:
            thread = threading.Thread(target=grow, args=(witness.url, signers[number]))
            thread.start()
            while not signed[signers[number].name]:
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.04))
            witness.process.kill()
            killed_at_work += thread.is_alive()
            thread.join()
    assert killed_at_work > rounds // 2, "it was never killed in the middle"
    with serve(folder, policy) as witness:
        for signer in signers[:rounds]:
            recorded = HttpWitness(witness.url).recorded(signer.name)
            assert recorded is not None
            checkpoint = Checkpoint.of_note(recorded)
            assert signed[signer.name] <= checkpoint.size <= signed[signer.name] + 1
            assert checkpoint.root == HONEST.mth(0, checkpoint.size)
            assert add(witness.url, signed[signer.name], MOST, 0, signer) in (409, 422)


def test_a_cosigner_of_the_robot_is_another_than_the_one_that_serves(robots: list[Robot]) -> None:
    """One key with two stores could sign two histories: the robot's own key is kept apart."""
    anna = robots[0]
    own = anna.told("witness", "key", "--create", "anna.example/own")["vkey"]
    _, served = make_witness(anna, "anna.example/served")
    assert VerifierKey.parse(own).public_key != served.public_key
    assert anna.told("witness", "key")["vkey"] == own
    assert WITNESSES[0].verifier_key != served
