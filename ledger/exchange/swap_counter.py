"""Where requests of atomic sales arrive, and where the chain's part of them is driven.

`answer` never waits for a block, and not for a content that is being masked: who asks for a sale
under a grant that has none is told to ask again. `make` masks what was asked for, which takes as
long as the content is big, and `advance` brings each sale as far as it can go now. Whoever
serves calls both again and again, from a thread each; or `tend`, which is one after the other.

Keys come before all else, and together: a key that is late costs the deposit, anything else
waits for nothing but a block. So that all of them fit into their blocks, no more sales are open
at a time than `SellingTerms.most_open`.

A key is masked with for one sequence of the seller's account. So while a content is being
masked, what has no deadline waits: another transaction would have it masked once more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from ledger.errors import (
    CorruptStoreError,
    ErasedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    StorageError,
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
from ledger.exchange.open_sessions import OpenSession, OpenSessions
from ledger.exchange.sale_refusal import SaleRefusedError, require_code, require_consent
from ledger.exchange.session import Session
from ledger.exchange.swap_cipher import Part, SwapCipher
from ledger.exchange.swap_due import carry_out, keys_due, may_lock, money_due
from ledger.exchange.swap_file import read_swap, swap_grants
from ledger.exchange.swap_messages import (
    PartFetch,
    SealedPart,
    SwapOpening,
    encode_part,
    is_swap_request,
    parse_swap_request,
)
from ledger.exchange.swap_opening import agree_on, require_open, require_signed
from ledger.exchange.swap_parts import SwapParts
from ledger.exchange.swap_seller import (
    EndedSwap,
    PreparedSwap,
    ProposedSwap,
    RevealedSwap,
    SwapDesk,
    SwapState,
    observe,
    prepare,
)
from ledger.exchange.unit_source import Contents

logger = logging.getLogger(__name__)

_KEYS_EVERY: Final = 4
"""Blocks after which keys are looked for again, however much of the turn is left."""


class Answers(Protocol):
    """Anything that has a reply to any bytes."""

    def answer(self, request: bytes) -> Reply:
        """The reply."""
        ...


class SwapCounter:
    """Sells whole contents to whoever has a grant.

    `answer` is for any thread, `make` for one at a time and `advance` for one at a time.
    """

    def __init__(
        self,
        desk: SwapDesk,
        contents: Contents,
        streams: Answers,
        masked: Contents | None = None,
    ) -> None:
        """Take up what was sold before; ``streams`` answers what is not about an atomic sale.

        ``masked`` are the contents as `make` reads them, where that is another thread's work.
        A file that is damaged is logged, left as it is, and nothing sold under its grant.
        Raises StorageError, and what the chain raises.
        """
        self._desk: Final = desk
        self._parts: Final = SwapParts(contents)
        self._masked: Final = masked or contents
        self._streams: Final = streams
        self._lock: Final = threading.Lock()
        """Of what follows; never held while the chain is asked, or a content read."""
        self._swaps: Final[dict[bytes, SwapState]] = {}
        self._wanted: Final[dict[bytes, Grant]] = {}
        self._refused: Final[dict[bytes, Reason]] = {}
        self._damaged: Final[set[bytes]] = set()
        self._sessions: Final = OpenSessions()
        self._keys_shown = 0
        """The height at which keys were looked for last."""
        self._is_making = False
        self._has_waited = False
        """Whether something was due that waits for the masking."""
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

    def make(self, told: Callable[[int], None] = lambda masked: None) -> bytes | None:
        """Mask for the sale that was asked for first, and have it on disk.

        The grant that it was, or None where there is none, or other transactions come first.
        ``told`` hears how many units are masked; what it raises ends it, and it is begun anew
        the next time. Raises that, StorageError and its kin, and what the chain raises.
        """
        with self._lock:
            is_busy = self._has_waited or any(map(_is_unproposed, self._swaps.values()))
            if is_busy or not self._wanted:
                return None
            grant, wanted = next(iter(self._wanted.items()))
            self._is_making = True
        state: PreparedSwap | None = None
        reason: Reason | None = None
        try:
            require_consent(self._desk.grants, wanted)
            state = prepare(self._desk, wanted, self._masked.find(wanted), told)
        except SaleRefusedError as refusal:
            logger.debug("a sale is not made: %s", refusal.message)
            reason = refusal.reason
        except (ErasedError, NotFoundError, CorruptStoreError) as error:
            logger.warning("a sale cannot be made: %s", error.message)
            reason = Reason.GONE
        except RefusedError as error:
            logger.debug("a sale is not made: %s", error.message)
            reason = Reason.NO_SALE
        finally:
            with self._lock:
                self._is_making = False
                del self._wanted[grant]
                if state is not None:
                    self._swaps[grant] = state
                elif reason is not None:
                    self._refused[grant] = reason
                else:  # it goes behind the others
                    self._wanted[grant] = wanted
        return grant

    def advance(
        self, told: Callable[[SwapState], None] = lambda state: None
    ) -> tuple[SwapState, ...]:
        """Bring each sale as far as it can go now.

        Where each is, those that ended included; ``told`` hears of each before it is
        forgotten. One sale's damage is logged, and does not keep the others; nor does a disk
        that takes no more, for a key is shown without it. Raises StorageError, what the chain
        raises and what ``told`` does; what is not done is done the next time.
        """
        with self._lock:
            waits, self._has_waited = self._is_making, False
            grants = tuple(self._swaps)
        trouble: list[StorageError] = []
        self._keys_shown = -_KEYS_EVERY
        self._show_keys()
        seen = self._each(grants, self._observe, trouble)
        changed = self._propose(seen, trouble) | self._collect(seen, waits)

        def look_again(grant: bytes) -> SwapState | None:
            state = self._observe(grant) if grant in changed else seen[grant]
            if state is not None:
                told(state)
            return state

        states = tuple(self._each(seen, look_again, trouble).values())
        self._forget_past(states, trouble)
        if trouble:
            raise trouble[0]
        return states

    def tend(self) -> tuple[SwapState, ...]:
        """All that `make` and `advance` can do now, and where each sale is. Raises as they do."""
        states = self.advance()
        while self.make() is not None:
            states = self.advance()
        return states

    def swap(self, grant: bytes) -> SwapState | None:
        """The sale under a grant, as it was last seen."""
        with self._lock:
            return self._swaps.get(grant)

    @property
    def has_sales(self) -> bool:
        """Whether there is anything for `advance` to look at."""
        with self._lock:
            return bool(self._swaps)

    def knows(self, session: bytes) -> bool:
        """Whether a session is open here."""
        return self._sessions.knows(session)

    def close(self) -> None:
        """Read contents no more; who asks for one is told that nobody sells."""
        self._parts.close()

    def _take_up(self) -> None:
        for grant in swap_grants(self._desk.folder):
            try:
                row = read_swap(self._desk.folder, grant)
                if row is not None:
                    self._see(observe(self._desk, row))
            except CorruptStoreError as error:
                self._leave_alone(grant, error)

    def _each(
        self,
        grants: Iterable[bytes],
        do: Callable[[bytes], SwapState | None],
        trouble: list[StorageError],
    ) -> dict[bytes, SwapState]:
        """What came of ``do`` for each sale that is left; one's trouble keeps no other."""
        states = {}
        for grant in grants:
            self._show_keys()
            try:
                state = do(grant)
            except CorruptStoreError as error:
                self._leave_alone(grant, error)
            except StorageError as error:
                trouble.append(error)
            else:
                if state is not None:
                    states[grant] = state
        return states

    def _observe(self, grant: bytes) -> SwapState | None:
        known = self.swap(grant)
        if known is None:
            return None
        state = observe(self._desk, known.row)
        if isinstance(state, PreparedSwap) and isinstance(known, PreparedSwap):
            state = replace(state, refusal=known.refusal)
        return self._see(state)

    def _show_keys(self) -> None:
        """Have the chain know every key that is due, unless that was done a few blocks ago."""
        if self._desk.chain.height() < self._keys_shown + _KEYS_EVERY:
            return
        with self._lock:
            states = tuple(self._swaps.values())
        carry_out(self._desk, keys_due(self._desk, states))
        self._keys_shown = self._desk.chain.height()

    def _propose(self, seen: dict[bytes, SwapState], trouble: list[StorageError]) -> set[bytes]:
        """Propose one sale that was made; its grant, if it is to be looked at again.

        Each waits for a block of its own, so the others wait for the next turn's keys.
        """
        made = {grant: each for grant, each in seen.items() if isinstance(each, PreparedSwap)}
        if not made:
            return set()
        # One first whose sequence others would use; what was refused takes its turn.
        grant = min(made, key=lambda grant: not _is_unproposed(made[grant]))
        with self._lock:
            self._swaps[grant] = self._swaps.pop(grant)
        proposed = self._each([grant], lambda grant: self._see(made[grant].propose()), trouble)
        seen |= proposed
        return {grant} - proposed.keys()

    def _collect(self, seen: Mapping[bytes, SwapState], waits: bool) -> set[bytes]:
        """Have back what is due, unless that ``waits``; the grants of those sales."""
        due = money_due(seen.values(), self._desk.chain.height())
        if waits:
            self._has_waited = self._has_waited or bool(due)
            return set()
        # No more than keys that can fall due meanwhile: the next turn has its share.
        due = due[: self._desk.terms.most_open]
        carry_out(self._desk, due)
        return {each.row.grant.grant for each in due}

    def _forget_past(self, states: Iterable[SwapState], trouble: list[StorageError]) -> None:
        height = self._desk.chain.height()
        for state in states:
            if isinstance(state, EndedSwap) and state.is_past(height):
                try:
                    state.forget()
                except StorageError as error:
                    trouble.append(error)
                    continue
                with self._lock:
                    self._swaps.pop(state.row.grant.grant, None)

    def _leave_alone(self, grant: bytes, error: CorruptStoreError) -> None:
        logger.error("the sale under grant %s: %s", grant.hex()[:16], error)
        with self._lock:
            self._swaps.pop(grant, None)
            self._damaged.add(grant)

    def _see(self, state: SwapState) -> SwapState:
        grant = state.row.grant.grant
        with self._lock:
            before = self._swaps.get(grant)
            if isinstance(state, EndedSwap) and not state.was_proposed:
                self._swaps.pop(grant, None)
            else:
                self._swaps[grant] = state
            if before is not None and before.row.agreement != state.row.agreement:
                # Their keys go with the one that they were agreed by.
                self._sessions.forget(grant)
        return state

    def _open(self, opening: SwapOpening) -> Reply:
        with self._lock:
            state, is_damaged = self._swaps.get(opening.grant), opening.grant in self._damaged
        grant = state.row.grant if state is not None else self._desk.grants.grant(opening.grant)
        if grant is None or grant.seller != self._desk.wallet.account:
            raise SaleRefusedError(Reason.NO_GRANT, "no such grant, or another's to sell")
        require_signed(grant, opening)
        if is_damaged:
            raise SaleRefusedError(Reason.NO_SALE, "the sale's file is damaged")
        if state is None:
            raise self._want(grant)
        require_open(state)
        row = state.row
        session, reply = agree_on(row, opening, self._desk.wallet)
        with self._lock:
            now = self._swaps.get(grant.grant)
            if now is None or now.row.agreement != row.agreement:
                raise SaleRefusedError(Reason.NOT_YET, "the sale has just ended")
            self._sessions.keep(OpenSession(grant.grant, session, row.sale))
        return reply

    def _want(self, grant: Grant) -> SaleRefusedError:
        if self._desk.chain.height() >= grant.expiry_height:
            return SaleRefusedError(Reason.NO_GRANT, "the grant is over")
        require_consent(self._desk.grants, grant)
        with self._lock:
            reason = self._refused.pop(grant.grant, None)
            if reason is None:
                reason = Reason.NOT_YET
                if grant.grant not in self._swaps and self._has_room:
                    self._wanted.setdefault(grant.grant, grant)
        return SaleRefusedError(reason, "there is no sale under this grant yet")

    @property
    def _has_room(self) -> bool:
        """Whether the key of one more sale is sure to be shown in time."""
        count = sum(map(may_lock, self._swaps.values()))
        return count + len(self._wanted) < self._desk.terms.most_open

    def _session(self, name: bytes) -> tuple[SwapState, Session]:
        """The session of this id, and the sale that it is of."""
        known = self._sessions.find(name)
        state = self.swap(known.grant) if known is not None else None
        if known is None or state is None:
            raise SaleRefusedError(Reason.NO_SESSION, "no such session is open")
        if state.row.sale != known.sale:
            raise SaleRefusedError(Reason.NO_SESSION, "the session was of an earlier sale")
        return state, known.session

    def _fetch(self, fetch: PartFetch) -> Reply:
        state, session = self._session(fetch.session)
        try:
            fetch.check(session)
        except VerificationError as error:
            raise SaleRefusedError(Reason.WRONG_SIGNATURE, error.message) from error
        if isinstance(state, EndedSwap):
            raise SaleRefusedError(Reason.NO_SALE, "the sale under this grant has ended")
        if isinstance(state, ProposedSwap):
            require_consent(self._desk.grants, state.row.grant)  # once locked, it is paid for
        give = self._parts.unit if fetch.part is Part.UNIT else self._parts.leaves
        content = give(state.row, fetch.index)
        cipher = SwapCipher(session, state.row.sale, state.row.grant.count)
        sealed = cipher.seal(fetch.part, fetch.index, content)
        return encode_part(SealedPart(fetch.part, fetch.index, sealed))

    def _deed_fetch(self, request: bytes) -> DeedFetch | None:
        """A request for the deed of an atomic sale, if it is one."""
        try:
            ask = parse_request(request)
        except MalformedError:
            return None
        return ask if isinstance(ask, DeedFetch) and self.knows(ask.session) else None

    def _deed(self, fetch: DeedFetch) -> Reply:
        state, session = self._session(fetch.session)
        require_code(fetch, session)
        if isinstance(state, EndedSwap) and not state.is_sold:
            raise SaleRefusedError(Reason.NO_SALE, "the sale under this grant has ended")
        if not isinstance(state, RevealedSwap | EndedSwap):
            # A buyer that has read the key from the chain may come before this side has seen it.
            raise SaleRefusedError(Reason.NOT_YET, "the key is not seen on the chain yet")
        return encode_deed(self._parts.deed(state.row.grant, session))


def _is_unproposed(state: SwapState) -> bool:
    """Whether a proposal is to be submitted that the chain has not refused."""
    return isinstance(state, PreparedSwap) and state.refusal is None
