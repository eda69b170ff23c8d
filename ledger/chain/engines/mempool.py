"""The transactions that wait for a block, in the order in which they were admitted.

Bounded in number and in bytes, attachments included. Room is reserved before anything else
is done for a transaction, so that what cannot be kept costs nothing. For one thread at a
time: its engine holds a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ledger.errors import RefusedError


@dataclass(slots=True)
class Reservation:
    """Room for the first ``count`` of some transactions, until it is given back."""

    count: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The first of those that wait."""

    transactions: Sequence[bytes]
    attachments: Mapping[bytes, bytes] = field(repr=False)


class Mempool:
    """Transactions by their bytes, each with its id and its attachments."""

    def __init__(self, most_transactions: int, most_bytes: int) -> None:
        self._most_transactions = most_transactions
        self._most_bytes = most_bytes
        self._reserved_transactions = 0
        self._reserved_bytes = 0
        self._waiting: dict[bytes, bytes] = {}  # in order: a dict keeps that of insertion
        self._attachments: dict[bytes, Mapping[bytes, bytes]] = {}
        self._ids: set[bytes] = set()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def id_of(self, encoded: bytes) -> bytes | None:
        """The id of a transaction that waits, or None."""
        return self._waiting.get(encoded)

    def has(self, transaction: bytes) -> bool:
        """Whether the transaction with this id waits."""
        return transaction in self._ids

    def reserve(self, transactions: Sequence[bytes], extra: int = 0) -> Reservation:
        """Reserve room for as many of the first transactions as there is.

        ``extra`` bytes of attachments come with them all, or nothing is reserved.
        """
        places = self._most_transactions - len(self._waiting) - self._reserved_transactions
        room = self._most_bytes - self._bytes - self._reserved_bytes - extra
        count, taken = 0, extra
        for encoded in islice(transactions, max(0, places)):
            room -= len(encoded)
            if room < 0:
                break
            taken += len(encoded)
            count += 1
        if not count:
            taken = 0
        self._reserved_transactions += count
        self._reserved_bytes += taken
        return Reservation(count, taken)

    def give_back(self, reservation: Reservation) -> None:
        """End a reservation; what was added meanwhile stays."""
        self._reserved_transactions -= reservation.count
        self._reserved_bytes -= reservation.size
        reservation.count = reservation.size = 0

    def add(
        self, encoded: bytes, transaction: bytes, attachments: Mapping[bytes, bytes] | None = None
    ) -> None:
        """Put a transaction, with its id, behind the others."""
        if encoded in self._waiting:
            raise RefusedError("a transaction waits once")
        self._waiting[encoded] = transaction
        self._ids.add(transaction)
        self._bytes += len(encoded)
        if attachments:
            self._attachments[encoded] = attachments
            self._bytes += sum(map(len, attachments.values()))

    def first(self, count: int) -> Batch:
        """At most ``count`` of those that wait longest; they go on waiting."""
        transactions = list(islice(self._waiting, count))
        attachments: dict[bytes, bytes] = {}
        if self._attachments:
            for encoded in transactions:
                attachments.update(self._attachments.get(encoded, {}))
        return Batch(transactions, attachments)

    def remove(self, transactions: Iterable[bytes]) -> None:
        """Take out transactions that are decided."""
        for encoded in transactions:
            self._ids.discard(self._waiting.pop(encoded))
            self._bytes -= len(encoded)
            own = self._attachments.pop(encoded, None)
            if own:
                self._bytes -= sum(map(len, own.values()))
