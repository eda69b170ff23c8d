"""What every engine offers to programs, whether it runs here or behind a socket.

A transaction that was *admitted* waits in memory and may be lost with the engine; one whose
`Inclusion` was seen is durable. The same bytes may be submitted again at any time: they
are carried out at most once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.header import Header
from ledger.chain.machine.proposal import Admission, Info
from ledger.chain.result import Result
from ledger.errors import LedgerError
from ledger.schema.chain_pb2 import Event

NO_ATTACHMENTS: Final[Mapping[bytes, bytes]] = {}


class EngineError(LedgerError):
    """Base of what an engine says about itself."""


class EngineClosedError(EngineError):
    """The engine is being closed, or is; nothing was done."""


class EngineStoppedError(EngineError):
    """The engine cannot go on, and says why. What it had committed is there."""


class NotIncludedError(EngineError):
    """A transaction was not in a block in time. It still waits, and may come to be in one."""


class NoEngineError(EngineError):
    """No engine serves this chain."""


class ConnectionLostError(EngineError):
    """The connection ended before the answer came; whether the request was carried out is
    not known."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction is in a block, durably."""

    transaction: bytes
    """Its id."""
    height: int
    code: int
    """A `ResultCode`; a block of an engine of several machines may hold refused ones."""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction that was admitted could not be carried out, and is in no block."""

    transaction: bytes
    code: ResultCode
    words: str = ""

    def error(self) -> RefusalError:
        """The same, to be raised."""
        return RefusalError(self.code, self.words)


Outcome: TypeAlias = Inclusion | Dropped


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it is stored."""

    header: Header
    transactions: Sequence[bytes] = field(repr=False)
    """Encoded, in order."""
    results: Sequence[bytes] = field(repr=False)
    """Encoded, one a transaction."""


@dataclass(frozen=True, slots=True)
class BlockEvents:
    """What happened in a block."""

    header: Header
    encoded: Sequence[bytes] = field(repr=False)
    """The results, one a transaction."""

    @property
    def results(self) -> list[Result]:
        """The results, read at every call. Raises MalformedError."""
        return [Result.parse(each) for each in self.encoded]

    @property
    def height(self) -> int:
        """The block's height; the next one to ask for is one more."""
        return self.header.height


class ChainService(Protocol):
    """A chain at work. Calls may come from any thread.

    Besides what is said of each, methods raise `EngineClosedError`, `EngineStoppedError` or,
    over a socket, `ConnectionLostError`; and ``StorageError`` with its kin.
    """

    def info(self) -> Info:
        """The newest durable block."""
        ...

    def genesis(self) -> bytes:
        """The message of the chain's genesis."""
        ...

    def submit(
        self, transactions: Sequence[bytes], attachments: Mapping[bytes, bytes] = NO_ATTACHMENTS
    ) -> list[Admission]:
        """Offer transactions, in order, with the attachments that they name, by SHA-256.

        Says of each whether it waits for a block now. What waits already stays, and is
        admitted again; a mempool without room refuses with `MEMPOOL_FULL`.
        """
        ...

    def wait(self, transaction: bytes, timeout_s: float) -> Inclusion:
        """Wait until the transaction with this id is in a durable block.

        Raises `RefusalError` for one that was admitted and dropped later, `NotIncludedError`
        when the time is over, `NotFoundError` for one that is not waiting.
        """
        ...

    def wait_all(self, transactions: Sequence[bytes], timeout_s: float) -> list[Outcome]:
        """As `wait` for many at once, in their order; those that were dropped say so."""
        ...

    def receipt(self, transaction: bytes) -> bytes:
        """The receipt of a transaction in a block. Raises `NotFoundError`."""
        ...

    def answer(self, key: bytes, height: int | None = None) -> bytes:
        """What the state says of a key, with proof; the newest, or as after a block.

        Raises `NotFoundError` for a height that is not there, or no longer kept.
        """
        ...

    def signed_header(self, height: int | None = None) -> bytes:
        """A header under a checkpoint. Raises `NotFoundError`."""
        ...

    def block(self, height: int) -> Block:
        """A whole block. Raises `NotFoundError`."""
        ...

    def events(self, from_height: int, wait_s: float) -> list[BlockEvents]:
        """Blocks from a height on, some of them, waiting for the first; none in time: none.

        Whoever follows the chain asks again from the height after the last: nobody is
        pushed to, so a slow reader costs nothing, loses nothing, and goes on where it was.
        """
        ...

    def subscribe(self, from_height: int) -> Iterator[BlockEvents]:
        """Every block from a height on, for ever."""
        ...

    def checkpoint(self) -> bytes:
        """The newest checkpoint, a signed note; it covers the newest block."""
        ...

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The RFC 6962 consistency proof between two sizes of the chain's log, in leaves.

        Raises `NotFoundError`.
        """
        ...

    def close(self) -> None:
        """End; a second call does nothing."""
        ...


FOLLOW_WAIT_S: Final = 30.0


def follow(service: ChainService, from_height: int) -> Iterator[BlockEvents]:
    """Ask a service for block after block; what `ChainService.subscribe` returns."""
    height = from_height
    while True:
        for found in service.events(height, FOLLOW_WAIT_S):
            height = found.height + 1
            yield found
