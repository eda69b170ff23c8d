"""One account's atomic sales: asked for, made, and brought to their ends as the chain goes on.

``SELLER/whole/`` has their files (`ledger.exchange.swap_file`) and notes, of the same form as
those of streams. A grant that is sold whole and by the unit is two sales.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from ledger.chain.engines.service import EngineError
from ledger.chain.proven.chain import ProvenChain
from ledger.errors import LedgerError, NotFoundError
from ledger.exchange.messages import DeedFetch, Reason, Reply, encode_refused
from ledger.exchange.swap_chain import SellingTerms
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_messages import PartFetch, SwapOpening
from ledger.exchange.swap_seller import EndedSwap, RevealedSwap, SwapDesk, SwapState
from ledger.exchange.transport import NoSellerError
from ledger.experience.private_folder import make_private_folder
from ledger.market.sale_chain import LightSaleChain
from ledger.market.sale_note import SaleNote, SaleStage, read_note, write_note
from ledger.market.selling_homes import SellingHomes
from ledger.market.selling_stock import Stock
from ledger.market.swap_chain import ProvenSwapChain
from ledger.wallet.wallet import Wallet

_LOG: Final = logging.getLogger(__name__)


class NoStreams:
    """Has no reply but that nothing was asked of it; streams are answered elsewhere."""

    def answer(self, request: bytes) -> Reply:
        """A refusal."""
        return encode_refused(Reason.MALFORMED)


class WholeSales:
    """`answer` is for any thread, `tend` for one at a time."""

    def __init__(
        self,
        wallet: Wallet,
        chain: ProvenChain,
        sales: LightSaleChain,
        homes: SellingHomes,
        folder: Path,
        terms: SellingTerms,
    ) -> None:
        """Nothing is opened yet: `tend` takes up what was sold before. Raises StorageError."""
        make_private_folder(folder)
        self._chain: Final = chain
        self._folder: Final = folder
        self._lock: Final = threading.Lock()
        self._stock: Final = Stock(homes, chain)
        asked = chain.parameters
        self._desk: Final = SwapDesk(
            wallet,
            sales,
            ProvenSwapChain(chain),
            folder,
            replace(
                terms,
                fee=max(terms.fee, asked.min_fee),
                complaint_blocks=max(terms.complaint_blocks, asked.min_challenge),
            ),
        )
        self._counter: SwapCounter | None = None
        self._is_closed = False

    def has(self, grant: bytes) -> bool:
        """Whether there is an atomic sale under a grant."""
        counter = self._counter
        return counter is not None and counter.swap(grant) is not None

    def knows(self, session: bytes) -> bool:
        """Whether a session is open here."""
        counter = self._counter
        return counter is not None and counter.knows(session)

    def answer(self, ask: SwapOpening | PartFetch | DeedFetch, request: bytes) -> Reply:
        """The reply. Who wants a sale while others' are tended is told to ask again.

        Raises what is the seller's own trouble, or the chain's.
        """
        if not self._lock.acquire(blocking=not isinstance(ask, SwapOpening)):
            return encode_refused(Reason.NOT_YET)
        try:
            if self._is_closed:
                raise NoSellerError("the storefront was closed", hint="ask again later")
            if self._counter is None:
                return encode_refused(Reason.NOT_YET)
            return self._counter.answer(request)
        finally:
            self._lock.release()

    def tend(self) -> None:
        """Make what was asked for, and bring each sale as far as it can go now.

        Trouble is logged, and met again the next time. Raises as the chain does where that
        cannot be asked.
        """
        with self._lock:
            if self._is_closed:
                return
            try:
                if self._counter is None:
                    self._counter = SwapCounter(self._desk, self._stock, NoStreams())
                for state in self._counter.tend():
                    self._note(state)
            except EngineError:
                raise
            except LedgerError as error:
                _LOG.error("atomic sales of %s: %s", self._desk.wallet.account.hex(), error)

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            self._is_closed = True
            self._stock.close()

    def _note(self, state: SwapState) -> None:
        grant = state.row.grant
        known = read_note(self._folder, grant.grant)
        note = known or SaleNote(grant, b"", None)
        if note.recording is None:
            try:
                note = replace(note, recording=self._stock.recording(grant.grant))
            except NotFoundError as error:
                _LOG.warning("sale %s: %s", grant.grant.hex()[:16], error.message)
        if isinstance(state, RevealedSwap):
            # The key is out, and opens every unit: whoever complains of it is refused.
            note = replace(note, stage=SaleStage.CLOSING, units=grant.count, claimed=grant.price)
        elif isinstance(state, EndedSwap):
            note = note.settled(note.claimed)
        if note != known:
            write_note(self._folder, note)
