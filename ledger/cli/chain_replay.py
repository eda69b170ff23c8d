"""``quipu chain replay``: carry every transaction out again, and compare."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ledger.chain.engines.stored import StoredChain
from ledger.chain.genesis import Genesis
from ledger.chain.machine.home import ChainReader, open_chain
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.replay import replay as replay_chain
from ledger.checkpoint import log_id
from ledger.cli.chain_access import chain_option, chain_root
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.errors import VerificationError
from ledger.log import Log
from ledger.published import PublishedCheckpoint
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind


@verb("replay")
@chain_option
@click.option(
    "--to",
    "height",
    type=click.IntRange(min=1, max=2**63 - 1),
    help="Stop after this block [the newest].",
)
def replay(invocation: Invocation, chain_home: Path | None, height: int | None) -> None:
    """Carry out all of a chain again, from its genesis, and compare every header.

    It takes room in the temporary folder, as much as the chain itself. `quipu audit
    --chain` checks more; this also shows how fast the machine is.
    """
    root = chain_root(chain_home)
    started = time.monotonic()
    with (
        open_chain(root) as home,
        _fresh_machine(home) as machine,
        advice("the chain does not follow its rules: quipu audit --chain names more"),
    ):
        done = replay_chain(home.storage, home.log, machine, height)
        newest = StoredChain(home).info()
        if height is None and done.info.app_hash != newest.app_hash:
            raise VerificationError(f"the replay ended at block {done.info.height}")
    seconds = time.monotonic() - started
    data = {
        "height": done.info.height,
        "app_hash": done.info.app_hash.hex(),
        "blocks": done.blocks,
        "transactions": done.transactions,
        "pruned_attachments": done.pruned_attachments,
        "seconds": round(seconds, 3),
    }
    invocation.output.text(
        data,
        f"[bold green]same[/]: {done.blocks} blocks, {done.transactions} transactions, up to "
        f"block {done.info.height} in {seconds:.1f} s",
        f"hash {done.info.app_hash.hex()}",
    )


@contextmanager
def _fresh_machine(home: ChainReader) -> Iterator[StateMachine]:
    """A machine at the genesis of the chain, in a store of its own that goes away."""
    with tempfile.TemporaryDirectory(prefix="quipu-replay-") as folder:
        genesis = Genesis.parse(StoredChain(home).genesis())
        storage = LmdbStorage.create(Path(folder) / "log", StoreKind.CHAIN)
        try:
            published = PublishedCheckpoint(Path(folder) / "published", log_id(genesis.origin))
            log = Log.create(storage, genesis.origin, home.vkeys[0], published)
            start_chain(storage, log, genesis.encoded)
            yield StateMachine(storage, log)
        finally:
            storage.close()
