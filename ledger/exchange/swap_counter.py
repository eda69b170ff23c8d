"""Where requests of atomic sales arrive, and where the chain's part of them is driven.

`answer` never waits for the chain: who asks for a sale under a grant that has none is told to
ask again, and `tend`, which whoever serves calls after requests and at every new height, makes
the sale and brings each one as far as it can go now.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final, Protocol

from ledger.chain.sale.masking import UnitMask
from ledger.ed25519 import PublicKey
from ledger.errors import (
    CorruptStoreError,
    ErasedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.exchange.grant import Grant
from ledger.exchange.messages import (
    DeedFetch,
    Reason,
    Reply,
    encode_deed,
    encode_refused,
    parse_request,
)
from ledger.exchange.seller import SaleRefusedError, require_code, sealed_deed
from ledger.exchange.session import (
    EXCHANGE_TAG,
    Session,
    agree,
    open_sale_statement,
    public_agreement_key,
    sale_opened_statement,
)
from ledger.exchange.sought_units import SoughtUnits
from ledger.exchange.swap_cipher import Part, SwapCipher
from ledger.exchange.swap_file import join_leaf_pairs, read_swap, swap_grants
from ledger.exchange.swap_messages import (
    PAGE_UNITS,
    PartFetch,
    SealedPart,
    SwapOpened,
    SwapOpening,
    encode_part,
    encode_swap_opened,
    is_swap_request,
    parse_swap_request,
)
from ledger.exchange.swap_seller import (
    EndedSwap,
    PreparedSwap,
    RevealedSwap,
    SwapDesk,
    SwapState,
    observe,
    prepare,
)
from ledger.exchange.unit_source import Contents
from ledger.merkle.hashing import leaf_hash

MAX_SESSIONS: Final = 64
"""Kept at a time; who is forgotten opens the same again."""

logger = logging.getLogger(__name__)


class Answers(Protocol):
    """Anything that has a reply to any bytes."""

    def answer(self, request: bytes) -> Reply:
        """The reply."""
        ...


class SwapCounter:
    """Sells whole contents to whoever has a grant. One thread at a time."""

    def __init__(self, desk: SwapDesk, contents: Contents, streams: Answers) -> None:
        """Take up what was sold before; ``streams`` answers what is not about an atomic sale.

        A file that is damaged is logged, left as it is, and nothing sold under its grant.
        Raises StorageError, and what the chain raises.
        """
        self._desk: Final = desk
        self._contents: Final = contents
        self._streams: Final = streams
        self._swaps: Final[dict[bytes, SwapState]] = {}
        self._wanted: Final[dict[bytes, Grant]] = {}
        self._refused: Final[dict[bytes, Reason]] = {}
        self._damaged: Final[set[bytes]] = set()
        self._sessions: Final[OrderedDict[bytes, tuple[bytes, bytes, Session]]] = OrderedDict()
        self._take_up()

    def answer(self, request: bytes) -> Reply:
        """The reply to a stranger's bytes.

        Raises what is the seller's own trouble: CorruptStoreError, StorageError, and what
        the chain raises.
        """
        try:
            if not is_swap_request(request):
                deed = self._deed_fetch(request)
                return self._streams.answer(request) if deed is None else self._deed(deed)
            ask = parse_swap_request(request)
            return self._open(ask) if isinstance(ask, SwapOpening) else self._fetch(ask)
        except MalformedError:
            return encode_refused(Reason.MALFORMED)
        except SaleRefusedError as refusal:
            logger.debug("refused: %s", refusal.message)
            return encode_refused(refusal.reason)

    def tend(self) -> tuple[SwapState, ...]:
        """Make the sales that were asked for, and bring each as far as it can go now.

        Where each is, those that ended included. One sale's damage is logged, and does not
        keep the others. Raises StorageError, and what the chain raises; what is not done is
        done the next time.
        """
        while self._wanted:
            grant, wanted = next(iter(self._wanted.items()))
            try:
                self._swaps[grant] = prepare(self._desk, wanted, self._contents.find(wanted))
            except (ErasedError, NotFoundError, CorruptStoreError) as error:
                logger.warning("a sale cannot be made: %s", error.message)
                self._refused[grant] = Reason.GONE
            except RefusedError as error:
                logger.debug("a sale is not made: %s", error.message)
                self._refused[grant] = Reason.NO_SALE
            del self._wanted[grant]
            if grant in self._swaps:
                self._advance(grant)
        states = tuple(
            state for grant in tuple(self._swaps) if (state := self._advance(grant)) is not None
        )
        height = self._desk.chain.height()
        for over in [each.row.grant for each in states if isinstance(each, EndedSwap)]:
            if height > over.expiry_height:
                self._swaps.pop(over.grant, None)
        return states

    def swap(self, grant: bytes) -> SwapState | None:
        """The sale under a grant, as it was last seen."""
        return self._swaps.get(grant)

    def knows(self, session: bytes) -> bool:
        """Whether a session is open here."""
        return session in self._sessions

    def _take_up(self) -> None:
        for grant in swap_grants(self._desk.folder):
            try:
                row = read_swap(self._desk.folder, grant)
                if row is not None:
                    self._see(observe(self._desk, row))
            except CorruptStoreError as error:
                self._leave_alone(grant, error)

    def _advance(self, grant: bytes) -> SwapState | None:
        try:
            return self._see(observe(self._desk, self._swaps[grant].row).advance())
        except CorruptStoreError as error:
            self._leave_alone(grant, error)
            return None

    def _leave_alone(self, grant: bytes, error: CorruptStoreError) -> None:
        logger.error("the sale under grant %s: %s", grant.hex()[:16], error)
        self._swaps.pop(grant, None)
        self._damaged.add(grant)

    def _see(self, state: SwapState) -> SwapState:
        grant = state.row.grant.grant
        if isinstance(state, EndedSwap) and not state.was_proposed:
            self._swaps.pop(grant, None)
        else:
            self._swaps[grant] = state
        return state

    def _open(self, opening: SwapOpening) -> Reply:
        state = self._swaps.get(opening.grant)
        grant = state.row.grant if state is not None else self._desk.grants.grant(opening.grant)
        if grant is None or grant.seller != self._desk.wallet.account:
            raise SaleRefusedError(Reason.NO_GRANT, "no such grant, or another's to sell")
        require_signed(grant, opening)
        if opening.grant in self._damaged:
            raise SaleRefusedError(Reason.NO_SALE, "the sale's file is damaged")
        if state is None:
            raise self._want(grant)
        if isinstance(state, PreparedSwap):
            if state.refusal is not None:
                raise SaleRefusedError(Reason.NO_SALE, f"the chain says {state.refusal.name}")
            raise SaleRefusedError(Reason.NOT_YET, "the sale is not on the chain yet")
        if isinstance(state, EndedSwap):
            raise SaleRefusedError(Reason.NO_SALE, "the sale under this grant has ended")
        row = state.row
        public = public_agreement_key(row.agreement)
        try:
            session = agree(opening.encoded, row.agreement, opening.session_key, public)
        except VerificationError as error:
            raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
        self._sessions[session.session] = (grant.grant, row.sale, session)
        self._sessions.move_to_end(session.session)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        statement = sale_opened_statement(opening.encoded, public, row.sale)
        signature = self._desk.wallet.sign_exchange(statement)
        return encode_swap_opened(SwapOpened(public, signature, row.sale))

    def _want(self, grant: Grant) -> SaleRefusedError:
        if self._desk.chain.height() >= grant.expiry_height:
            return SaleRefusedError(Reason.NO_GRANT, "the grant is over")
        reason = self._refused.pop(grant.grant, None)
        if reason is None:
            self._wanted[grant.grant] = grant
            reason = Reason.NOT_YET
        return SaleRefusedError(reason, "there is no sale under this grant yet")

    def _fetch(self, fetch: PartFetch) -> Reply:
        grant, sale, session = self._sessions.get(fetch.session, (b"", b"", None))
        state = self._swaps.get(grant)
        if session is None or state is None or isinstance(state, EndedSwap):
            raise SaleRefusedError(Reason.NO_SESSION, "no such session is open")
        if state.row.sale != sale:
            raise SaleRefusedError(Reason.NO_SESSION, "the session was of an earlier sale")
        try:
            fetch.check(session)
        except VerificationError as error:
            raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
        self._sessions.move_to_end(fetch.session)
        give = self._unit if fetch.part is Part.UNIT else self._leaves
        content = give(state, fetch.index)
        cipher = SwapCipher(session, sale, state.row.grant.count)
        sealed = cipher.seal(fetch.part, fetch.index, content)
        return encode_part(SealedPart(fetch.part, fetch.index, sealed))

    def _deed_fetch(self, request: bytes) -> DeedFetch | None:
        """A request for the deed of an atomic sale, if it is one."""
        try:
            ask = parse_request(request)
        except MalformedError:
            return None
        return ask if isinstance(ask, DeedFetch) and ask.session in self._sessions else None

    def _deed(self, fetch: DeedFetch) -> Reply:
        grant, sale, session = self._sessions[fetch.session]
        state = self._swaps.get(grant)
        if state is None or state.row.sale != sale:
            raise SaleRefusedError(Reason.NO_SESSION, "the session was of an earlier sale")
        require_code(fetch, session)
        if isinstance(state, EndedSwap):
            raise SaleRefusedError(Reason.NO_SALE, "the sale under this grant has ended")
        if not isinstance(state, RevealedSwap):
            raise SaleRefusedError(Reason.UNPAID, "the key is not on the chain yet")
        granted = state.row.grant
        return encode_deed(sealed_deed(SoughtUnits(self._contents, granted), granted, session))

    def _leaves(self, state: SwapState, page: int) -> bytes:
        row, first = state.row, page * PAGE_UNITS
        if first >= row.grant.count:
            raise SaleRefusedError(Reason.NO_UNIT, f"page {page} of {row.grant.count} units")
        last = first + PAGE_UNITS
        return join_leaf_pairs(row.leaves[first:last], row.masked_leaves[first:last])

    def _unit(self, state: SwapState, index: int) -> bytes:
        row = state.row
        if index >= row.grant.count:
            raise SaleRefusedError(Reason.NO_UNIT, f"unit {index} of {row.grant.count}")
        try:
            unit = self._contents.find(row.grant).unit(index)
        except (ErasedError, NotFoundError) as error:
            raise SaleRefusedError(Reason.GONE, error.message) from error
        masked = UnitMask(row.sale, row.key).apply(index, unit)
        if leaf_hash(masked) != row.masked_leaves[index]:
            raise SaleRefusedError(Reason.GONE, f"unit {index} is not what it was")
        return masked


def require_signed(grant: Grant, opening: SwapOpening) -> None:
    """Refuse an opening that the grant's key did not sign. Raises SaleRefusedError."""
    statement = EXCHANGE_TAG + open_sale_statement(grant.chain, grant.grant, opening.session_key)
    try:
        PublicKey(grant.buyer).verify(opening.signature, statement)
    except (MalformedError, VerificationError) as error:
        raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
