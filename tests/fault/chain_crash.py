"""Kill a chain's engine again and again, and look at what it left.

    python -m tests.fault.chain_crash --rounds 300 [--seed N]

Every round is one life: a process makes the chain or opens it, has an engine commit blocks
of transfers, and says of each what it was told. It dies at the k-th write, sync, rename or
unlink of any of its threads, k = 1, 2, 3, ... (`tests.fault.syscall_killer`), from the
making of the chain on; or at a random time. Then everything acknowledged must be there,
every block whole, log, checkpoints, state and headers consistent, and the next life goes on
with the same home.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

from ledger.chain.account import read_account
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header, check_succession
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.block_rows import find_transaction, newest_height, read_block, read_leaf
from ledger.chain.machine.home import ChainPaths
from ledger.chain.machine.writer import ChainWriter, create_chain, open_chain_to_write
from ledger.chain.result import results_root
from ledger.chain.state.check import check_state
from ledger.chain.state.store import heights, open_state
from ledger.chain.transaction import sign_transaction
from ledger.chain.working_state import WorkingState
from ledger.checkpoint import Checkpoint, log_id
from ledger.ed25519 import PrivateKey
from ledger.errors import CorruptStoreError
from ledger.published import PublishedCheckpoint, published_directory
from ledger.schema import chain_payment_pb2, chain_pb2
from tests.fault.log_checker import CheckedLog, check_log
from tests.fault.syscall_killer import kill_at_call_of_any_thread

PAYERS = 3
SETTINGS = EngineSettings(block_period_s=0.001, signature_processes=0, kept_heights=3)
PATIENCE_S = 60.0
OPENING, BATCHES_OF_A_LIFE = 0.5, 2
"""The longest lives, as so many times what a batch takes here: while it opens, and at work."""
BATCHES = 1
"""Of a life that is ended at each of its calls, after the making of its chain."""
GO_ON = 4
"""After every so many of those deaths another life goes on there."""
LIVES_OF_A_HOME = 20
SIGNED = 300
"""Transfers of each payer that are signed before the first life."""


def _key(name: str) -> PrivateKey:
    return PrivateKey.from_seed(sha256(b"a key of crashing chains\0" + name.encode()).digest())


@cache
def genesis() -> Genesis:
    payers = [bytes(_key(f"payer {number}").public_key) for number in range(PAYERS)]
    return Genesis.make(
        chain_pb2.Genesis(
            version=1,
            origin="chain.example/crash",
            time_ns=1_700_000_000_000_000_000,
            parameters=chain_pb2.Parameters(
                min_fee=1,
                treasury=bytes(_key("treasury").public_key),
                max_block_transactions=20,
                max_block_bytes=1 << 20,
                cap_delay=1,
                recovery_delay=1,
                max_overlap=1,
                min_challenge=1,
            ),
            assets=[chain_payment_pb2.Asset(id=0, symbol="QPU", decimals=2)],
            allocations=[
                chain_pb2.Allocation(account=payer, asset=0, amount=10**12)
                for payer in sorted(payers)
            ],
        )
    )


@cache
def transfer(payer: int, sequence: int) -> bytes:
    """What this payer's transaction of that number is, in every life."""
    recipient = bytes(_key(f"payee {sequence % 50}").public_key)
    body = chain_pb2.TransactionBody(
        sequence=sequence,
        expiry_height=1 << 40,
        fee=1,
        transfer=chain_payment_pb2.Transfer(asset=0, recipient=recipient, amount=3),
    )
    return sign_transaction(genesis().chain, _key(f"payer {payer}"), body)


def live(root: Path, made: bool, seed: int, batches: int, said: int) -> None:
    """One life: have batches of transfers committed, and say what was acknowledged."""
    chance = random.Random(seed)
    if not (made or (ChainPaths(root).exists and _has_chain(root))):
        create_chain(root, genesis())
        os.write(said, b"M\n")
    with EmbeddedEngine.open(root, SETTINGS) as engine:
        os.write(said, b"R\n")
        sequences = [_sequence(engine._home, payer) for payer in range(PAYERS)]
        for _ in range(batches):
            named = []
            for _ in range(chance.randint(1, 30)):
                payer = chance.randrange(PAYERS)
                named.append((payer, sequences[payer]))
                sequences[payer] += 1
            admissions = engine.submit([transfer(*each) for each in named])
            outcomes = engine.wait_all([each.id for each in admissions], PATIENCE_S)
            lines = [
                b"A %d %d %d\n" % (payer, sequence, outcome.height)
                for (payer, sequence), outcome in zip(named, outcomes, strict=True)
            ]
            os.write(said, b"".join(lines))
            if chance.random() < 0.3:
                checkpoint = Checkpoint.of_note(engine.checkpoint())
                os.write(said, b"C %d %s\n" % (checkpoint.size, checkpoint.root.hex().encode()))


