"""A fleet's selling end: answers for everything that its homes offer, and sees that it is paid.

::

    FOLDER/                             mode 0700
      lock                              one storefront at a time
      <seller's account in hex>/        `ledger.market.till`

Whoever posted an offer is paid: the fleet's authority, whose wallet is named to the storefront,
or a robot under its own key, which is read in the robot's home. Its channels are then in a
wallet over that key, ``<account>/wallet``.

Requests come from any thread, over whatever transport; one thread watches the chain for what
is sold by the unit, another for what is sold whole, and a third masks that. All that has to
last is on disk, so a storefront that is killed anywhere goes on where it was. One that is away
for longer than a channel's challenge can lose what its buyer does not own up to:
`SellingSettings` says how long that must be at the least.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.chain.engines.service import EngineClosedError
from ledger.chain.proven.chain import ProvenChain
from ledger.closing import Closing
from ledger.errors import LedgerError, MalformedError
from ledger.exchange.messages import (
    DeedFetch,
    Opening,
    Reason,
    Reply,
    encode_refused,
    parse_request,
)
from ledger.exchange.swap_messages import (
    PartFetch,
    SwapOpening,
    is_swap_request,
    parse_swap_request,
)
from ledger.exchange.transport import NoSellerError
from ledger.experience.private_folder import make_private_folder
from ledger.market.sale_chain import LightSaleChain
from ledger.market.sales_view import SaleView, list_sales, seller_folder, selling_accounts
from ledger.market.selling_homes import SellingHomes
from ledger.market.till import SellingSettings, Till
from ledger.storage.writer_lock import WriterLock
from ledger.wallet.wallet import Wallet

_LOG: Final = logging.getLogger(__name__)
_DEFAULTS: Final = SellingSettings()
_TURN_S: Final = 1.0
"""How long the watching thread waits for a block before it looks whether it shall end."""
_NEXT_S: Final = 0.05
"""Between two sales that are made, for the first one's proposal."""
_PAUSE_S: Final = 1.0
"""Between two tries while the chain cannot be asked."""


