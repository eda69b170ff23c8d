"""The robot's own private keys, one PKCS #8 PEM file a key under ``HOME/keys/signing``.

A file is named by the key id of its verifier key. Files that others can read are
refused, as ssh does, and a file that does not hold the key of its name is too.

Backup, one file, readable only with its passphrase::

    "quipu-backup/v1\\n" || u8 log2(N) || salt (16) || nonce (12) || AES-256-GCM ciphertext

    key = scrypt(passphrase, salt, N, r = 8, p = 1)        RFC 7914
    aad = everything before the ciphertext
    plaintext = JSON {"origin": ..., "signing": {vkey: PEM, ...}}

Record keys (salts and content keys) are left out on purpose: a backup of them would
survive an erasure.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ledger.durable_file import PRIVATE, write_durably
from ledger.ed25519 import PrivateKey
from ledger.errors import KeyStoreError, MalformedError
from ledger.note import NoteSigner, VerifierKey

BACKUP_MAGIC: Final = b"quipu-backup/v1\n"
_LOG2_N: Final = 16
_MAX_LOG2_N: Final = 20
_SALT_SIZE: Final = 16
_NONCE_SIZE: Final = 12
_HEADER_SIZE: Final = len(BACKUP_MAGIC) + 1 + _SALT_SIZE + _NONCE_SIZE


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The folder of private keys of one home."""

    folder: Path

    def path_of(self, vkey: VerifierKey) -> Path:
        """The file that holds, or would hold, the private key of ``vkey``."""
        return self.folder / f"{vkey.key_id.hex()}.key"

    def add(self, signer: NoteSigner) -> None:
        """Keep a private key. Raises `KeyStoreError` if another key has its place."""
        path = self.path_of(signer.verifier_key)
        if path.exists():
            self.signer(signer.verifier_key)  # refuses a file that holds another key
            return
        write_durably(path, signer.private_key.to_pem(), mode=PRIVATE)

    def signer(self, vkey: VerifierKey) -> NoteSigner:
        """The private key of ``vkey``, ready to sign. Raises `KeyStoreError`."""
        path = self.path_of(vkey)
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise KeyStoreError(
                    f"private key {path} can be read by others", hint=f"chmod 600 {path}"
                )
            pem = path.read_bytes()
        except OSError as error:
            raise KeyStoreError(
                f"private key {path} cannot be read: {os.strerror(error.errno or 0)}",
                hint="`quipu key restore BACKUP` brings it back",
            ) from None
        try:
            private_key = PrivateKey.from_pem(pem)
        except KeyStoreError as error:
            raise KeyStoreError(
                f"{path} is damaged: {error.message}",
                hint="`quipu key restore BACKUP --force` replaces it",
            ) from None
        if private_key.public_key != vkey.public_key:
            raise KeyStoreError(f"{path} is not the private key of {vkey}")
        return NoteSigner(vkey.name, private_key)

    def signers(self, vkeys: Iterable[VerifierKey]) -> tuple[NoteSigner, ...]:
        """The private keys of ``vkeys``, in their order. Raises `KeyStoreError`."""
        return tuple(self.signer(vkey) for vkey in vkeys)

    def remove(self, vkey: VerifierKey) -> None:
        """Destroy the private key of a retired key; nothing happens if it is gone."""
        self.path_of(vkey).unlink(missing_ok=True)

    def back_up(self, vkeys: Sequence[VerifierKey], passphrase: bytes) -> bytes:
        """The private keys of ``vkeys``, sealed under ``passphrase`` (layout above).

        Raises `KeyStoreError` for a missing key or an empty passphrase.
        """
        if not passphrase:
            raise KeyStoreError("a backup needs a passphrase")
        signing = {
            vkey.encode(): self.signer(vkey).private_key.to_pem().decode("ascii") for vkey in vkeys
        }
        plaintext = json.dumps({"origin": vkeys[0].name, "signing": signing}).encode()
        salt, nonce = os.urandom(_SALT_SIZE), os.urandom(_NONCE_SIZE)
        header = BACKUP_MAGIC + bytes([_LOG2_N]) + salt + nonce
        key = _stretch(passphrase, salt, _LOG2_N)
        return header + AESGCM(key).encrypt(nonce, plaintext, header)


def open_backup(backup: bytes, passphrase: bytes) -> tuple[NoteSigner, ...]:
    """The signers in a backup, in the order in which they were active.

    Raises `MalformedError` for a file that is no backup, `KeyStoreError` for a wrong
    passphrase or a damaged file (the two cannot be told apart).
    """
    if len(backup) < _HEADER_SIZE or not backup.startswith(BACKUP_MAGIC):
        raise MalformedError("not a Quipu key backup")
    header = backup[:_HEADER_SIZE]
    log2_n = header[len(BACKUP_MAGIC)]
    if not 10 <= log2_n <= _MAX_LOG2_N:
        raise MalformedError(f"key backup asks for scrypt N = 2^{log2_n}")
    salt, nonce = header[-_SALT_SIZE - _NONCE_SIZE : -_NONCE_SIZE], header[-_NONCE_SIZE:]
    try:
        plaintext = AESGCM(_stretch(passphrase, salt, log2_n)).decrypt(
            nonce, backup[_HEADER_SIZE:], header
        )
    except InvalidTag:
        raise KeyStoreError("wrong passphrase, or the backup is damaged") from None
    return _parse_backup(plaintext)


def _parse_backup(plaintext: bytes) -> tuple[NoteSigner, ...]:
    """Read the decrypted JSON; errors never quote it."""
    try:
        signing = json.loads(plaintext)["signing"]
        pairs = [(str(vkey), str(pem).encode("ascii")) for vkey, pem in signing.items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MalformedError("key backup has a wrong inside") from None
    signers = []
    for text, pem in pairs:
        vkey = VerifierKey.parse(text)
        signer = NoteSigner(vkey.name, PrivateKey.from_pem(pem))
        if signer.verifier_key != vkey:
            raise MalformedError("key backup holds a private key under another key's name")
        signers.append(signer)
    if not signers:
        raise MalformedError("key backup holds no key")
    return tuple(signers)


def _stretch(passphrase: bytes, salt: bytes, log2_n: int) -> bytes:
    """scrypt (RFC 7914): 32 bytes; 64 MiB of memory at N = 2^16, r = 8."""
    return Scrypt(salt=salt, length=32, n=1 << log2_n, r=8, p=1).derive(passphrase)
