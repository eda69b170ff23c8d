"""One snapshot of a store in the place of the store, for readers that open their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from ledger.errors import ReadOnlyError
from ledger.storage import ReadTransaction, WriteTransaction

T = TypeVar("T")


class Snapshot:
    """A `Storage` whose every read is the same transaction."""

    def __init__(self, txn: ReadTransaction) -> None:
        self._txn = txn

    def read(self) -> AbstractContextManager[ReadTransaction]:
        """The transaction; it stays open afterwards."""
        return nullcontext(self._txn)

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """Refused."""
        raise ReadOnlyError("an audit changes nothing")

    def close(self) -> None:
        """Do nothing."""
