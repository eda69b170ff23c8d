"""The state while a block is carried out: what it has changed so far, over what was.

The changes of the transaction at work are set apart, so that one that is refused half
way leaves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from google.protobuf.message import Message

from ledger.errors import CorruptStoreError, MalformedError
from ledger.schema.canonical import parse_message, serialize_message

M = TypeVar("M", bound=Message)


class WorkingState:
    """Reads and writes of rules. ``base`` gives the rows of the height before."""

    __slots__ = ("_base", "_block", "_transaction")

    def __init__(self, base: Callable[[bytes], bytes | None]) -> None:
        self._base: Final = base
        self._block: dict[bytes, bytes | None] = {}
        self._transaction: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """The row at a key, or None."""
        if key in self._transaction:
            return self._transaction[key]
        if key in self._block:
            return self._block[key]
        return self._base(key)

    def put(self, key: bytes, row: bytes) -> None:
        """Write a row."""
        self._transaction[key] = row

    def delete(self, key: bytes) -> None:
        """Delete a row."""
        self._transaction[key] = None

    def read(self, record: type[M], key: bytes) -> M | None:
        """The record at a key, or None. Raises CorruptStoreError for bytes that are none."""
        row = self.get(key)
        if row is None:
            return None
        try:
            return parse_message(record, row, record.DESCRIPTOR.name)
        except MalformedError as error:
            raise CorruptStoreError(f"a row of the state is damaged: {error.message}") from error

    def write(self, key: bytes, record: Message) -> None:
        """Write a record."""
        self.put(key, serialize_message(record, record.DESCRIPTOR.name))

    def keep(self) -> None:
        """End a transaction that was carried out."""
        self._block.update(self._transaction)
        self._transaction.clear()

    def drop(self) -> None:
        """End a transaction that was refused."""
        self._transaction.clear()

    @property
    def changes(self) -> dict[bytes, bytes | None]:
        """What the transactions that were kept have written; None for a deleted row."""
        return self._block
