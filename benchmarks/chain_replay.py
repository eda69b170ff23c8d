"""Replaying a chain against making it: the same blocks, durable on both sides.

Each turn makes a chain from its genesis through the engine, then replays it into another
home, where every signature is checked, every rule carried out, and every header compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from benchmarks.chain_accounts import RICH, Senders, make_genesis
from benchmarks.chain_transfers import BenchError, push
from benchmarks.measure import mid, ratios, seconds_of
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.signature_workers import SignatureWorkers
from ledger.chain.machine.block_rows import read_genesis
from ledger.chain.machine.home import open_chain
from ledger.chain.machine.replay import replay
from ledger.chain.machine.writer import create_chain, open_chain_to_write
from ledger.ed25519 import PrivateKey
from ledger.published import published_directory

ACCOUNTS = 900
"""As many as one genesis gives money to."""
TRANSFERS = 20_000


def measure_replay(folder: Path, rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    """Figures by name."""
    transfers = TRANSFERS
    live, again = [], []
    for number in range(rounds):
        made, copy = folder / f"live-{number}", folder / f"replayed-{number}"
        live.append(_make(made, transfers))
        # The copy is the same chain, and publishes in the same place.
        shutil.rmtree(published_directory(), ignore_errors=True)
        again.append(_replay(made, copy))
        say(f"{transfers:,} transfers made in {live[-1]:.2f} s, replayed in {again[-1]:.2f} s")
        for each in (made, copy):
            shutil.rmtree(each)
        shutil.rmtree(published_directory(), ignore_errors=True)
    return {
        "replay_vs_live": mid(ratios(live, again)),
        "replay_tx_per_s": transfers / mid(again),
        "live_tx_per_s": transfers / mid(live),
    }


def _make(root: Path, transfers: int) -> float:
    """Seconds it takes to make the chain."""
    random = Random(str(root))
    keys = [PrivateKey.from_seed(random.randbytes(32)) for _ in range(ACCOUNTS)]
    everybody = [bytes(key.public_key) for key in keys]
    genesis = make_genesis(root.name, everybody[0], dict.fromkeys(everybody, RICH))
    create_chain(root, genesis)
    senders = Senders(genesis.chain, keys, everybody, random)
    signed = senders.transfers(transfers)
    with EmbeddedEngine.open(root) as engine:
        return push(engine, signed)


def _replay(made: Path, copy: Path) -> float:
    """Seconds it takes to live that chain again."""
    with SignatureWorkers() as checker, open_chain(made) as source:
        with source.storage.read() as transaction:
            create_chain(copy, read_genesis(transaction))
        with open_chain_to_write(copy, checker) as home:
            seconds = seconds_of(lambda: replay(source.storage, source.log, home.machine))
            if home.log.size != source.log.size:
                raise BenchError("the replayed chain is shorter")
            return seconds
