"""What a storefront has to sell: the recording that a grant is about, out of its robot's home.

A grant names its offer, and the chain's record of the offer names the log, the entry and the
entry's leaf hash. That is enough to find the recording among many homes; nothing has to be
listed beforehand.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from ledger.chain.body import Message
from ledger.chain.state_keys import grant_key, offer_key
from ledger.errors import MalformedError, NotFoundError
from ledger.exchange.grant import Grant
from ledger.exchange.home_units import HomeUnits
from ledger.experience.content_store import open_content
from ledger.experience.entry import Experience, parse_entry
from ledger.experience.restore import find_content
from ledger.home import HomeReader
from ledger.market.selling_homes import SellingHomes
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord

M = TypeVar("M", bound=Message)

MAX_OPEN: Final = 64
"""Recordings whose files are open at a time; what is closed is opened again."""


class Records(Protocol):
    """A chain whose records are verified; `ledger.chain.proven.chain.ProvenChain` is one."""

    def read(self, kind: type[M], key: bytes) -> M | None:
        """The record at a key of the newest state; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Recording:
    """Which recording a grant is about, as the chain says."""

    offer: bytes
    """Id of the offer, 32 bytes."""
    origin: str
    """Of the robot's log."""
    index: int
    """Of its entry there."""
    leaf: bytes
    """The entry's leaf hash, 32 bytes."""


class Stock:
    """A `ledger.exchange.unit_source.Contents` over homes. `find` is for one thread at a time."""

    def __init__(self, homes: SellingHomes, chain: Records) -> None:
        self._homes: Final = homes
        self._chain: Final = chain
        self._known: Final[dict[bytes, Recording]] = {}
        self._open: Final[OrderedDict[bytes, tuple[HomeUnits, ExitStack]]] = OrderedDict()

    def learn(self, grant: bytes, recording: Recording) -> None:
        """Know what a grant is about, whatever becomes of the chain's records."""
        self._known[grant] = recording

    def forget(self, grant: bytes) -> None:
        """Ask the chain again, should anybody ask for it."""
        self._known.pop(grant, None)

    def recording(self, grant: bytes) -> Recording:
        """What a grant is about; the chain is asked once. Any thread may ask.

        Raises NotFoundError where the chain does not say, and as the chain does.
        """
        known = self._known.get(grant)
        if known is None:
            granted = self._chain.read(GrantRecord, grant_key(grant))
            offer = granted and self._chain.read(OfferRecord, offer_key(granted.offer))
            if not granted or not offer:
                raise NotFoundError("the chain does not say what the grant is about")
            known = Recording(granted.offer, offer.origin, offer.index, offer.leaf)
            self._known[grant] = known
        return known

    def entry(self, grant: Grant) -> tuple[HomeReader, Experience]:
        """The home, and what the entry there says. Raises NotFoundError, CorruptStoreError."""
        recording = self.recording(grant.grant)
        home = self._homes.find(recording.origin)
        encoded = home.log.entry(recording.index)
        kind = parse_entry(encoded).kind if leaf_hash(encoded) == recording.leaf else None
        if not isinstance(kind, Experience) or kind.content_root != grant.content_root:
            raise NotFoundError(
                f"the home of {recording.origin} has another entry than was offered",
                hint="look whether it is the robot's home, or was restored from a backup",
            )
        return home, kind

    def find(self, grant: Grant) -> HomeUnits:
        """The content of a grant. Raises as `Contents.find`, and as the chain does."""
        known = self._open.get(grant.content_root)
        if known is not None:
            self._open.move_to_end(grant.content_root)
            return known[0]
        try:
            home, experience = self.entry(grant)
        except MalformedError as error:
            raise NotFoundError(error.message) from error
        reader, record_id = home.experiences, experience.record_id
        place = find_content(reader, reader.record(record_id))
        with ExitStack() as opening:
            content = opening.enter_context(
                open_content(
                    experience, place.paths, reader.keys.get(record_id), sealed=place.sealed
                )
            )
            units = HomeUnits(reader, record_id, content)
            self._open[grant.content_root] = units, opening.pop_all()
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1][1].close()
        return units

    def close(self) -> None:
        """Close every file."""
        while self._open:
            self._open.popitem()[1][1].close()
