"""The key that a robot cosigns other logs with, under ``HOME/keys/witness``.

One file, ``witness.key``, mode 0600: the verifier key (type 0x04) on the first line,
and the private key as PKCS #8 PEM below it. It signs nothing but cosignatures; a
cosignature does not cover its signer's name, so no other signer may have the key.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.ed25519 import PrivateKey
from ledger.errors import KeyStoreError, MalformedError, RefusedError
from ledger.note import CosignatureSigner, VerifierKey, check_name
from ledger.storage.os_errors import storage_errors

_FILE: Final = "witness.key"
_MAX_FILE_SIZE: Final = 8192
_PRIVATE_FOLDER: Final = 0o700


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The folder of one witness's key."""

    folder: Path

    @property
    def path(self) -> Path:
        """The file that holds, or would hold, the key."""
        return self.folder / _FILE

    @property
    def exists(self) -> bool:
        """Whether a key was made here."""
        return self.path.exists()

    def create(self, name: str) -> CosignatureSigner:
        """Make a key named ``name``, durable on return.

        A name is a URL without its scheme, as a log's origin is. Raises `RefusedError`
        if there is a key, `MalformedError` for a name no key can have, `StorageError`.
        """
        check_name(name)
        signer = CosignatureSigner(name, PrivateKey.generate())
        data = signer.verifier_key.encode().encode() + b"\n" + signer.private_key.to_pem()
        beside = self.path.with_name(f".{_FILE}.{secrets.token_hex(8)}")
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
            write_durably(beside, data, mode=PRIVATE)
            try:
                # Unlike a rename, a link never replaces a key that another process made.
                os.link(beside, self.path)
            except FileExistsError:
                raise RefusedError(
                    f"{self.path} exists", hint="a witness keeps its key as long as its state"
                ) from None
            finally:
                beside.unlink()
            sync_folder(self.folder)
        return signer

    def load(self) -> CosignatureSigner:
        """The key, ready to sign. Raises `KeyStoreError`."""
        path = self.path
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise KeyStoreError(
                    f"private key {path} can be read by others", hint=f"chmod 600 {path}"
                )
            with path.open("rb") as file:
                data = file.read(_MAX_FILE_SIZE)
        except OSError as error:
            raise KeyStoreError(
                f"witness key {path} cannot be read: {os.strerror(error.errno or 0)}",
                hint="make one with `quipu witness key --create`",
            ) from None
        line, _, pem = data.partition(b"\n")
        try:
            vkey = VerifierKey.parse(line.decode("utf-8"))
            signer = CosignatureSigner(vkey.name, PrivateKey.from_pem(pem))
        except (UnicodeDecodeError, MalformedError, KeyStoreError):
            raise KeyStoreError(f"witness key {path} is damaged") from None
        if signer.verifier_key != vkey:
            raise KeyStoreError(f"{path} is not the private key of {vkey}")
        return signer

    def load_or_create(self, name: str) -> CosignatureSigner:
        """The key that is there, or a new one. Raises as `load` and `create` do."""
        if not self.exists:
            try:
                return self.create(name)
            except RefusedError:
                pass  # another process was first
        return self.load()
