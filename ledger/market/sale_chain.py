"""The chain as a seller sees it: answers from memory, asked at every chunk.

What is in memory was proven, at the height that `LightSaleChain.height` says. A new height is
taken over by `refresh`, which whoever serves calls again and again: it waits for a block, and
says which channels that are being watched have changed. A grant or a channel that memory does
not have is asked for at once, for a buyer comes right after the block that opened its channel.

Whether consent to a recording is withdrawn is proven either way, by what the state has or does
not have: an engine that keeps a withdrawal back must keep back every block since, for what is
known of a chain never gets older. It is looked at once a height for the grants that were asked
about since the height before, and for others when somebody asks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.state_keys import channel_key, grant_key, offer_key, withdrawn_key
from ledger.exchange.grant import Grant
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord

V = TypeVar("V")

MAX_REMEMBERED: Final = 65_536
"""Grants, and channels, that are in memory at most; who is forgotten is asked for again."""


class LightSaleChain:
    """A `ledger.exchange.grant.SaleChain` over proofs. Any thread may ask.

    Methods raise as `ProvenChain` does where they have to ask the chain.
    """

    def __init__(self, chain: ProvenChain) -> None:
        self._chain: Final = chain
        self._lock: Final = threading.Lock()
        self._grants: dict[bytes, Grant] = {}
        self._channels: dict[bytes, ChannelRecord] = {}
        self._rows: dict[bytes, bytes] = {}
        """Under each grant, the key that the state has while consent is withdrawn."""
        self._withdrawn: dict[bytes, bool] = {}
        """Under each grant, as of `height`."""
        self._asked: set[bytes] = set()
        """Grants of those that were asked about since `height` was taken over."""
        self._height = chain.height()

    def grant(self, grant: bytes) -> Grant | None:
        """The grant of this id, or None. What was granted stays as it is."""
        with self._lock:
            known = self._grants.get(grant)
        if known is not None:
            return known
        record = self._chain.read(GrantRecord, grant_key(grant))
        if record is None:
            return None
        found = Grant.of_record(self._chain.chain, grant, record)
        with self._lock:
            _remember(self._grants, grant, found)
        return found

    def channel(self, channel: bytes) -> ChannelRecord | None:
        """The record of a channel as of `height`, or None for one that is not open.

        A channel that was asked for is watched from then on.
        """
        with self._lock:
            known = self._channels.get(channel)
        if known is not None:
            return known
        record = self._chain.read(ChannelRecord, channel_key(channel))
        if record is not None:
            with self._lock:
                _remember(self._channels, channel, record)
        return record

    def height(self) -> int:
        """The height that memory is of."""
        with self._lock:
            return self._height

    def is_withdrawn(self, grant: Grant) -> bool:
        """Whether consent is withdrawn to what a grant is about, as of `height` or later.

        Taken for withdrawn where the chain has neither the grant nor knows what it was about.
        """
        name = grant.grant
        with self._lock:
            known = self._withdrawn.get(name)
            if known is not None:
                self._asked.add(name)
                return known
            height = self._height
        found = self._look_for_withdrawals((name,))[name]
        with self._lock:
            # One that was looked for while a height was taken over may be of the one before.
            if self._height == height:
                _remember(self._withdrawn, name, found)
                self._asked.add(name)
        return found

    def refresh(self, wait_s: float = 0.0) -> Mapping[bytes, ChannelRecord | None]:
        """Take over the newest height, waiting so long for one.

        The watched channels whose records changed, by id; None for one that is no more, and
        is no longer watched.
        """
        before = self.height()
        if wait_s:
            self._chain.service.events(before + 1, wait_s)
        height = self._chain.height()
        if height == before:
            return {}
        with self._lock:
            watched, asked = dict(self._channels), tuple(self._asked)
        changed: dict[bytes, ChannelRecord | None] = {}
        for channel, known in watched.items():
            record = self._chain.read(ChannelRecord, channel_key(channel))
            if record != known:
                changed[channel] = record
        withdrawn = self._look_for_withdrawals(asked)
        with self._lock:
            if height >= self._height:
                self._withdrawn, self._asked = withdrawn, set()
            for channel, record in changed.items():
                if record is None:
                    self._channels.pop(channel, None)
                else:
                    self._channels[channel] = record
            self._height = max(self._height, height)
        return changed

    def forget(self, channel: bytes) -> None:
        """Watch a channel no more."""
        with self._lock:
            self._channels.pop(channel, None)

    def _look_for_withdrawals(self, grants: Iterable[bytes]) -> dict[bytes, bool]:
        rows = {grant: self._row_of(grant) for grant in grants}
        # Many may have been granted one recording.
        found = {row: self._chain.row(row) is not None for row in set(rows.values()) if row}
        return {grant: found[row] if row else True for grant, row in rows.items()}

    def _row_of(self, grant: bytes) -> bytes | None:
        """The key of the withdrawals that concern a grant; None where the chain does not say."""
        with self._lock:
            known = self._rows.get(grant)
        if known is not None:
            return known
        granted = self._chain.read(GrantRecord, grant_key(grant))
        offer = granted and self._chain.read(OfferRecord, offer_key(granted.offer))
        if not offer:
            return None
        row = withdrawn_key(offer.origin, offer.record_id)
        with self._lock:
            _remember(self._rows, grant, row)
        return row


def _remember(memory: dict[bytes, V], name: bytes, value: V) -> None:
    if len(memory) >= MAX_REMEMBERED:
        del memory[next(iter(memory))]
    memory[name] = value
