"""What a store is for: which tables it has, and what its format is called.

META's ``format`` is the kind's prefix and a decimal version; nothing without it is
opened, and a store is never opened as one of another kind.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final

from ledger.errors import CorruptStoreError, FormatVersionError
from ledger.storage import Table

FORMAT_KEY: Final = b"format"
FORMAT_VERSION: Final = 1
_CHAIN_TABLES: Final = (
    Table.STATE_LEAVES,
    Table.STATE_TILES,
    Table.STATE_HISTORY,
    Table.BLOCKS,
    Table.TRANSACTIONS,
    Table.ATTACHMENTS,
)


class StoreKind(Enum):
    """The kinds of stores; the value is what the format's name begins with."""

    LOG = b"quipu/"
    """A robot's log or a witness's memory."""
    CHAIN = b"quipu-chain/"
    """A settlement chain: a log, and the state after every block."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of a store of this kind."""
        return tuple(t for t in Table if self is StoreKind.CHAIN or t not in _CHAIN_TABLES)

    @property
    def format(self) -> bytes:
        """What META's ``format`` says in a store that this version makes."""
        return self.value + b"%d" % FORMAT_VERSION

    def check_format(self, found: bytes, path: Path) -> None:
        """Raise unless ``found`` is the format of a store of this kind and version."""
        digits = found.removeprefix(self.value)
        if not found.startswith(self.value) or not digits.isdigit():
            raise self.foreign(path)
        if int(digits) != FORMAT_VERSION:
            raise FormatVersionError(
                f"{path} has format {int(digits)}; this version reads {FORMAT_VERSION}",
                hint="install a newer version of this package",
            )

    def foreign(self, path: Path) -> CorruptStoreError:
        """The error for an LMDB database that is no store of this kind."""
        return CorruptStoreError(
            f"{path} holds an LMDB database that is not a {self.name.lower()}",
            hint="check the path; the database was not changed",
        )
