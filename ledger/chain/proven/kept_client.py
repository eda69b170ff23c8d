"""A light client that outlives its process: an old history is old after a restart, too.

``FOLDER/<chain id in hex>.head``, replaced whole::

    SignedHeader        the newest that was verified (`LightClient.to_bytes`); not secret
"""

from __future__ import annotations

from pathlib import Path

from ledger.chain.light.client import LightClient
from ledger.chain.light.trust import Trust
from ledger.durable_file import write_durably
from ledger.errors import CorruptStoreError, MalformedError, VerificationError
from ledger.storage.os_errors import storage_errors


def read_client(folder: Path, trust: Trust) -> LightClient:
    """The client that was kept of this chain, verified again; a new one where none was.

    Raises CorruptStoreError for what does not verify, StorageError.
    """
    path = _path(folder, trust.chain)
    with storage_errors(path):
        kept = path.read_bytes() if path.exists() else b""
    try:
        return LightClient.from_bytes(trust, kept)
    except (MalformedError, VerificationError) as error:
        raise CorruptStoreError(
            f"{path} is not what was kept of this chain: {error.message}",
            hint="its operator's keys or its witnesses have changed; remove it if you know why",
        ) from error


def keep_client(folder: Path, client: LightClient) -> None:
    """Keep a client that knows a header; on disk on return. Raises StorageError."""
    path, content = _path(folder, client.trust.chain), client.to_bytes()
    with storage_errors(path):
        if content and (not path.exists() or path.read_bytes() != content):
            write_durably(path, content)


def _path(folder: Path, chain: bytes) -> Path:
    return folder / f"{chain.hex()}.head"
