"""A seller of whole contents beside a `BuyersWorld`, honest or not, and its buyers' chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sale.identity import sale_id
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reply
from ledger.exchange.swap_chain import SellingTerms
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_file import read_swap, swap_grants, write_swap
from ledger.exchange.swap_seller import SwapDesk, SwapState, observe, prepare
from ledger.exchange.transport import NoSellerError, Transport
from ledger.exchange.unit_source import UnitSource
from ledger.market.sellers_chain import ProvenSellersChain
from ledger.merkle.hashing import leaf_hash
from tests.fleet.sharing_chain import FEE
from tests.fleet.test_sharing_atomic import Spoilt
from tests.ledger.market.buyers_world import BuyersWorld

SELLING: Final = SellingTerms(
    lock_blocks=40, reveal_blocks=8, complaint_blocks=20, margin=2, fee=FEE
)


class WholeSeller:
    """Does its part whenever a buyer waits for a block, unless it is away."""

    def __init__(self, world: BuyersWorld) -> None:
        self.world: Final = world
        self.sales: Final = world.root / world.name("whole-sales")
        self.sales.mkdir()
        self.chain: Any = ProvenSellersChain(ProvenChain(world.engine, world.trust))
        self.wrong: int | None = None
        """The unit that it gives as another than was granted."""
        self.is_away = False
        self.has_no_time = False
        """Whether it does not tend its sales."""
        self.restart()

    def restart(self) -> None:
        """It in another process, as it were."""
        self.counter = SwapCounter(self._desk(), self, self.world.counter)

    def find(self, grant: Grant) -> UnitSource:
        """As `Contents`."""
        honest = self.world.contents.find(grant)
        return honest if self.wrong is None else Spoilt(honest, self.wrong)

    def way(self, grant: Grant) -> Transport:
        """To it."""
        return self

    def ask(self, request: bytes) -> Reply:
        """As a transport."""
        if self.is_away:
            raise NoSellerError("nobody is there")
        return self.counter.answer(request)

    def tend(self) -> None:
        """What a storefront does by itself."""
        if not self.is_away and not self.has_no_time:
            self.counter.tend()

    def states(self) -> tuple[SwapState, ...]:
        """Where its sales are."""
        rows = [read_swap(self.sales, grant) for grant in swap_grants(self.sales)]
        return tuple(observe(self._desk(), row) for row in rows if row is not None)

    def cheat(self, grant: Grant, wrong: int) -> None:
        """Prepare a sale that masks one unit that is wrong, and says that it is right."""
        honest = self.find(grant)
        leaves = tuple(leaf_hash(bytes(honest.unit(index))) for index in range(grant.count))
        row = prepare(self._desk(), grant, honest).row
        sale = sale_id(grant.chain, grant.grant, row.sequence)
        masked = MaskedContent(sale, Spoilt(honest, wrong), grant.count)
        self.wrong = wrong
        write_swap(
            self.sales,
            replace(
                row,
                key=masked.reveal().key,
                unit_root=masked.sold.unit_root,
                leaves=leaves,
                masked_leaves=masked.masked_leaves,
            ),
        )
        self.restart()

    def _desk(self) -> SwapDesk:
        world = self.world
        return SwapDesk(world.sellers_wallet, world, self.chain, self.sales, SELLING)


class BuyersService:
    """The chain's service for one buyer, on whose waiting its seller does its part."""

    def __init__(self, seller: WholeSeller) -> None:
        self._seller: Final = seller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._seller.world.engine, name)

    def events(self, from_height: int, wait_s: float) -> Any:
        """Waits for nothing: what is there then is there."""
        self._seller.tend()
        return self._seller.world.engine.events(from_height, 0.0)


class KilledError(Exception):
    """Where a buyer's process ends."""


class Deadly:
    """A buyer's way to its seller or to the chain; at its k-th use the buyer is killed.

    With ``after`` once that is done, else before.
    """

    def __init__(self, inner: Any, kth: list[int], after: bool) -> None:
        self._inner, self._kth, self._after = inner, kth, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def ask(self, request: bytes) -> Reply:
        """As a transport."""
        reply: Reply = self._use(self._inner.ask, request)
        return reply

    def submit(self, transactions: Sequence[bytes], attachments: Any) -> Any:
        """As a service."""
        return self._use(self._inner.submit, transactions, attachments)

    def _use(self, call: Any, *arguments: Any) -> Any:
        self._kth[0] -= 1
        if not self._kth[0] and not self._after:
            raise KilledError
        done = call(*arguments)
        if not self._kth[0]:
            raise KilledError
        return done
