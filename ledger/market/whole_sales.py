"""One account's atomic sales: asked for, made, and brought to their ends as the chain goes on.

``SELLER/whole/`` has their files (`ledger.exchange.swap_file`) and notes, of the same form as
those of streams. A grant that is sold whole and by the unit is two sales.

Nothing is booked before the chain says how a sale ended. Until then it is closing, whoever
had its key and its content; a complaint that was upheld earns nothing, and what somebody else
settled while nobody was here earns the price all the same.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from ledger.chain.engines.service import EngineError
from ledger.chain.proven.chain import ProvenChain
from ledger.errors import CorruptStoreError, LedgerError, NotFoundError
from ledger.exchange.messages import DeedFetch, Reason, Reply, encode_refused
from ledger.exchange.swap_chain import SellingTerms
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_messages import PartFetch, SwapOpening
from ledger.exchange.swap_seller import (
    EndedSwap,
    PreparedSwap,
    RevealedSwap,
    SwapDesk,
    SwapState,
)
from ledger.exchange.transport import NoSellerError
from ledger.experience.private_folder import make_private_folder
from ledger.market.sale_chain import LightSaleChain
from ledger.market.sale_note import SaleNote, SaleStage, noted_sales, read_note, write_note
from ledger.market.sellers_chain import ProvenSellersChain
from ledger.market.selling_homes import SellingHomes
from ledger.market.selling_stock import Stock
from ledger.wallet.wallet import Wallet

_LOG: Final = logging.getLogger(__name__)


class NoStreams:
    """Has no reply but that nothing was asked of it; streams are answered elsewhere."""

    def answer(self, request: bytes) -> Reply:
        """A refusal."""
        return encode_refused(Reason.MALFORMED)


class WholeSales:
    """`answer` is for any thread; `advance` for one at a time and `make` for one, others wait.

    Nobody who asks waits for either: a content is masked, and a block waited for, while
    others are answered.
    """

    def __init__(
        self,
        wallet: Wallet,
        chain: ProvenChain,
        sales: LightSaleChain,
        homes: SellingHomes,
        folder: Path,
        terms: SellingTerms,
    ) -> None:
        """Nothing is opened yet: `advance` takes up what was sold before. Raises StorageError."""
        make_private_folder(folder)
        self._folder: Final = folder
        self._advancing: Final = threading.Lock()
        self._making: Final = threading.Lock()
        self._stock: Final = Stock(homes, chain)
        # A stock is one thread's: what is masked is read beside what is asked for.
        self._masked: Final = Stock(homes, chain)
        asked = chain.parameters
        self._desk: Final = SwapDesk(
            wallet,
            sales,
            ProvenSellersChain(chain),
            folder,
            replace(
                terms.fitting(asked.max_block_transactions),
                fee=max(terms.fee, asked.min_fee),
                complaint_blocks=max(terms.complaint_blocks, asked.min_challenge),
            ),
        )
        self._notes: Final[dict[bytes, SaleNote]] = {}
        self._counter: SwapCounter | None = None
        self._ended: Final = threading.Event()

    def has(self, grant: bytes) -> bool:
        """Whether there is an atomic sale under a grant."""
        counter = self._counter
        return counter is not None and counter.swap(grant) is not None

    def knows(self, session: bytes) -> bool:
        """Whether a session is open here."""
        counter = self._counter
        return counter is not None and counter.knows(session)

    def answer(self, ask: SwapOpening | PartFetch | DeedFetch, request: bytes) -> Reply:
        """The reply; before sales are taken up, that there is none yet.

        Raises what is the seller's own trouble, or the chain's.
        """
        if self._ended.is_set():
            raise NoSellerError("the storefront was closed", hint="ask again later")
        counter = self._counter
        return encode_refused(Reason.NOT_YET) if counter is None else counter.answer(request)

    def make(self, ended: threading.Event | None = None) -> bool:
        """Mask the content that was asked for first; whether there was one.

        It is left where it is once ``ended`` is set, or the sales are closed, and begun anew
        the next time. Trouble is logged, and met again the next time. Raises as the chain
        does where that cannot be asked.
        """
        with self._making:
            counter = self._counter
            if counter is None or self._ended.is_set():
                return False

            def told(masked: int) -> None:
                if self._ended.is_set() or (ended is not None and ended.is_set()):
                    raise NoSellerError("the storefront was closed", hint="ask again later")

            try:
                return counter.make(told) is not None
            except EngineError:
                raise
            except NoSellerError:
                return False
            except LedgerError as error:
                self._tell(error)
                return False

    @property
    def is_idle(self) -> bool:
        """Whether `advance` has nothing to wait for: what was sold before is taken up, and no
        sale is left."""
        counter = self._counter
        return counter is not None and not counter.has_sales

    def advance(self) -> None:
        """Bring each sale as far as it can go now, and note how far that is.

        It takes a block for all keys that are due, one for a proposal, and one for the rest.
        Trouble is logged, and met again the next time. Raises as the chain does where that
        cannot be asked.
        """
        with self._advancing:
            if self._ended.is_set():
                return
            try:
                if self._counter is None:
                    self._counter = self._take_up()
                self._counter.advance(self._note)
            except EngineError:
                raise
            except LedgerError as error:
                self._tell(error)

    def stop(self) -> None:
        """Answer nothing, and make nothing, any more."""
        self._ended.set()

    def close(self) -> None:
        """Close what is open, once what is being done is done."""
        self.stop()
        with self._making, self._advancing:
            if self._counter is not None:
                self._counter.close()
            self._stock.close()
            self._masked.close()

    def _take_up(self) -> SwapCounter:
        for grant in noted_sales(self._folder):
            try:
                note = read_note(self._folder, grant)
            except CorruptStoreError as error:
                self._tell(error)  # what the chain says of the sale is noted anew
                continue
            if note is not None:
                self._notes[grant] = note
                if note.recording is not None:
                    # Of an offer that the chain may have forgotten since.
                    self._stock.learn(grant, note.recording)
        return SwapCounter(self._desk, self._stock, NoStreams(), self._masked)

    def _note(self, state: SwapState) -> None:
        if isinstance(state, PreparedSwap) or (
            isinstance(state, EndedSwap) and not state.was_proposed
        ):
            return  # the chain never had it
        grant = state.row.grant
        known = self._notes.get(grant.grant)
        note = known or SaleNote(grant, b"", None)
        if note.stage.is_over:
            return
        if note.recording is None:
            try:
                note = replace(note, recording=self._stock.recording(grant.grant))
            except NotFoundError as error:
                _LOG.warning("sale %s: %s", grant.grant.hex()[:16], error.message)
        if isinstance(state, RevealedSwap):
            note = replace(note, stage=SaleStage.CLOSING, units=grant.count)
        elif isinstance(state, EndedSwap):
            end = state.end()
            note = replace(note, stage=SaleStage.CLOSING) if end is None else note.ended(end)
        if note != known:
            write_note(self._folder, note)
            self._notes[grant.grant] = note

    def _tell(self, error: LedgerError) -> None:
        _LOG.error("atomic sales of %s: %s", self._desk.wallet.account.hex(), error)