class Storefront(Closing):
    """Sells from construction on, until it is closed. A context manager."""

    def __init__(
        self,
        folder: Path,
        chain: ProvenChain,
        wallets: Sequence[Wallet],
        homes: SellingHomes,
        settings: SellingSettings = _DEFAULTS,
    ) -> None:
        """Take up what was sold before.

        ``wallets`` have keys of their own, those of authorities that offer. Raises
        LockedError where another storefront has the folder; as the chain does; StorageError.
        """
        make_private_folder(folder)
        self._lock_file: Final = WriterLock(folder / "lock")
        self.folder: Final = folder
        self._chain: Final = chain
        self._homes: Final = homes
        self._settings: Final = settings
        self._wallets: Final = {wallet.account: wallet for wallet in wallets}
        self._lock: Final = threading.Lock()
        self._looking: Final = threading.Lock()
        self._tending: Final = threading.Lock()
        self._made: Final = threading.Event()
        """Something was masked that waits for its proposal."""
        self._tills: Final[dict[bytes, Till]] = {}
        self._closed = False
        try:
            self._sales: Final = LightSaleChain(chain)
            for account in (*self._wallets, *selling_accounts(folder)):
                if self._till(account) is None:
                    _LOG.error("there are sales of %s, and its key is not here", account.hex())
        except BaseException:
            self.close()
            raise

    @property
    def accounts(self) -> tuple[bytes, ...]:
        """Whom requests may be for: the wallets' accounts, and those of the robots' keys."""
        return tuple(dict.fromkeys((*self._wallets, *self._homes.accounts)))

    @property
    def sales(self) -> tuple[SaleView, ...]:
        """Every sale, those that are forgotten included. Raises CorruptStoreError, StorageError."""
        return list_sales(self.folder)

    def answer(self, request: bytes) -> Reply:
        """The reply to a stranger's bytes; any thread may ask.

        Raises what is no stranger's to know: CorruptStoreError, KeyStoreError, StorageError,
        `EngineError`, NoSellerError once it is closed. Asking again later is safe.
        """
        try:
            if is_swap_request(request):
                return self._answer_whole(parse_swap_request(request), request)
            ask = parse_request(request)
        except MalformedError:
            return encode_refused(Reason.MALFORMED)
        if isinstance(ask, Opening):
            till = self._till_for(ask.grant, lambda each: each.has(ask.grant))
            grant = self._sales.grant(ask.grant)
            return till.open(grant, ask, request) if till else encode_refused(Reason.NO_GRANT)
        session = ask.session
        till = next((each for each in self._all() if each.knows(session)), None)
        if till is None and isinstance(ask, DeedFetch):
            return self._answer_whole(ask, request)
        return till.answer(request) if till else encode_refused(Reason.NO_SESSION)

    def seal_ahead(self) -> None:
        """Seal what buyers will ask for next, while nobody asks. Any thread may."""
        for till in self._all():
            till.seal_ahead()

    def look(self, wait_s: float = 0.0) -> None:
        """Wait so long for a new block, and do what it is time for with streams.

        One thread at a time; another waits. Raises as the chain does.
        """
        with self._looking:
            self._sales.refresh(wait_s)
            self._chain.keep()
            for till in self._all():
                till.look()

    def make(self, ended: threading.Event | None = None) -> bool:
        """Mask for one atomic sale that was asked for, of each account; whether there was any.

        It takes as long as the content is big, or until ``ended`` is set, and everything else
        goes on meanwhile. Raises as the chain does.
        """
        made = [till.whole.make(ended) for till in self._all()]
        return any(made)

    def advance(self) -> None:
        """Do what it is time for with atomic sales.

        It takes a few blocks, in which streams go on. No account waits for another's: each has
        keys to show in time. Raises as the chain does, once all are done.
        """
        with self._tending:
            sellers = [till.whole for till in self._all()]
            busy = [whole for whole in sellers if not whole.is_idle]
            if len(busy) < 2:
                for whole in busy:
                    whole.advance()
                return
            with ThreadPoolExecutor(len(busy), "quipu-storefront-sales") as threads:
                turns = [threads.submit(whole.advance) for whole in busy]
            for turn in turns:
                turn.result()

    def tend(self) -> None:
        """`advance` and `make`, in turn, until nothing is left to make. Raises as they do."""
        self.advance()
        while self.make():
            self.advance()

    def close_sale(self, grant: bytes) -> None:
        """Take no more payments under a grant; the next `look` has its channel closed."""
        for till in self._all():
            till.close_sale(grant)

    @contextmanager
    def watching(self) -> Iterator[Storefront]:
        """Watch the chain in threads, for as long as the block lasts."""
        ended = threading.Event()
        threads = [
            threading.Thread(
                target=self._watch, args=(ended, turn), name="quipu-storefront-watch", daemon=True
            )
            for turn in (self._look_turn, self._advance_turn, self._make_turn)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            ended.set()
            self._made.set()
            for thread in threads:
                thread.join()

    def close(self) -> None:
        """Have everything on disk, and let go of it; a second call does nothing."""
        with self._lock:
            tills = tuple(self._tills.values())
        for till in tills:
            till.whole.stop()
        with self._looking, self._tending, self._lock:
            self._closed = True
            try:
                while self._tills:
                    self._tills.popitem()[1].close()
            finally:
                self._lock_file.release()

    def _answer_whole(self, ask: SwapOpening | PartFetch | DeedFetch, request: bytes) -> Reply:
        if isinstance(ask, SwapOpening):
            till = self._till_for(ask.grant, lambda each: each.whole.has(ask.grant))
            return till.whole.answer(ask, request) if till else encode_refused(Reason.NO_GRANT)
        session = ask.session
        till = next((each for each in self._all() if each.whole.knows(session)), None)
        return till.whole.answer(ask, request) if till else encode_refused(Reason.NO_SESSION)

    def _till_for(self, grant: bytes, has: Callable[[Till], bool]) -> Till | None:
        """The till that a grant is sold from, if it is this storefront's to sell."""
        known = next((each for each in self._all() if has(each)), None)
        if known is not None:
            # The chain forgets grants that are over; what was paid is given all the same.
            return known
        found = self._sales.grant(grant)
        return None if found is None else self._till(found.seller)

    def _look_turn(self, ended: threading.Event) -> None:
        self.look(_TURN_S)

    def _advance_turn(self, ended: threading.Event) -> None:
        self._made.clear()
        self.advance()
        self._made.wait(_TURN_S)

    def _make_turn(self, ended: threading.Event) -> None:
        if self.make(ended):
            self._made.set()
            ended.wait(_NEXT_S)
        else:
            ended.wait(_TURN_S)

    def _watch(self, ended: threading.Event, turn: Callable[[threading.Event], None]) -> None:
        trouble = ""
        while not ended.is_set():
            try:
                turn(ended)
                trouble = ""
            except EngineClosedError:
                return
            except LedgerError as error:
                if error.message != trouble:
                    _LOG.error("the chain is not watched now: %s", error)
                trouble = error.message
                ended.wait(_PAUSE_S)

    def _all(self) -> tuple[Till, ...]:
        with self._lock:
            self._require_open()
            return tuple(self._tills.values())

    def _till(self, account: bytes) -> Till | None:
        """The till of an account, opened if it is one that this storefront can sign for."""
        with self._lock:
            self._require_open()
            till = self._tills.get(account)
            if till is not None:
                return till
            folder = seller_folder(self.folder, account)
            wallet = self._wallets.get(account)
            if wallet is None:
                key = self._homes.private_key(account)
                if key is None:
                    return None
                make_private_folder(folder)
                wallet = Wallet.over(folder / "wallet", key)
            till = Till(wallet, self._chain, self._sales, self._homes, folder, self._settings)
            self._tills[account] = till
            return till

    def _require_open(self) -> None:
        if self._closed:
            raise NoSellerError("the storefront was closed", hint="ask again later")
