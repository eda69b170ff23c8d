"""What a channel has earned, read while a process that is paid through it has it open."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.errors import CorruptStoreError, NotFoundError, StorageError
from ledger.storage.os_errors import storage_errors
from ledger.wallet.channel_file import PAYEE_SUFFIX, PayeeRow, read_row

_TRIES: Final = 100


def look_at_payee(wallet: Path, channel: bytes) -> PayeeRow | None:
    """The paid end of a channel of the wallet at ``wallet``; None where it has none.

    Nothing is locked. Raises CorruptStoreError, StorageError.
    """
    path = wallet / "channels" / f"{channel.hex()}{PAYEE_SUFFIX}"
    wrong: CorruptStoreError | None = None
    for _ in range(_TRIES):
        before = _version(path)
        try:
            row = read_row(path, PayeeRow.decode, PayeeRow.advanced)[0]
        except NotFoundError:
            return None
        except CorruptStoreError as error:
            row, wrong = None, error
        # A file that was replaced meanwhile took its journal with it: read both again.
        if before == _version(path):
            if row is None and wrong is not None:
                raise wrong
            return row
    raise StorageError(f"{path} is written to all the time", hint="look again")


def _version(path: Path) -> tuple[int, int]:
    with storage_errors(path):
        try:
            status = path.stat()
        except FileNotFoundError:
            return 0, 0
    return status.st_ino, status.st_mtime_ns
