"""A wallet's key: ``WALLET/key``, unencrypted PKCS #8 PEM (RFC 8410) of mode 0600.

Its 32-byte public key names the account. A file that others can read is refused, as ssh
does.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.ed25519 import PrivateKey
from ledger.errors import KeyStoreError, RefusedError
from ledger.storage.os_errors import storage_errors

_MAX_FILE_SIZE: Final = 4096


def create_key(path: Path) -> PrivateKey:
    """Make a new key and keep it. Raises RefusedError where one is, StorageError."""
    key = PrivateKey.generate()
    with storage_errors(path):
        beside = path.with_name(f".{path.name}.{os.getpid()}.made")
        write_durably(beside, key.to_pem(), mode=PRIVATE)
        try:
            os.link(beside, path)  # unlike a rename, never over a key that is there
        except FileExistsError:
            raise RefusedError(
                f"{path} exists", hint="a key is money: move it away yourself, or use it"
            ) from None
        finally:
            beside.unlink()
        sync_folder(path.parent)
    return key


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