def _has_chain(root: Path) -> bool:
    """Whether `create_chain` had come to its end here: what the operator would try first."""
    try:
        with open_chain_to_write(root):
            return True
    except CorruptStoreError:
        return False


def _sequence(home: ChainWriter, payer: int) -> int:
    with home.storage.read() as transaction:
        state = WorkingState(open_state(transaction).get)
        account = read_account(state, bytes(_key(f"payer {payer}").public_key))
    if account is None:
        raise RuntimeError("a payer of the genesis has no account")
    return account.sequence


@dataclass
class Home:
    """A home, and what engines in it have acknowledged in all their lives."""

    folder: Path
    made: bool = False
    included: dict[tuple[int, int], int] = field(default_factory=dict)
    """(payer, sequence) -> height."""
    checkpoints: dict[int, bytes] = field(default_factory=dict)
    height: int = 0
    lives: int = 0

    @property
    def root(self) -> Path:
        return self.folder / "chain"

    def take(self, said: bytes) -> None:
        for line in said.split(b"\n")[:-1]:  # what follows the last newline was never said
            kind, *words = line.decode().split(" ")
            if kind in "MR":
                self.made = True
            elif kind == "A":
                payer, sequence, height = map(int, words)
                self.included[payer, sequence] = height
            else:
                self.checkpoints[int(words[0])] = bytes.fromhex(words[1])

    def examine(self) -> None:
        """Check everything that is stored. Raises what is found wrong."""
        if not ChainPaths(self.root).exists:
            _insist(not self.made, "the chain is gone")
            return
        published = PublishedCheckpoint(published_directory(), log_id(genesis().origin))
        log = check_log(ChainPaths(self.root).log, published.path, b"quipu-chain/1")
        _insist(not log.problems, f"the log: {log.problems}")
        if not (self.made or _has_chain(self.root)):
            return
        with open_chain_to_write(self.root) as home:
            self._examine_chain(home, log)

    def _examine_chain(self, home: ChainWriter, log: CheckedLog) -> None:
        with home.storage.read() as transaction:
            check_state(transaction)
            kept = heights(transaction)
            newest = newest_height(transaction)
            _insist(newest >= self.height, "a block is gone")
            before: Header | None = None
            leaves = 1
            for height in range(1, newest + 1):
                block = read_block(transaction, height)
                header = block.header
                if before is not None:
                    check_succession(before, header)
                leaves += header.transactions + 1
                _insist(header.log_size == leaves - 1, f"block {height} is not whole")
                _insist(header.results_root == results_root(block.results), "results")
                before = header
            _insist(len(log.leaf_hashes) == leaves, "leaves without a block")
            _insist(kept is not None and kept.newest == newest, "the state's height")
            _insist(
                before is None or (kept is not None and kept.root == before.state_root),
                "the state is not the header's",
            )
            for (payer, sequence), height in self.included.items():
                encoded = transfer(payer, sequence)
                index = find_transaction(transaction, leaf_id(LeafKind.TRANSACTION, encoded))
                header = read_block(transaction, height).header
                _insist(
                    header.first_transaction <= index < header.log_size
                    and read_leaf(transaction, index, LeafKind.TRANSACTION) == encoded,
                    "an acknowledged transaction is not where it was",
                )
        for size, root in self.checkpoints.items():
            _insist(log.checkpoints.get(size) == root, "an acknowledged checkpoint is gone")
        for payer in range(PAYERS):
            told = [sequence for who, sequence in self.included if who == payer]
            _insist(_sequence(home, payer) > max(told, default=-1), "a payment is gone")
        self.height = newest


