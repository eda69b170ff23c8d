"""What an acquisition works with, and what it tells on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sponsorship import pool_account
from ledger.credentials.member_file import MemberFile
from ledger.errors import LedgerError
from ledger.exchange.grant import Grant
from ledger.exchange.transport import Transport, TransportError
from ledger.experience.content_root import CHUNK_SIZE
from ledger.home import HomeWriter
from ledger.market.acquisition_file import stage_of
from ledger.market.acquisition_states import Granted, Stage
from ledger.market.budget import Budget
from ledger.market.funding import Funding


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an acquisition is. Units and bytes are of the content."""

    stage: Stage
    kept: int = 0
    """Units that are here and were checked; of what is bought whole, masked ones too."""
    units: int = 0
    """0 until it is granted."""
    kept_bytes: int = 0
    bytes: int = 0
    paid: int = 0
    """To the seller so far, in smallest units of the grant's asset."""
    price: int = 0
    """Of the whole."""
    opened: int = 0
    """Of what is bought whole: units that the key has opened."""

    @classmethod
    def of(cls, state: Granted, kept: int, paid: int, opened: int = 0) -> Progress:
        """Of an acquisition that is granted."""
        grant = state.grant
        return cls(
            stage_of(state),
            kept,
            grant.count,
            min(kept * CHUNK_SIZE, grant.content_size),
            grant.content_size,
            paid,
            grant.price,
            opened,
        )


class AcquisitionCancelledError(LedgerError):
    """Somebody stopped it, between two steps or two units. It can be taken up again."""


class NobodySellsError(TransportError):
    """The seller's storefront is not there, and nothing was asked for yet."""


Told: TypeAlias = Callable[[Progress], None]
"""Hears each state that is reached, and each unit. What it raises ends `acquire`, as a crash
would."""
Cancelled: TypeAlias = Callable[[], bool]
"""Asked before each step and between units."""
Way: TypeAlias = Callable[[Grant], Transport]
"""Leads to the seller of a grant. One that is a context manager is left once all is fetched."""
Look: TypeAlias = Callable[[bytes], None]
"""Looks whether the storefront of an account is there. Raises `NobodySellsError`, StorageError."""
Home: TypeAlias = Callable[[], AbstractContextManager[HomeWriter]]
"""Opens the home that keeps what was bought, to write: ``MemoryOwner.writer``, or
``partial(open_home_to_write, root)``."""


def tell_nobody(progress: Progress) -> None:
    """A `Told` that hears nothing."""


def look_nowhere(seller: bytes) -> None:
    """A `Look` that takes it to be there."""


def never() -> bool:
    """A `Cancelled` that goes on."""
    return False


def clock_s() -> int:
    """Seconds since 1970."""
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Tools:
    """What it takes to acquire something."""

    chain: ProvenChain
    member: MemberFile = field(repr=False)
    """Whose credential is presented; read when it is asked with, and not kept."""
    gaps: Callable[[], bytes] = field(repr=False)
    """The letter with the fleet's newest revocation gaps."""
    funding: Funding
    way: Way
    look: Look = look_nowhere
    """Asked before a grant is: a use that nobody sells to would be spent, and fees."""
    budget: Budget | None = None
    """None: nothing but the wish limits what is spent."""
    home: Home | None = None
    """None: an acquisition ends when it is `Closed`, its files in its folder."""
    seal: bool = False
    """Whether the home keeps it encrypted."""
    now_s: Callable[[], int] = clock_s
    rest_to: bytes | None = None
    """The account that what is left of the money goes back to; None: the pool of the fleet."""
    settle_wait_s: float = 60.0
    """How long `abandon` waits for the end of a challenge before it says: again later."""
    challenge_blocks: int | None = None
    """In which a seller can answer the close of a channel; None: `ledger.market.challenge`."""

    def rest_of(self, state: Granted) -> bytes:
        """The account that what is left of a grant's money goes back to."""
        return self.rest_to or pool_account(state.record.fleet)
