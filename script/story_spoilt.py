"""The storefront of a seller that cheats, over a socket: it gives one unit as another than granted.

The product sells nothing but what was granted, so this much is written here: a sale is prepared
as it should be, then masked anew with one bit turned over, under the leaves of what is right.
Everything else, from the socket to the proposal and the key, is the product's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from story_world import World

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sale.identity import sale_id
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.grant import Grant
from ledger.exchange.home_units import HomeContents
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.socket_server import SocketServer
from ledger.exchange.swap_chain import SellingTerms
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_file import write_swap
from ledger.exchange.swap_messages import SwapOpening, is_swap_request, parse_swap_request
from ledger.exchange.swap_seller import SwapDesk, prepare
from ledger.exchange.unit_source import UnitSource
from ledger.fleet.own_chain import MIN_FEE
from ledger.home import open_home
from ledger.market.sale_chain import LightSaleChain
from ledger.market.sellers_chain import ProvenSellersChain
from ledger.wallet.wallet import Wallet

SPOILT = 2
"""The unit that is not what was promised."""
_TERMS = SellingTerms(lock_blocks=400, reveal_blocks=200, complaint_blocks=200, fee=MIN_FEE)
_TURN_S = 0.1


class Spoilt:
    """A recording with one bit of one unit turned over."""

    def __init__(self, source: UnitSource) -> None:
        self._source = source

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def root(self) -> bytes:
        return self._source.root

    def unit(self, index: int) -> memoryview:
        unit = bytearray(self._source.unit(index))
        if index == SPOILT:
            unit[100] ^= 1
        return memoryview(unit)

    def path(self, index: int) -> tuple[bytes, ...]:
        return self._source.path(index)


class SpoiltSales:
    """What answers at the socket, and sees to it that every sale is one of spoilt units."""

    def __init__(
        self, wallet: Wallet, chain: ProvenChain, contents: HomeContents, folder: Path
    ) -> None:
        self._lock = threading.Lock()
        self._contents = contents
        self._chain = chain
        sellers = ProvenSellersChain(chain)
        self._desk = SwapDesk(wallet, LightSaleChain(chain), sellers, folder, _TERMS)
        self._counter = SwapCounter(self._desk, self, _NoStreams())

    def find(self, grant: Grant) -> Spoilt:
        """As `Contents`: what is given once it is proposed."""
        return Spoilt(self._contents.find(grant))

    def answer(self, request: bytes) -> Reply:
        """The reply; a sale that is asked for is prepared before it."""
        with self._lock:
            if is_swap_request(request):
                ask = parse_swap_request(request)
                if isinstance(ask, SwapOpening) and self._counter.swap(ask.grant) is None:
                    self._prepare(ask.grant)
            return self._counter.answer(request)

    def tend(self) -> None:
        """What a storefront does by itself."""
        with self._lock:
            self._counter.tend()

    def _prepare(self, name: bytes) -> None:
        grant = self._desk.grants.grant(name)
        if grant is None:
            return
        honest = self._contents.find(grant)
        row = prepare(self._desk, grant, honest).row
        masked = MaskedContent(
            sale_id(grant.chain, grant.grant, row.sequence), Spoilt(honest), grant.count
        )
        key, root = masked.reveal().key, masked.sold.unit_root
        spoilt = replace(row, key=key, unit_root=root, masked_leaves=masked.masked_leaves)
        write_swap(self._desk.folder, spoilt)
        self._counter = SwapCounter(self._desk, self, _NoStreams())


class _NoStreams:
    def answer(self, request: bytes) -> Reply:
        del request
        return encode_refused(Reason.NO_GRANT)


@contextmanager
def spoilt_storefront(world: World, robot: str, wallet: Wallet) -> Iterator[Path]:
    """A storefront of a robot's own, which sells its episode; its socket."""
    episode, folder = world.episodes[robot], world.harbour.folder / f"{robot}-sales"
    folder.mkdir()
    offered = {bytes.fromhex(episode.content_root): bytes.fromhex(episode.record_id)}
    ended = threading.Event()
    with (
        world.proven() as chain,
        open_home(episode.home) as home,
        HomeContents(home.experiences, offered) as contents,
    ):
        sales = SpoiltSales(wallet, chain, contents, folder)

        def tend() -> None:
            while not ended.wait(_TURN_S):
                sales.tend()

        tending = threading.Thread(target=tend)
        with SocketServer(folder, sales.answer) as server:
            tending.start()
            try:
                yield server.path
            finally:
                ended.set()
                tending.join()
