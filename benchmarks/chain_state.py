"""A chain's state map: what a block costs, what a proof costs, how both grow.

``python -m benchmarks.chain_state [--accounts N] [--rounds N]`` prints the figures as one
object; progress goes to standard error. `measure_state` is what a benchmark of the whole
chain takes in.

A block is 5,000 transfers between random accounts: some 10,000 keys change, durably, in
one transaction that also prunes the height of two blocks before. Its peer is bare Ed25519
verification of 5,000 signatures, one core, in the same round. Both are timed as CPU time of
their thread too, for a share of the machine that others take counts as theirs, not as ours.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from time import perf_counter, thread_time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import mid, ratios
from ledger.chain.state.proof import StateProof, verify_absence, verify_membership
from ledger.chain.state.store import StateUpdate, commit, finalize, open_state, prune
from ledger.storage import WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind

ACCOUNTS = 1_000_000
FEW_ACCOUNTS = 1_000
TRANSFERS = 5_000
PROOFS = 5_000
ALL_PROOFS_UP_TO = 1_000_000
ROUNDS = 7
_SIGNATURES = 500


@dataclass(frozen=True, slots=True)
class BlockCost:
    """One block, in seconds."""

    finalize_cpu: float
    commit_cpu: float
    wall: float
    verifying_cpu: float
    """5,000 bare verifications, by what the ones measured beside it took."""


class StateOfAccounts:
    """A state of so many accounts, and blocks of transfers between them."""

    def __init__(self, folder: Path, accounts: int) -> None:
        self._random = Random(accounts)
        self._height = 0
        self.keys = [b"\x07" + sha256(b"account %d" % n).digest() for n in range(accounts)]
        self.storage = LmdbStorage.create(folder / f"state-{accounts}", StoreKind.CHAIN)
        genesis = dict.fromkeys(self.keys, bytes(16))
        with self.storage.read() as transaction:
            update = finalize(transaction, 0, genesis)
        self.storage.write(lambda transaction: commit(transaction, update))

    def block(self) -> BlockCost:
        """Commit one more block of transfers."""
        touched = {self._random.choice(self.keys) for _ in range(2 * TRANSFERS)}
        changes: dict[bytes, bytes | None] = {
            key: self._random.randbytes(16) for key in sorted(touched)
        }
        self._height += 1
        verifying = _verifying_seconds()
        gc.collect()
        start, started = perf_counter(), thread_time()
        with self.storage.read() as transaction:
            update = finalize(transaction, self._height, changes)
        finalized = thread_time()
        self.storage.write(lambda transaction: self._write(transaction, update))
        done, end = thread_time(), perf_counter()
        verifying = min(verifying, _verifying_seconds())
        return BlockCost(finalized - started, done - finalized, end - start, verifying)

    def _write(self, transaction: WriteTransaction, update: StateUpdate) -> None:
        commit(transaction, update)
        prune(transaction, max(0, self._height - 2))

    def proof_figures(self, rounds: int) -> tuple[list[float], list[float]]:
        """Proofs a second and verifications a second, half of them of absence, by rounds."""
        some = self._random.sample(self.keys, min(PROOFS // 2, len(self.keys)))
        asked = [*some, *(b"\x07nobody %d" % n for n in range(len(some)))]
        making, checking = [], []
        for _ in range(rounds):
            with self.storage.read() as transaction:
                state = open_state(transaction)
                gc.collect()
                start = thread_time()
                proofs = [state.prove(key).to_bytes() for key in asked]
                making.append(len(asked) / (thread_time() - start))
                start = thread_time()
                for place, (key, data) in enumerate(zip(asked, proofs, strict=True)):
                    check = verify_membership if place < len(some) else verify_absence
                    check(state.root, key, StateProof.from_bytes(data))
                checking.append(len(asked) / (thread_time() - start))
        return making, checking

    def largest_proof(self) -> int:
        """The size in bytes of the largest proof of an account, all of them looked at."""
        with self.storage.read() as transaction:
            state = open_state(transaction)
            return max(len(state.prove(key).to_bytes()) for key in self.keys[:ALL_PROOFS_UP_TO])


def _verifying_seconds() -> float:
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key(), bytes(150)
    signature = key.sign(message)
    start = thread_time()
    for _ in range(_SIGNATURES):
        public.verify(signature, message)
    return (thread_time() - start) * TRANSFERS / _SIGNATURES


def measure_state(
    folder: Path, accounts: int = ACCOUNTS, rounds: int = ROUNDS, say: Callable[[str], None] = print
) -> dict[str, float]:
    """Measure everything about the state; figures by name."""
    say(f"state of {accounts:,} accounts")
    large = StateOfAccounts(folder, accounts)
    say(f"state of {FEW_ACCOUNTS:,} accounts")
    small = StateOfAccounts(folder, FEW_ACCOUNTS)
    gc.freeze()
    for state in (large, small):
        state.block()
    costs: dict[str, list[BlockCost]] = {"large": [], "small": []}
    for number in range(rounds):
        say(f"block {number + 1} of {rounds}")
        costs["large"].append(large.block())
        costs["small"].append(small.block())
    say("proofs")
    making, checking = large.proof_figures(rounds)
    say(f"the largest of {min(accounts, ALL_PROOFS_UP_TO):,} proofs")
    largest = large.largest_proof()
    cpu = {name: [c.finalize_cpu + c.commit_cpu for c in of] for name, of in costs.items()}
    for state in (large, small):
        state.storage.close()
    return {
        "state_proof_bytes": largest,
        "state_proof_per_s": mid(making),
        "state_verify_per_s": mid(checking),
        "state_update_vs_ed25519": mid(
            ratios(cpu["large"], [c.verifying_cpu for c in costs["large"]])
        ),
        "state_update_growth": mid(ratios(cpu["large"], cpu["small"])),
        "state_finalize_cpu_ms": 1000 * mid([c.finalize_cpu for c in costs["large"]]),
        "state_commit_cpu_ms": 1000 * mid([c.commit_cpu for c in costs["large"]]),
        "state_update_wall_ms": 1000 * mid([c.wall for c in costs["large"]]),
        "ed25519_verify_us": 1e6 * mid([c.verifying_cpu for c in costs["large"]]) / TRANSFERS,
        "state_bytes_a_key": (folder / f"state-{accounts}" / "data.mdb").stat().st_size / accounts,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.chain_state", description=__doc__)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    started = perf_counter()

    def say(text: str) -> None:
        print(f"bench state {perf_counter() - started:6.1f} s: {text}", file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="quipu-bench-") as folder:
        figures = measure_state(Path(folder), options.accounts, options.rounds, say)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
