"""What became of a purchase's deed: one small file in the buyer's folder.

``FOLDER/deed``, mode 0600::

    "quipu-deed/v1\n" || u8 outcome || deed || SHA256(all before)

    outcome  1 the deed was checked, and follows (`Deed.encode`); 2 to 4 `DeedFault`, no deed

No file: nobody asked yet. A missing deed may be asked for again, and the file is replaced.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.exchange.deed import Deed, DeedFault, MissingDeed
from ledger.storage.os_errors import storage_errors

_MAGIC: Final = b"quipu-deed/v1\n"
_KEPT: Final = b"\x01"
_DIGEST_SIZE: Final = 32


def write_deed(folder: Path, outcome: Deed | MissingDeed) -> None:
    """Keep what became of it, on disk on return. Raises StorageError."""
    if isinstance(outcome, Deed):
        content = _MAGIC + _KEPT + outcome.encode()
    else:
        content = _MAGIC + bytes([outcome.fault])
    path = folder / "deed"
    with storage_errors(path):
        write_durably(path, content + sha256(content).digest(), mode=PRIVATE)


def read_deed(folder: Path) -> Deed | MissingDeed | None:
    """What became of it, None where nobody asked. Raises CorruptStoreError, StorageError."""
    path = folder / "deed"
    with storage_errors(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    content, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    rest = content[len(_MAGIC) :]
    if not content.startswith(_MAGIC) or not rest or sha256(content).digest() != digest:
        raise CorruptStoreError(f"{path} is damaged: its content is not what was written")
    try:
        if rest[:1] == _KEPT:
            return Deed.decode(rest[1:])
        if len(rest) > 1:
            raise MalformedError("something follows a deed that is missing")
        return MissingDeed(DeedFault(rest[0]))
    except (MalformedError, ValueError) as error:
        raise CorruptStoreError(f"{path} is damaged: it says nothing that can be") from error