def _insist(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


class ChainCrashTest:
    """The rounds, and how many deaths there were of each kind."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.homes = 0
        self.long_lived = self._new_home()
        for payer in range(PAYERS):
            for sequence in range(SIGNED):
                transfer(payer, sequence)
        self.next_call = 1
        self.sweeps = 0
        """How often a life was ended at each of its calls, from the first to the last."""
        self.deaths = {"call": 0, "random": 0}
        self.batch_s = self.heard_s = 0.0
        self.acknowledged = 0
        """Transactions that lives ended at random had acknowledged."""

    def run_round(self, way: str) -> None:
        """One life, its examination, and on to the next life or home."""
        home = self._die_at_call() if way == "call" else self._die_at_random()
        home.lives += 1
        home.examine()
        if home is not self.long_lived:
            if self.next_call % GO_ON == 0:
                # The next life there ends by itself.
                status = self._live(home, 1, None)
                _insist(not status, "the next engine could not go on")
                home.examine()
            shutil.rmtree(home.folder)
        elif home.lives >= LIVES_OF_A_HOME:
            shutil.rmtree(home.folder)
            self.long_lived = self._new_home()

    def _new_home(self) -> Home:
        self.homes += 1
        folder = self.folder / f"home-{self.homes}"
        folder.mkdir()
        return Home(folder)

    def _die_at_call(self) -> Home:
        home = self._new_home()
        os.environ["QUIPU_PUBLISHED"] = str(home.folder / "published")
        reader, writer = os.pipe()
        try:
            status, _ = kill_at_call_of_any_thread(
                lambda: live(home.root, home.made, 5, BATCHES, writer), self.next_call
            )
        finally:
            os.close(writer)
        home.take(_drain(reader))
        if os.WIFSIGNALED(status):
            self.deaths["call"] += 1
            self.next_call += 1
        else:
            _insist(not status, f"a life ended by itself with status {status}")
            self.next_call = 1
            self.sweeps += 1
        return home

    def _die_at_random(self) -> Home:
        home, batch_s = self.long_lived, self._batch_s()
        os.environ["QUIPU_PUBLISHED"] = str(home.folder / "published")
        known = len(home.included)
        # Mostly at work, now and then while it opens. Half of those at work have a batch
        # acknowledged first, however slow the machine has become.
        early = self.chance.random() < 0.2
        heard = b"" if early else self.chance.choice((b"R", b"A"))
        longest_s = batch_s * (OPENING if early else BATCHES_OF_A_LIFE)
        delay_s = self.chance.uniform(0, longest_s)
        status = self._live(home, 200, delay_s, heard=heard)
        _insist(os.WIFSIGNALED(status), f"a life ended by itself with status {status}")
        self.deaths["random"] += 1
        self.acknowledged += len(home.included) - known
        return home

    def _batch_s(self) -> float:
        """What a batch takes on this machine, as it was loaded at first."""
        if not self.batch_s:
            home, taken = self._new_home(), []
            os.environ["QUIPU_PUBLISHED"] = str(home.folder / "published")
            for _ in range(3):
                self._live(home, 200, 0.0, heard=b"A")
                taken.append(self.heard_s)
            self.batch_s = sorted(taken)[1]
            shutil.rmtree(home.folder)
        return self.batch_s

    def _live(self, home: Home, batches: int, delay_s: float | None, *, heard: bytes = b"") -> int:
        """A life that is ended after a delay, or by itself; its wait status.

        The delay begins with the life, or once this was heard of it.
        """
        reader, writer = os.pipe()
        seed = self.chance.randrange(1 << 32)
        pid = os.fork()
        if not pid:
            try:
                live(home.root, home.made, seed, batches, writer)
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
                os._exit(3)
            os._exit(0)
        os.close(writer)
        said, began_s = b"", 0.0
        while heard not in said:
            part = os.read(reader, 64)
            if not part:
                break
            said += part
            if not began_s and b"R" in said:
                began_s = time.monotonic()
        self.heard_s = time.monotonic() - began_s
        if delay_s is not None:
            time.sleep(delay_s)
            os.kill(pid, signal.SIGKILL)  # our child, not yet waited for: the pid is its own
        said += _drain(reader)
        _, status = os.waitpid(pid, 0)
        home.take(said)
        return status


def _drain(reader: int) -> bytes:
    with os.fdopen(reader, "rb") as stream:
        return stream.read()


def main(arguments: list[str] | None = None) -> int:
    """Run the rounds and say how many there were; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="chain-crash", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=300, help="lives to end (default 300)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quipu-chain-crash-") as folder:
        test = ChainCrashTest(Path(folder), chosen.seed)
        for number in range(chosen.rounds):
            test.run_round("call" if number % 3 == 0 else "random")
    sys.stdout.write(
        f"{chosen.rounds} lives, {test.deaths}, {test.sweeps} whole sweeps, seed {chosen.seed},"
        f" {time.monotonic() - started:.1f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
