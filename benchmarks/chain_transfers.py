"""Signed transfers a second, durable, through the embedded engine: in process, over a socket.

The peer is bare Ed25519 verification of as many signatures, one core, keys loaded before,
half of it on either side of each turn. Admission, ordering, execution, state, log, receipts'
checkpoints and the synced write are the engine's part; signing is done before.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from benchmarks.chain_accounts import Senders, make_chain
from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.service import ChainService, Dropped
from ledger.chain.transaction import parse_transaction

SENDERS = 20_000
SUBMITTED_AT_ONCE = 500
PATIENCE_S = 300.0


class BenchError(Exception):
    """What was to be measured did not happen."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, in seconds."""

    engine: float
    bare: float


def push(service: ChainService, transfers: list[bytes]) -> float:
    """Seconds until all transfers are in durable blocks, from the first submission on."""
    gc.collect()
    start = perf_counter()
    ids = []
    for at in range(0, len(transfers), SUBMITTED_AT_ONCE):
        admissions = service.submit(transfers[at : at + SUBMITTED_AT_ONCE])
        if not all(admission.ok for admission in admissions):
            raise BenchError(next(str(each) for each in admissions if not each.ok))
        ids += [admission.id for admission in admissions]
    outcomes = service.wait_all(ids, PATIENCE_S)
    seconds = perf_counter() - start
    if any(isinstance(outcome, Dropped) or outcome.code for outcome in outcomes):
        raise BenchError("a transfer was not carried out")
    return seconds


def bare_seconds(chain: bytes, transfers: list[bytes]) -> float:
    """Seconds of bare verification of these transfers' signatures, keys loaded before."""
    claims = [parse_transaction(chain, each).claim for each in transfers]
    loaded = [
        (Ed25519PublicKey.from_public_bytes(claim.key), claim.signature, claim.message)
        for claim in claims
    ]
    gc.collect()
    start = perf_counter()
    for key, signature, message in loaded:
        key.verify(signature, message)
    return perf_counter() - start


def take_turn(service: ChainService, senders: Senders, count: int) -> Turn:
    """One turn of the engine, between two halves of its peer's."""
    transfers = senders.transfers(count)
    half = count // 2
    before = bare_seconds(senders.chain, transfers[:half])
    seconds = push(service, transfers)
    return Turn(seconds, before + bare_seconds(senders.chain, transfers[half:]))


@dataclass(slots=True)
class Bench:
    """A chain of so many accounts to push transfers through."""

    root: Path
    senders: Senders

    @classmethod
    def make(cls, folder: Path, accounts: int) -> Bench:
        """Make the chain."""
        root = folder / f"chain-{accounts}"
        return cls(root, make_chain(root, accounts, SENDERS))

    def in_process(self, count: int, rounds: int, say: Callable[[str], None]) -> list[Turn]:
        """Turns in library mode; a first one warms up and does not count."""
        with EmbeddedEngine.open(self.root) as engine:
            return self._turns(engine, count, rounds, say)

    def over_socket(self, count: int, rounds: int, say: Callable[[str], None]) -> list[Turn]:
        """Turns through a server in a process of its own."""
        with serving(self.root) as client:
            return self._turns(client, count, rounds, say)

    def _turns(
        self, service: ChainService, count: int, rounds: int, say: Callable[[str], None]
    ) -> list[Turn]:
        turns = []
        for number in range(rounds + 1):
            turns.append(take_turn(service, self.senders, count))
            say(f"{count:,} transfers in {turns[-1].engine:.2f} s, bare {turns[-1].bare:.2f} s")
            if not number:
                turns.clear()
        return turns


@contextmanager
def serving(root: Path) -> Iterator[ChainClient]:
    """A process that serves the chain, and a client of it."""
    command = [sys.executable, "-m", "benchmarks.chain_server", str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise BenchError("the server did not start")
            with ChainClient.at_home(root) as client:
                yield client
        finally:
            if process.stdin is not None:
                process.stdin.close()  # the server ends with its input
