"""What a seller must never forget of a stream: one file a grant, written once.

``SALES/<grant id in hex>.sale``, mode 0600::

    "quipu-sale/v1\\n" || grant (`Grant.encode`) || channel (32) || sale key (32)
                       || SHA256(all before)

How far the sale is, the channel's own file says: so many units are paid. With the sale key
every secret can be given again. The channel is all zeros where units are free.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.storage.os_errors import storage_errors

SALE_KEY_SIZE: Final = 32
_NAME: Final = re.compile(r"([0-9a-f]{64})\.sale")
_MAGIC: Final = b"quipu-sale/v1\n"
_SIZE: Final = len(_MAGIC) + GRANT_SIZE + ID_SIZE + SALE_KEY_SIZE + 32


@dataclass(frozen=True, slots=True)
class SaleRow:
    """A sale that was opened."""

    grant: Grant
    channel: bytes
    """Its id, or nothing where units are free."""
    key: bytes = field(repr=False)

    @classmethod
    def begin(cls, grant: Grant, channel: bytes) -> SaleRow:
        """A new sale, its key from the operating system's randomness."""
        return cls(grant, channel, os.urandom(SALE_KEY_SIZE))


def sale_path(folder: Path, grant: bytes) -> Path:
    """Where the sale under a grant is kept."""
    return folder / f"{grant.hex()}.sale"


def write_sale(folder: Path, row: SaleRow) -> None:
    """Keep a sale, on disk on return. Raises StorageError."""
    content = _MAGIC + row.grant.encode() + (row.channel or bytes(ID_SIZE)) + row.key
    path = sale_path(folder, row.grant.grant)
    with storage_errors(path):
        write_durably(path, content + sha256(content).digest(), mode=PRIVATE)


def read_sale(folder: Path, grant: bytes) -> SaleRow | None:
    """The sale under a grant, or None. Raises CorruptStoreError, StorageError."""
    path = sale_path(folder, grant)
    with storage_errors(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    content, digest = data[:-32], data[-32:]
    if len(data) != _SIZE or not content.startswith(_MAGIC) or sha256(content).digest() != digest:
        raise CorruptStoreError(f"{path} is damaged: its content is not what was written")
    rest = content[len(_MAGIC) :]
    try:
        found = Grant.decode(rest[:GRANT_SIZE])
    except MalformedError as error:
        raise CorruptStoreError(f"{path} is damaged: {error.message}") from error
    if found.grant != grant:
        raise CorruptStoreError(f"{path} is the sale of another grant")
    channel = rest[GRANT_SIZE : GRANT_SIZE + ID_SIZE]
    return SaleRow(found, channel if any(channel) else b"", rest[GRANT_SIZE + ID_SIZE :])


def kept_sales(folder: Path) -> tuple[bytes, ...]:
    """The grants under which sales are kept, ascending. Raises StorageError."""
    with storage_errors(folder):
        names = sorted(path.name for path in folder.iterdir())
    return tuple(bytes.fromhex(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def forget_sale(folder: Path, grant: bytes) -> None:
    """Forget a sale with its key. Raises StorageError."""
    with storage_errors(folder):
        sale_path(folder, grant).unlink(missing_ok=True)
        sync_folder(folder)
