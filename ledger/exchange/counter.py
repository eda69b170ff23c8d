"""Where requests arrive: the sales that are open, and the reply to any bytes at all."""

from __future__ import annotations

import logging
from typing import Final

from ledger.errors import ErasedError, MalformedError
from ledger.exchange.messages import (
    DeedFetch,
    Fetch,
    Opening,
    Reason,
    Reply,
    encode_deed,
    encode_opened,
    encode_refused,
    encode_unit,
    parse_request,
)
from ledger.exchange.open_sessions import OpenSession, OpenSessions
from ledger.exchange.sale_file import read_sale
from ledger.exchange.sale_refusal import SaleRefusedError
from ledger.exchange.seller import (
    ClosingSale,
    Desk,
    OfferedSale,
    OpenSale,
    SaleState,
    resume_sale,
)
from ledger.exchange.session import Session
from ledger.exchange.sought_units import SoughtUnits
from ledger.exchange.unit_source import Contents
from ledger.schema.chain_channel_pb2 import ChannelRecord

logger = logging.getLogger(__name__)


class Counter:
    """Sells to whoever has a grant. One thread at a time."""

    def __init__(self, desk: Desk, contents: Contents) -> None:
        self._desk: Final = desk
        self._contents: Final = contents
        self._sales: Final[dict[bytes, SaleState]] = {}
        self._sessions: Final = OpenSessions()
        self._next: Final[dict[bytes, tuple[Session, int]]] = {}

    def answer(self, request: bytes) -> Reply:
        """The reply to a stranger's bytes.

        Raises what is the seller's own trouble: CorruptStoreError, KeyStoreError, StorageError.
        """
        try:
            ask = parse_request(request)
            return self._open(ask) if isinstance(ask, Opening) else self._give(ask)
        except MalformedError:
            return encode_refused(Reason.MALFORMED)
        except SaleRefusedError as refusal:
            logger.debug("refused: %s", refusal.message)
            return encode_refused(refusal.reason)

    def resume(self, grant: bytes) -> SaleState | None:
        """Take up a sale that is kept, before its buyer asks; None where none is, or no more.

        Raises LockedError, CorruptStoreError, StorageError, and what the chain raises.
        """
        if grant in self._sales:
            return self._sales[grant]
        row = read_sale(self._desk.folder, grant)
        if row is None:
            return None
        sale = resume_sale(self._desk, row, SoughtUnits(self._contents, row.grant))
        if sale is not None:
            self._sales[grant] = sale
        return sale

    def knows(self, session: bytes) -> bool:
        """Whether a session is open here."""
        return self._sessions.knows(session)

    @property
    def sales(self) -> tuple[SaleState, ...]:
        """Those that are open here."""
        return tuple(self._sales.values())

    def seal_ahead(self) -> None:
        """Seal what will be asked for next, for those who asked since the last call.

        For whoever has nothing else to do: it makes the next replies quicker, and no other.
        """
        while self._next:
            grant, (session, index) = self._next.popitem()
            sale = self._sales.get(grant)
            if sale is not None:
                sale.seal_ahead(session, index)

    def observe(self, grant: bytes, record: ChannelRecord) -> None:
        """Take over what the chain says of the channel that pays a sale."""
        sale = self._sales.get(grant)
        if isinstance(sale, OpenSale):
            self._sales[grant] = sale.observe(record)

    def sale(self, grant: bytes) -> SaleState | None:
        """The sale under a grant, if this seller has it open."""
        return self._sales.get(grant)

    def close_sale(self, grant: bytes) -> SaleState | None:
        """Take no more payments under a grant; its `ClosingSale`, or None for no such sale."""
        sale = self._sales.get(grant)
        if isinstance(sale, OpenSale):
            sale = self._sales[grant] = sale.close()
        return sale

    def forget_sale(self, grant: bytes) -> None:
        """Forget a sale, once the chain has its channel no more. Raises StorageError."""
        sale = self.close_sale(grant)
        if isinstance(sale, ClosingSale):
            sale.forget()
        self._sales.pop(grant, None)

    def close(self) -> None:
        """Have everything on disk, and let go of it. Raises StorageError."""
        self._sessions.clear()
        self._next.clear()
        while self._sales:
            self._sales.popitem()[1].release()

    def _open(self, opening: Opening) -> Reply:
        sale = self._sales.get(opening.grant)
        if sale is None:
            grant = self._desk.chain.grant(opening.grant)
            if grant is None:
                raise SaleRefusedError(Reason.NO_GRANT, "the chain has no such grant")
            content = SoughtUnits(self._contents, grant)
            try:
                sale = OfferedSale(self._desk, grant, content).open(opening)
            except ErasedError as error:
                raise SaleRefusedError(Reason.GONE, error.message) from error
            self._sales[opening.grant] = sale
        session, opened = sale.agree(opening)
        self._sessions.keep(OpenSession(opening.grant, session))
        return encode_opened(opened)

    def _give(self, fetch: Fetch | DeedFetch) -> Reply:
        known = self._sessions.find(fetch.session)
        sale = self._sales.get(known.grant) if known is not None else None
        if known is None or sale is None:
            raise SaleRefusedError(Reason.NO_SESSION, "no such session is open")
        if isinstance(fetch, DeedFetch):
            return encode_deed(sale.deed(known.session, fetch))
        reply = encode_unit(sale.fetch(known.session, fetch))
        self._next[known.grant] = known.session, fetch.index + 1
        return reply
