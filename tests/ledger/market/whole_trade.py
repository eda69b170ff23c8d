"""One acquisition of a whole content, its seller, and what the pool had before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger.chain.proven.chain import ProvenChain
from ledger.credentials.member_file import MemberFile
from ledger.exchange.swap_seller import LockedSwap
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Granted
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.tools import Tools
from ledger.market.wish import Mode
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.ledger.market.whole_seller import BuyersService, WholeSeller

PRICE = 53
"""Of the recording: three chunks, and the recording itself."""


class Trade:
    """One acquisition, what it is driven with, and what the pool had before."""

    def __init__(self, seller: WholeSeller, member: MemberFile, offered: Offered, **tools: Any):
        world = seller.world
        self.world, self.seller = world, seller
        self.service = BuyersService(seller)
        self.budget = world.budget(total=1_000)
        self.tools: Tools = world.tools(
            member,
            **{
                "chain": self.chain(),
                "way": seller.way,
                "budget": self.budget,
                **tools,
            },
        )
        self.pool = world.pool
        self.acquisition = world.begin(offered.offer, mode=Mode.WHOLE)

    def chain(self, service: Any = None) -> ProvenChain:
        return ProvenChain(service or self.service, self.world.trust)

    def reopened(self) -> Acquisition:
        self.acquisition.close()
        self.acquisition = Acquisition.open(self.acquisition.folder)
        return self.acquisition

    def stopped_at(self, stop: Callable[[], bool]) -> None:
        """Drive it until somebody stops it."""
        with pytest.raises(AcquisitionCancelledError):
            acquire(self.acquisition, self.tools, cancelled=stop)

    @property
    def granted(self) -> Granted:
        state = self.acquisition.state
        assert isinstance(state, Granted)
        return state

    def is_locked(self) -> bool:
        return any(isinstance(each, LockedSwap) for each in self.seller.states())

    def settled(self, spent: int) -> None:
        """The budget and the pool say the same of what it cost; the request's fee comes first."""
        standing = self.budget.standing()
        assert (standing.used(), dict(standing.reserved)) == (max(0, spent), {})
        assert self.world.pool == self.pool - FEE - spent

    def tools_with(self, **changed: Any) -> Tools:
        """Its tools with others in their place."""
        return replace(self.tools, **changed)
