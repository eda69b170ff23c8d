"""The newest messages of latched topics (``/tf_static``, ``/map``), to begin each segment with.

Who publishes a message is not known here. So where one publisher latches, its last
message is kept (as many as it offers); where several do, more are kept, so that one
that speaks often does not drive out one that spoke once. Messages come in the order in
which they came in.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from ledger.recording.channel import LATCHED, ChannelSpec
from ledger.recording.segment import Message

_KEPT_FOR_EACH_OF_SEVERAL: Final = 16
_MOST_KEPT: Final = 256
_MOST_BYTES: Final = 16 << 20
"""A topic keeps its newest message however long, and older ones up to this together."""


class LatchedMessages:
    """The messages that a late subscriber would still get, by channel."""

    def __init__(self) -> None:
        self._kept: dict[int, deque[Message]] = {}
        self._arrived = 0
        self._order: dict[int, deque[int]] = {}

    def expect(self, channel: int, spec: ChannelSpec) -> None:
        """Keep messages of a channel from now on, if its publishers latch; or no more."""
        offers = spec.latched_offers
        if not offers:
            self._kept.pop(channel, None)
            self._order.pop(channel, None)
            return
        depth = max(offer.depth for offer in spec.offers if offer.durability == LATCHED) or 1
        count = depth if offers == 1 else depth * offers * _KEPT_FOR_EACH_OF_SEVERAL
        count = min(count, _MOST_KEPT)
        self._kept[channel] = deque(self._kept.get(channel, ()), count)
        self._order[channel] = deque(self._order.get(channel, ()), count)

    def __contains__(self, channel: int) -> bool:
        return channel in self._kept

    def add(self, message: Message) -> None:
        """A message of a channel that is kept."""
        kept, order = self._kept[message[0]], self._order[message[0]]
        self._arrived += 1
        kept.append(message)
        order.append(self._arrived)
        while len(kept) > 1 and sum(len(each[3]) for each in kept) > _MOST_BYTES:
            kept.popleft()
            order.popleft()

    def messages(self) -> list[Message]:
        """All that is kept, the oldest first."""
        found = [
            (at, message)
            for channel, kept in self._kept.items()
            for at, message in zip(self._order[channel], kept, strict=True)
        ]
        return [message for _, message in sorted(found, key=lambda pair: pair[0])]
