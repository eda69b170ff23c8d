"""Kill a buyer on its way to a request, and as it clears up: its budget reserves for nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.server import ChainServer
from ledger.chain.machine.home import ChainPaths
from ledger.chain.proven.chain import ProvenChain
from ledger.market.acquisition_states import Requested
from ledger.market.budget import Budget, Limits
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.shelf import Shelf
from ledger.market.uses import Uses
from ledger.market.wish import Wish
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.ledger.market.buyers_world import BuyersWorld

pytestmark = [
    # Python 3.12 warns of forks beside threads: the child uses none of this process's.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine"),
]

STEP = 4
"""Every how many-th write, sync and rename is one at which a buyer dies."""


def test_sigkill_before_anybody_was_asked(world: BuyersWorld, tmp_path: Path) -> None:
    socket = ChainPaths(world.root / "chain").socket
    server = ChainServer(world.engine, socket)
    member, offer = world.member_file(1), world.offered(uses=1_000).offer
    shelf, uses = Shelf(tmp_path / "shelf", world.chain), Uses(member)
    Budget.create(shelf.root / "budget-0", Limits(total=100_000))

    def live() -> None:
        shelf.clear(offer, uses)
        with ChainClient(socket) as client, shelf.begin(Wish(offer, "training")) as acquisition:
            chain = ProvenChain(client, world.trust)
            tools = world.tools(member, chain=chain, budget=Budget(shelf.root / "budget-0"))
            try:
                acquire(
                    acquisition,
                    tools,
                    cancelled=lambda: isinstance(acquisition.state, Requested),
                )
            except AcquisitionCancelledError:
                return

    stuck = 0
    for kth in range(1, 1_000, STEP):
        try:
            status, _ = kill_at_call(live, kth)
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        asked = [each for each in shelf.all() if isinstance(each.state, Requested)]
        stuck += bool(Budget(shelf.root / "budget-0").standing().reserved) and not asked
        assert len(shelf.budget(0).standing().reserved) == len(asked)
        if asked:
            assert os.WIFSIGNALED(status) or not os.WEXITSTATUS(status)
            assert stuck, "nothing died between the reservation and the request"
            break
    else:
        pytest.fail("asking made too many calls")
    server.close()
