"""A wallet's key: ``WALLET/key``, unencrypted PKCS #8 PEM (RFC 8410) of mode 0600.

Its 32-byte public key names the account. A file that others can read is refused, as ssh
does. A wallet over a key that is kept elsewhere has ``WALLET/account`` instead: the account in
hexadecimal, and a line feed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.ed25519 import PrivateKey
from ledger.errors import KeyStoreError, RefusedError
from ledger.storage.os_errors import storage_error, storage_errors

_MAX_FILE_SIZE: Final = 4096
_ACCOUNT: Final = re.compile(rb"[0-9a-f]{64}\n")


def create_key(path: Path) -> PrivateKey:
    """Make a new key and keep it. Raises RefusedError where one is, StorageError."""
    key = PrivateKey.generate()
    try:
        _write_new(path, key.to_pem())
    except FileExistsError:
        raise RefusedError(
            f"{path} exists", hint="a key is money: move it away yourself, or use it"
        ) from None
    return key


def name_account(path: Path, account: bytes) -> None:
    """Say once whose wallet it is; a name that is there stays. Raises StorageError."""
    with suppress(FileExistsError):
        _write_new(path, account.hex().encode() + b"\n")


def read_account(path: Path) -> bytes | None:
    """The account that a wallet is over, 32 bytes; None where no file says.

    Raises KeyStoreError, StorageError.
    """
    with storage_errors(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    if not _ACCOUNT.fullmatch(data):
        raise KeyStoreError(f"{path} is damaged: it names no account")
    return bytes.fromhex(data.decode())


def read_key(path: Path) -> PrivateKey:
    """The key. Raises KeyStoreError for one that is missing, damaged, or open to others."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyStoreError(
                f"private key {path} can be read by others", hint=f"chmod 600 {path}"
            )
        with path.open("rb") as file:
            pem = file.read(_MAX_FILE_SIZE)
    except OSError as error:
        raise KeyStoreError(
            f"wallet key {path} cannot be read: {os.strerror(error.errno or 0)}",
            hint="make a wallet with `quipu wallet new`",
        ) from None
    try:
        return PrivateKey.from_pem(pem)
    except KeyStoreError as error:
        raise KeyStoreError(f"wallet key {path} is damaged: {error.message}") from None


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there, durably. Raises FileExistsError, StorageError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.made")
    with storage_errors(path):
        write_durably(beside, data, mode=PRIVATE)
    try:
        os.link(beside, path)  # unlike a rename, never over one that is there
    except FileExistsError:
        raise
    except OSError as error:
        raise storage_error(error.errno or errno.EIO, path) from error
    finally:
        beside.unlink()
    with storage_errors(path):
        sync_folder(path.parent)
