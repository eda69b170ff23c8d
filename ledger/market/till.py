"""The sales of one account: requests are answered, channels watched, closed and settled.

::

    SELLER/<grant id in hex>.sale     `ledger.exchange.sale_file`, until it is forgotten
                           .note      `ledger.market.sale_note`, for good
                           .close     `ledger.market.closings`, until it is settled
    SELLER/wallet-at                  where the wallet is that is paid
    SELLER/whole/                     `ledger.market.whole_sales`: atomic sales

A sale's channel is closed once all is paid, once its payer closes it, once nothing can be paid
through it any more, or when the grant has been over for a challenge. What was paid is given on
afterwards: a sale is forgotten when its channel is gone and its grant is over.

Nothing that was earned is lost to a crash. The claim is on disk before the secret that it pays
for leaves, the close before it is submitted, and what was settled before anything is forgotten.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ledger.chain.engines.service import EngineError
from ledger.chain.proven.chain import ProvenChain
from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import LedgerError, NotFoundError
from ledger.exchange.counter import Counter
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Opening, Reply
from ledger.exchange.sale_file import kept_sales
from ledger.exchange.seller import ClosingSale, Desk, OpenSale, SaleState
from ledger.exchange.swap_chain import SellingTerms
from ledger.exchange.transport import NoSellerError
from ledger.experience.private_folder import make_private_folder
from ledger.market.challenge import challenge_on
from ledger.market.closings import Closings
from ledger.market.sale_chain import LightSaleChain
from ledger.market.sale_note import SaleNote, SaleStage, read_note, write_note
from ledger.market.sales_view import WALLET_AT, WHOLE
from ledger.market.selling_homes import SellingHomes
from ledger.market.selling_stock import Recording, Stock
from ledger.market.whole_sales import WholeSales
from ledger.schema.chain_channel_pb2 import ChannelRecord, CloseChannel
from ledger.storage.os_errors import storage_errors
from ledger.wallet.wallet import Wallet

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SellingSettings:
    """How a storefront sells."""

    least_challenge: int | None = None
    """Blocks in which it must be able to answer a payer's close, not fewer than the chain asks
    for; None for as many as `ledger.market.challenge` says."""
    sponsor: bytes = b""
    """Id of the fleet that pays fees for accounts of its robots that cannot; or nothing."""
    whole: SellingTerms = field(default_factory=SellingTerms)
    """Of atomic sales."""


class Till:
    """One account's sales. `answer` is for any thread, `look` for one at a time."""

    def __init__(
        self,
        wallet: Wallet,
        chain: ProvenChain,
        sales: LightSaleChain,
        homes: SellingHomes,
        folder: Path,
        settings: SellingSettings,
    ) -> None:
        """Take up what was sold before.

        Raises RefusedError for settings that the chain does not allow; as the chain does,
        StorageError and its kin.
        """
        least = challenge_on(chain.parameters, settings.least_challenge)
        make_private_folder(folder)
        with storage_errors(folder):
            place = str(wallet.root.absolute()).encode() + b"\n"
            write_durably(folder / WALLET_AT, place, mode=PRIVATE)
        self.account: Final = wallet.account
        self._sales: Final = sales
        self._folder: Final = folder
        self._lock: Final = threading.Lock()
        self._stock: Final = Stock(homes, chain)
        self._closings: Final = Closings(chain, wallet, folder, settings.sponsor)
        desk = Desk(wallet, sales, folder, least)
        self._counter: Final = Counter(desk, self._stock)
        self.whole: Final = WholeSales(wallet, chain, sales, homes, folder / WHOLE, settings.whole)
        self._notes: Final[dict[bytes, SaleNote]] = {}
        self._is_closed = False
        self._left: Final[set[bytes]] = set(kept_sales(folder))
        """Sales that are to be taken up."""
        self._take_up()

    def has(self, grant: bytes) -> bool:
        """Whether there is a sale under a grant."""
        return self._counter.sale(grant) is not None

    def knows(self, session: bytes) -> bool:
        """Whether a session is open here."""
        return self._counter.knows(session)

    def open(self, grant: Grant | None, opening: Opening, request: bytes) -> Reply:
        """The reply to the opening of a sale; ``grant`` is the chain's, if it has it.

        Raises what is the seller's own trouble, or the chain's.
        """
        if grant is not None and not self.has(grant.grant):
            # What the chain has to be asked for, before everybody else waits for it.
            self._recording_of(grant)
            self._sales.is_withdrawn(grant)
            if opening.channel:
                self._sales.channel(opening.channel)
        with self._lock:
            self._require_open()
            reply = self._counter.answer(request)
            sale = self._counter.sale(grant.grant) if grant is not None else None
            if sale is not None and sale.grant.grant not in self._notes:
                self._note(self._new_note(sale))
            return reply

    def answer(self, request: bytes) -> Reply:
        """The reply to any other request. Raises what is the seller's own trouble."""
        with self._lock:
            self._require_open()
            return self._counter.answer(request)

    def seal_ahead(self) -> None:
        """See `Counter.seal_ahead`."""
        with self._lock:
            if not self._is_closed:
                self._counter.seal_ahead()

    def look(self) -> None:
        """Take over what the chain says now, and have channels closed whose time it is.

        Waits for the block with the closes. One sale's trouble is logged, and does not keep
        the others. Raises as the chain does where that cannot be asked.
        """
        self._take_up()
        height = self._sales.height()
        closes: dict[bytes, CloseChannel] = {}
        for sale in self._open_sales():
            grant = sale.grant.grant
            try:
                note = self._notes.get(grant)
                is_gone = note is not None and note.stage is SaleStage.SETTLED
                record = self._sales.channel(sale.channel) if sale.channel and not is_gone else None
                close = self._see(grant, record, height)
            except EngineError:
                raise
            except LedgerError as error:
                _LOG.error("sale %s is in trouble: %s", grant.hex()[:16], error)
                continue
            if close is not None:
                closes[grant] = close
        if closes:
            self._closings.carry_out(closes)

    def close_sale(self, grant: bytes) -> None:
        """Take no more payments under a grant; the next `look` has its channel closed."""
        with self._lock:
            self._counter.close_sale(grant)

    def close(self) -> None:
        """Have everything on disk, and let go of it. Raises StorageError."""
        with self._lock:
            self._is_closed = True
            self._counter.close()
            self._stock.close()
        self.whole.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise NoSellerError("the storefront was closed", hint="ask again later")

    def _open_sales(self) -> tuple[SaleState, ...]:
        with self._lock:
            return self._counter.sales

    def _see(self, grant: bytes, record: ChannelRecord | None, height: int) -> CloseChannel | None:
        """Take over a channel's record; what is to be submitted now."""
        with self._lock:
            sale = self._counter.sale(grant)
            if sale is None:
                return None
            note = self._notes.get(grant) or self._new_note(sale)
            sale.flush()
            if record is not None:
                return self._observe(sale, note, record, height)
            if sale.channel:
                self._counter.close_sale(grant)  # what is paid now nobody pays out
        if note.stage is not SaleStage.SETTLED and (sale.channel or _is_over(sale, height)):
            note = self._settle(sale, note)
        if note.stage is SaleStage.SETTLED:
            if _is_over(sale, height):
                self._forget(sale)
        elif not sale.channel:
            with self._lock:
                self._note(replace(note, units=_units(sale, note)))
        return None

    def _observe(
        self, sale: SaleState, note: SaleNote, record: ChannelRecord, height: int
    ) -> CloseChannel | None:
        grant = sale.grant.grant
        self._counter.observe(grant, record)
        if is_due(sale, record, height):
            self._counter.close_sale(grant)
        now = self._counter.sale(grant)
        closing = now if isinstance(now, ClosingSale) else None
        note = replace(
            _with_royalties(note, record),
            stage=SaleStage.OPEN if closing is None else SaleStage.CLOSING,
            claimed=record.claimed,
            units=_units(sale, note),
        )
        self._note(note)
        if closing is None or not closing.earned:
            if height >= record.expiry_height and not sale.earned:
                self._note(note.settled(0))
                self._forget_here(sale)
            return None
        # A claim that comes too late would be refused, and the close with it.
        is_late = record.closing_height and height >= record.closing_height
        return closing.message(closing.earned if is_late else record.claimed)

    def _settle(self, sale: SaleState, note: SaleNote) -> SaleNote:
        """Note what the chain paid out, the channel being gone."""
        has_claimed = self._closings.has_claimed(sale.grant.grant)
        paid = sale.earned if has_claimed else min(note.claimed, sale.earned)
        with self._lock:
            note = replace(note, units=_units(sale, note)).settled(paid)
            self._note(note)
        return note

    def _forget(self, sale: SaleState) -> None:
        with self._lock:
            self._forget_here(sale)

    def _forget_here(self, sale: SaleState) -> None:
        grant = sale.grant.grant
        self._closings.forget(grant)
        self._counter.forget_sale(grant)
        self._notes.pop(grant, None)
        self._stock.forget(grant)
        if sale.channel:
            self._sales.forget(sale.channel)

    def _take_up(self) -> None:
        """Take up what is left of the sales from before."""
        for grant in sorted(self._left):
            try:
                note = read_note(self._folder, grant)
                if note is not None and note.recording is not None:
                    self._stock.learn(grant, note.recording)
                with self._lock:
                    sale = self._counter.resume(grant)
                    if sale is not None:
                        self._note(note or self._new_note(sale))
            except EngineError:
                raise
            except LedgerError as error:
                _LOG.error("sale %s cannot be taken up: %s", grant.hex()[:16], error)
                continue
            self._left.discard(grant)

    def _new_note(self, sale: SaleState) -> SaleNote:
        note = SaleNote(sale.grant, sale.channel, self._recording_of(sale.grant))
        record = self._sales.channel(sale.channel) if sale.channel else None
        return note if record is None else _with_royalties(note, record)

    def _recording_of(self, grant: Grant) -> Recording | None:
        try:
            return self._stock.recording(grant.grant)
        except NotFoundError as error:
            _LOG.warning("sale %s: %s", grant.grant.hex()[:16], error.message)
            return None

    def _note(self, note: SaleNote) -> None:
        grant = note.grant.grant
        if self._notes.get(grant) != note:
            write_note(self._folder, note)
            self._notes[grant] = note


def is_due(sale: SaleState, record: ChannelRecord, height: int) -> bool:
    """Whether an open sale's channel is to be closed now."""
    if not isinstance(sale, OpenSale) or not sale.earned:
        return False
    accepts_no_more = height + record.challenge >= record.expiry_height
    return sale.is_whole or accepts_no_more or height > sale.grant.expiry_height + record.challenge


def _with_royalties(note: SaleNote, record: ChannelRecord) -> SaleNote:
    """The same, with whom the channel pays too: the chain forgets it once it is closed."""
    return replace(note, royalties=tuple((each.account, each.parts) for each in record.royalties))


def _is_over(sale: SaleState, height: int) -> bool:
    return height > sale.grant.expiry_height


def _units(sale: SaleState, note: SaleNote) -> int:
    """Units that were given, where money does not say so."""
    if sale.grant.chunk_price:
        return 0
    return max(note.units, sale.grant.count if sale.deed_given else sale.given)
