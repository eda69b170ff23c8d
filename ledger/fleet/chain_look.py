"""A look at a settlement chain: through its engine, or into its home where none serves it."""

from __future__ import annotations

import time
from pathlib import Path

from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.service import NoEngineError
from ledger.chain.engines.stored import StoredChain
from ledger.chain.machine.home import open_chain
from ledger.chain.machine.proposal import Info
from ledger.errors import LedgerError
from ledger.fleet.board import ChainSeen


def look_at_chain(socket: Path, home: Path | None) -> ChainSeen:
    """Where the chain stands. Never raises for one that cannot be seen."""
    now_ns = time.time_ns()
    try:
        info, served = _look(socket, home)
    except LedgerError as error:
        return ChainSeen(now_ns, fault=error.message)
    return ChainSeen(
        now_ns, info.origin, info.chain.hex(), info.height, info.time_ns, served=served
    )


def _look(socket: Path, home: Path | None) -> tuple[Info, bool]:
    try:
        client = ChainClient(socket)
    except NoEngineError:
        if home is None:
            raise
        with open_chain(home) as chain:
            return StoredChain(chain).info(), False
    with client:
        return client.info(), True
