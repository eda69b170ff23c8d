"""Where an acquisition can stand, one type each, made of what is on disk.

::

    Wished --> Requested --> Granted --> Funded --> ChannelOpened --> Streaming --> Bought
      |            |            |           |             |               |            |
      |            v            +-----------+------+------+---------------+            v
      +--------> Refused                           v                                 Closed
                                               Abandoning --> Abandoned                |
                                                                                       v
                                                                                     Kept

    Funded --> Swapping --> Bought      where it is bought whole (`ledger.market.swapping`)
                   |
                   +--> Abandoned       nothing was sold, and the money came back

An acquisition that costs nothing goes from `Granted` to `Streaming` through `Funded` and
`ChannelOpened` without money and channel. `Refused`, `Closed`, `Kept` and `Abandoned` are ends;
`Closed` goes on to `Kept` where there is a home to keep it in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from ledger.chain.codes import ResultCode
from ledger.exchange.grant import Grant
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord


class Stage(IntEnum):
    """The states by number, as they are on disk."""

    WISHED = 1
    REQUESTED = 2
    GRANTED = 3
    FUNDED = 4
    CHANNEL_OPENED = 5
    STREAMING = 6
    BOUGHT = 7
    CLOSED = 8
    KEPT = 9
    REFUSED = 10
    ABANDONING = 11
    ABANDONED = 12
    SWAPPING = 13


@dataclass(frozen=True, slots=True)
class Wished:
    """Nothing was asked for yet."""


@dataclass(frozen=True, slots=True)
class Requested:
    """The request is signed and kept; whether it left is not known. ``offer`` was proven."""

    offer: OfferRecord
    use: int
    request: bytes = field(repr=False)
    """The transaction."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No grant, for good. Nothing was spent, nothing is reserved."""

    code: ResultCode
    words: str
    """For people, one line."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The chain has the grant."""

    offer: OfferRecord
    record: GrantRecord
    grant: Grant


@dataclass(frozen=True, slots=True)
class Funded(Granted):
    """The one-time key has what it needs."""

    funded: int
    """What it was given of the grant's asset, in smallest units."""


@dataclass(frozen=True, slots=True)
class Swapping(Funded):
    """It is bought whole: `ledger.exchange.swap_purchase` says how far, and what is locked."""


@dataclass(frozen=True, slots=True)
class ChannelOpened(Funded):
    """The chain has the channel."""

    channel: bytes
    """Its id, 32 bytes; nothing where the content is free, or was bought whole."""


@dataclass(frozen=True, slots=True)
class Streaming(ChannelOpened):
    """The purchase was begun: `ledger.exchange.purchase`."""


@dataclass(frozen=True, slots=True)
class Bought(ChannelOpened):
    """All of it is here and checked, the deed too; ``files`` lie under the folder's ``files``."""


@dataclass(frozen=True, slots=True)
class Closed(ChannelOpened):
    """What was left of the money is back in the pool."""

    spent: int
    """What it cost in smallest units of the grant's asset, fees in that asset included."""


@dataclass(frozen=True, slots=True)
class Kept(Closed):
    """It is in a home's log, with an Acquisition entry."""

    record_id: bytes
    """Of the Experience, 16 bytes."""
    index: int
    """Of the Experience's entry."""


@dataclass(frozen=True, slots=True)
class Abandoning(ChannelOpened):
    """It is given up; the channel is closing, or what is left is on its way back."""

    until: int
    """The last height at which the seller can challenge the close; 0: none was asked for."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """It was given up, and all that was not paid to the seller is back."""

    spent: int


AcquisitionState: TypeAlias = (
    Wished
    | Requested
    | Refused
    | Granted
    | Funded
    | Swapping
    | ChannelOpened
    | Streaming
    | Bought
    | Closed
    | Kept
    | Abandoning
    | Abandoned
)
