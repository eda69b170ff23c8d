"""Driving an acquisition to its end, from wherever it stopped.

Each step leads from one state to the next, which is on disk before anything else is done. A
step that was cut off is done again: requests and transactions as the same bytes, units that
were paid without paying.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Final

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.ids import grant_id
from ledger.chain.notices import Held, notice_of
from ledger.chain.state_keys import grant_key
from ledger.errors import LedgerError, RefusedError
from ledger.exchange.deed import Promise
from ledger.exchange.grant import Grant
from ledger.exchange.purchase import Purchase
from ledger.exchange.transport import TransportError, buy
from ledger.experience.private_folder import remove_folder
from ledger.market import asking, giving_up, paying, swapping
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_file import stage_of
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    Bought,
    ChannelOpened,
    Closed,
    Funded,
    Granted,
    Kept,
    Refused,
    Requested,
    Streaming,
    Swapping,
    Wished,
)
from ledger.market.delivery import deliver, kept_deed
from ledger.market.funding import need_of, need_of_price
from ledger.market.giving_up import NotYetError, abandon
from ledger.market.keeping import keep
from ledger.market.refusal import GrantRefusedError
from ledger.market.swapping import NothingSoldError, NotSoldWholeError
from ledger.market.tools import (
    AcquisitionCancelledError,
    Cancelled,
    Progress,
    Told,
    Tools,
    never,
    tell_nobody,
)
from ledger.market.uses import Uses
from ledger.market.wish import Mode
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import Wallet

__all__ = [
    "AcquisitionCancelledError",
    "NotSoldWholeError",
    "NotYetError",
    "NothingSoldError",
    "TooDearError",
    "abandon",
    "acquire",
    "progress_of",
]

_AGAIN: Final = (
    ResultCode.TIME_REFUSED,
    ResultCode.REVOCATION_EPOCH,
    ResultCode.ISSUER_EPOCH,
    ResultCode.EXPIRED,
    ResultCode.FEE_TOO_LOW,
)
"""What a request that was kept for a while is refused for, and another one need not be."""
_LATER: Final = (ResultCode.MEMPOOL_FULL, ResultCode.BLOCK_FULL)
_DEED_TRIES: Final = 3
"""Times that a seller which cannot be reached is asked for the deed of what is here."""


class TooDearError(RefusedError):
    """It costs more than the wish allows, both in smallest units. Nothing was spent."""

    def __init__(self, price: int, max_price: int) -> None:
        super().__init__(
            f"it costs {price}, and {max_price} was the most", hint="offer more, or look elsewhere"
        )
        self.price = price
        self.max_price = max_price


def acquire(
    acquisition: Acquisition,
    tools: Tools,
    told: Told = tell_nobody,
    cancelled: Cancelled = never,
) -> Closed | Kept:
    """Drive an acquisition to its end: `Kept`, or `Closed` where ``tools`` have no home.

    Raises:
    `GrantRefusedError`, with the chain's code: nothing is reserved any more; where it was
    ``asked``, the acquisition is `Refused` for good.
    `OverBudgetError`, `TooDearError`, `NotSoldWholeError`, `NobodySellsError`: nothing was
    spent; the acquisition stays as it is.
    `NothingSoldError`: of what was to be bought whole. The money is back, the acquisition over.
    `AcquisitionCancelledError`: ``cancelled`` said so; `PriceLockedError` where that is one's
    own risk.
    SellerRefusedError, BadUnitError, VerificationError, MalformedError: the seller cheats, or
    gives no more; ask again, or `abandon`.
    `RefusalError`, `EngineError`, NotIncludedError, what the transport raises: later.
    RefusedError for an acquisition that was given up or refused before, and instead of keeping
    what consent was withdrawn of; KeyStoreError, CorruptStoreError, StorageError.
    """
    drive = _Drive(acquisition, tools, told, cancelled)
    while True:
        state = acquisition.state
        if isinstance(state, Kept) or (type(state) is Closed and tools.home is None):
            return state
        if cancelled():
            raise AcquisitionCancelledError("the acquisition was stopped", hint="take it up again")
        drive.step()


class _Drive:
    """One life of an acquisition."""

    def __init__(
        self, acquisition: Acquisition, tools: Tools, told: Told, cancelled: Cancelled
    ) -> None:
        self._acquisition: Final = acquisition
        self._tools: Final = tools
        self._told: Final = told
        self._cancelled: Final = cancelled
        self._asked_anew = False

    def step(self) -> None:
        """One state further, or none where what was refused is asked anew."""
        acquisition, state = self._acquisition, self._acquisition.state
        kind = type(state)
        if isinstance(state, Wished):
            acquisition.reach(self._request())
        elif isinstance(state, Requested):
            self._submit(state)
        elif isinstance(state, Refused):
            raise GrantRefusedError(state.code, state.words)
        elif isinstance(state, Abandoned | Abandoning):
            raise RefusedError("the acquisition was given up", hint="begin another")
        elif kind is Granted:
            self._fund(state)
        elif kind is Funded and isinstance(state, Funded) and self._is_whole:
            swapping.begin_swap(acquisition.folder, state.grant)
            acquisition.reach(Swapping(state.offer, state.record, state.grant, state.funded))
        elif kind is Funded and isinstance(state, Funded):
            tools, folder, grant = self._tools, acquisition.folder, state.grant
            channel = paying.open_channel(
                tools.chain, folder, self._wallet, grant, tools.challenge_blocks
            )
            acquisition.reach(
                ChannelOpened(state.offer, state.record, state.grant, state.funded, channel)
            )
        elif isinstance(state, Swapping):
            self._swap(state)
        elif kind is ChannelOpened and isinstance(state, ChannelOpened):
            self._begin(state)
        elif kind is Streaming and isinstance(state, Streaming):
            self._stream(state)
        elif kind is Bought and isinstance(state, Bought):
            self._close(state)
        elif isinstance(state, Closed):
            self._keep(state)
        self._tell()

    @property
    def _wallet(self) -> Wallet:
        return paying.one_time_wallet(self._acquisition.folder)

    @property
    def _is_whole(self) -> bool:
        return self._acquisition.wish.mode is Mode.WHOLE

    # Asking

    def _request(self) -> Requested:
        tools, wish = self._tools, self._acquisition.wish
        listing = asking.wanted(tools.chain, wish.offer)
        terms = listing.terms
        if self._is_whole:
            swapping.require_sold_whole(terms, listing.price, listing.record.content_size)
        _require_cheap(listing.price, wish.max_price)
        needed = need_of_price(listing.price, terms.asset, tools.chain.parameters.min_fee)
        self._reserve(terms.asset, needed.get(terms.asset, 0))
        try:
            requested = asking.make_request(
                tools, wish, listing, self._wallet, self._acquisition.name
            )
            tools.look(listing.record.seller)
            return requested
        except LedgerError:
            self._release()
            raise

    def _submit(self, state: Requested) -> None:
        tools, wallet = self._tools, self._wallet
        name = grant_id(tools.chain.chain, wallet.account)
        record = tools.chain.read(GrantRecord, grant_key(name))
        if record is None:
            submitted = tools.chain.submit(state.request)
            record = tools.chain.read(GrantRecord, grant_key(name))
            if record is None:
                self._refused(state, submitted.code, submitted.words)
                return
        grant = Grant.of_record(tools.chain.chain, name, record)
        self._acquisition.reach(Granted(state.offer, record, grant))

    def _refused(self, state: Requested, code: ResultCode, words: str) -> None:
        if code in _LATER:
            raise RefusalError(code, words, hint="ask again later")
        if self._ask_anew(state, code):
            try:
                self._acquisition.reach(self._request())
            except GrantRefusedError as refusal:
                self._end(refusal, words)
            return
        self._end(GrantRefusedError(code or ResultCode.KEY_NOT_FRESH, words), words)

    def _ask_anew(self, state: Requested, code: ResultCode) -> bool:
        """Whether another request may be granted where this one was refused."""
        if code is ResultCode.ALREADY_USED:
            # One more that is known: so this comes to an end.
            Uses(self._tools.member).is_made(state.offer.contract, state.use)
            return self._acquisition.wish.use is None
        anew = code in _AGAIN and not self._asked_anew
        self._asked_anew = True
        return anew

    def _end(self, refusal: GrantRefusedError, words: str) -> None:
        self._release()
        self._acquisition.reach(Refused(refusal.code, words))
        self._tell()
        raise refusal

    # Paying

    def _fund(self, state: Granted) -> None:
        tools, grant = self._tools, state.grant
        # The contract may have been amended since it was looked at.
        _require_cheap(grant.price, self._acquisition.wish.max_price)
        if self._is_whole:
            swapping.require_sold_whole(state.record.terms, grant.price, grant.content_size)
        needed = need_of(grant, tools.chain.parameters.min_fee)
        self._reserve(grant.asset, needed.get(grant.asset, 0), spends=True)
        funded = paying.fund(tools.chain, tools.funding, grant)
        self._acquisition.reach(Funded(state.offer, state.record, grant, funded))

    def _close(self, state: Bought) -> None:
        chain, folder, wallet = self._tools.chain, self._acquisition.folder, self._wallet
        remove_folder(folder / "purchase")
        spent = 0
        if state.grant.price:
            back = paying.give_back(
                chain, folder, wallet, self._tools.rest_of(state), state.grant.asset
            )
            spent = max(0, state.funded - back)
        if self._tools.budget is not None:
            self._tools.budget.settle(self._acquisition.name, spent)
        self._acquisition.reach(
            Closed(state.offer, state.record, state.grant, state.funded, state.channel, spent)
        )

    def _reserve(self, asset: int, amount: int, *, spends: bool = False) -> None:
        budget, acquisition = self._tools.budget, self._acquisition
        if budget is not None:
            purpose = acquisition.wish.purpose
            budget.reserve(acquisition.name, purpose, asset, amount, spends=spends)

    def _release(self) -> None:
        Uses(self._tools.member).release(self._acquisition.name)
        if self._tools.budget is not None:
            self._tools.budget.settle(self._acquisition.name, 0)

    # Fetching

    def _begin(self, state: ChannelOpened) -> None:
        folder = self._acquisition.folder / "purchase"
        if not (folder / "purchase").exists():
            Purchase.create(folder, state.grant, state.channel).close()
        self._acquisition.reach(
            Streaming(state.offer, state.record, state.grant, state.funded, state.channel)
        )

    def _stream(self, state: Streaming) -> None:
        acquisition, tools, wallet = self._acquisition, self._tools, self._wallet
        purchase = Purchase.open(acquisition.folder / "purchase")
        payer: PayerOpen | None = None
        try:
            if state.channel:
                found = wallet.payer(state.channel)
                if not isinstance(found, PayerOpen):
                    found.release()
                    raise RefusedError("the channel is closing", hint="give the purchase up")
                payer = found
            self._fetch(state, purchase, wallet, payer)
            if payer is not None:
                payer.flush()
            deliver(tools.chain, acquisition.folder, purchase, purchase.deed, state.offer)
        finally:
            purchase.close()
            if payer is not None:
                payer.release()
        acquisition.reach(
            Bought(state.offer, state.record, state.grant, state.funded, state.channel)
        )

    def _fetch(
        self, state: Streaming, purchase: Purchase, wallet: Wallet, payer: PayerOpen | None
    ) -> None:
        def heard(kept: int) -> None:
            self._told(Progress.of(state, kept, payer.paid if payer is not None else 0))
            if kept < state.grant.count and self._cancelled():
                raise AcquisitionCancelledError(
                    f"the acquisition was stopped, {kept} of {state.grant.count} chunks are here",
                    hint="take it up again",
                )

        way, promise = self._tools.way(state.grant), Promise.of_record(state.offer)
        with ExitStack() as held:
            if isinstance(way, AbstractContextManager):
                held.enter_context(way)
            for last in [False] * (_DEED_TRIES - 1) + [True]:
                try:
                    buy(purchase, wallet, payer, way, heard, promise)
                    return
                except TransportError:
                    if not purchase.is_whole:
                        raise
                    if last:
                        return  # all that was paid for is here

    def _swap(self, state: Swapping) -> None:
        acquisition, tools, folder = self._acquisition, self._tools, self._acquisition.folder
        ended = swapping.buy_whole(folder, state, tools, self._told, self._cancelled)
        if isinstance(ended, Bought):
            acquisition.reach(ended)
            return
        chain, rest = tools.chain, tools.rest_of(state)
        why = swapping.why_returned(chain, ended, state)
        back = paying.give_back(chain, folder, self._wallet, rest, state.grant.asset)
        giving_up.end(acquisition, tools, max(0, state.funded - back))
        self._tell()
        raise NothingSoldError(why)

    def _keep(self, state: Closed) -> None:
        acquisition, open_home = self._acquisition, self._tools.home
        if open_home is None:
            raise RefusedError("there is no home to keep it in", hint="name one")
        held = Held(state.grant.grant, acquisition.wish.offer)
        if notice_of(self._tools.chain, held) is not None:
            raise RefusedError(
                "consent of it was withdrawn since it was bought",
                hint=f"quipu grant erase {held.grant.hex()[:8]}",
            )
        deed = kept_deed(acquisition.folder)
        with open_home() as home:
            kept = keep(home, state, deed, acquisition.files, seal=self._tools.seal)
        acquisition.reach(
            Kept(
                state.offer,
                state.record,
                state.grant,
                state.funded,
                state.channel,
                state.spent,
                kept.record_id,
                kept.index,
            )
        )

    def _tell(self) -> None:
        self._tools.chain.keep()
        self._told(progress_of(self._acquisition))


def progress_of(acquisition: Acquisition) -> Progress:
    """How far an acquisition is, as far as its state says."""
    state = acquisition.state
    if not isinstance(state, Granted):
        return Progress(stage_of(state))
    whole = isinstance(state, Bought | Closed)
    grant = state.grant
    return Progress.of(state, grant.count if whole else 0, grant.price if whole else 0)


def _require_cheap(price: int, max_price: int | None) -> None:
    if max_price is not None and price > max_price:
        raise TooDearError(price, max_price)
